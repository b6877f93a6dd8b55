//! Imports: state, settings, counters and the place reached; images of what was changed, for undo.
//!
//! The counters and the place reached are written in the transaction of the rows that they count, so that an import
//! that is cut off goes on without doubling a row. Every write while it runs names the epoch of the run: a run that
//! was superseded changes nothing.

use letterkeep_model::{Id, Timestamp, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO import (account_id, import_id, file_id, reject_file_id, state, format, settings, key_version,
            cursor, rows_total, rows_done, created, updated, unchanged, duplicate, rejected, problem, actor, epoch,
            created_at, started_at, finished_at)
        VALUES ($1, $2, $3, NULL, $4, $5, $6, $7, '{}', NULL, 0, 0, 0, 0, 0, 0, NULL, $8, 0, $9, NULL, NULL)";
    FIND = "SELECT import_id, file_id, reject_file_id, state, format, settings, cursor, rows_total, rows_done, created,
            updated, unchanged, duplicate, rejected, problem, actor, epoch, created_at, started_at, finished_at
        FROM import WHERE account_id = $1 AND import_id = $2";
    FIND_FOR_CHANGE = "SELECT import_id, file_id, reject_file_id, state, format, settings, cursor, rows_total,
            rows_done, created, updated, unchanged, duplicate, rejected, problem, actor, epoch, created_at, started_at,
            finished_at
        FROM import WHERE account_id = $1 AND import_id = $2"
        => "SELECT import_id, file_id, reject_file_id, state, format, settings, cursor, rows_total,
            rows_done, created, updated, unchanged, duplicate, rejected, problem, actor, epoch, created_at, started_at,
            finished_at
        FROM import WHERE account_id = $1 AND import_id = $2 FOR UPDATE";
    NEWEST = "SELECT import_id, file_id, reject_file_id, state, format, settings, cursor, rows_total, rows_done,
            created, updated, unchanged, duplicate, rejected, problem, actor, epoch, created_at, started_at, finished_at
        FROM import WHERE account_id = $1 AND import_id < $2 ORDER BY import_id DESC LIMIT $3";
    SETTINGS = "UPDATE import SET format = $3, settings = $4, key_version = $5
        WHERE account_id = $1 AND import_id = $2";
    STATE = "UPDATE import SET state = $3, problem = $4, epoch = epoch + 1,
            started_at = COALESCE(started_at, $5), finished_at = $6
        WHERE account_id = $1 AND import_id = $2";
    TAKE_OVER = "UPDATE import SET epoch = epoch + 1, reject_file_id = $3, started_at = COALESCE(started_at, $4)
        WHERE account_id = $1 AND import_id = $2 AND state = 'running' RETURNING epoch";
    ADVANCE = "UPDATE import SET rows_done = rows_done + $4, rows_total = $5, created = created + $6,
            updated = updated + $7, unchanged = unchanged + $8, duplicate = duplicate + $9, rejected = rejected + $10,
            cursor = $11
        WHERE account_id = $1 AND import_id = $2 AND epoch = $3 AND state = 'running'";
    UNDO_AT = "UPDATE import SET cursor = $4
        WHERE account_id = $1 AND import_id = $2 AND epoch = $3 AND state = 'undoing'";
    FORGET_REJECTS = "UPDATE import SET reject_file_id = NULL WHERE account_id = $1 AND import_id = $2";
    REMEMBER_MADE = "INSERT INTO import_made (account_id, import_id, kind, made_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account_id, import_id, kind, made_id) DO NOTHING";
    MADE = "SELECT kind, made_id FROM import_made WHERE account_id = $1 AND import_id = $2 ORDER BY kind, made_id";
    CHANGES = "SELECT change_id, contact_id, previous, revision FROM import_change
        WHERE account_id = $1 AND import_id = $2 AND change_id > $3 ORDER BY change_id LIMIT $4";
    CREATED = "SELECT contact_id, revision, permission_at, tracking_at, created_at FROM contact
        WHERE account_id = $1 AND contact_id > $2 AND contact_id <= $3 AND import_id = $4
        ORDER BY contact_id LIMIT $5";
    LISTED = "SELECT contact_id FROM list_member
        WHERE account_id = $1 AND list_id = $2 AND contact_id > $3 AND import_id = $4 ORDER BY contact_id LIMIT $5";
    TAGGED = "SELECT contact_id FROM contact_tag
        WHERE account_id = $1 AND tag_id = $2 AND contact_id > $3 AND import_id = $4 ORDER BY contact_id LIMIT $5";
}

