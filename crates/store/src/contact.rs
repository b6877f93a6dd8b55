//! Contacts: one sealed record each, found by the blind index of the address.
//!
//! The bulk functions take any number of rows and cut them into statements of [`Bulk::ROWS`](crate::sql::Bulk::ROWS).
//! Every function that adds or removes contacts, or changes a permission, keeps `contact_count` right by what it
//! really changed, so that counting a million contacts reads six rows.

use std::collections::{BTreeMap, HashMap};

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx, import_check, list, tag};

macro_rules! columns {
    () => {
        "c.contact_id, c.email_index, c.record, c.permission, c.permission_source, c.permission_at, c.tracking, \
         c.tracking_at, c.import_id, c.revision, c.created_at, c.updated_at"
    };
}

/// A page in one direction: `$1` account, `$2` cursor, `$3` limit.
macro_rules! page {
    ($from:literal, $key:literal, $and:literal, older) => {
        page!(@text $from, $key, $and, " < $2 ", " DESC LIMIT $3")
    };
    ($from:literal, $key:literal, $and:literal, newer) => {
        page!(@text $from, $key, $and, " > $2 ", " LIMIT $3")
    };
    (@text $from:literal, $key:literal, $and:literal, $compare:literal, $order:literal) => {
        concat!("SELECT ", columns!(), " FROM ", $from, " WHERE ", $key, ".account_id = $1 AND ", $key, ".contact_id",
            $compare, $and, " ORDER BY ", $key, ".contact_id", $order)
    };
}

statements! {
    FIND = concat!("SELECT ", columns!(), " FROM contact c WHERE c.account_id = $1 AND c.contact_id = $2");
    LOCK = concat!("SELECT ", columns!(), " FROM contact c WHERE c.account_id = $1 AND c.contact_id = $2")
        => concat!("SELECT ", columns!(), " FROM contact c WHERE c.account_id = $1 AND c.contact_id = $2 FOR UPDATE");
    FIND_BY_EMAIL = concat!("SELECT ", columns!(), " FROM contact c WHERE c.account_id = $1 AND c.email_index = $2");
    UPDATE = "UPDATE contact SET email_index = $4, record = $5, key_version = $6, revision = revision + 1, updated_at = $7
        WHERE account_id = $1 AND contact_id = $2 AND revision = $3";
    SET_PERMISSION = "UPDATE contact SET permission = $3, permission_source = $4, permission_at = $5, updated_at = $5
        WHERE account_id = $1 AND contact_id = $2";
    SET_TRACKING = "UPDATE contact SET tracking = $3, tracking_at = $4, updated_at = $4
        WHERE account_id = $1 AND contact_id = $2";
    COUNT_ADD = "INSERT INTO contact_count (account_id, permission, contacts) VALUES ($1, $2, $3)
        ON CONFLICT (account_id, permission) DO UPDATE SET contacts = contact_count.contacts + excluded.contacts";
    COUNTS = "SELECT permission, contacts FROM contact_count WHERE account_id = $1 AND contacts <> 0 ORDER BY permission";
    OLDER = page!("contact c", "c", "", older);
    NEWER = page!("contact c", "c", "", newer);
    OLDER_BY_PERMISSION = page!("contact c", "c", "AND c.permission = $4", older);
    NEWER_BY_PERMISSION = page!("contact c", "c", "AND c.permission = $4", newer);
    OLDER_BY_LIST = page!(
        "list_member m JOIN contact c ON c.account_id = m.account_id AND c.contact_id = m.contact_id", "m",
        "AND m.list_id = $4 AND ($5 = '' OR c.permission = $5) AND (EXISTS (SELECT 1 FROM contact_tag t
            WHERE t.account_id = $1 AND t.tag_id = $6 AND t.contact_id = m.contact_id) OR $6 IS NULL)", older);
    NEWER_BY_LIST = page!(
        "list_member m JOIN contact c ON c.account_id = m.account_id AND c.contact_id = m.contact_id", "m",
        "AND m.list_id = $4 AND ($5 = '' OR c.permission = $5) AND (EXISTS (SELECT 1 FROM contact_tag t
            WHERE t.account_id = $1 AND t.tag_id = $6 AND t.contact_id = m.contact_id) OR $6 IS NULL)", newer);
    OLDER_BY_TAG = page!(
        "contact_tag m JOIN contact c ON c.account_id = m.account_id AND c.contact_id = m.contact_id", "m",
        "AND m.tag_id = $4 AND ($5 = '' OR c.permission = $5)", older);
    NEWER_BY_TAG = page!(
        "contact_tag m JOIN contact c ON c.account_id = m.account_id AND c.contact_id = m.contact_id", "m",
        "AND m.tag_id = $4 AND ($5 = '' OR c.permission = $5)", newer);
    CREATED_BY_IMPORT = "SELECT contact_id, revision FROM contact
        WHERE account_id = $1 AND import_id = $2 AND contact_id > $3 AND contact_id <= $4 ORDER BY contact_id LIMIT $5";
}

