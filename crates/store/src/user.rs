//! People who log in, their second factors and their recovery codes.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO app_user (account_id, user_id, user_name, user_name_folded, email, password, key_version,
        role, locale, state, password_changed_at, recovery_shown_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL, $11, $11)";
    BY_NAME = "SELECT account_id, user_id, user_name, user_name_folded, email, password, key_version, role, locale,
        state, created_at FROM app_user WHERE user_name_folded = $1";
    BY_ID = "SELECT account_id, user_id, user_name, user_name_folded, email, password, key_version, role, locale,
        state, created_at FROM app_user WHERE account_id = $1 AND user_id = $2";
    LOCK = "SELECT account_id, user_id, user_name, user_name_folded, email, password, key_version, role, locale,
        state, created_at FROM app_user WHERE account_id = $1 AND user_id = $2"
        => "SELECT account_id, user_id, user_name, user_name_folded, email, password, key_version, role, locale,
        state, created_at FROM app_user WHERE account_id = $1 AND user_id = $2 FOR UPDATE";
    OF_ACCOUNT = "SELECT account_id, user_id, user_name, user_name_folded, email, password, key_version, role, locale,
        state, created_at FROM app_user WHERE account_id = $1 ORDER BY user_name_folded LIMIT 1000";
    ACTIVE_OWNERS = "SELECT user_id FROM app_user WHERE account_id = $1 AND role = 'owner' AND state = 'active'
        ORDER BY user_id"
        => "SELECT user_id FROM app_user WHERE account_id = $1 AND role = 'owner' AND state = 'active'
        ORDER BY user_id FOR UPDATE";
    SET_STATE = "UPDATE app_user SET state = $4, updated_at = $5
        WHERE account_id = $1 AND user_id = $2 AND state = $3";
    SET_ROLE = "UPDATE app_user SET role = $3, updated_at = $4 WHERE account_id = $1 AND user_id = $2";
    SET_LOCALE = "UPDATE app_user SET locale = $3, updated_at = $4 WHERE account_id = $1 AND user_id = $2";
    SET_PASSWORD = "UPDATE app_user SET password = $3, email = $4, key_version = $5, password_changed_at = $6,
        updated_at = $6 WHERE account_id = $1 AND user_id = $2";
    SET_RECOVERY_SHOWN = "UPDATE app_user SET recovery_shown_at = $3, updated_at = $3
        WHERE account_id = $1 AND user_id = $2";
    STALE = "SELECT account_id, user_id FROM app_user
        WHERE state IN ('pending_factor', 'pending_codes') AND created_at < $1 ORDER BY created_at LIMIT 100";
    DELETE = "DELETE FROM app_user WHERE account_id = $1 AND user_id = $2
        AND state IN ('pending_factor', 'pending_codes') AND created_at < $3";
    COUNT = "SELECT COUNT(*) FROM app_user WHERE account_id = $1";

    FACTOR_INSERT = "INSERT INTO totp_factor (account_id, user_id, secret, pending, key_version, last_step, failures,
        created_at, confirmed_at) VALUES ($1, $2, $3, NULL, $4, 0, 0, $5, NULL)";
    FACTOR_FIND = "SELECT secret, pending, key_version, last_step, failures, confirmed_at FROM totp_factor
        WHERE account_id = $1 AND user_id = $2";
    // One statement decides: whoever comes second finds last_step advanced and changes no row, on either database.
    FACTOR_ACCEPT = "UPDATE totp_factor SET last_step = $3, failures = 0
        WHERE account_id = $1 AND user_id = $2 AND last_step < $3 AND confirmed_at IS NOT NULL";
    FACTOR_CONFIRM = "UPDATE totp_factor SET last_step = $3, failures = 0, confirmed_at = $4
        WHERE account_id = $1 AND user_id = $2 AND last_step < $3 AND confirmed_at IS NULL";
    FACTOR_FAIL = "UPDATE totp_factor SET failures = failures + 1 WHERE account_id = $1 AND user_id = $2";
    FACTOR_PEND = "UPDATE totp_factor SET secret = $3, pending = $4, key_version = $5
        WHERE account_id = $1 AND user_id = $2";
    FACTOR_REPLACE = "UPDATE totp_factor SET secret = $3, pending = NULL, key_version = $4, last_step = $5,
        failures = 0, created_at = $6, confirmed_at = $6
        WHERE account_id = $1 AND user_id = $2 AND pending IS NOT NULL";
    FACTOR_DELETE = "DELETE FROM totp_factor WHERE account_id = $1 AND user_id = $2";

    CODE_INSERT = "INSERT INTO recovery_code (account_id, user_id, code_hash, created_at, used_at)
        VALUES ($1, $2, $3, $4, NULL)";
    CODE_USE = "UPDATE recovery_code SET used_at = $4
        WHERE account_id = $1 AND user_id = $2 AND code_hash = $3 AND used_at IS NULL";
    CODES_LEFT = "SELECT COUNT(*) FROM recovery_code WHERE account_id = $1 AND user_id = $2 AND used_at IS NULL";
    CODES_DELETE = "DELETE FROM recovery_code WHERE account_id = $1 AND user_id = $2";
}