bulk_statements! {
    INSERT_CHANGES = "INSERT INTO import_change
        (account_id, change_id, import_id, contact_id, previous, key_version, revision)"
        ["", "", "", "", "", "", ""] "";
}

/// An import, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ImportRow {
    /// The import.
    pub import_id: Uuid,
    /// The file it reads.
    pub file_id: Uuid,
    /// The rows it refused.
    pub reject_file_id: Option<Uuid>,
    /// `mapping`, `running`, `paused`, `done`, `cancelled`, `failed`, `undoing`, `undone`.
    pub state: String,
    /// JSON: kind of file, encoding, delimiter.
    pub format: String,
    /// JSON, sealed: mapping, targets, asserted permission with its evidence.
    pub settings: Vec<u8>,
    /// JSON: the place reached.
    pub cursor: String,
    /// Rows in the file; an estimate until the import is done.
    pub rows_total: Option<i64>,
    /// Rows read.
    pub rows_done: i64,
    /// Contacts created.
    pub created: i64,
    /// Contacts updated.
    pub updated: i64,
    /// Rows that changed nothing.
    pub unchanged: i64,
    /// Rows whose address stood further up in the file.
    pub duplicate: i64,
    /// Rows refused.
    pub rejected: i64,
    /// Why it failed: a message key with ids, never content.
    pub problem: Option<String>,
    /// Who began it.
    pub actor: String,
    /// Fences runs against each other.
    pub epoch: i64,
    /// When it was made, microseconds UTC.
    pub created_at: i64,
    /// When it first ran.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// Rows counted by one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read.
    pub rows: i64,
    /// Contacts created.
    pub created: i64,
    /// Contacts updated.
    pub updated: i64,
    /// Rows that changed nothing.
    pub unchanged: i64,
    /// Rows whose address stood further up in the file.
    pub duplicate: i64,
    /// Rows refused.
    pub rejected: i64,
}

/// The image of a contact before an import changed it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ChangeRow {
    /// The change.
    pub change_id: Uuid,
    /// The contact.
    pub contact_id: Uuid,
    /// The contact before, sealed.
    pub previous: Vec<u8>,
    /// The contact's revision after the change.
    pub revision: i64,
}

/// A contact that an import created, as far as undo needs it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CreatedRow {
    /// The contact.
    pub contact_id: Uuid,
    /// 1 if nothing changed it since.
    pub revision: i64,
    /// When its permission changed last.
    pub permission_at: i64,
    /// When its consent to being tracked changed last.
    pub tracking_at: i64,
    /// When it was created.
    pub created_at: i64,
}

/// What a new import starts with.
#[derive(Debug, Clone)]
pub struct NewImport<'a> {
    /// The import.
    pub import: Id<kind::Import>,
    /// The file it reads.
    pub file: Id<kind::File>,
    /// Its state.
    pub state: &'a str,
    /// JSON.
    pub format: &'a str,
    /// JSON, sealed.
    pub settings: &'a [u8],
    /// The version that sealed the settings.
    pub key_version: i64,
    /// Who begins it.
    pub actor: &'a str,
}

/// Stores a new import.
pub async fn insert(tx: &mut Tx, account: Id<kind::Account>, new: &NewImport<'_>, now: Timestamp) -> Result<(), Error> {
    exec!(
        tx,
        INSERT,
        account.uuid(),
        new.import.uuid(),
        new.file.uuid(),
        new.state,
        new.format,
        new.settings,
        new.key_version,
        new.actor,
        now.micros()
    )?;
    Ok(())
}

/// The import, if there is one.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
) -> Result<Option<ImportRow>, Error> {
    optional!(tx, FIND => ImportRow, account.uuid(), import.uuid())
}

/// The import, locked until the transaction ends.
pub async fn find_for_change(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
) -> Result<Option<ImportRow>, Error> {
    optional!(tx, FIND_FOR_CHANGE => ImportRow, account.uuid(), import.uuid())
}

/// Imports before `before` (use the highest id for the first page), newest first.
pub async fn newest(
    tx: &mut Tx,
    account: Id<kind::Account>,
    before: Uuid,
    limit: i64,
) -> Result<Vec<ImportRow>, Error> {
    all!(tx, NEWEST => ImportRow, account.uuid(), before, limit)
}

