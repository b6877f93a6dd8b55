//! Addresses that are never written to, by blind index. They outlive the contact.

use letterkeep_model::{Id, kind};

use crate::{Error, Tx};

statements! {
    // A stronger reason takes the place of an unsubscription: a new consent may lift that one alone.
    ADD = "INSERT INTO suppression (account_id, email_index, reason, source, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account_id, email_index) DO UPDATE
            SET reason = excluded.reason, source = excluded.source, created_at = excluded.created_at
            WHERE suppression.reason = 'unsubscribed' AND excluded.reason <> 'unsubscribed'";
    REMOVE = "DELETE FROM suppression WHERE account_id = $1 AND email_index = $2";
    FIND = "SELECT reason, source, created_at FROM suppression WHERE account_id = $1 AND email_index = $2";
    COUNTS = "SELECT reason, COUNT(*) FROM suppression WHERE account_id = $1 GROUP BY reason ORDER BY reason";
}

bulk_statements! {
    ADD_MANY = "INSERT INTO suppression (account_id, email_index, reason, source, created_at)"
        ["", "", "", "", ""]
        "ON CONFLICT (account_id, email_index) DO NOTHING";
    FIND_MANY = once "WITH shared (account_id) AS (" ["uuid"]
        "), wanted (email_index) AS (" ["bytea"]
        ") SELECT s.email_index, s.reason FROM shared CROSS JOIN wanted w CROSS JOIN suppression s
        WHERE s.account_id = shared.account_id AND s.email_index = w.email_index";
}

/// A suppressed address, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SuppressionRow {
    /// `unsubscribed`, `hard_bounce`, `complaint` or `manual`.
    pub reason: String,
    /// How it came about.
    pub source: String,
    /// Since when, microseconds UTC.
    pub created_at: i64,
}

/// Suppresses an address; `false` if it was suppressed for as strong a reason before.
pub async fn add(
    tx: &mut Tx,
    account: Id<kind::Account>,
    email_index: &[u8; 16],
    reason: &str,
    source: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, ADD, account.uuid(), &email_index[..], reason, source, now)? == 1)
}

/// Suppresses addresses of which none is known to be; those that are suppressed already keep their reason.
pub async fn add_many(
    tx: &mut Tx,
    account: Id<kind::Account>,
    email_indexes: &[[u8; 16]],
    reason: &str,
    source: &str,
    now: i64,
) -> Result<(), Error> {
    let account = account.uuid();
    bulk_exec!(tx, ADD_MANY, email_indexes, |query, index| query
        .bind(account)
        .bind(&index[..])
        .bind(reason)
        .bind(source)
        .bind(now))?;
    Ok(())
}

/// Lifts a suppression; `false` if there was none.
pub async fn remove(tx: &mut Tx, account: Id<kind::Account>, email_index: &[u8; 16]) -> Result<bool, Error> {
    Ok(exec!(tx, REMOVE, account.uuid(), &email_index[..])? == 1)
}

/// Finds the suppression of an address.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    email_index: &[u8; 16],
) -> Result<Option<SuppressionRow>, Error> {
    optional!(tx, FIND => SuppressionRow, account.uuid(), &email_index[..])
}

/// Those of many addresses that are suppressed, with the reason.
pub async fn find_many(
    tx: &mut Tx,
    account: Id<kind::Account>,
    email_indexes: &[[u8; 16]],
) -> Result<Vec<(Vec<u8>, String)>, Error> {
    let account = account.uuid();
    bulk_all!(tx, FIND_MANY(account) => (Vec<u8>, String), email_indexes, |query, index| query.bind(&index[..]))
}

/// How many addresses are suppressed, by reason.
pub async fn counts(tx: &mut Tx, account: Id<kind::Account>) -> Result<Vec<(String, i64)>, Error> {
    all!(tx, COUNTS => (String, i64), account.uuid())
}
