//! Organisations.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO account (account_id, name, locale, time_zone, postal_address, created_at, closed_at)
        VALUES ($1, $2, $3, $4, $5, $6, NULL)";
    FIND = "SELECT account_id, name, locale, time_zone, postal_address, created_at, closed_at
        FROM account WHERE account_id = $1";
    IDS = "SELECT account_id FROM account WHERE account_id > $1 ORDER BY account_id LIMIT $2";
    UPDATE = "UPDATE account SET name = $2, locale = $3, time_zone = $4, postal_address = $5 WHERE account_id = $1";
    DELETE = "DELETE FROM account WHERE account_id = $1";
}

/// An organisation, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AccountRow {
    /// Its id.
    pub account_id: Uuid,
    /// The organisation's name.
    pub name: String,
    /// `de` or `en`: the language of what the service writes for it.
    pub locale: String,
    /// An IANA name.
    pub time_zone: String,
    /// The address at the foot of every campaign; may be empty until the first one.
    pub postal_address: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub closed_at: Option<i64>,
}

/// Adds an account.
pub async fn insert(tx: &mut Tx, row: &AccountRow) -> Result<(), Error> {
    exec!(tx, INSERT, row.account_id, &row.name, &row.locale, &row.time_zone, &row.postal_address, row.created_at)?;
    Ok(())
}

/// The account.
pub async fn find(tx: &mut Tx, account: Id<kind::Account>) -> Result<Option<AccountRow>, Error> {
    optional!(tx, FIND => AccountRow, account.uuid())
}

/// Ids of accounts after `after`, in order.
pub async fn ids(tx: &mut Tx, after: Id<kind::Account>, limit: i64) -> Result<Vec<Id<kind::Account>>, Error> {
    let rows = all!(tx, IDS => (Uuid,), after.uuid(), limit)?;
    Ok(rows.into_iter().map(|(id,)| Id::from_uuid(id)).collect())
}

/// Changes what an account says about itself; `false` if there is no such account.
pub async fn update(
    tx: &mut Tx,
    account: Id<kind::Account>,
    name: &str,
    locale: &str,
    time_zone: &str,
    postal_address: &str,
) -> Result<bool, Error> {
    Ok(exec!(tx, UPDATE, account.uuid(), name, locale, time_zone, postal_address)? == 1)
}

/// Removes an account whose sign-up was never finished. Its people must be gone already.
pub async fn delete(tx: &mut Tx, account: Id<kind::Account>) -> Result<(), Error> {
    exec!(tx, DELETE, account.uuid())?;
    Ok(())
}
