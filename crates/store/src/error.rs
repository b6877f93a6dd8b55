use sqlx::migrate::MigrateError;

/// Why the database could not do what was asked. Texts name no value of any row.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique index or primary key refused a row; the name of the constraint or of its columns.
    #[error("a row with the same {0} exists already")]
    Conflict(String),
    /// Another process holds the database and did not let go in time.
    #[error("the database is locked by another process; is a second service running on the same data directory?")]
    Locked,
    /// No space left.
    #[error("the disk that holds the database is full; nothing was changed. Free some space and try again")]
    Full,
    /// The file is damaged or not a database.
    #[error("the database file is damaged or not a database; restore it from a backup")]
    Corrupt,
    /// There is no such database, or nothing was ever put into it.
    #[error("there is no database: {0}")]
    Missing(String),
    /// The file or server cannot be opened or reached.
    #[error("the database cannot be opened: {0}")]
    Unavailable(String),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be migrated: {0}")]
    Migration(#[source] MigrateError),
    /// A stored value is not of the shape that this version writes.
    #[error("a stored value has an unknown shape: {0}")]
    Shape(&'static str),
    /// Anything else that the driver reports.
    #[error("database error: {0}")]
    Driver(#[source] sqlx::Error),
}

impl Error {
    /// Whether a unique index or primary key refused the row.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Whether the same transaction may succeed if it is simply run again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Locked | Self::Driver(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)))
            || self.is_contended()
    }

    /// Whether somebody else's transaction, which changed the same rows at the same time, was let through instead.
    pub fn is_contended(&self) -> bool {
        match self {
            Self::Driver(sqlx::Error::Database(error)) => {
                // serialization_failure and deadlock_detected (PostgreSQL, appendix A).
                matches!(error.code().as_deref(), Some("40001" | "40P01"))
            }
            _ => false,
        }
    }

    /// What the database says about itself rather than about a statement: that it is locked, full, damaged or not there.
    fn of_the_database(error: &sqlx::Error) -> Option<Self> {
        // SQLite: extended result codes, the primary code in the low byte. PostgreSQL: SQLSTATE.
        let code = error.as_database_error()?.code()?;
        match &*code {
            "53100" => Some(Self::Full),
            "55P03" => Some(Self::Locked),
            "XX001" | "XX002" => Some(Self::Corrupt),
            code if code.len() < 5 => match code.parse::<u32>().ok()? & 0xff {
                5 | 6 => Some(Self::Locked),
                13 => Some(Self::Full),
                11 | 26 => Some(Self::Corrupt),
                14 => Some(Self::Unavailable("the file cannot be opened".into())),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if let Some(inner) = error.as_database_error()
            && inner.is_unique_violation()
        {
            let what = inner.constraint().map_or_else(
                // SQLite says "UNIQUE constraint failed: table.column, …": columns, never values.
                || inner.message().rsplit(": ").next().unwrap_or("key").to_owned(),
                str::to_owned,
            );
            return Self::Conflict(what);
        }
        Self::of_the_database(&error).unwrap_or(Self::Driver(error))
    }
}

impl From<MigrateError> for Error {
    fn from(error: MigrateError) -> Self {
        // The first statements after opening are those of the migrations: what is wrong with the database itself, whoever
        // starts the service reads here.
        match &error {
            MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) => Self::of_the_database(inner),
            _ => None,
        }
        .unwrap_or(Self::Migration(error))
    }
}
