//! An import survives `kill -9` at any point: a child process is killed in the middle several times, and the result
//! is the same as that of an import that nobody disturbed.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use letterkeep_audience::ContactRecord;
use letterkeep_audience::import::{self, Progress, State, progress, run, stage};
use letterkeep_model::{Clock, Ctx, Entropy, Id, SystemClock, SystemEntropy, kind};
use letterkeep_store::contact::{self, Direction, PageFilter};
use letterkeep_store::sealed::column;
use letterkeep_store::{Db, KeyStore, Opening, PostgresOptions, Schema, SqliteOptions, Store};
use letterkeep_testkit::postgres::PostgresDatabase;
use letterkeep_vault::RootSource;
use uuid::Uuid;

const DIR: &str = "LETTERKEEP_TEST_CRASH_DIR";
/// The PostgreSQL database of the child; without it, the child opens the files in the directory.
const DATABASE: &str = "LETTERKEEP_TEST_CRASH_DATABASE";
const ROWS: usize = 20_000;
const KILLS: usize = 3;

/// Opens data and keys: in files in `dir`, or in the PostgreSQL database at `url`. The root key is a file in `dir`.
async fn open(dir: &Path, url: Option<&str>, account: Option<Id<kind::Account>>) -> (Store, Ctx) {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let database = async |name: &str, schema| {
        if let Some(url) = url {
            return Db::open_postgres(&PostgresOptions { url: url.to_owned(), connections: 4 }, schema, Opening::Make)
                .await
                .unwrap();
        }
        let options = SqliteOptions { path: dir.join(name), readers: 2 };
        Db::open_sqlite(&options, schema, Opening::Make).await.unwrap()
    };
    let (data, keys) = (database("data.sqlite3", Schema::Data).await, database("keys.sqlite3", Schema::Keys).await);
    let source = RootSource::KeyFile(dir.join("root.key"));
    if account.is_none() {
        source.create(&*entropy).unwrap();
    }
    let keys = KeyStore::make(keys, source, clock.clone(), &*entropy).await.unwrap();
    let id = account.unwrap_or_else(|| Id::generate(&*clock, &*entropy));
    if account.is_none() {
        keys.create(id, &*entropy).await.unwrap();
    }
    (Store { db: data, keys }, Ctx::system(clock, entropy, id))
}

/// Every twentieth row has an address that stood above, every hundredth none.
fn file() -> Vec<u8> {
    let mut text = String::from("E-Mail,Vorname,Tags\n");
    for row in 0..ROWS {
        let email = match row % 100 {
            99 => "none".to_owned(),
            rest if rest % 20 == 19 => format!("p{}@example.org", row - 7),
            _ => format!("p{row}@example.org"),
        };
        writeln!(text, "{email},Vorname {row},tag {}", row % 7).unwrap();
    }
    text.into_bytes()
}

async fn prepare(store: &Store, ctx: &Ctx) -> Id<kind::Import> {
    let mut writer = import::FileWriter::begin(ctx, store, "kontakte.csv", import::limits::FILE).await.unwrap();
    writer.write(&file()).await.unwrap();
    let stored = writer.finish().await.unwrap();
    let import = stage::register(ctx, store, stored.id).await.unwrap();
    let preview = stage::preview(ctx, store, import).await.unwrap();
    stage::configure(ctx, store, import, &preview.settings).await.unwrap();
    stage::start(ctx, store, import).await.unwrap();
    import
}

/// Every contact: address and what else is known.
async fn contacts(store: &Store, ctx: &Ctx) -> BTreeMap<String, String> {
    let keyring = store.keys.keyring(ctx.account).await.unwrap();
    let (mut found, mut after) = (BTreeMap::new(), Uuid::nil());
    loop {
        let mut tx = store.db.read().await.unwrap();
        let newer = Direction::Newer(after);
        let page = contact::page(&mut tx, ctx.account, PageFilter::default(), newer, 1000).await.unwrap();
        let Some(last) = page.last() else { return found };
        after = last.contact_id;
        for row in page {
            let slot = column::CONTACT_RECORD.slot(&row.contact_id);
            let record: ContactRecord = keyring.open_json(&slot, &row.record).unwrap();
            let before = found.insert(record.email.normalised(), record.first_name);
            assert!(before.is_none(), "a contact stands there twice");
        }
    }
}

fn counts(progress: &Progress) -> [u64; 6] {
    let Progress { rows_done, created, updated, unchanged, duplicate, rejected, .. } = *progress;
    [rows_done, created, updated, unchanged, duplicate, rejected]
}

/// Not a test by itself: what the test below starts and kills.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let ids = std::fs::read_to_string(dir.join("ids")).unwrap();
    let (account, import) = ids.split_once(' ').unwrap();
    let url = std::env::var(DATABASE).ok();
    let (store, ctx) = open(dir, url.as_deref(), Some(account.parse().unwrap())).await;
    run::run(&ctx, &store, import.parse().unwrap(), None, |progress| println!("\nrows {}", progress.rows_done))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_and_doubles_nothing() {
    kill_9(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_and_doubles_nothing_on_postgres() {
    let Some(database) = PostgresDatabase::create(None).await else { return };
    kill_9(Some(database.url())).await;
}

/// Kills imports into files, or into the PostgreSQL database at `url`.
async fn kill_9(url: Option<&str>) {
    let dir = tempfile::tempdir().unwrap();
    let (store, ctx) = open(dir.path(), url, None).await;
    let account = ctx.account;
    let import = prepare(&store, &ctx).await;
    store.db.close().await;
    store.keys.db().close().await;
    drop(store);
    std::fs::write(dir.path().join("ids"), format!("{account} {import}")).unwrap();

    let mut before = 0;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(DIR, dir.path())
            .envs(url.map(|url| (DATABASE, url)))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed as soon as a batch is confirmed: the next one is being written at that moment.
        let first = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("rows ")?.parse::<u64>().ok());
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "the child was killed, it did not end by itself");
        let rows = first.expect("a batch was written");
        assert!(rows > before, "it goes on where it stopped");
        before = rows;
    }

    let (store, ctx) = open(dir.path(), url, Some(account)).await;
    let mut tx = store.db.read().await.unwrap();
    let cut = progress::progress(&mut tx, account, import, ctx.now()).await.unwrap().unwrap();
    drop(tx);
    assert_eq!(cut.state, State::Running);
    assert!(cut.rows_done >= before && cut.rows_done < ROWS as u64, "cut off in the middle: {}", cut.rows_done);
    let resumed = run::run(&ctx, &store, import, None, |_| {}).await.unwrap();
    assert_eq!(resumed.state, State::Done);

    let calm = tempfile::tempdir().unwrap();
    let (calm_store, calm_ctx) = open(calm.path(), None, None).await;
    let calm_import = prepare(&calm_store, &calm_ctx).await;
    let undisturbed = run::run(&calm_ctx, &calm_store, calm_import, None, |_| {}).await.unwrap();
    assert_eq!(counts(&resumed), counts(&undisturbed));
    assert_eq!(contacts(&store, &ctx).await, contacts(&calm_store, &calm_ctx).await);
    let rejects = async |store: &Store, progress: &Progress, account| {
        let mut stream = import::FileStream::open(store, account, progress.rejects.unwrap()).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await.unwrap() {
            bytes.extend_from_slice(&piece);
        }
        bytes
    };
    let resumed_rejects = rejects(&store, &resumed, account).await;
    assert!(resumed_rejects == rejects(&calm_store, &undisturbed, calm_ctx.account).await);
}
