//! Which tables hold sealed columns, so that the rotation of an account's key finds every record.
//!
//! Each such table has the primary key `(account_id, <row id>)` with a UUID row id, and one `key_version` that holds
//! for all its sealed columns. A record is bound to its table, column and row id, therefore this list is also where
//! the [`Slot`] of a column is made: sealing and rotating cannot disagree.

use letterkeep_model::{Id, kind};
use letterkeep_vault::{Class, Slot};
use uuid::Uuid;

use crate::sql::Sql;
use crate::{Error, Tx};

/// A sealed column: the table, the column, the class of key that seals it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    table: &'static str,
    name: &'static str,
    class: Class,
}

impl Column {
    /// The place of one record in this column.
    pub const fn slot<'a>(&self, row: &'a Uuid) -> Slot<'a> {
        Slot { table: self.table, column: self.name, row: row.as_bytes(), class: self.class }
    }
}

/// A table with sealed columns, and the statements that rotation runs on it.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its sealed columns, at most two.
    pub columns: &'static [Column],
    /// How many of its rows a rotation seals anew in one transaction.
    batch: i64,
    next: &'static Sql,
    replace: &'static Sql,
    remaining: &'static Sql,
}

/// What one batch of a rotation holds in memory, and keeps the only writer for, at most: bytes and rows.
const BATCH_BYTES: i64 = 8 * 1024 * 1024;
const BATCH_ROWS: i64 = 500;

/// What the sealed columns of one row hold at most: an address, key or reply; a contact or evidence; a piece of a file;
/// the content of a campaign. More is no fault, it only makes a batch larger.
const SMALL: i64 = 16 * 1024;
const RECORD: i64 = 64 * 1024;
const CHUNK: i64 = 256 * 1024;
const CONTENT: i64 = 1024 * 1024;

/// How many rows of at most `bytes` each make a batch.
const fn batch(bytes: i64) -> i64 {
    let rows = BATCH_BYTES / bytes;
    if rows < BATCH_ROWS { rows } else { BATCH_ROWS }
}

macro_rules! sealed_tables {
    ($($table:ident ($id:ident, $bytes:ident) { $($const:ident = $column:ident: $class:ident),* })*) => {
        /// The sealed columns.
        pub mod column {
            use super::{Class, Column};
            $($(
                #[doc = concat!("`", stringify!($table), ".", stringify!($column), "`")]
                pub const $const: Column =
                    Column { table: stringify!($table), name: stringify!($column), class: Class::$class };
            )*)*
        }
        mod texts {
            $(pub(super) mod $table {
                use crate::sql::Sql;
                pub(in super::super) static NEXT: Sql = Sql {
                    name: concat!("sealed::", stringify!($table), "::NEXT"),
                    sqlite: concat!("SELECT ", stringify!($id), sealed_tables!(@list $($column)*), ", key_version FROM ",
                        stringify!($table), " WHERE account_id = $1 AND ", stringify!($id),
                        " > $2 AND key_version < $3 ORDER BY ", stringify!($id), " LIMIT $4"),
                    postgres: concat!("SELECT ", stringify!($id), sealed_tables!(@list $($column)*), ", key_version FROM ",
                        stringify!($table), " WHERE account_id = $1 AND ", stringify!($id),
                        " > $2 AND key_version < $3 ORDER BY ", stringify!($id), " LIMIT $4 FOR UPDATE"),
                };
                pub(in super::super) static REPLACE: Sql = Sql {
                    name: concat!("sealed::", stringify!($table), "::REPLACE"),
                    sqlite: sealed_tables!(@replace $table $id $($column)*),
                    postgres: sealed_tables!(@replace $table $id $($column)*),
                };
                pub(in super::super) static REMAINING: Sql = Sql {
                    name: concat!("sealed::", stringify!($table), "::REMAINING"),
                    sqlite: concat!("SELECT COUNT(*) FROM ", stringify!($table),
                        " WHERE account_id = $1 AND key_version < $2"),
                    postgres: concat!("SELECT COUNT(*) FROM ", stringify!($table),
                        " WHERE account_id = $1 AND key_version < $2"),
                };
            })*
        }
        /// Every table with sealed columns.
        pub static TABLES: &[Table] = &[$(Table {
            name: stringify!($table),
            columns: &[$(column::$const),*],
            batch: batch($bytes),
            next: &texts::$table::NEXT,
            replace: &texts::$table::REPLACE,
            remaining: &texts::$table::REMAINING,
        }),*];
        /// Every statement of this module.
        pub(crate) static STATEMENTS: &[&Sql] = &[$(
            &texts::$table::NEXT, &texts::$table::REPLACE, &texts::$table::REMAINING
        ),*];
    };
    // One column is selected twice, so that every table yields two.
    (@list $a:ident) => { concat!(", ", stringify!($a), ", NULL") };
    (@list $a:ident $b:ident) => { concat!(", ", stringify!($a), ", ", stringify!($b)) };
    (@replace $table:ident $id:ident $a:ident) => { concat!("UPDATE ", stringify!($table), " SET ", stringify!($a),
        " = COALESCE($3, $4, ", stringify!($a), "), key_version = $5 WHERE account_id = $1 AND ", stringify!($id), " = $2 AND key_version = $6") };
    (@replace $table:ident $id:ident $a:ident $b:ident) => { concat!("UPDATE ", stringify!($table), " SET ", stringify!($a),
        " = $3, ", stringify!($b), " = $4, key_version = $5 WHERE account_id = $1 AND ", stringify!($id),
        " = $2 AND key_version = $6") };
}

