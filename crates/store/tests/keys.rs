//! The key store and the rotation of keys, on both databases.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use letterkeep_model::{Id, kind};
use letterkeep_store::rotation::{self, Progress};
use letterkeep_store::sealed::{self, TABLES, column};
use letterkeep_store::sealed_file::{self, ChunkRow};
use letterkeep_store::{KeyStore, KeyStoreError, Store};
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::{RootSource, sealed_version};
use uuid::Uuid;

/// Contacts with a sealed record each, written straight into the table.
async fn contacts(house: &TestHouse, account: Id<kind::Account>, count: u8) -> Vec<Uuid> {
    let keyring = house.store.keys.keyring(account).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..count {
        let id = Id::<kind::Contact>::generate(&*house.clock, &*house.entropy).uuid();
        let record = keyring.seal(&column::CONTACT_RECORD.slot(&id), &[number], &*house.entropy);
        insert_contact(house, account, id, &[number; 16], &record, keyring.version()).await;
        ids.push(id);
    }
    ids
}

async fn insert_contact(
    house: &TestHouse,
    account: Id<kind::Account>,
    id: Uuid,
    index: &[u8],
    record: &[u8],
    version: u32,
) {
    const INSERT: &str = "INSERT INTO contact (account_id, contact_id, email_index, record, key_version, permission,
        permission_source, permission_at, tracking, tracking_at, revision, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, 'not_set', '', 0, 'not_set', 0, 1, 0, 0)";
    use sqlx::Connection as _;
    let version = i64::from(version);
    if let Some(url) = house.postgres_url() {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql("SET search_path = letterkeep").execute(&mut connection).await.unwrap();
        let insert = sqlx::query(INSERT).bind(account.uuid()).bind(id).bind(index).bind(record).bind(version);
        insert.execute(&mut connection).await.unwrap();
    } else {
        let mut connection = sqlite(house).await;
        let insert = sqlx::query(INSERT).bind(account.uuid()).bind(id).bind(index).bind(record).bind(version);
        insert.execute(&mut connection).await.unwrap();
    }
}

async fn sqlite(house: &TestHouse) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions as _;
    sqlx::sqlite::SqliteConnectOptions::new()
        .filename(house.dir().join("letterkeep.sqlite3"))
        .busy_timeout(Duration::from_secs(5))
        .connect()
        .await
        .unwrap()
}

async fn record(house: &TestHouse, id: Uuid) -> Vec<u8> {
    use sqlx::Connection as _;
    const SELECT: &str = "SELECT record FROM contact WHERE contact_id = $1";
    if let Some(url) = house.postgres_url() {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql("SET search_path = letterkeep").execute(&mut connection).await.unwrap();
        sqlx::query_scalar(SELECT).bind(id).fetch_one(&mut connection).await.unwrap()
    } else {
        sqlx::query_scalar(SELECT).bind(id).fetch_one(&mut sqlite(house).await).await.unwrap()
    }
}

async fn reads_all(house: &TestHouse, store: &Store, account: Id<kind::Account>, ids: &[Uuid]) {
    let keyring = store.keys.keyring(account).await.unwrap();
    for (number, id) in ids.iter().enumerate() {
        let sealed = record(house, *id).await;
        let plain = keyring.open(&column::CONTACT_RECORD.slot(id), &sealed).expect("every record opens at any time");
        assert_eq!(plain.as_slice(), [number as u8]);
    }
}

/// The same data seen by another process: own caches, own root.
async fn second_process(house: &TestHouse) -> Store {
    let source = RootSource::KeyFile(house.dir().join("root.key"));
    let keys = KeyStore::open(house.store.keys.db().clone(), source, house.clock.shared());
    Store { db: house.store.db.clone(), keys: keys.await.unwrap() }
}

