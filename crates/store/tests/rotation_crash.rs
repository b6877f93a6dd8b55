//! Rotations survive `kill -9`: a child process that rotates is killed again and again while another one goes on
//! writing, and in the end everything opens, with one version left. On both databases.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use letterkeep_model::{Clock as _, Ctx, Id, SystemEntropy, Timestamp, kind};
use letterkeep_store::permission::{self, PermissionChangeRow};
use letterkeep_store::rotation::{self, Progress};
use letterkeep_store::sealed::{self, TABLES, column};
use letterkeep_store::sealed_file::{self, ChunkRow};
use letterkeep_store::{Db, KeyStore, Opening, PostgresOptions, Schema, SqliteOptions, Store};
use letterkeep_testkit::{MockClock, TestHouse, for_each_database};
use letterkeep_vault::{Keyring, RootSource, sealed_version};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use uuid::Uuid;

const DIR: &str = "LETTERKEEP_TEST_CRASH_DIR";
const POSTGRES: &str = "LETTERKEEP_TEST_CRASH_POSTGRES";
const NOW: &str = "LETTERKEEP_TEST_CRASH_NOW";
const ACCOUNT: &str = "LETTERKEEP_TEST_CRASH_ACCOUNT";
/// The account that stands for the root key.
const ROOT: &str = "root";

const KILLS: usize = 4;
const FILES: i64 = 600;
const CHUNKS: i64 = 1500;
const CHANGES: usize = 1000;
const ACCOUNTS: usize = 300;

/// The house as another process has it open, at the instant that the house's clock shows now.
async fn open(dir: &Path, postgres: Option<&str>, now: Timestamp) -> (Store, Ctx) {
    let clock = MockClock::at(now).shared();
    let database = async |name: &str, schema| match postgres {
        Some(url) => {
            Db::open_postgres(&PostgresOptions { url: url.to_owned(), connections: 2 }, schema, Opening::Existing)
                .await
                .unwrap()
        }
        None => Db::open_sqlite(&SqliteOptions { path: dir.join(name), readers: 1 }, schema, Opening::Existing)
            .await
            .unwrap(),
    };
    let db = database("letterkeep.sqlite3", Schema::Data).await;
    let keys = database("keys.sqlite3", Schema::Keys).await;
    let source = RootSource::KeyFile(dir.join("root.key"));
    let keys = KeyStore::open(keys, source, clock.clone()).await.unwrap();
    (Store { db, keys }, Ctx::system(clock, std::sync::Arc::new(SystemEntropy), Id::NIL))
}

/// Not a test by itself: what the tests below start and kill.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let now = Timestamp::from_micros(std::env::var(NOW).unwrap().parse().unwrap());
    let (store, ctx) = open(Path::new(&dir), std::env::var(POSTGRES).ok().as_deref(), now).await;
    match std::env::var(ACCOUNT).unwrap().as_str() {
        ROOT => drop(store.keys.rotate_root(std::sync::Arc::new(SystemEntropy)).await.unwrap()),
        account => drop(rotation::advance(&ctx, &store, account.parse().unwrap()).await.unwrap()),
    }
}