sealed_tables! {
    app_user (user_id, SMALL) { USER_PASSWORD = password: Credential, USER_EMAIL = email: Identity }
    totp_factor (user_id, SMALL) { TOTP_SECRET = secret: Factor, TOTP_PENDING = pending: Factor }
    invitation (invitation_id, SMALL) { INVITATION_EMAIL = email: Identity }
    contact (contact_id, RECORD) { CONTACT_RECORD = record: Contact }
    permission_change (change_id, RECORD) { PERMISSION_EVIDENCE = evidence: Contact }
    sealed_file (file_id, SMALL) { FILE_NAME = name: File }
    sealed_file_chunk (chunk_id, CHUNK) { FILE_CHUNK = body: File }
    import (import_id, RECORD) { IMPORT_SETTINGS = settings: Contact }
    import_check (import_id, CONTENT) { IMPORT_CHECK = result: Contact }
    import_change (change_id, RECORD) { IMPORT_PREVIOUS = previous: Contact }
    campaign (campaign_id, CONTENT) { CAMPAIGN_CONTENT = content: Content }
    campaign_activity (activity_id, CONTENT) { ACTIVITY_CONTENT = content: Content }
    sending_trouble (activity_id, SMALL) { SENDING_TROUBLE = trouble: Content }
    delivery_reply (reply_id, SMALL) { DELIVERY_REPLY = reply: Contact }
    sending_domain (domain_id, SMALL) { DOMAIN_RSA = rsa_private: Credential, DOMAIN_ED25519 = ed25519_private: Credential }
    relay (relay_id, SMALL) { RELAY_PASSWORD = password: Credential }
}

/// The sealed columns of one row that an older key version sealed.
#[derive(Debug)]
pub struct SealedRow {
    /// The row id.
    pub id: Uuid,
    /// The records, in the order of [`Table::columns`]; `None` where the column is empty.
    pub records: [Option<Vec<u8>>; 2],
    /// The version that sealed them.
    pub key_version: i64,
}

/// The next rows of `table` after `after` that a version before `target` sealed, as many as are sealed anew in one
/// transaction; on PostgreSQL they are locked.
pub async fn next(
    tx: &mut Tx,
    table: &Table,
    account: Id<kind::Account>,
    after: Uuid,
    target: i64,
) -> Result<Vec<SealedRow>, Error> {
    let next = table.next;
    let rows = all!(
        tx, next => (Uuid, Option<Vec<u8>>, Option<Vec<u8>>, i64), account.uuid(), after, target, table.batch
    )?;
    Ok(rows
        .into_iter()
        .map(|(id, first, second, key_version)| SealedRow { id, records: [first, second], key_version })
        .collect())
}

/// Stores a row's records sealed anew; `false` if the row has changed in between.
pub async fn replace(
    tx: &mut Tx,
    table: &Table,
    account: Id<kind::Account>,
    row: &SealedRow,
    target: i64,
) -> Result<bool, Error> {
    let replace = table.replace;
    let [first, second] = &row.records;
    let changed =
        exec!(tx, replace, account.uuid(), row.id, first.as_deref(), second.as_deref(), target, row.key_version)?;
    Ok(changed == 1)
}

/// How many rows of `table` a version before `target` sealed.
pub async fn remaining(tx: &mut Tx, table: &Table, account: Id<kind::Account>, target: i64) -> Result<i64, Error> {
    let remaining = table.remaining;
    Ok(one!(tx, remaining => (i64,), account.uuid(), target)?.0)
}
