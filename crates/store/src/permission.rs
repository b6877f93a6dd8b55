//! Changes of the permission to send and of the consent to tracking, with sealed evidence. Append-only while the
//! contact exists.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    HISTORY = "SELECT change_id, contact_id, subject, before, after, source, evidence, key_version, actor, at
        FROM permission_change WHERE account_id = $1 AND contact_id = $2 ORDER BY change_id DESC LIMIT $3";
}

bulk_statements! {
    INSERT_MANY = "INSERT INTO permission_change
            (account_id, change_id, contact_id, subject, before, after, source, evidence, key_version, actor, at)"
        ["uuid", "uuid", "uuid", "text", "text", "text", "text", "bytea", "bigint", "text", "bigint"]
        "";
}

/// A change, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PermissionChangeRow {
    /// The change.
    pub change_id: Uuid,
    /// Whose permission changed.
    pub contact_id: Uuid,
    /// `permission` or `tracking`.
    pub subject: String,
    /// The state before.
    pub before: String,
    /// The state after.
    pub after: String,
    /// How it came about.
    pub source: String,
    /// The sealed evidence.
    pub evidence: Option<Vec<u8>>,
    /// The version that sealed it.
    pub key_version: i64,
    /// `user_…`, `system` or `public`.
    pub actor: String,
    /// When, microseconds UTC.
    pub at: i64,
}

/// Records changes.
pub async fn insert_many(
    tx: &mut Tx,
    account: Id<kind::Account>,
    changes: &[PermissionChangeRow],
) -> Result<(), Error> {
    let account = account.uuid();
    bulk_exec!(tx, INSERT_MANY, changes, |query, row| query
        .bind(account)
        .bind(row.change_id)
        .bind(row.contact_id)
        .bind(&row.subject[..])
        .bind(&row.before[..])
        .bind(&row.after[..])
        .bind(&row.source[..])
        .bind(row.evidence.as_deref())
        .bind(row.key_version)
        .bind(&row.actor[..])
        .bind(row.at))
    .map(drop)
}

/// The changes of a contact, newest first, at most `limit`.
pub async fn history(
    tx: &mut Tx,
    account: Id<kind::Account>,
    contact: Id<kind::Contact>,
    limit: i64,
) -> Result<Vec<PermissionChangeRow>, Error> {
    all!(tx, HISTORY => PermissionChangeRow, account.uuid(), contact.uuid(), limit)
}