bulk_statements! {
    // WHERE TRUE keeps SQLite from reading ON CONFLICT as a condition of the join.
    INSERT_MANY = once "WITH shared (account_id, key_version, permission_source, import_id, created_at) AS ("
        ["uuid", "bigint", "text", "uuid", "bigint"]
        "), new (contact_id, email_index, record, permission, tracking, tracking_at) AS ("
        ["uuid", "bytea", "bytea", "text", "text", "bigint"]
        ") INSERT INTO contact (account_id, contact_id, email_index, record, key_version, permission, permission_source,
            permission_at, tracking, tracking_at, import_id, revision, created_at, updated_at)
        SELECT s.account_id, n.contact_id, n.email_index, n.record, s.key_version, n.permission, s.permission_source,
            s.created_at, n.tracking, n.tracking_at, s.import_id, 1, s.created_at, s.created_at
        FROM shared s CROSS JOIN new n WHERE TRUE ON CONFLICT (account_id, email_index) DO NOTHING";
    FIND_MANY_BY_EMAIL = once "WITH shared (account_id) AS (" ["uuid"]
        "), wanted (email_index) AS (" ["bytea"]
        ") SELECT c.contact_id, c.email_index, c.record, c.permission, c.permission_source, c.permission_at, c.tracking,
            c.tracking_at, c.import_id, c.revision, c.created_at, c.updated_at
        FROM shared CROSS JOIN wanted w CROSS JOIN contact c
        WHERE c.account_id = shared.account_id AND c.email_index = w.email_index";
    OPEN_MANY = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") SELECT c.contact_id, c.record, c.permission, c.tracking, s.reason AS suppressed
        FROM wanted w JOIN contact c ON c.account_id = w.account_id AND c.contact_id = w.contact_id
        LEFT JOIN suppression s ON s.account_id = c.account_id AND s.email_index = c.email_index";
    // CROSS JOIN keeps SQLite to this order: without it, it reads every member of every list for each contact.
    LISTS_OF = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") SELECT w.contact_id, m.list_id FROM wanted w CROSS JOIN list l CROSS JOIN list_member m
        WHERE l.account_id = w.account_id AND m.account_id = l.account_id AND m.list_id = l.list_id
            AND m.contact_id = w.contact_id";
    TAGS_OF = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") SELECT w.contact_id, m.tag_id FROM wanted w CROSS JOIN tag l CROSS JOIN contact_tag m
        WHERE l.account_id = w.account_id AND m.account_id = l.account_id AND m.tag_id = l.tag_id
            AND m.contact_id = w.contact_id";
    UPDATE_MANY = "WITH wanted (account_id, contact_id, revision, record, key_version, permission_before, permission,
            permission_source, permission_at, updated_at) AS ("
        ["uuid", "uuid", "bigint", "bytea", "bigint", "text", "text", "text", "bigint", "bigint"]
        ") UPDATE contact SET record = w.record, key_version = w.key_version, permission = w.permission,
            permission_source = w.permission_source, permission_at = w.permission_at,
            revision = contact.revision + 1, updated_at = w.updated_at
        FROM wanted w WHERE contact.account_id = w.account_id AND contact.contact_id = w.contact_id
            AND contact.revision = w.revision AND contact.permission = w.permission_before
        RETURNING contact.contact_id";
    DELETE_MANY = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") DELETE FROM contact WHERE (account_id, contact_id) IN (SELECT account_id, contact_id FROM wanted)
        RETURNING permission";
    DELETE_LISTS = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") DELETE FROM list_member WHERE (account_id, list_id, contact_id) IN (
            SELECT l.account_id, l.list_id, w.contact_id FROM wanted w JOIN list l ON l.account_id = w.account_id)
        RETURNING list_id";
    DELETE_TAGS = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") DELETE FROM contact_tag WHERE (account_id, tag_id, contact_id) IN (
            SELECT l.account_id, l.tag_id, w.contact_id FROM wanted w JOIN tag l ON l.account_id = w.account_id)
        RETURNING tag_id";
    DELETE_HISTORY = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") DELETE FROM permission_change WHERE (account_id, change_id) IN (
            SELECT p.account_id, p.change_id FROM wanted w
            JOIN permission_change p ON p.account_id = w.account_id AND p.contact_id = w.contact_id)";
    DELETE_PREVIOUS = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") DELETE FROM import_change WHERE (account_id, change_id) IN (
            SELECT p.account_id, p.change_id FROM wanted w
            JOIN import_change p ON p.account_id = w.account_id AND p.contact_id = w.contact_id)";
    DELETE_REPLIES = "WITH wanted (account_id, contact_id) AS ("
        ["uuid", "uuid"]
        ") DELETE FROM delivery_reply WHERE (account_id, reply_id) IN (
            SELECT d.account_id, d.reply_id FROM wanted w CROSS JOIN campaign_activity a
            CROSS JOIN delivery_reply d WHERE a.account_id = w.account_id AND d.account_id = a.account_id
                AND d.activity_id = a.activity_id AND d.contact_id = w.contact_id)";
}