/// A person, as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct UserRow {
    /// Their account.
    pub account_id: Uuid,
    /// Their id.
    pub user_id: Uuid,
    /// The name they log in with, as they write it.
    pub user_name: String,
    /// The same, folded; unique over the installation.
    pub user_name_folded: String,
    /// Their address, sealed.
    pub email: Option<Vec<u8>>,
    /// The hash of their password, sealed.
    pub password: Vec<u8>,
    /// What sealed the two.
    pub key_version: i64,
    /// A role's name.
    pub role: String,
    /// `de` or `en`.
    pub locale: String,
    /// `pending_factor`, `pending_codes`, `active` or `disabled`.
    pub state: String,
    /// Microseconds UTC.
    pub created_at: i64,
}

/// A TOTP factor, as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct FactorRow {
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// The secret that is to replace it once it is proven, sealed.
    pub pending: Option<Vec<u8>>,
    /// What sealed them.
    pub key_version: i64,
    /// The step whose code was accepted last; 0 before the first.
    pub last_step: i64,
    /// Wrong codes in a row from browsers that have not completed a log-in before.
    pub failures: i64,
    /// When it was proven, microseconds UTC; nothing until then.
    pub confirmed_at: Option<i64>,
}

/// Adds a person; [`Error::Conflict`] if the folded name is taken.
pub async fn insert(tx: &mut Tx, row: &UserRow) -> Result<(), Error> {
    exec!(
        tx,
        INSERT,
        row.account_id,
        row.user_id,
        &row.user_name,
        &row.user_name_folded,
        row.email.as_deref(),
        &row.password,
        row.key_version,
        &row.role,
        &row.locale,
        &row.state,
        row.created_at
    )?;
    Ok(())
}

/// The person with this folded name, in whichever account.
pub async fn find_by_name(tx: &mut Tx, folded: &str) -> Result<Option<UserRow>, Error> {
    optional!(tx, BY_NAME => UserRow, folded)
}

/// The person.
pub async fn find(tx: &mut Tx, account: Id<kind::Account>, user: Id<kind::User>) -> Result<Option<UserRow>, Error> {
    optional!(tx, BY_ID => UserRow, account.uuid(), user.uuid())
}

/// The person, whose row nobody else changes before this transaction ends.
pub async fn lock(tx: &mut Tx, account: Id<kind::Account>, user: Id<kind::User>) -> Result<Option<UserRow>, Error> {
    optional!(tx, LOCK => UserRow, account.uuid(), user.uuid())
}

/// The account's people by name, at most 1,000.
pub async fn list(tx: &mut Tx, account: Id<kind::Account>) -> Result<Vec<UserRow>, Error> {
    all!(tx, OF_ACCOUNT => UserRow, account.uuid())
}

/// The account's owners who can log in; nobody else changes them before this transaction ends.
pub async fn lock_active_owners(tx: &mut Tx, account: Id<kind::Account>) -> Result<Vec<Uuid>, Error> {
    Ok(all!(tx, ACTIVE_OWNERS => (Uuid,), account.uuid())?.into_iter().map(|(id,)| id).collect())
}

/// Moves a person from one state to another; `false` if they were not in `from`.
pub async fn set_state(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    from: &str,
    to: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, SET_STATE, account.uuid(), user.uuid(), from, to, now)? == 1)
}

/// Gives a person another role; `false` if there is no such person.
pub async fn set_role(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    role: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, SET_ROLE, account.uuid(), user.uuid(), role, now)? == 1)
}

/// Changes a person's language; `false` if there is no such person.
pub async fn set_locale(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    locale: &str,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, SET_LOCALE, account.uuid(), user.uuid(), locale, now)? == 1)
}

