//! Invitations to join an account.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO invitation (account_id, invitation_id, token_hash, email, key_version, role, invited_by,
        created_at, expires_at, accepted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL)";
    BY_TOKEN = "SELECT account_id, invitation_id, email, key_version, role, invited_by, created_at, expires_at
        FROM invitation WHERE token_hash = $1 AND expires_at > $2 AND accepted_at IS NULL";
    OPEN = "SELECT account_id, invitation_id, email, key_version, role, invited_by, created_at, expires_at
        FROM invitation WHERE account_id = $1 AND expires_at > $2 AND accepted_at IS NULL
        ORDER BY invitation_id LIMIT 200";
    ACCEPT = "UPDATE invitation SET accepted_at = $3
        WHERE account_id = $1 AND invitation_id = $2 AND accepted_at IS NULL AND expires_at > $3";
    WITHDRAW = "DELETE FROM invitation WHERE account_id = $1 AND invitation_id = $2 AND accepted_at IS NULL";
    WITHDRAW_OF = "DELETE FROM invitation WHERE account_id = $1 AND invited_by = $2 AND accepted_at IS NULL";
    STALE = "DELETE FROM invitation WHERE expires_at < $1";
}

/// An invitation, as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct InvitationRow {
    /// The account to join.
    pub account_id: Uuid,
    /// Its id.
    pub invitation_id: Uuid,
    /// Whom it is meant for, sealed.
    pub email: Option<Vec<u8>>,
    /// What sealed it.
    pub key_version: i64,
    /// The role that it gives.
    pub role: String,
    /// Who invited.
    pub invited_by: Uuid,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub expires_at: i64,
}

/// Adds an invitation.
pub async fn insert(tx: &mut Tx, row: &InvitationRow, hash: &[u8; 32]) -> Result<(), Error> {
    exec!(
        tx,
        INSERT,
        row.account_id,
        row.invitation_id,
        &hash[..],
        row.email.as_deref(),
        row.key_version,
        &row.role,
        row.invited_by,
        row.created_at,
        row.expires_at
    )?;
    Ok(())
}

/// The open invitation with this token's hash.
pub async fn find_by_token(tx: &mut Tx, hash: &[u8; 32], now: i64) -> Result<Option<InvitationRow>, Error> {
    optional!(tx, BY_TOKEN => InvitationRow, &hash[..], now)
}

/// The account's open invitations, oldest first, at most 200.
pub async fn list(tx: &mut Tx, account: Id<kind::Account>, now: i64) -> Result<Vec<InvitationRow>, Error> {
    all!(tx, OPEN => InvitationRow, account.uuid(), now)
}

/// Uses up an invitation; `false` if it is not open any more. Of any number of callers one gets `true`.
pub async fn accept(
    tx: &mut Tx,
    account: Id<kind::Account>,
    invitation: Id<kind::Invitation>,
    now: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, ACCEPT, account.uuid(), invitation.uuid(), now)? == 1)
}

/// Takes an invitation back; `false` if it is not open any more.
pub async fn withdraw(
    tx: &mut Tx,
    account: Id<kind::Account>,
    invitation: Id<kind::Invitation>,
) -> Result<bool, Error> {
    Ok(exec!(tx, WITHDRAW, account.uuid(), invitation.uuid())? == 1)
}

/// Takes back every open invitation that somebody made; yields how many.
pub async fn withdraw_of(tx: &mut Tx, account: Id<kind::Account>, inviter: Id<kind::User>) -> Result<u64, Error> {
    exec!(tx, WITHDRAW_OF, account.uuid(), inviter.uuid())
}

/// Removes invitations that ended before `before`.
pub async fn remove_stale(tx: &mut Tx, before: i64) -> Result<u64, Error> {
    exec!(tx, STALE, before)
}
