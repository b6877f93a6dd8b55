//! The fields that accounts define for their contacts.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO custom_field (account_id, field_id, merge_key, label, kind, options, position, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account_id, merge_key) DO NOTHING";
    ALL = "SELECT field_id, merge_key, label, kind, options, position, created_at FROM custom_field
        WHERE account_id = $1 ORDER BY position, field_id LIMIT $2";
    RENAME = "UPDATE custom_field SET label = $3 WHERE account_id = $1 AND field_id = $2";
    SET_OPTIONS = "UPDATE custom_field SET options = $3 WHERE account_id = $1 AND field_id = $2";
    MOVE = "UPDATE custom_field SET position = $3 WHERE account_id = $1 AND field_id = $2";
    DELETE = "DELETE FROM custom_field WHERE account_id = $1 AND field_id = $2";
}

/// A custom field, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CustomFieldRow {
    /// The field.
    pub field_id: Uuid,
    /// Unique in the account.
    pub merge_key: String,
    /// What people see.
    pub label: String,
    /// The name of the kind.
    pub kind: String,
    /// JSON: options and currency.
    pub options: String,
    /// The place in the order.
    pub position: i64,
    /// When it was defined, microseconds UTC.
    pub created_at: i64,
}

/// Defines a field; `false` if the merge key is taken.
pub async fn insert(tx: &mut Tx, account: Id<kind::Account>, row: &CustomFieldRow) -> Result<bool, Error> {
    let made = exec!(
        tx,
        INSERT,
        account.uuid(),
        row.field_id,
        &row.merge_key[..],
        &row.label[..],
        &row.kind[..],
        &row.options[..],
        row.position,
        row.created_at
    )?;
    Ok(made == 1)
}

/// The account's fields in their order, at most `limit`.
pub async fn all(tx: &mut Tx, account: Id<kind::Account>, limit: i64) -> Result<Vec<CustomFieldRow>, Error> {
    all!(tx, ALL => CustomFieldRow, account.uuid(), limit)
}

/// Changes the label; `false` if there is no such field.
pub async fn rename(
    tx: &mut Tx,
    account: Id<kind::Account>,
    field: Id<kind::CustomField>,
    label: &str,
) -> Result<bool, Error> {
    Ok(exec!(tx, RENAME, account.uuid(), field.uuid(), label)? == 1)
}

/// Changes the options; `false` if there is no such field.
pub async fn set_options(
    tx: &mut Tx,
    account: Id<kind::Account>,
    field: Id<kind::CustomField>,
    options: &str,
) -> Result<bool, Error> {
    Ok(exec!(tx, SET_OPTIONS, account.uuid(), field.uuid(), options)? == 1)
}

/// Changes the place in the order; `false` if there is no such field.
pub async fn place(
    tx: &mut Tx,
    account: Id<kind::Account>,
    field: Id<kind::CustomField>,
    position: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, MOVE, account.uuid(), field.uuid(), position)? == 1)
}

/// Forgets a field; `false` if there is no such field. Values of it stay in the records until they are edited.
pub async fn delete(tx: &mut Tx, account: Id<kind::Account>, field: Id<kind::CustomField>) -> Result<bool, Error> {
    Ok(exec!(tx, DELETE, account.uuid(), field.uuid())? == 1)
}
