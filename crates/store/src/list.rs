//! Lists of contacts. `list.members` counts the rows of `list_member` and changes with them.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO list (account_id, list_id, name, description, members, created_at, updated_at)
        VALUES ($1, $2, $3, $4, 0, $5, $5) ON CONFLICT (account_id, name) DO NOTHING";
    UPDATE = "UPDATE list SET name = $3, description = $4, updated_at = $5 WHERE account_id = $1 AND list_id = $2";
    DELETE_MEMBERS = "DELETE FROM list_member WHERE account_id = $1 AND list_id = $2";
    DELETE = "DELETE FROM list WHERE account_id = $1 AND list_id = $2";
    FIND = "SELECT list_id, name, description, members, created_at, updated_at FROM list
        WHERE account_id = $1 AND list_id = $2";
    FIND_BY_NAME = "SELECT list_id, name, description, members, created_at, updated_at FROM list
        WHERE account_id = $1 AND name = $2";
    ALL = "SELECT list_id, name, description, members, created_at, updated_at FROM list
        WHERE account_id = $1 ORDER BY name LIMIT $2";
    COUNT = "SELECT COUNT(*) FROM list WHERE account_id = $1";
    GROW = "UPDATE list SET members = members + $3, updated_at = $4 WHERE account_id = $1 AND list_id = $2";
    DELETE_IMPORTED = "DELETE FROM list_member WHERE account_id = $1 AND list_id = $2 AND import_id = $3";
}

bulk_statements! {
    // Only contacts of the account that exist: a stale id must not become a member.
    ADD = "WITH wanted (account_id, list_id, contact_id, added_at) AS ("
        ["uuid", "uuid", "uuid", "bigint"]
        ") INSERT INTO list_member (account_id, list_id, contact_id, import_id, added_at)
        SELECT w.account_id, w.list_id, w.contact_id, NULL, w.added_at FROM wanted w
        JOIN contact c ON c.account_id = w.account_id AND c.contact_id = w.contact_id
        WHERE TRUE ON CONFLICT DO NOTHING";
    ADD_IMPORTED = once "WITH shared (account_id, list_id, import_id, added_at) AS (" ["uuid", "uuid", "uuid", "bigint"]
        "), new (contact_id) AS (" ["uuid"]
        ") INSERT INTO list_member (account_id, list_id, contact_id, import_id, added_at)
        SELECT s.account_id, s.list_id, n.contact_id, s.import_id, s.added_at FROM shared s CROSS JOIN new n
        WHERE TRUE ON CONFLICT DO NOTHING";
    REMOVE = "WITH wanted (account_id, list_id, contact_id) AS ("
        ["uuid", "uuid", "uuid"]
        ") DELETE FROM list_member WHERE (account_id, list_id, contact_id) IN (SELECT account_id, list_id, contact_id FROM wanted)";
}

/// A list, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ListRow {
    /// The list.
    pub list_id: Uuid,
    /// Unique in the account.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many contacts are on it.
    pub members: i64,
    /// When it was made, microseconds UTC.
    pub created_at: i64,
    /// When its name or members changed last, microseconds UTC.
    pub updated_at: i64,
}

/// Makes an empty list; `false` if the name is taken.
pub async fn insert(
    tx: &mut Tx,
    account: Id<kind::Account>,
    list: Id<kind::List>,
    name: &str,
    description: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, INSERT, account.uuid(), list.uuid(), name, description, now)? == 1)
}

/// Changes name and description; `false` if there is no such list. A taken name is a [`Error::Conflict`].
pub async fn update(
    tx: &mut Tx,
    account: Id<kind::Account>,
    list: Id<kind::List>,
    name: &str,
    description: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, UPDATE, account.uuid(), list.uuid(), name, description, now)? == 1)
}

