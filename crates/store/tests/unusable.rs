//! An embedded database that somebody else holds, or that is damaged: the refusal says so, at the start as well as later.

use std::path::Path;
use std::time::{Duration, Instant};

use letterkeep_model::{Ctx, Entropy as _, Id, Timestamp};
use letterkeep_store::queue::{self, NewJob};
use letterkeep_store::{Db, Error, Opening, Schema, SqliteOptions};
use letterkeep_testkit::{HeldDatabase, MockClock, SeededEntropy};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};

/// Long enough to be noticed, short enough for a test.
const BUSY: Duration = Duration::from_millis(200);

async fn open(file: &Path) -> Result<Db, Error> {
    let options = SqliteOptions { path: file.to_owned(), readers: 1 };
    Db::open_sqlite_within(&options, Schema::Data, Opening::Make, BUSY).await
}

/// Writes a job; the number of jobs then.
async fn write(db: &Db) -> Result<i64, Error> {
    let ctx = Ctx::system(MockClock::default().shared(), SeededEntropy::new(1).shared(), Id::NIL);
    let run_at = Timestamp::from_seconds(0);
    let job = NewJob { kind: "work", payload: "{}".into(), run_at, dedup: None, max_attempts: 1 };
    let mut tx = db.write().await?;
    queue::enqueue(&ctx, &mut tx, job).await?;
    tx.commit().await?;
    queue::count(&mut db.read().await?, Id::NIL, "work").await
}

#[tokio::test]
async fn whoever_writes_while_another_process_holds_the_database_is_told_and_may_try_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("letterkeep.sqlite3");
    let db = open(&file).await.unwrap();
    let held = HeldDatabase::hold(&file).await;
    let started = Instant::now();
    let refused = write(&db).await.unwrap_err();
    assert!(matches!(refused, Error::Locked) && refused.is_transient(), "{refused:?}");
    assert!(started.elapsed() >= BUSY, "it waits before it gives up");
    assert!(refused.to_string().contains("locked by another process"), "{refused}");
    assert_eq!(queue::count(&mut db.read().await.unwrap(), Id::NIL, "work").await.unwrap(), 0, "reading goes on");
    held.release().await;
    assert_eq!(write(&db).await.unwrap(), 1, "the same connection writes again");
}

#[tokio::test]
async fn a_database_that_another_process_holds_is_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    // A new file: its first statement already waits for the other process.
    let file = dir.path().join("new.sqlite3");
    let held = HeldDatabase::hold(&file).await;
    assert!(matches!(open(&file).await.err(), Some(Error::Locked)));
    held.release().await;
    open(&file).await.unwrap().close().await;

    // A file that is there and has no tables yet: it opens, and the migrations wait.
    let file = dir.path().join("empty.sqlite3");
    let empty = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    empty.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap().close().await.unwrap();
    let held = HeldDatabase::hold(&file).await;
    let refused = open(&file).await.err().unwrap();
    assert!(matches!(refused, Error::Locked), "{refused:?}");
    held.release().await;
    assert_eq!(write(&open(&file).await.unwrap()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_database_with_damaged_pages_is_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("letterkeep.sqlite3");
    open(&file).await.unwrap().close().await;
    let mut bytes = std::fs::read(&file).unwrap();
    // The first page says that this is a database; the tables behind it are noise.
    SeededEntropy::new(1).fill(&mut bytes[4096..]);
    std::fs::write(&file, bytes).unwrap();
    let refused = open(&file).await.err().unwrap();
    assert!(matches!(refused, Error::Corrupt), "{refused:?}");
    assert!(refused.to_string().contains("restore it from a backup"), "{refused}");
}