/// A contact, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ContactRow {
    /// The contact.
    pub contact_id: Uuid,
    /// The blind index of its address.
    pub email_index: Vec<u8>,
    /// The sealed record.
    pub record: Vec<u8>,
    /// The name of the permission to send.
    pub permission: String,
    /// Where the permission comes from.
    pub permission_source: String,
    /// Since when it holds.
    pub permission_at: i64,
    /// The name of the tracking consent.
    pub tracking: String,
    /// Since when it holds; 0 if never asked.
    pub tracking_at: i64,
    /// The import that created the contact.
    pub import_id: Option<Uuid>,
    /// Grows with every change of the record.
    pub revision: i64,
    /// When it was created, microseconds UTC.
    pub created_at: i64,
    /// When anything about it changed last, microseconds UTC.
    pub updated_at: i64,
}

/// What contacts that are inserted together share.
#[derive(Debug, Clone, Copy)]
pub struct Creation<'a> {
    /// The version that sealed their records.
    pub key_version: i64,
    /// Where their permissions come from.
    pub permission_source: &'a str,
    /// The import that creates them.
    pub import_id: Option<Uuid>,
    /// Now, microseconds UTC; their permissions hold since then.
    pub created_at: i64,
}

/// A contact to insert.
#[derive(Debug, Clone, Copy)]
pub struct NewContact<'a> {
    /// The contact.
    pub contact_id: Uuid,
    /// The blind index of its address.
    pub email_index: [u8; 16],
    /// The sealed record.
    pub record: &'a [u8],
    /// The name of the permission to send.
    pub permission: &'static str,
    /// The name of the tracking consent.
    pub tracking: &'static str,
    /// Since when it holds; 0 if never asked.
    pub tracking_at: i64,
}

/// A contact that somebody has edited.
#[derive(Debug, Clone, Copy)]
pub struct EditedContact<'a> {
    /// The contact.
    pub contact: Id<kind::Contact>,
    /// The revision that was edited.
    pub revision: i64,
    /// The blind index of its address, which may be another one.
    pub email_index: [u8; 16],
    /// The sealed record.
    pub record: &'a [u8],
    /// The version that sealed it.
    pub key_version: i64,
    /// Now, microseconds UTC.
    pub updated_at: i64,
}

