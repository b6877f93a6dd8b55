//! Opening a database and beginning transactions on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::Error;
use crate::group::{self, Write, Writer};

/// How long a writer waits for another process to let go of the database file, and anybody for a connection.
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

/// What may be done to a database while it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Make it if it is not there, and bring its schema up to date.
    Make,
    /// Bring its schema up to date. If it is not there, refuse: an empty one in place of a lost one would look sound.
    Existing,
    /// Nothing; what is opened can only be read.
    Inspect,
}

/// How the schema of a database stands to the migrations of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// Migrations that the next start will run.
    pub pending: Vec<i64>,
    /// Migrations of a newer version, which this one does not know.
    pub unknown: Vec<i64>,
}

/// Where an embedded database is, and how it is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file.
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
    /// Opens an embedded database.
    pub async fn open_sqlite(options: &SqliteOptions, schema: Schema, opening: Opening) -> Result<Self, Error> {
        Self::open_sqlite_within(options, schema, opening, BUSY).await
    }

    /// The same with another patience: how long a writer waits, then and later, for another process to let go of the
    /// database file.
    pub async fn open_sqlite_within(
        options: &SqliteOptions,
        schema: Schema,
        opening: Opening,
        busy: Duration,
    ) -> Result<Self, Error> {
        match opening {
            Opening::Make => restrict_new_file(&options.path)?,
            // A file without a byte is one that was never made, or lost its content: SQLite would take it for new.
            Opening::Existing | Opening::Inspect => {
                if std::fs::metadata(&options.path).map_or(0, |file| file.len()) == 0 {
                    return Err(Error::Missing(options.path.display().to_string()));
                }
            }
        }
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .create_if_missing(opening == Opening::Make)
            .read_only(opening == Opening::Inspect)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was confirmed survives a power cut; group commit pays for it.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(busy)
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
        if opening != Opening::Inspect {
            migrations(schema, true).run(&mut writer).await?;
        }
        let checkpoints = connect.connect().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .acquire_timeout(busy)
            .connect_with(connect.read_only(true).create_if_missing(false))
            .await?;
        Ok(Self::Sqlite { readers, writer: WriterHandle(Writer::new(writer, checkpoints)) })
    }

    /// Connects to a PostgreSQL server.
    pub async fn open_postgres(options: &PostgresOptions, schema: Schema, opening: Opening) -> Result<Self, Error> {
        let name = schema.postgres_name();
        let mut connect: PgConnectOptions = options
            .url
            .parse::<PgConnectOptions>()
            .map_err(|_| Error::Unavailable("the PostgreSQL address is not a postgres:// URL".into()))?
            .application_name("letterkeep")
            .options([("search_path", name)])
            .statement_cache_capacity(256)
            .disable_statement_logging();
        if opening == Opening::Inspect {
            connect = connect.options([("default_transaction_read_only", "on")]);
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(2))
            .acquire_timeout(BUSY)
            .connect_with(connect)
            .await
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        if opening == Opening::Make {
            let create = match schema {
                Schema::Data => "CREATE SCHEMA IF NOT EXISTS letterkeep",
                Schema::Keys => "CREATE SCHEMA IF NOT EXISTS letterkeep_keys",
            };
            sqlx::raw_sql(create).execute(&pool).await?;
        } else {
            let table = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
            if !sqlx::query_scalar::<_, bool>(table).fetch_one(&pool).await? {
                pool.close().await;
                return Err(Error::Missing(format!("the schema {name}")));
            }
        }
        if opening != Opening::Inspect {
            migrations(schema, false).run(&pool).await?;
        }
        Ok(Self::Postgres(pool))
    }

    /// Compares the migrations that were run with those of this version.
    pub async fn schema_state(&self, schema: Schema) -> Result<SchemaState, Error> {
        const RUN: &str = "SELECT version FROM _sqlx_migrations ORDER BY version";
        let run: Vec<i64> = match self {
            Self::Sqlite { readers, .. } => sqlx::query_scalar(RUN).fetch_all(readers).await?,
            Self::Postgres(pool) => sqlx::query_scalar(RUN).fetch_all(pool).await?,
        };
        let known: Vec<i64> = migrations(schema, self.is_sqlite()).iter().map(|migration| migration.version).collect();
        let beyond = |these: &[i64], those: &[i64]| these.iter().filter(|one| !those.contains(one)).copied().collect();
        Ok(SchemaState { pending: beyond(&known, &run), unknown: beyond(&run, &known) })
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

fn migrations(schema: Schema, sqlite: bool) -> Migrator {
    match (schema, sqlite) {
        (Schema::Data, true) => sqlx::migrate!("../../migrations/sqlite"),
        (Schema::Keys, true) => sqlx::migrate!("../../migrations/keys/sqlite"),
        (Schema::Data, false) => sqlx::migrate!("../../migrations/postgres"),
        (Schema::Keys, false) => sqlx::migrate!("../../migrations/keys/postgres"),
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
