//! Log-ins, and the browsers that have completed one.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO session (session_hash, session_id, account_id, user_id, device_id, stage, client, factor_at,
        created_at, seen_at, idle_until, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    // The browser counts only as long as it is known.
    FIND = "SELECT s.session_hash, s.session_id, s.account_id, s.user_id, d.device_id, s.stage, s.client, s.factor_at,
        s.created_at, s.seen_at, s.idle_until, s.expires_at, u.user_name, u.role, u.locale, u.state
        FROM session s JOIN app_user u ON u.account_id = s.account_id AND u.user_id = s.user_id
        LEFT JOIN device d ON d.account_id = s.account_id AND d.device_id = s.device_id AND d.user_id = s.user_id
        WHERE s.session_hash = $1 AND s.idle_until > $2 AND s.expires_at > $2";
    TAKE = "DELETE FROM session WHERE session_hash = $1";
    TOUCH = "UPDATE session SET seen_at = $2, idle_until = $3 WHERE session_hash = $1 AND seen_at < $2";
    OF_USER = "SELECT s.session_hash, s.session_id, s.account_id, s.user_id, s.device_id, s.stage, s.client,
        s.factor_at, s.created_at, s.seen_at, s.idle_until, s.expires_at, u.user_name, u.role, u.locale, u.state
        FROM session s JOIN app_user u ON u.account_id = s.account_id AND u.user_id = s.user_id
        WHERE s.account_id = $1 AND s.user_id = $2 AND s.idle_until > $3 AND s.expires_at > $3 AND s.stage = 'full'
        ORDER BY s.seen_at DESC LIMIT 200";
    REVOKE = "DELETE FROM session WHERE account_id = $1 AND user_id = $2 AND session_id = $3 RETURNING device_id";
    REVOKE_OTHERS = "DELETE FROM session WHERE account_id = $1 AND user_id = $2 AND session_hash <> $3";
    EXPIRED = "DELETE FROM session WHERE idle_until <= $1 OR expires_at <= $1";

    DEVICE_INSERT = "INSERT INTO device (account_id, device_id, user_id, token_hash, client, created_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)";
    DEVICE_FIND = "SELECT device_id FROM device WHERE token_hash = $1 AND account_id = $2 AND user_id = $3";
    DEVICE_RENEW = "UPDATE device SET token_hash = $4, client = $5, seen_at = $6
        WHERE account_id = $1 AND user_id = $2 AND device_id = $3";
    DEVICES_OF_USER = "SELECT device_id, client, created_at, seen_at FROM device
        WHERE account_id = $1 AND user_id = $2 ORDER BY seen_at DESC, device_id LIMIT 200";
    DEVICE_FAIL = "UPDATE device SET failures = failures + 1
        WHERE account_id = $1 AND user_id = $2 AND device_id = $3 RETURNING failures";
    DEVICE_SUCCEED = "UPDATE device SET failures = 0 WHERE account_id = $1 AND user_id = $2 AND device_id = $3";
    DEVICE_DELETE = "DELETE FROM device WHERE account_id = $1 AND user_id = $2 AND device_id = $3";
    DEVICES_DELETE = "DELETE FROM device WHERE account_id = $1 AND user_id = $2 AND device_id <> $3";
    DEVICES_STALE = "DELETE FROM device WHERE seen_at < $1";
}

/// A session, as stored, with what its person's row says at this moment.
#[derive(Clone, sqlx::FromRow)]
pub struct SessionRow {
    /// SHA-256 of the token.
    pub session_hash: Vec<u8>,
    /// The name of the session in lists; opens nothing.
    pub session_id: Uuid,
    /// The account.
    pub account_id: Uuid,
    /// The person.
    pub user_id: Uuid,
    /// The browser it was opened with, while that is known.
    pub device_id: Option<Uuid>,
    /// How far the log-in has come.
    pub stage: String,
    /// The browser's name.
    pub client: String,
    /// When a factor was proven last, microseconds UTC.
    pub factor_at: Option<i64>,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC, to the minute.
    pub seen_at: i64,
    /// Microseconds UTC.
    pub idle_until: i64,
    /// Microseconds UTC.
    pub expires_at: i64,
    /// From the person's row.
    pub user_name: String,
    /// From the person's row.
    pub role: String,
    /// From the person's row.
    pub locale: String,
    /// From the person's row.
    pub state: String,
}

/// A session to be stored.
#[derive(Clone)]
pub struct NewSession<'a> {
    /// SHA-256 of the token.
    pub session_hash: [u8; 32],
    /// Its name in lists.
    pub session_id: Uuid,
    /// The account.
    pub account_id: Uuid,
    /// The person.
    pub user_id: Uuid,
    /// The known browser.
    pub device_id: Option<Uuid>,
    /// How far the log-in has come.
    pub stage: &'a str,
    /// The browser's name.
    pub client: &'a str,
    /// When a factor was proven last.
    pub factor_at: Option<i64>,
    /// When the log-in began.
    pub created_at: i64,
    /// Now.
    pub seen_at: i64,
    /// The end unless it is used.
    pub idle_until: i64,
    /// The end in any case.
    pub expires_at: i64,
}

