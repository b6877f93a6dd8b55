//! An import, or its undo, that fails at every attempt ends, and says so to the user.

use std::time::Duration;

use letterkeep_audience::import::{self, Progress, State, run, stage, undo};
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::import::{self as rows, Counts};
use letterkeep_store::queue::{self, ClaimedJob, Outcome};
use letterkeep_testkit::{TestHouse, for_each_database};

use crate::{total, uploaded};

async fn claimed(house: &TestHouse, ctx: &Ctx) -> ClaimedJob {
    queue::claim(&house.store.db, ctx.now(), Duration::from_mins(1)).await.unwrap().expect("a job waits")
}

async fn progress(house: &TestHouse, ctx: &Ctx, import: Id<kind::Import>) -> Progress {
    let mut tx = house.store.db.read().await.unwrap();
    import::progress::progress(&mut tx, ctx.account, import, ctx.now()).await.unwrap().unwrap()
}

/// Settles the job as the worker does.
async fn settled(house: &TestHouse, ctx: &Ctx, job: &ClaimedJob, outcome: &Outcome) {
    let mut tx = house.store.db.write().await.unwrap();
    queue::settle(&mut tx, job, outcome, ctx.now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_import_that_fails_at_every_attempt_ends_as_failed() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        let ctx = house.system(account);
        let import = uploaded(house, &ctx, "x.csv", b"E-Mail\na@example.com\n").await;
        let settings = stage::preview(&ctx, &house.store, import).await.unwrap().settings;
        stage::configure(&ctx, &house.store, import, &settings).await.unwrap();
        stage::start(&ctx, &house.store, import).await.unwrap();
        let mut job = claimed(house, &ctx).await;
        // The place reached is damaged: no attempt can go on from it.
        let mut tx = house.store.db.write().await.unwrap();
        let epoch = rows::find(&mut tx, account, import).await.unwrap().unwrap().epoch;
        assert!(rows::advance(&mut tx, account, import, epoch, &Counts::default(), None, "?").await.unwrap());
        tx.commit().await.unwrap();

        assert!(matches!(run::perform(&ctx, &house.store, &job).await, Outcome::Retry(_)));
        assert_eq!(progress(house, &ctx, import).await.state, State::Running, "it will be tried again");
        job.attempts = job.max_attempts;
        let outcome = run::perform(&ctx, &house.store, &job).await;
        assert!(matches!(outcome, Outcome::Dead(_)), "{outcome:?}");
        settled(house, &ctx, &job, &outcome).await;
        let failed = progress(house, &ctx, import).await;
        assert_eq!((failed.state, failed.problem.unwrap().code.as_str()), (State::Failed, "gave-up"));
        let mut tx = house.store.db.read().await.unwrap();
        let dead = queue::dead(&mut tx, 10).await.unwrap();
        assert!(dead.iter().any(|dead| dead.account_id == account.uuid() && dead.last_error.is_some()));
    })
    .await;
}

#[tokio::test]
async fn an_undo_that_fails_at_every_attempt_can_be_tried_again() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        let ctx = house.system(account);
        let file = b"E-Mail\na@example.com\n";
        let (import, _) = crate::imported(house, &ctx, file, |_| {}).await;
        undo::start(&ctx, &house.store, import).await.unwrap();
        let mut job = claimed(house, &ctx).await;
        let mut tx = house.store.db.write().await.unwrap();
        let epoch = rows::find(&mut tx, account, import).await.unwrap().unwrap().epoch;
        assert!(rows::undo_reached(&mut tx, account, import, epoch, "?").await.unwrap());
        tx.commit().await.unwrap();

        assert!(matches!(run::perform(&ctx, &house.store, &job).await, Outcome::Retry(_)));
        assert_eq!(progress(house, &ctx, import).await.state, State::Undoing, "it will be tried again");
        job.attempts = job.max_attempts;
        let outcome = run::perform(&ctx, &house.store, &job).await;
        assert!(matches!(outcome, Outcome::Dead(_)), "{outcome:?}");
        settled(house, &ctx, &job, &outcome).await;
        let failed = progress(house, &ctx, import).await;
        assert_eq!((failed.state, failed.problem.unwrap().code.as_str()), (State::Failed, "undo-gave-up"));

        let undone = undo::undo_now(&ctx, &house.store, import).await.unwrap();
        assert_eq!((undone.removed, total(house, &ctx).await), (1, 0));
        assert_eq!(progress(house, &ctx, import).await.state, State::Undone);
    })
    .await;
}