/// Replaces format and settings.
pub async fn set_settings(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    format: &str,
    settings: &[u8],
    key_version: i64,
) -> Result<(), Error> {
    exec!(tx, SETTINGS, account.uuid(), import.uuid(), format, settings, key_version)?;
    Ok(())
}

/// Moves an import to another state; whatever runs for it loses its epoch.
pub async fn set_state(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    state: &str,
    problem: Option<&str>,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
) -> Result<(), Error> {
    exec!(
        tx,
        STATE,
        account.uuid(),
        import.uuid(),
        state,
        problem,
        started.map(Timestamp::micros),
        finished.map(Timestamp::micros)
    )?;
    Ok(())
}

/// Begins or resumes the run of an import: yields its new epoch, or `None` if it is not to run.
pub async fn take_over(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    reject_file: Id<kind::File>,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    let row = optional!(tx, TAKE_OVER => (i64,), account.uuid(), import.uuid(), reject_file.uuid(), now.micros())?;
    Ok(row.map(|(epoch,)| epoch))
}

/// Adds a batch's counts and stores the place reached; `false` if the run was superseded, paused or cancelled.
pub async fn advance(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    epoch: i64,
    counts: &Counts,
    rows_total: Option<i64>,
    cursor: &str,
) -> Result<bool, Error> {
    let changed = exec!(
        tx,
        ADVANCE,
        account.uuid(),
        import.uuid(),
        epoch,
        counts.rows,
        rows_total,
        counts.created,
        counts.updated,
        counts.unchanged,
        counts.duplicate,
        counts.rejected,
        cursor
    )?;
    Ok(changed == 1)
}

/// Stores how far an undo has come; `false` if it was superseded.
pub async fn undo_reached(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    epoch: i64,
    cursor: &str,
) -> Result<bool, Error> {
    Ok(exec!(tx, UNDO_AT, account.uuid(), import.uuid(), epoch, cursor)? == 1)
}

/// Drops the link to the file of refused rows.
pub async fn forget_rejects(tx: &mut Tx, account: Id<kind::Account>, import: Id<kind::Import>) -> Result<(), Error> {
    exec!(tx, FORGET_REJECTS, account.uuid(), import.uuid())?;
    Ok(())
}

/// Remembers what an import made: a `list` or a `tag`.
pub async fn remember_made(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    kind: &str,
    made: Uuid,
) -> Result<(), Error> {
    exec!(tx, REMEMBER_MADE, account.uuid(), import.uuid(), kind, made).map(drop)
}

/// What an import made; at most what one file and one form can ask for.
pub async fn made(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
) -> Result<Vec<(String, Uuid)>, Error> {
    all!(tx, MADE => (String, Uuid), account.uuid(), import.uuid())
}

/// Keeps the images of contacts that a batch changes, with the key version that sealed each.
pub async fn insert_changes(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    changes: &[(ChangeRow, i64)],
) -> Result<(), Error> {
    let (account, import) = (account.uuid(), import.uuid());
    bulk_exec!(tx, INSERT_CHANGES, changes, |query, row| query
        .bind(account)
        .bind(row.0.change_id)
        .bind(import)
        .bind(row.0.contact_id)
        .bind(&row.0.previous[..])
        .bind(row.1)
        .bind(row.0.revision))?;
    Ok(())
}

/// The images that an import kept, in order, after `after`.
pub async fn changes(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<ChangeRow>, Error> {
    all!(tx, CHANGES => ChangeRow, account.uuid(), import.uuid(), after, limit)
}

/// Contacts with ids in `after ..= until` that an import created.
pub async fn created(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    after: Uuid,
    until: Uuid,
    limit: i64,
) -> Result<Vec<CreatedRow>, Error> {
    all!(tx, CREATED => CreatedRow, account.uuid(), after, until, import.uuid(), limit)
}

/// Members of a list that an import added, after `after`.
pub async fn listed(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    list: Id<kind::List>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let rows = all!(tx, LISTED => (Uuid,), account.uuid(), list.uuid(), after, import.uuid(), limit)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Contacts that an import tagged, after `after`.
pub async fn tagged(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    tag: Id<kind::Tag>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let rows = all!(tx, TAGGED => (Uuid,), account.uuid(), tag.uuid(), after, import.uuid(), limit)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