/// Adds a session.
pub async fn insert(tx: &mut Tx, new: &NewSession<'_>) -> Result<(), Error> {
    exec!(
        tx,
        INSERT,
        &new.session_hash[..],
        new.session_id,
        new.account_id,
        new.user_id,
        new.device_id,
        new.stage,
        new.client,
        new.factor_at,
        new.created_at,
        new.seen_at,
        new.idle_until,
        new.expires_at
    )?;
    Ok(())
}

/// The session with this token's hash, unless it has ended.
pub async fn find(tx: &mut Tx, hash: &[u8; 32], now: i64) -> Result<Option<SessionRow>, Error> {
    optional!(tx, FIND => SessionRow, &hash[..], now)
}

/// Ends the session with this token's hash; `false` if it was not there. Of any number of callers one gets `true`.
pub async fn remove(tx: &mut Tx, hash: &[u8]) -> Result<bool, Error> {
    Ok(exec!(tx, TAKE, hash)? == 1)
}

/// Remembers that the session was used.
pub async fn touch(tx: &mut Tx, hash: &[u8], now: i64, idle_until: i64) -> Result<(), Error> {
    exec!(tx, TOUCH, hash, now, idle_until)?;
    Ok(())
}

/// The person's complete sessions that have not ended, the latest used first, at most 200.
pub async fn list(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    now: i64,
) -> Result<Vec<SessionRow>, Error> {
    all!(tx, OF_USER => SessionRow, account.uuid(), user.uuid(), now)
}

/// Ends one session of the person; `None` if they have no such session. Yields the browser it was opened with.
pub async fn revoke(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    session: Id<kind::Session>,
) -> Result<Option<Option<Uuid>>, Error> {
    let ended = optional!(tx, REVOKE => (Option<Uuid>,), account.uuid(), user.uuid(), session.uuid())?;
    Ok(ended.map(|(device,)| device))
}

/// Ends all sessions of the person but the one with this hash (pass `&[]` to end all); yields how many.
pub async fn revoke_others(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    kept: &[u8],
) -> Result<u64, Error> {
    exec!(tx, REVOKE_OTHERS, account.uuid(), user.uuid(), kept)
}

/// Removes sessions that ended by themselves; yields how many.
pub async fn remove_expired(tx: &mut Tx, now: i64) -> Result<u64, Error> {
    exec!(tx, EXPIRED, now)
}

/// Adds a browser that has completed a log-in.
pub async fn insert_device(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    device: Id<kind::Device>,
    hash: &[u8; 32],
    client: &str,
    now: i64,
) -> Result<(), Error> {
    exec!(tx, DEVICE_INSERT, account.uuid(), device.uuid(), user.uuid(), &hash[..], client, now)?;
    Ok(())
}

/// The browser with this token's hash, if it is the person's.
pub async fn find_device(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    hash: &[u8; 32],
) -> Result<Option<Uuid>, Error> {
    Ok(optional!(tx, DEVICE_FIND => (Uuid,), &hash[..], account.uuid(), user.uuid())?.map(|(id,)| id))
}

/// Gives a known browser a new token; `false` if it is not known.
pub async fn renew_device(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    device: Id<kind::Device>,
    hash: &[u8; 32],
    client: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, DEVICE_RENEW, account.uuid(), user.uuid(), device.uuid(), &hash[..], client, now)? == 1)
}

/// A browser that has completed a log-in, as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct DeviceRow {
    /// Its id.
    pub device_id: Uuid,
    /// Its name.
    pub client: String,
    /// When it completed its first log-in, microseconds UTC.
    pub created_at: i64,
    /// When it completed its latest log-in, microseconds UTC.
    pub seen_at: i64,
}

/// The browsers that the person has completed a log-in on, the latest first, at most 200.
pub async fn list_devices(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
) -> Result<Vec<DeviceRow>, Error> {
    all!(tx, DEVICES_OF_USER => DeviceRow, account.uuid(), user.uuid())
}

/// Counts a wrong code from a known browser; yields how many there were in a row, 0 if it is not known.
pub async fn count_device_failure(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    device: Id<kind::Device>,
) -> Result<i64, Error> {
    let counted = optional!(tx, DEVICE_FAIL => (i64,), account.uuid(), user.uuid(), device.uuid())?;
    Ok(counted.map_or(0, |(failures,)| failures))
}

/// Begins the count of wrong codes from a known browser anew.
pub async fn clear_device_failures(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    device: Id<kind::Device>,
) -> Result<(), Error> {
    exec!(tx, DEVICE_SUCCEED, account.uuid(), user.uuid(), device.uuid())?;
    Ok(())
}

/// Forgets one browser of the person; `false` if it is not known.
pub async fn remove_device(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    device: Id<kind::Device>,
) -> Result<bool, Error> {
    Ok(exec!(tx, DEVICE_DELETE, account.uuid(), user.uuid(), device.uuid())? == 1)
}

/// Forgets all browsers of the person but one (pass [`Id::NIL`] to forget all).
pub async fn remove_other_devices(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    kept: Id<kind::Device>,
) -> Result<u64, Error> {
    exec!(tx, DEVICES_DELETE, account.uuid(), user.uuid(), kept.uuid())
}

/// Forgets browsers that have not completed a log-in since `before`.
pub async fn remove_stale_devices(tx: &mut Tx, before: i64) -> Result<u64, Error> {
    exec!(tx, DEVICES_STALE, before)
}
