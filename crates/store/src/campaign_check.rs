//! What was counted about the audience of a draft before it is sent. One row a campaign: a new count takes the place
//! of the old one. `audit_seq`, the audit entry that began a count, fences it: a count that another one has replaced
//! changes nothing.

use letterkeep_model::{Id, Timestamp, kind};

use crate::{Error, Tx};

statements! {
    START = "INSERT INTO campaign_check (account_id, campaign_id, revision, state, checked, total, audit_seq, result,
            started_at, updated_at)
        VALUES ($1, $2, $3, 'counting', 0, $4, $5, '{}', $6, $6)
        ON CONFLICT (account_id, campaign_id) DO UPDATE SET revision = excluded.revision, state = 'counting',
            checked = 0, total = excluded.total, audit_seq = excluded.audit_seq, result = '{}',
            started_at = excluded.started_at, updated_at = excluded.updated_at";
    FIND = "SELECT revision, state, checked, total, audit_seq, result, started_at, updated_at FROM campaign_check
        WHERE account_id = $1 AND campaign_id = $2";
    ADVANCE = "UPDATE campaign_check SET checked = $4, updated_at = $5
        WHERE account_id = $1 AND campaign_id = $2 AND audit_seq = $3 AND state = 'counting'";
    FINISH = "UPDATE campaign_check SET state = $4, result = $5, updated_at = $6
        WHERE account_id = $1 AND campaign_id = $2 AND audit_seq = $3 AND state = 'counting'";
}

/// A count, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CampaignCheckRow {
    /// The revision of the campaign that it is for.
    pub revision: i64,
    /// `counting`, `counted` or `failed`.
    pub state: String,
    /// Contacts looked at.
    pub checked: i64,
    /// About how many there are.
    pub total: i64,
    /// The audit entry that began it.
    pub audit_seq: i64,
    /// JSON: counts, merge keys, ids of contacts.
    pub result: String,
    /// When it began, microseconds UTC.
    pub started_at: i64,
    /// When it last got on, microseconds UTC.
    pub updated_at: i64,
}

/// Begins a count, or begins it anew.
pub async fn start(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
    revision: i64,
    total: i64,
    audit_seq: i64,
    now: Timestamp,
) -> Result<(), Error> {
    exec!(tx, START, account.uuid(), campaign.uuid(), revision, total, audit_seq, now.micros())?;
    Ok(())
}

/// The latest count of a campaign.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
) -> Result<Option<CampaignCheckRow>, Error> {
    optional!(tx, FIND => CampaignCheckRow, account.uuid(), campaign.uuid())
}

/// Records how far a count is; `false` if it is no longer wanted.
pub async fn advance(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
    audit_seq: i64,
    checked: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(exec!(tx, ADVANCE, account.uuid(), campaign.uuid(), audit_seq, checked, now.micros())? == 1)
}

/// Ends a count as `counted` or `failed`; `false` if it is no longer wanted.
pub async fn finish(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
    audit_seq: i64,
    state: &str,
    result: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(exec!(tx, FINISH, account.uuid(), campaign.uuid(), audit_seq, state, result, now.micros())? == 1)
}
