//! Group commit for SQLite: many logical transactions, one write connection, few disk flushes.
//!
//! The writer's connection stands behind a fair mutex. A logical transaction holds the mutex and is a SAVEPOINT
//! inside a physical transaction; to commit it releases the savepoint, joins the list of those who wait for
//! durability, frees the mutex, and queues for it again *behind the writers that wait already*. They add their
//! savepoints to the same physical transaction. Whoever of the group gets the mutex back first runs COMMIT for all.
//! Alone, a transaction commits at once; under load the cost of a flush is shared by everybody who waited for it.
//!
//! A commit is confirmed only after the physical COMMIT. If that fails, every member of the group is told so. Work in
//! many steps may release its transactions one after the other and wait for durability once ([`Write::release`]).
//!
//! What was committed is moved from the write-ahead log into the database file by a connection of its own, so that no
//! writer waits for it ([`checkpoint_behind`]).

use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

use crate::Error;

/// How many transactions may share one COMMIT at most: bounds what a single failed flush can take with it.
const GROUP: usize = 256;
/// Between two checkpoints. Small commits share one; large ones keep the log short.
const PAUSE: Duration = Duration::from_secs(1);

/// The one connection that writes.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Mutex<State>>);

pub(crate) struct State {
    connection: SqliteConnection,
    open: bool,
    waiting: Vec<oneshot::Sender<Result<(), Failed>>>,
    /// Told after each COMMIT.
    committed: Arc<Notify>,
}

/// The shared COMMIT failed; the message says how. Cloned to every member of the group.
#[derive(Clone)]
enum Failed {
    Full,
    Locked,
    Corrupt,
    Other(String),
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Self {
        match error {
            Error::Full => Self::Full,
            Error::Locked => Self::Locked,
            Error::Corrupt => Self::Corrupt,
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Full => Self::Full,
            Failed::Locked => Self::Locked,
            Failed::Corrupt => Self::Corrupt,
            Failed::Other(message) => Self::Unavailable(message),
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // Lets the checkpoints end.
        self.committed.notify_one();
    }
}

impl Writer {
    /// A writer on `connection`, with `checkpoints` to empty the write-ahead log behind it.
    pub(crate) fn new(connection: SqliteConnection, checkpoints: SqliteConnection) -> Self {
        let committed = Arc::new(Notify::new());
        let writer = Self(Arc::new(Mutex::new(State {
            connection,
            open: false,
            waiting: Vec::new(),
            committed: committed.clone(),
        })));
        tokio::spawn(checkpoint_behind(checkpoints, committed, Arc::downgrade(&writer.0)));
        writer
    }

    /// Begins a logical transaction; waits until the writers before it are done.
    pub(crate) async fn begin(&self) -> Result<Write, Error> {
        // In a task of its own: a caller that goes away between two statements must not leave the connection in a
        // state that `open` does not tell. The task then finishes and drops what it has begun, which undoes it.
        let writer = self.clone();
        let begun = tokio::spawn(async move {
            let mut state = writer.0.clone().lock_owned().await;
            if state.waiting.len() >= GROUP {
                state.settle().await;
            }
            if !state.open {
                run(&mut state.connection, "BEGIN IMMEDIATE").await?;
                state.open = true;
            }
            run(&mut state.connection, "SAVEPOINT piece").await?;
            Ok(Write { state: Some(state), writer })
        });
        begun.await.map_err(|_| Error::Unavailable("the writer has gone".into()))?
    }

    /// Closes the connection after everybody's work is durable.
    pub(crate) async fn close(&self) {
        let mut state = self.0.lock().await;
        state.settle().await;
        let _ = run(&mut state.connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    }
}

impl State {
    /// Makes everything released so far durable and tells those who wait.
    async fn settle(&mut self) {
        if !self.open {
            return;
        }
        let outcome = run(&mut self.connection, "COMMIT").await;
        if outcome.is_err() {
            // The physical transaction may have ended by itself (disk full, I/O error); then this fails, rightly.
            let _ = run(&mut self.connection, "ROLLBACK").await;
        }
        self.open = false;
        self.committed.notify_one();
        let outcome = outcome.as_ref().map_err(Failed::from).copied();
        for waiting in self.waiting.drain(..) {
            let _ = waiting.send(outcome.clone());
        }
    }

    /// Undoes the current savepoint; if even that fails, the whole group is lost and told so.
    async fn undo(&mut self) {
        let undone = run(&mut self.connection, "ROLLBACK TO piece").await;
        let released = run(&mut self.connection, "RELEASE piece").await;
        if let Err(error) = undone.and(released) {
            let _ = run(&mut self.connection, "ROLLBACK").await;
            self.open = false;
            for waiting in self.waiting.drain(..) {
                let _ = waiting.send(Err(Failed::from(&error)));
            }
        } else if self.waiting.is_empty() {
            // Nobody waits for durability: end the physical transaction, so that no lock is held.
            self.settle().await;
        }
    }
}

/// A logical write transaction. Dropping it undoes it.
pub(crate) struct Write {
    state: Option<OwnedMutexGuard<State>>,
    writer: Writer,
}

impl Write {
    #[expect(clippy::expect_used, reason = "the guard is taken only by commit and drop, which consume the value")]
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.state.as_mut().expect("an open transaction holds the writer").connection
    }