/// A contact to replace in bulk; the address does not change.
#[derive(Debug, Clone)]
pub struct ChangedContact {
    /// The contact.
    pub contact_id: Uuid,
    /// The revision that was read; another one in the table leaves the row alone.
    pub revision: i64,
    /// The sealed record.
    pub record: Vec<u8>,
    /// The version that sealed it.
    pub key_version: i64,
    /// The permission that was read; another one in the table leaves the row alone.
    pub permission_before: String,
    /// The permission from now on.
    pub permission: String,
    /// Where it comes from.
    pub permission_source: String,
    /// Since when it holds.
    pub permission_at: i64,
    /// Now, microseconds UTC.
    pub updated_at: i64,
}

/// What delivery needs of a contact.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OpenRow {
    /// The contact.
    pub contact_id: Uuid,
    /// The sealed record.
    pub record: Vec<u8>,
    /// The name of the permission to send.
    pub permission: String,
    /// The name of the tracking consent.
    pub tracking: String,
    /// Why the address is suppressed, if it is.
    pub suppressed: Option<String>,
}

/// Which contacts a page shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageFilter<'a> {
    /// Members of this list.
    pub list: Option<Uuid>,
    /// Bearers of this tag.
    pub tag: Option<Uuid>,
    /// With this permission.
    pub permission: Option<&'a str>,
}

/// In which direction a page goes on from a contact, which is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards smaller ids, largest first.
    Older(Uuid),
    /// Towards larger ids, smallest first.
    Newer(Uuid),
}

/// Finds a contact.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    contact: Id<kind::Contact>,
) -> Result<Option<ContactRow>, Error> {
    optional!(tx, FIND => ContactRow, account.uuid(), contact.uuid())
}

/// Finds a contact and keeps others from changing it until the transaction ends.
pub async fn lock(
    tx: &mut Tx,
    account: Id<kind::Account>,
    contact: Id<kind::Contact>,
) -> Result<Option<ContactRow>, Error> {
    optional!(tx, LOCK => ContactRow, account.uuid(), contact.uuid())
}

/// Finds a contact by the blind index of its address.
pub async fn find_by_email(
    tx: &mut Tx,
    account: Id<kind::Account>,
    email_index: &[u8; 16],
) -> Result<Option<ContactRow>, Error> {
    optional!(tx, FIND_BY_EMAIL => ContactRow, account.uuid(), &email_index[..])
}

/// Finds the contacts that exist among many addresses.
pub async fn find_many_by_email(
    tx: &mut Tx,
    account: Id<kind::Account>,
    email_indexes: &[[u8; 16]],
) -> Result<Vec<ContactRow>, Error> {
    let account = account.uuid();
    bulk_all!(tx, FIND_MANY_BY_EMAIL(account) => ContactRow, email_indexes, |query, index| query.bind(&index[..]))
}

