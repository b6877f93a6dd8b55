//! A disk that is full: the refusal says so, nothing half-done is left, and writing goes on once there is space.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use letterkeep_model::{Clock as _, Ctx, Entropy, Id, SystemClock, Timestamp};
use letterkeep_store::queue::{self, NewJob};
use letterkeep_store::{Db, Error, Opening, Schema, SqliteOptions};
use letterkeep_testkit::{MockClock, SeededEntropy, skipped};

/// A file system of two megabytes in memory, unmounted when dropped.
struct SmallDisk(PathBuf, #[expect(dead_code, reason = "keeps the mount point")] tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "letterkeep-test"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path, dir));
        }
        skipped("full disk", "a small file system can be mounted by root alone");
        None
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

fn job(payload: String) -> NewJob<'static> {
    NewJob { kind: "fill", payload, run_at: Timestamp::from_seconds(0), dedup: None, max_attempts: 1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_named_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let options = SqliteOptions { path: disk.path().join("letterkeep.sqlite3"), readers: 1 };
    let db = Db::open_sqlite(&options, Schema::Data, Opening::Make).await.unwrap();
    let clock = MockClock::at(SystemClock.now());
    let entropy: std::sync::Arc<dyn Entropy> = SeededEntropy::new(1).shared();
    let ctx = Ctx::system(clock.shared(), entropy, Id::NIL);
    let mut kept = 0;
    let refusal = loop {
        let outcome = async {
            let mut tx = db.write().await?;
            queue::enqueue(&ctx, &mut tx, job("x".repeat(20_000))).await?;
            tx.commit().await
        };
        match outcome.await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1_000, "two megabytes are full before that");
    };
    assert!(matches!(refusal, Error::Full), "{refusal:?}");
    assert!(refusal.to_string().contains("full"), "{refusal}");
    let mut tx = db.read().await.unwrap();
    assert_eq!(queue::count(&mut tx, Id::NIL, "fill").await.unwrap(), kept, "what was confirmed is there, no more");
    drop(tx);
    // Whoever released changes and waits for them later is told too.
    let released = async {
        let mut tx = db.write().await?;
        queue::enqueue(&ctx, &mut tx, job("x".repeat(1_000_000))).await?;
        tx.release().await?.durable().await
    };
    assert!(matches!(released.await, Err(Error::Full)));
    // Space again: the same process writes on.
    let more = Command::new("mount").args(["-o", "remount,size=8m"]).arg(disk.path()).output().unwrap();
    assert!(more.status.success());
    let mut tx = db.write().await.unwrap();
    queue::enqueue(&ctx, &mut tx, job("x".repeat(20_000))).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_is_named() {
    let Some(disk) = SmallDisk::mount() else { return };
    let options = SqliteOptions { path: disk.path().join("letterkeep.sqlite3"), readers: 1 };
    // Space for an empty database, not for its tables.
    std::fs::write(disk.path().join("other"), vec![0; (2 << 20) - (128 << 10)]).unwrap();
    let refused = Db::open_sqlite(&options, Schema::Data, Opening::Make).await.err().unwrap();
    assert!(matches!(refused, Error::Full), "{refused:?}");
    std::fs::remove_file(disk.path().join("other")).unwrap();
    Db::open_sqlite(&options, Schema::Data, Opening::Make).await.unwrap().close().await;
}
