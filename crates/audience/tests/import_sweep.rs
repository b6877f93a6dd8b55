//! Files that no import needs any more are found and removed; all others stay.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::time::Duration;

use letterkeep_audience::import::{self, FileWriter, State, file, limits, run, stage};
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::import as rows;
use letterkeep_store::sealed_file;
use letterkeep_testkit::{TestHouse, for_each_database};

async fn uploaded(house: &TestHouse, ctx: &Ctx, text: &[u8]) -> Id<kind::File> {
    let mut writer = FileWriter::begin(ctx, &house.store, "kontakte.csv", limits::FILE).await.unwrap();
    writer.write(text).await.unwrap();
    writer.finish().await.unwrap().id
}

async fn registered(house: &TestHouse, ctx: &Ctx, text: &[u8]) -> (Id<kind::Import>, Id<kind::File>) {
    let file = uploaded(house, ctx, text).await;
    let import = stage::register(ctx, &house.store, file).await.unwrap();
    let preview = stage::preview(ctx, &house.store, import).await.unwrap();
    stage::configure(ctx, &house.store, import, &preview.settings).await.unwrap();
    (import, file)
}

async fn is_there(house: &TestHouse, ctx: &Ctx, file: Id<kind::File>) -> bool {
    let mut tx = house.store.db.read().await.unwrap();
    sealed_file::find(&mut tx, ctx.account, file).await.unwrap().is_some()
}

/// What a crash between the end of an import and the removal of its file leaves: the end without the removal.
async fn ended_by_a_crash(house: &TestHouse, ctx: &Ctx, import: Id<kind::Import>, state: State) {
    let mut tx = house.store.db.write().await.unwrap();
    rows::set_state(&mut tx, ctx.account, import, state.name(), None, None, Some(ctx.now())).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_sweep_finds_what_a_crash_left_and_nothing_else() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        let ctx = house.system(account);
        let good = b"E-Mail\na@example.com\n";

        let mut left = Vec::new();
        for state in [State::Done, State::Cancelled, State::Undone] {
            let (import, file) = registered(house, &ctx, good).await;
            ended_by_a_crash(house, &ctx, import, state).await;
            left.push(file);
        }
        // Complete, and the service died before it was registered.
        left.push(uploaded(house, &ctx, good).await);

        let mut kept = Vec::new();
        kept.push(registered(house, &ctx, good).await.1);
        for state in [State::Running, State::Paused, State::Failed] {
            let (import, file) = registered(house, &ctx, good).await;
            ended_by_a_crash(house, &ctx, import, state).await;
            kept.push(file);
        }
        // The refused rows of an import that has ended can still be downloaded.
        let (import, file) = registered(house, &ctx, b"E-Mail\nb@example.com\nnone\n").await;
        stage::start(&ctx, &house.store, import).await.unwrap();
        let done = run::run(&ctx, &house.store, import, None, |_| {}).await.unwrap();
        assert_eq!((done.state, done.rejected), (State::Done, 1));
        assert!(!is_there(house, &ctx, file).await, "removed at the end");
        kept.push(done.rejects.unwrap());

        assert_eq!(file::sweep(&ctx, &house.store).await.unwrap(), 0, "today's files may still be arriving");
        house.clock.advance(Duration::from_hours(25));
        let arriving = uploaded(house, &ctx, good).await;
        assert_eq!(file::sweep(&ctx, &house.store).await.unwrap(), left.len() as u64);
        for file in left {
            assert!(!is_there(house, &ctx, file).await);
        }
        for file in kept.into_iter().chain([arriving]) {
            assert!(is_there(house, &ctx, file).await);
        }
        assert_eq!(file::sweep(&ctx, &house.store).await.unwrap(), 0);
        let mut tx = house.store.db.read().await.unwrap();
        assert!(import::progress::progress(&mut tx, account, import, ctx.now()).await.unwrap().is_some());
    })
    .await;
}