/// Deletes a list and its memberships; `false` if there is no such list.
pub async fn delete(tx: &mut Tx, account: Id<kind::Account>, list: Id<kind::List>) -> Result<bool, Error> {
    exec!(tx, DELETE_MEMBERS, account.uuid(), list.uuid())?;
    Ok(exec!(tx, DELETE, account.uuid(), list.uuid())? == 1)
}

/// Finds a list.
pub async fn find(tx: &mut Tx, account: Id<kind::Account>, list: Id<kind::List>) -> Result<Option<ListRow>, Error> {
    optional!(tx, FIND => ListRow, account.uuid(), list.uuid())
}

/// Finds a list by its exact name.
pub async fn find_by_name(tx: &mut Tx, account: Id<kind::Account>, name: &str) -> Result<Option<ListRow>, Error> {
    optional!(tx, FIND_BY_NAME => ListRow, account.uuid(), name)
}

/// The account's lists by name, at most `limit`.
pub async fn all(tx: &mut Tx, account: Id<kind::Account>, limit: i64) -> Result<Vec<ListRow>, Error> {
    all!(tx, ALL => ListRow, account.uuid(), limit)
}

/// How many lists the account has.
pub async fn count(tx: &mut Tx, account: Id<kind::Account>) -> Result<i64, Error> {
    Ok(one!(tx, COUNT => (i64,), account.uuid())?.0)
}

/// Puts contacts on a list; yields how many were not on it before. Ids of no contact are left out.
pub async fn add(
    tx: &mut Tx,
    account: Id<kind::Account>,
    list: Id<kind::List>,
    contacts: &[Uuid],
    now: i64,
) -> Result<u64, Error> {
    let (id, of) = (account.uuid(), list.uuid());
    let added = bulk_exec!(tx, ADD, contacts, |query, row| query.bind(id).bind(of).bind(*row).bind(now))?;
    grow(tx, account, list, added as i64, now).await?;
    Ok(added)
}

/// Puts contacts that an import has just created or found on a list; yields how many were not on it before.
pub async fn add_imported(
    tx: &mut Tx,
    account: Id<kind::Account>,
    list: Id<kind::List>,
    contacts: &[Uuid],
    import: Id<kind::Import>,
    now: i64,
) -> Result<u64, Error> {
    let (id, of, import) = (account.uuid(), list.uuid(), import.uuid());
    let added = bulk_exec!(tx, ADD_IMPORTED(id, of, import, now), contacts, |query, row| query.bind(*row))?;
    grow(tx, account, list, added as i64, now).await?;
    Ok(added)
}

/// Takes contacts off a list; yields how many were on it.
pub async fn remove(
    tx: &mut Tx,
    account: Id<kind::Account>,
    list: Id<kind::List>,
    contacts: &[Uuid],
    now: i64,
) -> Result<u64, Error> {
    let (id, of) = (account.uuid(), list.uuid());
    let removed = bulk_exec!(tx, REMOVE, contacts, |query, row| query.bind(id).bind(of).bind(*row))?;
    grow(tx, account, list, -(removed as i64), now).await?;
    Ok(removed)
}

/// Takes everybody off a list whom an import put there; yields how many. For the undoing of an import.
pub async fn remove_imported(
    tx: &mut Tx,
    account: Id<kind::Account>,
    list: Id<kind::List>,
    import: Id<kind::Import>,
    now: i64,
) -> Result<u64, Error> {
    let removed = exec!(tx, DELETE_IMPORTED, account.uuid(), list.uuid(), import.uuid())?;
    grow(tx, account, list, -(removed as i64), now).await?;
    Ok(removed)
}

/// Adds to the number of members, which may be negative.
pub(crate) async fn grow(
    tx: &mut Tx,
    account: Id<kind::Account>,
    list: Id<kind::List>,
    by: i64,
    now: i64,
) -> Result<(), Error> {
    if by != 0 {
        exec!(tx, GROW, account.uuid(), list.uuid(), by, now)?;
    }
    Ok(())
}