#[tokio::test]
async fn an_accounts_key_rotates_while_everything_stays_readable() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        let ids = contacts(house, account, 20).await;
        let ctx = house.system(account);
        let mut steps = 0;
        let resealed = loop {
            // Each step as a process of its own: what a kill between two steps leaves is enough to go on.
            let process = second_process(house).await;
            reads_all(house, &process, account, &ids).await;
            match rotation::advance(&ctx, &process, account).await.unwrap() {
                Progress::Waiting(until, _) => house.clock.set(until),
                Progress::Done(resealed) => break resealed,
            }
            reads_all(house, &house.store, account, &ids).await;
            steps += 1;
            assert!(steps < 10, "the rotation must end");
        };
        assert_eq!(resealed, 20);
        house.store.keys.forget(account);
        reads_all(house, &house.store, account, &ids).await;
        for id in &ids {
            assert_eq!(sealed_version(&record(house, *id).await), Some(2));
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_a_rotation_is_bounded_by_what_it_holds() {
    const CHUNK: usize = 256 * 1024;
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        let file = ctx.new_id::<kind::File>();
        let version = i64::from(keyring.version());
        let mut tx = house.store.db.write().await.unwrap();
        let name = keyring.seal(&column::FILE_NAME.slot(&file.uuid()), b"large.csv", ctx.entropy());
        sealed_file::insert(&mut tx, account, file, &name, version, ctx.now()).await.unwrap();
        for seq in 0..70 {
            let chunk_id = ctx.new_id::<kind::File>().uuid();
            let body = keyring.seal(&column::FILE_CHUNK.slot(&chunk_id), &vec![7; CHUNK], ctx.entropy());
            let chunk = ChunkRow { chunk_id, seq, size: CHUNK as i64, body, key_version: version };
            assert!(sealed_file::append(&mut tx, account, file, &[chunk]).await.unwrap());
        }
        tx.commit().await.unwrap();
        contacts(house, account, 250).await;

        let batch = async |name: &str| {
            let table = TABLES.iter().find(|table| table.name == name).unwrap();
            let mut tx = house.store.db.write().await.unwrap();
            let rows = sealed::next(&mut tx, table, account, Uuid::nil(), version + 1).await.unwrap();
            rows.iter().map(|row| row.records[0].as_ref().unwrap().len()).collect::<Vec<_>>()
        };
        let chunks = batch("sealed_file_chunk").await;
        let bytes = chunks.iter().sum::<usize>();
        assert!((4 << 20..9 << 20).contains(&bytes), "{} chunks of a file, {bytes} bytes at once", chunks.len());
        assert!(batch("contact").await.len() >= 100, "small records are not taken one by one");

        rotation::advance(&ctx, &house.store, account).await.unwrap();
        house.clock.advance(KeyStore::SETTLE);
        let swept = rotation::advance(&ctx, &house.store, account).await.unwrap();
        assert!(matches!(swept, Progress::Waiting(_, 321)), "every batch is followed by the next: {swept:?}");
    })
    .await;
}

#[tokio::test]
async fn a_record_moved_to_another_row_stops_the_rotation_and_keeps_the_key() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ids = contacts(house, account, 2).await;
        let thief = Id::<kind::Contact>::generate(&*house.clock, &*house.entropy).uuid();
        insert_contact(house, account, thief, &[99; 16], &record(house, ids[0]).await, keyring.version()).await;
        let ctx = house.system(account);
        rotation::advance(&ctx, &house.store, account).await.unwrap();
        house.clock.advance(KeyStore::SETTLE);
        assert!(rotation::advance(&ctx, &house.store, account).await.is_err());
        reads_all(house, &house.store, account, &ids).await;
    })
    .await;
}

#[tokio::test]
async fn the_root_key_rotates_and_an_interrupted_rotation_goes_on() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        let ids = contacts(house, account, 3).await;
        let path = house.dir().join("root.key");
        let before = std::fs::read(&path).unwrap();
        // As if killed right after the new root was written: the file holds two roots, the keys need the old one.
        let source = RootSource::KeyFile(path.clone());
        let mut root = source.open().unwrap();
        source.begin_rotation(&mut root, &*house.entropy).unwrap();
        let process = second_process(house).await;
        reads_all(house, &process, account, &ids).await;
        let rewrapped = process.keys.rotate_root(house.entropy.shared()).await.unwrap();
        assert_eq!(rewrapped, 6, "data, index and link key of the installation and of one account");
        let after = std::fs::read(&path).unwrap();
        assert_ne!(before, after);
        reads_all(house, &second_process(house).await, account, &ids).await;
        // With the old root alone nothing opens any more.
        std::fs::write(&path, &before).unwrap();
        let source = RootSource::KeyFile(path.clone());
        let keys = KeyStore::open(house.store.keys.db().clone(), source, house.clock.shared()).await;
        assert!(matches!(keys.err(), Some(KeyStoreError::UnknownRoot(_))));
    })
    .await;
}

#[tokio::test]
async fn a_process_that_runs_on_follows_when_another_rotates_the_root() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        let ids = contacts(house, account, 3).await;
        let other = second_process(house).await;
        let new_account = |keys: KeyStore| async move {
            let account = Id::<kind::Account>::generate(&*house.clock, &*house.entropy);
            keys.create(account, &*house.entropy).await.unwrap();
            account
        };
        for _ in 0..2 {
            // While accounts are made in one process, the root is rotated in the other.
            let (made, rotated) = tokio::join!(
                async {
                    let mut made = Vec::new();
                    for _ in 0..5 {
                        made.push(new_account(house.store.keys.clone()).await);
                    }
                    made
                },
                other.keys.rotate_root(house.entropy.shared())
            );
            rotated.unwrap();
            let after = new_account(house.store.keys.clone()).await;
            house.clock.advance(Duration::from_secs(31));
            reads_all(house, &house.store, account, &ids).await;
            for process in [&house.store, &other, &second_process(house).await] {
                for account in made.iter().chain([&after]) {
                    process.keys.keyring(*account).await.expect("no key was wrapped by a root that is gone");
                }
            }
        }
        let source = RootSource::KeyFile(house.dir().join("root.key"));
        assert_eq!(source.open().unwrap().ids().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn destroyed_keys_open_nothing() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        contacts(house, account, 1).await;
        house.store.keys.destroy(account).await.unwrap();
        assert!(matches!(house.store.keys.keyring(account).await.err(), Some(KeyStoreError::NoKeys)));
    })
    .await;
}
