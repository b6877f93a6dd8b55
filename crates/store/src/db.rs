//! Opening a database and beginning transactions on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::Error;
use crate::group::{self, Write, Writer};

/// How long a writer waits for another process to let go of the database file.
const BUSY: Duration = Duration::from_secs(10);

/// Pages in memory for each reader, and for the writer: 8 and 64 MiB. A large import touches every page of the index of
/// addresses again and again before it commits.
const READER_CACHE: &str = "-8192";
const WRITER_CACHE: &str = "-65536";
/// Pages in the write-ahead log (256 MiB) at which the writer itself moves them into the database file; usually the
/// checkpoints behind it are faster.
const LOG_PAGES: &str = "65536";

/// Which schema a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// The data.
    Data,
    /// The wrapped keys.
    Keys,
}

impl Schema {
    /// The PostgreSQL schema that the tables live in.
    const fn postgres_name(self) -> &'static str {
        match self {
            Self::Data => "letterkeep",
            Self::Keys => "letterkeep_keys",
        }
    }
}

/// Where an embedded database is, and how it is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; made if it is not there.
    pub path: PathBuf,
    /// Connections that read at the same time.
    pub readers: u32,
}

/// Which PostgreSQL server to use.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=verify-full`. Holds a password: no `Debug`.
    pub url: String,
    /// Connections at most.
    pub connections: u32,
}

/// A database. Cheap to clone.
#[derive(Clone)]
pub enum Db {
    /// Embedded: one file, one writer, several readers.
    Sqlite {
        /// The pool of readers.
        readers: SqlitePool,
        #[doc(hidden)]
        writer: WriterHandle,
    },
    /// A PostgreSQL server.
    Postgres(PgPool),
}

/// Keeps the writer out of the public API.
#[derive(Clone)]
pub struct WriterHandle(pub(crate) Writer);

impl Db {
    /// Opens (and if need be makes and migrates) an embedded database.
    pub async fn open_sqlite(options: &SqliteOptions, schema: Schema) -> Result<Self, Error> {
        restrict_new_file(&options.path)?;
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was confirmed survives a power cut; group commit pays for it.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            // What is deleted is overwritten: erased contacts do not linger in free pages.
            .pragma("secure_delete", "FAST")
            .pragma("temp_store", "MEMORY")
            // Given the choice, SQLite would scan a whole table and look its rows up in an index made for a list of 250
            // values, instead of looking the 250 up in the table.
            .pragma("automatic_index", "OFF")
            .pragma("cache_size", READER_CACHE)
            .pragma("journal_size_limit", "67108864")
            .pragma("wal_autocheckpoint", LOG_PAGES)
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let mut writer = connect.clone().pragma("cache_size", WRITER_CACHE).connect().await?;
        match schema {
            Schema::Data => sqlx::migrate!("../../migrations/sqlite").run(&mut writer).await?,
            Schema::Keys => sqlx::migrate!("../../migrations/keys/sqlite").run(&mut writer).await?,
        }
        let checkpoints = connect.connect().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .acquire_timeout(BUSY)
            .connect_with(connect.read_only(true).create_if_missing(false))
            .await?;
        Ok(Self::Sqlite { readers, writer: WriterHandle(Writer::new(writer, checkpoints)) })
    }

    /// Connects to a PostgreSQL server and migrates the schema.
    pub async fn open_postgres(options: &PostgresOptions, schema: Schema) -> Result<Self, Error> {
        let name = schema.postgres_name();
        let connect: PgConnectOptions = options
            .url
            .parse::<PgConnectOptions>()
            .map_err(|_| Error::Unavailable("the PostgreSQL address is not a postgres:// URL".into()))?
            .application_name("letterkeep")
            .options([("search_path", name)])
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(2))
            .acquire_timeout(BUSY)
            .connect_with(connect)
            .await
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let create = match schema {
            Schema::Data => "CREATE SCHEMA IF NOT EXISTS letterkeep",
            Schema::Keys => "CREATE SCHEMA IF NOT EXISTS letterkeep_keys",
        };
        sqlx::raw_sql(create).execute(&pool).await?;
        match schema {
            Schema::Data => sqlx::migrate!("../../migrations/postgres").run(&pool).await?,
            Schema::Keys => sqlx::migrate!("../../migrations/keys/postgres").run(&pool).await?,
        }
        Ok(Self::Postgres(pool))
    }

    /// Begins a transaction that reads one consistent state and changes nothing.
    pub async fn read(&self) -> Result<Tx, Error> {
        match self {
            Self::Sqlite { readers, .. } => Ok(Tx::Sqlite(SqliteTx::Read(Box::new(readers.begin().await?)))),
            Self::Postgres(pool) => {
                let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Ok(Tx::Postgres(pool.begin_with(begin).await?))
            }
        }
    }

    /// Begins a transaction that may change things.
    pub async fn write(&self) -> Result<Tx, Error> {
        match self {
            Self::Sqlite { writer, .. } => Ok(Tx::Sqlite(SqliteTx::Write(writer.0.begin().await?))),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Whether this is the embedded database.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    /// Closes every connection after what was committed is durable.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.0.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction. Dropping it rolls back; only [`Tx::commit`] keeps what it changed.
pub enum Tx {
    /// On the embedded database.
    Sqlite(#[doc(hidden)] SqliteTx),
    /// On PostgreSQL.
    Postgres(#[doc(hidden)] Transaction<'static, Postgres>),
}

/// A transaction on the embedded database.
pub enum SqliteTx {
    #[doc(hidden)]
    Read(Box<Transaction<'static, Sqlite>>),
    #[doc(hidden)]
    Write(#[expect(private_interfaces, reason = "only this crate opens it")] Write),
}

impl SqliteTx {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Read(tx) => tx,
            Self::Write(write) => write.connection(),
        }
    }
}

impl Tx {
    /// Ends the transaction without waiting for the disk, for work in many steps that are made durable together. On
    /// PostgreSQL the changes are durable when this returns; on SQLite they become durable, and visible to readers,
    /// with the next commit of anybody, at the latest when the answer is waited for or dropped.
    ///
    /// If that commit fails, the changes are undone: a later step must notice that an earlier one is missing.
    pub async fn release(self) -> Result<Released, Error> {
        match self {
            Self::Sqlite(SqliteTx::Write(write)) => Ok(Released(Some(write.release().await?))),
            other => other.commit().await.map(|()| Released(None)),
        }
    }

    /// Makes the changes durable. When this returns `Ok`, they survive a power cut.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(SqliteTx::Read(tx)) => Ok(tx.commit().await?),
            Self::Sqlite(SqliteTx::Write(write)) => write.commit().await,
            Self::Postgres(tx) => Ok(tx.commit().await?),
        }
    }
}

/// The changes of a transaction that was [released](Tx::release).
#[must_use = "wait for it: only then is it known whether the changes are durable"]
pub struct Released(Option<group::Released>);

impl Released {
    /// Waits until the changes survive a power cut.
    pub async fn durable(self) -> Result<(), Error> {
        match self.0 {
            Some(released) => released.durable().await,
            None => Ok(()),
        }
    }
}

/// Makes the database file readable for its owner alone before SQLite opens it; SQLite gives the WAL the same mode.
fn restrict_new_file(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Err(error) = made
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(match error.kind() {
                std::io::ErrorKind::StorageFull => Error::Full,
                _ => Error::Unavailable(format!("{}: {error}", path.display())),
            });
        }
    }
    Ok(())
}