/// Inserts contacts; `false` if an address exists already. The transaction must then be dropped, unless the contact was
/// the only one.
pub async fn insert_many(
    tx: &mut Tx,
    account: Id<kind::Account>,
    creation: &Creation<'_>,
    contacts: &[NewContact<'_>],
) -> Result<bool, Error> {
    let Creation { key_version, permission_source, import_id, created_at } = *creation;
    let inserted = bulk_exec!(
        tx,
        INSERT_MANY(account.uuid(), key_version, permission_source, import_id, created_at),
        contacts,
        |query, row| query
            .bind(row.contact_id)
            .bind(&row.email_index[..])
            .bind(row.record)
            .bind(row.permission)
            .bind(row.tracking)
            .bind(row.tracking_at)
    )?;
    if inserted != contacts.len() as u64 {
        return Ok(false);
    }
    let mut counts = BTreeMap::new();
    for row in contacts {
        *counts.entry(row.permission).or_default() += 1;
    }
    count(tx, account, counts).await?;
    Ok(true)
}

/// Replaces one contact's record and address; `false` if the revision is another one by now.
pub async fn update(tx: &mut Tx, account: Id<kind::Account>, new: &EditedContact<'_>) -> Result<bool, Error> {
    let changed = exec!(
        tx,
        UPDATE,
        account.uuid(),
        new.contact.uuid(),
        new.revision,
        &new.email_index[..],
        new.record,
        new.key_version,
        new.updated_at
    )?;
    Ok(changed == 1)
}

/// Replaces many contacts; yields those that were replaced. The others have changed since they were read.
pub async fn update_many(
    tx: &mut Tx,
    account: Id<kind::Account>,
    contacts: &[ChangedContact],
) -> Result<Vec<Uuid>, Error> {
    let id = account.uuid();
    let updated = bulk_all!(tx, UPDATE_MANY => (Uuid,), contacts, |query, row| query
        .bind(id)
        .bind(row.contact_id)
        .bind(row.revision)
        .bind(&row.record[..])
        .bind(row.key_version)
        .bind(&row.permission_before[..])
        .bind(&row.permission[..])
        .bind(&row.permission_source[..])
        .bind(row.permission_at)
        .bind(row.updated_at))?;
    let changes = contacts.iter().filter(|row| row.permission != row.permission_before);
    let changes = changes.map(|row| (row.contact_id, row)).collect::<HashMap<_, _>>();
    let mut counts = BTreeMap::new();
    for row in updated.iter().filter_map(|(id,)| changes.get(id)) {
        *counts.entry(&row.permission_before[..]).or_default() -= 1;
        *counts.entry(&row.permission[..]).or_default() += 1;
    }
    count(tx, account, counts).await?;
    Ok(updated.into_iter().map(|(id,)| id).collect())
}

/// Sets the permission of a contact that stands at `before`.
pub async fn set_permission(
    tx: &mut Tx,
    account: Id<kind::Account>,
    contact: Id<kind::Contact>,
    before: &str,
    after: &str,
    source: &str,
    now: i64,
) -> Result<(), Error> {
    let changed = exec!(tx, SET_PERMISSION, account.uuid(), contact.uuid(), after, source, now)? as i64;
    let mut counts = BTreeMap::new();
    *counts.entry(before).or_default() -= changed;
    *counts.entry(after).or_default() += changed;
    count(tx, account, counts).await
}

/// Sets the tracking consent of a contact.
pub async fn set_tracking(
    tx: &mut Tx,
    account: Id<kind::Account>,
    contact: Id<kind::Contact>,
    after: &str,
    now: i64,
) -> Result<(), Error> {
    exec!(tx, SET_TRACKING, account.uuid(), contact.uuid(), after, now).map(drop)
}

/// Erases contacts with their memberships, their history of permissions, what imports kept and checks of imports showed
/// of them, and what servers answered about them; yields how many there were.
pub async fn delete_many(tx: &mut Tx, account: Id<kind::Account>, contacts: &[Uuid], now: i64) -> Result<u64, Error> {
    let id = account.uuid();
    let lists = bulk_all!(tx, DELETE_LISTS => (Uuid,), contacts, |query, row| query.bind(id).bind(*row))?;
    let tags = bulk_all!(tx, DELETE_TAGS => (Uuid,), contacts, |query, row| query.bind(id).bind(*row))?;
    for (list, members) in tally(lists) {
        list::grow(tx, account, Id::from_uuid(list), -members, now).await?;
    }
    for (tag, members) in tally(tags) {
        tag::grow(tx, account, Id::from_uuid(tag), -members).await?;
    }
    bulk_exec!(tx, DELETE_HISTORY, contacts, |query, row| query.bind(id).bind(*row))?;
    bulk_exec!(tx, DELETE_PREVIOUS, contacts, |query, row| query.bind(id).bind(*row))?;
    bulk_exec!(tx, DELETE_REPLIES, contacts, |query, row| query.bind(id).bind(*row))?;
    let gone = bulk_all!(tx, DELETE_MANY => (String,), contacts, |query, row| query.bind(id).bind(*row))?;
    let deleted = gone.len() as u64;
    if deleted > 0 {
        import_check::remove_all(tx, account).await?;
    }
    let counts = tally(gone);
    count(tx, account, counts.iter().map(|(permission, contacts)| (&permission[..], -contacts)).collect()).await?;
    Ok(deleted)
}

/// The contacts that an import created, with their revisions, from `after` (exclusive) to `until` (inclusive). Ids grow
/// with time: the bounds spare a look at every contact.
pub async fn created_by_import(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    after: Uuid,
    until: Uuid,
    limit: i64,
) -> Result<Vec<(Uuid, i64)>, Error> {
    all!(tx, CREATED_BY_IMPORT => (Uuid, i64), account.uuid(), import.uuid(), after, until, limit)
}

/// At most `limit` contacts in one direction from a cursor, in that direction's order.
pub async fn page(
    tx: &mut Tx,
    account: Id<kind::Account>,
    filter: PageFilter<'_>,
    direction: Direction,
    limit: i64,
) -> Result<Vec<ContactRow>, Error> {
    let account = account.uuid();
    let (older, cursor) = match direction {
        Direction::Older(cursor) => (true, cursor),
        Direction::Newer(cursor) => (false, cursor),
    };
    let permission = filter.permission.unwrap_or("");
    match (filter.list, filter.tag) {
        (Some(list), tag) => {
            let sql = if older { &OLDER_BY_LIST } else { &NEWER_BY_LIST };
            all!(tx, sql => ContactRow, account, cursor, limit, list, permission, tag)
        }
        (None, Some(tag)) => {
            let sql = if older { &OLDER_BY_TAG } else { &NEWER_BY_TAG };
            all!(tx, sql => ContactRow, account, cursor, limit, tag, permission)
        }
        (None, None) if !permission.is_empty() => {
            let sql = if older { &OLDER_BY_PERMISSION } else { &NEWER_BY_PERMISSION };
            all!(tx, sql => ContactRow, account, cursor, limit, permission)
        }
        (None, None) => {
            let sql = if older { &OLDER } else { &NEWER };
            all!(tx, sql => ContactRow, account, cursor, limit)
        }
    }
}

/// Those of `contacts` that exist, for sending. In no particular order.
pub async fn open_many(tx: &mut Tx, account: Id<kind::Account>, contacts: &[Uuid]) -> Result<Vec<OpenRow>, Error> {
    let account = account.uuid();
    bulk_all!(tx, OPEN_MANY => OpenRow, contacts, |query, row| query.bind(account).bind(*row))
}

/// The lists that each of `contacts` is on: (contact, list).
pub async fn lists_of(tx: &mut Tx, account: Id<kind::Account>, contacts: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, Error> {
    let account = account.uuid();
    bulk_all!(tx, LISTS_OF => (Uuid, Uuid), contacts, |query, row| query.bind(account).bind(*row))
}

/// The tags that each of `contacts` bears: (contact, tag).
pub async fn tags_of(tx: &mut Tx, account: Id<kind::Account>, contacts: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, Error> {
    let account = account.uuid();
    bulk_all!(tx, TAGS_OF => (Uuid, Uuid), contacts, |query, row| query.bind(account).bind(*row))
}

/// How many contacts there are by permission. Reads counters, not contacts.
pub async fn counts(tx: &mut Tx, account: Id<kind::Account>) -> Result<Vec<(String, i64)>, Error> {
    all!(tx, COUNTS => (String, i64), account.uuid())
}

/// Adds to the counters, always in the same order, so that two transactions cannot wait for each other.
async fn count(tx: &mut Tx, account: Id<kind::Account>, changes: BTreeMap<&str, i64>) -> Result<(), Error> {
    for (permission, contacts) in changes {
        if contacts != 0 {
            exec!(tx, COUNT_ADD, account.uuid(), permission, contacts)?;
        }
    }
    Ok(())
}

fn tally<T: Ord>(rows: Vec<(T,)>) -> BTreeMap<T, i64> {
    let mut counts = BTreeMap::new();
    for (key,) in rows {
        *counts.entry(key).or_default() += 1;
    }
    counts
}
