//! The SMTP servers that accept mail for an account. An account uses the one that was changed last.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    PUT = "INSERT INTO relay (account_id, relay_id, host, port, security, user_name, password, key_version,
            connections, per_destination_per_minute, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (account_id, relay_id) DO UPDATE SET host = excluded.host, port = excluded.port,
            security = excluded.security, user_name = excluded.user_name, password = excluded.password,
            key_version = excluded.key_version, connections = excluded.connections,
            per_destination_per_minute = excluded.per_destination_per_minute, updated_at = excluded.updated_at";
    CURRENT = "SELECT relay_id, host, port, security, user_name, password, key_version, connections,
            per_destination_per_minute, created_at, updated_at
        FROM relay WHERE account_id = $1 ORDER BY updated_at DESC, relay_id LIMIT 1";
    DELETE = "DELETE FROM relay WHERE account_id = $1 AND relay_id = $2";
}

/// A relay, as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct RelayRow {
    /// The relay's id.
    pub relay_id: Uuid,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: i64,
    /// `implicit_tls`, `starttls` or `none`.
    pub security: String,
    /// The user name to log in with; empty for none.
    pub user_name: String,
    /// The password, sealed.
    pub password: Option<Vec<u8>>,
    /// Which key version sealed the password.
    pub key_version: i64,
    /// Connections at the same time.
    pub connections: i64,
    /// Messages to one recipient domain in a minute; 0 for no limit.
    pub per_destination_per_minute: i64,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// Stores a relay, replacing what stood under its id.
pub async fn put(tx: &mut Tx, account: Id<kind::Account>, row: &RelayRow) -> Result<(), Error> {
    exec!(
        tx,
        PUT,
        account.uuid(),
        row.relay_id,
        &row.host,
        row.port,
        &row.security,
        &row.user_name,
        row.password.as_deref(),
        row.key_version,
        row.connections,
        row.per_destination_per_minute,
        row.created_at,
        row.updated_at
    )?;
    Ok(())
}

/// The relay that the account sends through.
pub async fn current(tx: &mut Tx, account: Id<kind::Account>) -> Result<Option<RelayRow>, Error> {
    optional!(tx, CURRENT => RelayRow, account.uuid())
}

/// Removes a relay; `false` if there is none with this id.
pub async fn delete(tx: &mut Tx, account: Id<kind::Account>, relay: Id<kind::Relay>) -> Result<bool, Error> {
    Ok(exec!(tx, DELETE, account.uuid(), relay.uuid())? == 1)
}
