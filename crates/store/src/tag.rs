//! Tags on contacts. `tag.members` counts the rows of `contact_tag` and changes with them.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO tag (account_id, tag_id, name, members, created_at)
        VALUES ($1, $2, $3, 0, $4) ON CONFLICT (account_id, name) DO NOTHING";
    UPDATE = "UPDATE tag SET name = $3 WHERE account_id = $1 AND tag_id = $2";
    DELETE_MEMBERS = "DELETE FROM contact_tag WHERE account_id = $1 AND tag_id = $2";
    DELETE = "DELETE FROM tag WHERE account_id = $1 AND tag_id = $2";
    FIND = "SELECT tag_id, name, members, created_at FROM tag WHERE account_id = $1 AND tag_id = $2";
    FIND_BY_NAME = "SELECT tag_id, name, members, created_at FROM tag WHERE account_id = $1 AND name = $2";
    ALL = "SELECT tag_id, name, members, created_at FROM tag WHERE account_id = $1 ORDER BY name LIMIT $2";
    COUNT = "SELECT COUNT(*) FROM tag WHERE account_id = $1";
    GROW = "UPDATE tag SET members = members + $3 WHERE account_id = $1 AND tag_id = $2";
    DELETE_IMPORTED = "DELETE FROM contact_tag WHERE account_id = $1 AND tag_id = $2 AND import_id = $3";
}

bulk_statements! {
    // Only contacts of the account that exist: a stale id must not bear a tag.
    ADD = "WITH wanted (account_id, tag_id, contact_id, added_at) AS ("
        ["uuid", "uuid", "uuid", "bigint"]
        ") INSERT INTO contact_tag (account_id, tag_id, contact_id, import_id, added_at)
        SELECT w.account_id, w.tag_id, w.contact_id, NULL, w.added_at FROM wanted w
        JOIN contact c ON c.account_id = w.account_id AND c.contact_id = w.contact_id
        WHERE TRUE ON CONFLICT DO NOTHING";
    ADD_IMPORTED = once "WITH shared (account_id, tag_id, import_id, added_at) AS (" ["uuid", "uuid", "uuid", "bigint"]
        "), new (contact_id) AS (" ["uuid"]
        ") INSERT INTO contact_tag (account_id, tag_id, contact_id, import_id, added_at)
        SELECT s.account_id, s.tag_id, n.contact_id, s.import_id, s.added_at FROM shared s CROSS JOIN new n
        WHERE TRUE ON CONFLICT DO NOTHING";
    REMOVE = "WITH wanted (account_id, tag_id, contact_id) AS ("
        ["uuid", "uuid", "uuid"]
        ") DELETE FROM contact_tag WHERE (account_id, tag_id, contact_id) IN (SELECT account_id, tag_id, contact_id FROM wanted)";
}

/// A tag, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct TagRow {
    /// The tag.
    pub tag_id: Uuid,
    /// Unique in the account.
    pub name: String,
    /// How many contacts bear it.
    pub members: i64,
    /// When it was made, microseconds UTC.
    pub created_at: i64,
}

/// Makes a tag that nobody bears; `false` if the name is taken.
pub async fn insert(
    tx: &mut Tx,
    account: Id<kind::Account>,
    tag: Id<kind::Tag>,
    name: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, INSERT, account.uuid(), tag.uuid(), name, now)? == 1)
}

/// Changes the name; `false` if there is no such tag. A taken name is a [`Error::Conflict`].
pub async fn update(tx: &mut Tx, account: Id<kind::Account>, tag: Id<kind::Tag>, name: &str) -> Result<bool, Error> {
    Ok(exec!(tx, UPDATE, account.uuid(), tag.uuid(), name)? == 1)
}

/// Deletes a tag from everywhere; `false` if there is no such tag.
pub async fn delete(tx: &mut Tx, account: Id<kind::Account>, tag: Id<kind::Tag>) -> Result<bool, Error> {
    exec!(tx, DELETE_MEMBERS, account.uuid(), tag.uuid())?;
    Ok(exec!(tx, DELETE, account.uuid(), tag.uuid())? == 1)
}

/// Finds a tag.
pub async fn find(tx: &mut Tx, account: Id<kind::Account>, tag: Id<kind::Tag>) -> Result<Option<TagRow>, Error> {
    optional!(tx, FIND => TagRow, account.uuid(), tag.uuid())
}

/// Finds a tag by its exact name.
pub async fn find_by_name(tx: &mut Tx, account: Id<kind::Account>, name: &str) -> Result<Option<TagRow>, Error> {
    optional!(tx, FIND_BY_NAME => TagRow, account.uuid(), name)
}

/// The account's tags by name, at most `limit`.
pub async fn all(tx: &mut Tx, account: Id<kind::Account>, limit: i64) -> Result<Vec<TagRow>, Error> {
    all!(tx, ALL => TagRow, account.uuid(), limit)
}

/// How many tags the account has.
pub async fn count(tx: &mut Tx, account: Id<kind::Account>) -> Result<i64, Error> {
    Ok(one!(tx, COUNT => (i64,), account.uuid())?.0)
}

/// Tags contacts; yields how many did not bear the tag before. Ids of no contact are left out.
pub async fn add(
    tx: &mut Tx,
    account: Id<kind::Account>,
    tag: Id<kind::Tag>,
    contacts: &[Uuid],
    now: i64,
) -> Result<u64, Error> {
    let (id, of) = (account.uuid(), tag.uuid());
    let added = bulk_exec!(tx, ADD, contacts, |query, row| query.bind(id).bind(of).bind(*row).bind(now))?;
    grow(tx, account, tag, added as i64).await?;
    Ok(added)
}

/// Tags contacts that an import has just created or found; yields how many did not bear the tag before.
pub async fn add_imported(
    tx: &mut Tx,
    account: Id<kind::Account>,
    tag: Id<kind::Tag>,
    contacts: &[Uuid],
    import: Id<kind::Import>,
    now: i64,
) -> Result<u64, Error> {
    let (id, of, import) = (account.uuid(), tag.uuid(), import.uuid());
    let added = bulk_exec!(tx, ADD_IMPORTED(id, of, import, now), contacts, |query, row| query.bind(*row))?;
    grow(tx, account, tag, added as i64).await?;
    Ok(added)
}

/// Takes a tag off contacts; yields how many bore it.
pub async fn remove(
    tx: &mut Tx,
    account: Id<kind::Account>,
    tag: Id<kind::Tag>,
    contacts: &[Uuid],
) -> Result<u64, Error> {
    let (id, of) = (account.uuid(), tag.uuid());
    let removed = bulk_exec!(tx, REMOVE, contacts, |query, row| query.bind(id).bind(of).bind(*row))?;
    grow(tx, account, tag, -(removed as i64)).await?;
    Ok(removed)
}

/// Takes a tag off everybody whom an import gave it to; yields how many. For the undoing of an import.
pub async fn remove_imported(
    tx: &mut Tx,
    account: Id<kind::Account>,
    tag: Id<kind::Tag>,
    import: Id<kind::Import>,
) -> Result<u64, Error> {
    let removed = exec!(tx, DELETE_IMPORTED, account.uuid(), tag.uuid(), import.uuid())?;
    grow(tx, account, tag, -(removed as i64)).await?;
    Ok(removed)
}

/// Adds to the number of bearers, which may be negative.
pub(crate) async fn grow(tx: &mut Tx, account: Id<kind::Account>, tag: Id<kind::Tag>, by: i64) -> Result<(), Error> {
    if by != 0 {
        exec!(tx, GROW, account.uuid(), tag.uuid(), by)?;
    }
    Ok(())
}