    /// Ends the transaction without waiting: its changes become durable with the next physical COMMIT.
    pub(crate) async fn release(mut self) -> Result<Released, Error> {
        let (confirm, confirmed) = oneshot::channel();
        let released = Released { writer: Some(self.writer.clone()), confirmed };
        if let Some(mut state) = self.state.take() {
            // In a task of its own: a caller that goes away must not leave the savepoint open.
            let release = tokio::spawn(async move {
                if let Err(error) = run(&mut state.connection, "RELEASE piece").await {
                    let _ = confirm.send(Err(Failed::from(&error)));
                    state.undo().await;
                } else {
                    state.waiting.push(confirm);
                }
            });
            release.await.map_err(|_| Error::Unavailable("the writer has gone".into()))?;
        }
        Ok(released)
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.release().await?.durable().await
    }
}

/// The changes of a transaction that has ended, on their way to the disk. Dropping it sends them there too, but does
/// not tell whether they arrived.
pub(crate) struct Released {
    writer: Option<Writer>,
    confirmed: oneshot::Receiver<Result<(), Failed>>,
}

impl Released {
    /// Waits until the changes survive a power cut, with everything that was released before.
    pub(crate) async fn durable(mut self) -> Result<(), Error> {
        self.settle();
        match (&mut self.confirmed).await {
            Ok(outcome) => outcome.map_err(Error::from),
            Err(_) => Err(Error::Unavailable("the writer has gone".into())),
        }
    }

    /// In a task of its own: a caller that goes away must not leave the group without anybody to commit it.
    fn settle(&mut self) {
        if let Some(writer) = self.writer.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let mut state = writer.0.lock().await;
                // If somebody of the group was faster, nothing is left to settle.
                if !state.waiting.is_empty() {
                    state.settle().await;
                }
            });
        }
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        // Nothing to do for what others have made durable meanwhile.
        if self.confirmed.is_empty() {
            self.settle();
        }
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if let Some(mut state) = self.state.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // The guard travels with the task: nobody else writes before the savepoint is undone.
            runtime.spawn(async move { state.undo().await });
        }
    }
}

/// Moves what was committed from the write-ahead log into the database file, at most once in [`PAUSE`], until the
/// writer is dropped. A checkpoint that fails loses nothing: the log keeps its frames, and the next one begins there.
async fn checkpoint_behind(mut connection: SqliteConnection, committed: Arc<Notify>, writer: Weak<Mutex<State>>) {
    loop {
        committed.notified().await;
        if writer.strong_count() == 0 {
            break;
        }
        let _ = run(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
        tokio::time::sleep(PAUSE).await;
    }
    let _ = connection.close().await;
}

async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), Error> {
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

    use super::*;

    const WRITERS: usize = 64;

    /// A writer whose physical commits are counted, and fail when told to.
    struct Watched {
        writer: Writer,
        commits: Arc<AtomicUsize>,
        fail: Arc<AtomicBool>,
        options: SqliteConnectOptions,
        _dir: tempfile::TempDir,
    }

    impl Watched {
        async fn open() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let options = SqliteConnectOptions::new().filename(dir.path().join("group.sqlite3"));
            let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
            let mut connection = options.connect().await.unwrap();
            run(&mut connection, "CREATE TABLE piece (number INTEGER)").await.unwrap();
            let (commits, fail) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let hook = (commits.clone(), fail.clone());
            connection.lock_handle().await.unwrap().set_commit_hook(move || {
                hook.0.fetch_add(1, Ordering::SeqCst);
                // SQLite makes a rollback of the COMMIT when this is false.
                !hook.1.load(Ordering::SeqCst)
            });
            let writer = Writer::new(connection, options.connect().await.unwrap());
            Self { writer, commits, fail, options, _dir: dir }
        }

        /// Writes a row and waits until it is durable.
        async fn write(writer: Writer) -> Result<(), Error> {
            let mut write = writer.begin().await?;
            run(write.connection(), "INSERT INTO piece VALUES (1)").await?;
            write.commit().await
        }

        /// Writers that all wait for the one that writes before them.
        async fn write_together(&self) -> Vec<Result<(), Error>> {
            let first = self.writer.begin().await.unwrap();
            let writers = (0..WRITERS).map(|_| tokio::spawn(Self::write(self.writer.clone()))).collect::<Vec<_>>();
            // One thread: each of them comes as far as it can, to the queue for the connection.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            drop(first);
            let mut outcomes = Vec::new();
            for writer in writers {
                outcomes.push(writer.await.unwrap());
            }
            outcomes
        }

        fn commits(&self) -> usize {
            self.commits.swap(0, Ordering::SeqCst)
        }

        async fn rows(&self) -> i64 {
            let mut reader = self.options.connect().await.unwrap();
            sqlx::query_scalar("SELECT COUNT(*) FROM piece").fetch_one(&mut reader).await.unwrap()
        }
    }

    #[tokio::test]
    async fn writers_that_wait_share_one_commit() {
        let watched = Watched::open().await;
        for _ in 0..3 {
            Watched::write(watched.writer.clone()).await.unwrap();
        }
        assert_eq!((watched.commits(), watched.rows().await), (3, 3), "whoever is alone commits at once");
        assert!(watched.write_together().await.iter().all(Result::is_ok));
        let commits = watched.commits();
        assert!((1..=4).contains(&commits), "{commits} commits for {WRITERS} writers");
        assert_eq!(watched.rows().await, 3 + WRITERS as i64);
    }

    #[tokio::test]
    async fn a_commit_that_fails_fails_for_all_that_share_it() {
        let watched = Watched::open().await;
        watched.fail.store(true, Ordering::SeqCst);
        let outcomes = watched.write_together().await;
        assert!(watched.commits() > 0);
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), WRITERS, "nobody was told otherwise");
        assert_eq!(watched.rows().await, 0, "nothing of what failed is there");
        watched.fail.store(false, Ordering::SeqCst);
        assert!(watched.write_together().await.iter().all(Result::is_ok), "the writer goes on");
        assert_eq!(watched.rows().await, WRITERS as i64);
    }
}