fn start(house: &TestHouse, account: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child"]).env(DIR, house.dir()).env(ACCOUNT, account);
    command.env(NOW, house.clock.now().micros().to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(house.postgres_url().map(|url| (POSTGRES, url)));
    command.spawn().unwrap()
}

/// Starts a rotation and kills it as soon as `has_moved`; whether it was killed in the middle.
async fn killed(house: &TestHouse, account: &str, has_moved: impl AsyncFn() -> bool) -> bool {
    let mut child = start(house, account);
    while child.try_wait().unwrap().is_none() {
        if has_moved().await {
            child.kill().unwrap();
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ended = child.wait().unwrap();
    assert!(ended.success() || ended.code().is_none(), "the rotation failed by itself: {ended}");
    !ended.success()
}

/// A number from the key store's own tables.
async fn number(house: &TestHouse, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    if let Some(url) = house.postgres_url() {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql("SET search_path = letterkeep_keys").execute(&mut connection).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    } else {
        let url = format!("sqlite://{}", house.dir().join("keys.sqlite3").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    }
}

/// What every sealed row must say in the end, by table and row.
#[derive(Default, PartialEq)]
struct Expected(BTreeMap<(&'static str, Uuid), Vec<u8>>);

/// One account's rows, and how they are written.
struct Desk<'a> {
    house: &'a TestHouse,
    ctx: Ctx,
}

impl Desk<'_> {
    fn new_id(&self) -> Uuid {
        self.ctx.new_id::<kind::File>().uuid()
    }

    /// Files with their chunks, and changes of permissions, all sealed by the only version that there is.
    async fn fill(&self, keyring: &Keyring, expected: &mut Expected) -> Vec<Id<kind::File>> {
        let (account, version) = (self.ctx.account, i64::from(keyring.version()));
        let mut tx = self.house.store.db.write().await.unwrap();
        let mut files = Vec::new();
        for number in 0..FILES {
            let file = self.ctx.new_id::<kind::File>();
            let name = format!("file {number}").into_bytes();
            let sealed = keyring.seal(&column::FILE_NAME.slot(&file.uuid()), &name, self.ctx.entropy());
            sealed_file::insert(&mut tx, account, file, &sealed, version, self.ctx.now()).await.unwrap();
            expected.0.insert(("sealed_file", file.uuid()), name);
            files.push(file);
        }
        let mut chunks = Vec::new();
        for seq in 0..CHUNKS {
            let (chunk_id, plain) = (self.new_id(), format!("chunk {seq}").into_bytes());
            let body = keyring.seal(&column::FILE_CHUNK.slot(&chunk_id), &plain, self.ctx.entropy());
            chunks.push(ChunkRow { chunk_id, seq, size: 1, body, key_version: version });
            expected.0.insert(("sealed_file_chunk", chunk_id), plain);
        }
        assert!(sealed_file::append(&mut tx, account, files[0], &chunks).await.unwrap());
        tx.commit().await.unwrap();
        self.change_permissions(keyring, CHANGES, expected).await;
        files
    }

    async fn change_permissions(&self, keyring: &Keyring, count: usize, expected: &mut Expected) {
        let rows = (0..count).map(|_| {
            let (change_id, plain) = (self.new_id(), format!("evidence {}", expected.0.len()).into_bytes());
            let slot = column::PERMISSION_EVIDENCE.slot(&change_id);
            let evidence = Some(keyring.seal(&slot, &plain, self.ctx.entropy()));
            expected.0.insert(("permission_change", change_id), plain);
            let text = String::new;
            let (subject, before, after, source, actor) = (text(), text(), text(), text(), text());
            let (contact_id, key_version) = (Uuid::nil(), i64::from(keyring.version()));
            let at = self.ctx.now().micros();
            PermissionChangeRow {
                change_id,
                contact_id,
                subject,
                before,
                after,
                source,
                evidence,
                key_version,
                actor,
                at,
            }
        });
        let rows = rows.collect::<Vec<_>>();
        let mut tx = self.house.store.db.write().await.unwrap();
        permission::insert_many(&mut tx, self.ctx.account, &rows).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Renames files and records changes until `stop`, now and then with the keyring that work which began before the
    /// rotation still holds. Yields how often.
    async fn go_on(
        &self,
        files: &[Id<kind::File>],
        mut old: Option<&Keyring>,
        expected: &mut Expected,
        stop: &AtomicBool,
        old_work_ends: &AtomicBool,
    ) -> usize {
        for number in 0.. {
            if stop.load(Ordering::SeqCst) {
                return number;
            }
            if old_work_ends.load(Ordering::SeqCst) {
                old = None;
            }
            let current = self.house.store.keys.keyring(self.ctx.account).await.unwrap();
            let keyring = old.filter(|_| number % 3 == 0).unwrap_or(&current);
            let file = files[number * 7 % files.len()];
            let name = format!("renamed {number}").into_bytes();
            let sealed = keyring.seal(&column::FILE_NAME.slot(&file.uuid()), &name, self.ctx.entropy());
            let mut tx = self.house.store.db.write().await.unwrap();
            let version = i64::from(keyring.version());
            sealed_file::complete(&mut tx, self.ctx.account, file, &sealed, version).await.unwrap();
            tx.commit().await.unwrap();
            expected.0.insert(("sealed_file", file.uuid()), name);
            self.change_permissions(keyring, 1, expected).await;
            // The embedded database lets whoever asks next write; this one must not always be that.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        unreachable!("the numbers do not end")
    }

    /// Opens every sealed row with `keyring` alone.
    async fn verify(&self, keyring: &Keyring, expected: &Expected) {
        let mut found = Expected::default();
        for table in TABLES {
            let mut after = Uuid::nil();
            loop {
                let mut tx = self.house.store.db.write().await.unwrap();
                let rows = sealed::next(&mut tx, table, self.ctx.account, after, i64::MAX).await.unwrap();
                let Some(last) = rows.last() else { break };
                after = last.id;
                for row in &rows {
                    let sealed = row.records[0].as_ref().unwrap();
                    assert_eq!((sealed_version(sealed), row.key_version), (Some(2), 2), "{} {}", table.name, row.id);
                    let plain = keyring.open(&table.columns[0].slot(&row.id), sealed).unwrap();
                    found.0.insert((table.name, row.id), plain.to_vec());
                }
            }
        }
        assert!(found == *expected, "{} rows say what was written last, of {}", found.0.len(), expected.0.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_a_rotation_of_an_accounts_key_loses_nothing() {
    for_each_database(async |house| {
        let (account, old) = house.account().await;
        let desk = Desk { house, ctx: house.system(account) };
        let mut expected = Expected::default();
        let files = desk.fill(&old, &mut expected).await;
        let rotate = async || {
            let (store, ctx) = open(house.dir(), house.postgres_url(), house.clock.now()).await;
            rotation::advance(&ctx, &store, account).await.unwrap()
        };
        assert!(matches!(rotate().await, Progress::Waiting(_, 0)));
        house.clock.advance(KeyStore::SETTLE);

        let (stop, old_work_ends) = (AtomicBool::new(false), AtomicBool::new(false));
        let killing = async {
            let mut kills = 0;
            for _ in 0..KILLS {
                let before = number(house, "SELECT resealed FROM key_rotation").await;
                let moved = async || number(house, "SELECT resealed FROM key_rotation").await > before;
                kills += usize::from(killed(house, &account.to_string(), moved).await);
            }
            assert!(kills >= 2, "it was killed in the middle {kills} times");
            let mut waits = 0;
            let resealed = loop {
                match rotate().await {
                    Progress::Waiting(until, _) => {
                        // A day's work that began before the rotation has ended by now.
                        old_work_ends.store(true, Ordering::SeqCst);
                        house.clock.set(until);
                    }
                    Progress::Done(resealed) => break resealed,
                }
                waits += 1;
                assert!(waits < 10, "the rotation must end");
            };
            stop.store(true, Ordering::SeqCst);
            resealed
        };
        let writing = Box::pin(desk.go_on(&files, Some(&old), &mut expected, &stop, &old_work_ends));
        let (resealed, written) = tokio::join!(Box::pin(killing), writing);
        // What a batch has sealed is counted after it: a kill in between loses the count of one batch, not its rows.
        assert!(resealed >= CHUNKS as u64 && written > 0, "{resealed} sealed anew, {written} written meanwhile");
        assert_eq!(number(house, "SELECT COUNT(*) FROM key_rotation WHERE finished_at IS NULL").await, 0);
        let versions = "SELECT COUNT(*) FROM account_key WHERE purpose = 'data'";
        assert_eq!(number(house, versions).await, 2, "one of the account, one of the installation");
        house.store.keys.forget(account);
        let keyring = house.store.keys.keyring(account).await.unwrap();
        assert_eq!(keyring.versions().collect::<Vec<_>>(), [2]);
        desk.verify(&keyring, &expected).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_a_rotation_of_the_root_key_loses_no_account() {
    for_each_database(async |house| {
        let create = async |keys: KeyStore| {
            let account = Id::<kind::Account>::generate(&*house.clock, &SystemEntropy);
            keys.create(account, &SystemEntropy).await.unwrap();
            account
        };
        let mut accounts = Vec::new();
        for _ in 0..ACCOUNTS {
            accounts.push(create(house.store.keys.clone()).await);
        }
        let source = RootSource::KeyFile(house.dir().join("root.key"));
        let first = source.open().unwrap().current();
        let hex = first.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let literal = if house.postgres_url().is_some() { format!("'\\x{hex}'") } else { format!("X'{hex}'") };
        let count = format!("SELECT COUNT(*) FROM account_key WHERE root_id <> {literal}");

        let stop = AtomicBool::new(false);
        let killing = async {
            let two_roots = async || source.open().unwrap().is_rotating();
            let mut kills = usize::from(killed(house, ROOT, two_roots).await);
            assert!(source.open().unwrap().is_rotating(), "the new root is there, the old one is still needed");
            for _ in 1..KILLS {
                let before = number(house, &count).await;
                let moved = async || number(house, &count).await > before + 100;
                kills += usize::from(killed(house, ROOT, moved).await);
            }
            stop.store(true, Ordering::SeqCst);
            kills
        };
        let working = async {
            let mut made = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                made.push(create(house.store.keys.clone()).await);
                // The clock moves, so that this process reads the keys of the others again.
                house.clock.advance(Duration::from_secs(1));
                house.store.keys.keyring(accounts[made.len() % ACCOUNTS]).await.expect("opens at any time");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            made
        };
        let (kills, made) = tokio::join!(killing, working);
        assert!(kills >= 2 && !made.is_empty(), "killed {kills} times; {} accounts were made meanwhile", made.len());

        let (process, _) = open(house.dir(), house.postgres_url(), house.clock.now()).await;
        process.keys.rotate_root(house.entropy.shared()).await.unwrap();
        assert_eq!(source.open().unwrap().ids().count(), 1);
        assert_eq!(number(house, "SELECT COUNT(DISTINCT root_id) FROM account_key").await, 1);
        assert_eq!(number(house, &count).await, 3 * (accounts.len() + made.len() + 1) as i64, "not the first one");
        let (fresh, _) = open(house.dir(), house.postgres_url(), house.clock.now()).await;
        for account in accounts.iter().chain(&made) {
            fresh.keys.keyring(*account).await.expect("no key was lost");
        }
    })
    .await;
}
