//! What the check of a large import file found before it runs, and how far it is. One row an import: a new check takes
//! the place of the old one, and its epoch fences it. Removed as soon as the import goes on: the result shows contacts.

use letterkeep_model::{Id, Timestamp, kind};

use crate::{Error, Tx};

statements! {
    START = "INSERT INTO import_check (account_id, import_id, state, epoch, rows_done, rows_total, result, key_version,
            started_at, updated_at)
        VALUES ($1, $2, 'reading', 1, 0, NULL, NULL, $3, $4, $4)
        ON CONFLICT (account_id, import_id) DO UPDATE SET state = 'reading', epoch = import_check.epoch + 1,
            rows_done = 0, rows_total = NULL, result = NULL, key_version = excluded.key_version,
            started_at = excluded.started_at, updated_at = excluded.updated_at
        RETURNING epoch";
    FIND = "SELECT state, epoch, rows_done, rows_total, result, started_at, updated_at FROM import_check
        WHERE account_id = $1 AND import_id = $2";
    ADVANCE = "UPDATE import_check SET rows_done = $4, rows_total = $5, updated_at = $6
        WHERE account_id = $1 AND import_id = $2 AND epoch = $3 AND state = 'reading'";
    FINISH = "UPDATE import_check SET state = $4, result = $5, key_version = COALESCE($6, key_version), updated_at = $7
        WHERE account_id = $1 AND import_id = $2 AND epoch = $3 AND state = 'reading'";
    REMOVE = "DELETE FROM import_check WHERE account_id = $1 AND import_id = $2";
    REMOVE_ALL = "DELETE FROM import_check WHERE account_id = $1";
}

/// A check, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ImportCheckRow {
    /// `reading`, `read` or `failed`.
    pub state: String,
    /// Fences checks of the same import against each other.
    pub epoch: i64,
    /// Rows read.
    pub rows_done: i64,
    /// About how many there are, once that can be told.
    pub rows_total: Option<i64>,
    /// JSON, sealed: what was found.
    pub result: Option<Vec<u8>>,
    /// When it began, microseconds UTC.
    pub started_at: i64,
    /// When it last got on, microseconds UTC.
    pub updated_at: i64,
}

/// Begins a check, or begins it anew; yields its epoch.
pub async fn start(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    key_version: i64,
    now: Timestamp,
) -> Result<i64, Error> {
    Ok(one!(tx, START => (i64,), account.uuid(), import.uuid(), key_version, now.micros())?.0)
}

/// The latest check of an import.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
) -> Result<Option<ImportCheckRow>, Error> {
    optional!(tx, FIND => ImportCheckRow, account.uuid(), import.uuid())
}

/// Records how far a check is; `false` if it is no longer wanted.
pub async fn advance(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    epoch: i64,
    rows_done: i64,
    rows_total: Option<i64>,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(exec!(tx, ADVANCE, account.uuid(), import.uuid(), epoch, rows_done, rows_total, now.micros())? == 1)
}

/// Ends a check as `read`, with what was found, sealed, and the version that sealed it, or as `failed`; `false` if it is no longer wanted.
pub async fn finish(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    epoch: i64,
    result: Option<(&[u8], i64)>,
    now: Timestamp,
) -> Result<bool, Error> {
    let state = if result.is_some() { "read" } else { "failed" };
    let (result, key_version) = result.unzip();
    let ended = exec!(tx, FINISH, account.uuid(), import.uuid(), epoch, state, result, key_version, now.micros())?;
    Ok(ended == 1)
}

/// Removes the check of an import.
pub async fn remove(tx: &mut Tx, account: Id<kind::Account>, import: Id<kind::Import>) -> Result<(), Error> {
    exec!(tx, REMOVE, account.uuid(), import.uuid()).map(drop)
}

/// Removes every check of the account: contacts are erased, and a result may show them.
pub(crate) async fn remove_all(tx: &mut Tx, account: Id<kind::Account>) -> Result<(), Error> {
    exec!(tx, REMOVE_ALL, account.uuid()).map(drop)
}