/// Stores a new sealed password hash. The address goes with it, because one key version holds for both.
pub async fn set_password(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    password: &[u8],
    email: Option<&[u8]>,
    key_version: i64,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, SET_PASSWORD, account.uuid(), user.uuid(), password, email, key_version, now)? == 1)
}

/// Remembers that a person confirmed to have kept their recovery codes.
pub async fn set_recovery_shown(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    now: i64,
) -> Result<(), Error> {
    exec!(tx, SET_RECOVERY_SHOWN, account.uuid(), user.uuid(), now)?;
    Ok(())
}

/// People who began before `before` to sign up and never finished, at most 100: account and user.
pub async fn list_unfinished(tx: &mut Tx, before: i64) -> Result<Vec<(Uuid, Uuid)>, Error> {
    all!(tx, STALE => (Uuid, Uuid), before)
}

/// Removes a person who began before `before` to sign up and never finished, with factor and codes; `None` if it is
/// not such a person, otherwise how many people the account has left.
pub async fn delete_unfinished(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    before: i64,
) -> Result<Option<i64>, Error> {
    if exec!(tx, DELETE, account.uuid(), user.uuid(), before)? == 0 {
        return Ok(None);
    }
    exec!(tx, FACTOR_DELETE, account.uuid(), user.uuid())?;
    exec!(tx, CODES_DELETE, account.uuid(), user.uuid())?;
    Ok(Some(one!(tx, COUNT => (i64,), account.uuid())?.0))
}

/// Adds a TOTP factor that is still to be proven.
pub async fn insert_factor(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    secret: &[u8],
    key_version: i64,
    now: i64,
) -> Result<(), Error> {
    exec!(tx, FACTOR_INSERT, account.uuid(), user.uuid(), secret, key_version, now)?;
    Ok(())
}

/// The person's TOTP factor.
pub async fn find_factor(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
) -> Result<Option<FactorRow>, Error> {
    optional!(tx, FACTOR_FIND => FactorRow, account.uuid(), user.uuid())
}

/// Uses up a step of a proven factor; `false` if it, or a later one, was used before. Of any number of callers with
/// the same step, on either database, exactly one gets `true`.
pub async fn accept_step(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    step: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, FACTOR_ACCEPT, account.uuid(), user.uuid(), step)? == 1)
}

/// Proves a factor for the first time and uses up the step; `false` if it was proven before.
pub async fn confirm_factor(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    step: i64,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, FACTOR_CONFIRM, account.uuid(), user.uuid(), step, now)? == 1)
}

/// Counts a wrong code.
pub async fn count_factor_failure(tx: &mut Tx, account: Id<kind::Account>, user: Id<kind::User>) -> Result<(), Error> {
    exec!(tx, FACTOR_FAIL, account.uuid(), user.uuid())?;
    Ok(())
}

/// Keeps a secret beside the present one until it is proven. Both are sealed under `key_version`.
pub async fn set_pending_factor(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    secret: &[u8],
    pending: &[u8],
    key_version: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, FACTOR_PEND, account.uuid(), user.uuid(), secret, pending, key_version)? == 1)
}

/// Puts a proven secret in the place of the present one; `false` if none was pending.
pub async fn replace_factor(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    secret: &[u8],
    key_version: i64,
    step: i64,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, FACTOR_REPLACE, account.uuid(), user.uuid(), secret, key_version, step, now)? == 1)
}

/// Replaces the person's recovery codes.
pub async fn replace_recovery_codes(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    hashes: &[[u8; 32]],
    now: i64,
) -> Result<(), Error> {
    exec!(tx, CODES_DELETE, account.uuid(), user.uuid())?;
    for hash in hashes {
        exec!(tx, CODE_INSERT, account.uuid(), user.uuid(), &hash[..], now)?;
    }
    Ok(())
}

/// Uses up a recovery code; `false` if it is not one of theirs or was used before.
pub async fn use_recovery_code(
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    hash: &[u8; 32],
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, CODE_USE, account.uuid(), user.uuid(), &hash[..], now)? == 1)
}

/// How many recovery codes are left.
pub async fn recovery_codes_left(tx: &mut Tx, account: Id<kind::Account>, user: Id<kind::User>) -> Result<i64, Error> {
    Ok(one!(tx, CODES_LEFT => (i64,), account.uuid(), user.uuid())?.0)
}
