//! Campaigns, their activities (one sending each) and the links of an activity.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

/// The columns of a [`CampaignRow`].
macro_rules! campaign {
    ($condition:literal) => {
        concat!(
            "SELECT campaign_id, name, state, state_reason, content, key_version, audience, scheduled_at, activity_id,
                revision, created_at, updated_at FROM campaign WHERE ",
            $condition
        )
    };
}

/// The columns of a [`CampaignSummaryRow`].
macro_rules! summary {
    ($condition:literal) => {
        concat!(
            "SELECT campaign_id, name, state, state_reason, scheduled_at, activity_id, revision, created_at, updated_at
                FROM campaign WHERE ",
            $condition
        )
    };
}

/// The columns of an [`ActivityRow`].
macro_rules! activity {
    ($condition:literal) => {
        concat!(
            "SELECT activity_id, campaign_id, state, content, key_version, audience, recipients, freeze_cursor,
                frozen_at, started_at, finished_at FROM campaign_activity WHERE ",
            $condition
        )
    };
}

statements! {
    IN_AUDIENCE = "SELECT 1 FROM campaign WHERE account_id = $1 AND audience LIKE $2 LIMIT 1"
        => "SELECT 1::BIGINT FROM campaign WHERE account_id = $1 AND audience LIKE $2 LIMIT 1";
    INSERT = "INSERT INTO campaign (account_id, campaign_id, name, state, state_reason, content, key_version, audience,
            scheduled_at, activity_id, revision, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    FIND = campaign!("account_id = $1 AND campaign_id = $2");
    LOCK = campaign!("account_id = $1 AND campaign_id = $2")
        => campaign!("account_id = $1 AND campaign_id = $2 FOR UPDATE");
    UPDATE = "UPDATE campaign SET name = $4, state = $5, state_reason = $6, content = $7, key_version = $8,
            audience = $9, scheduled_at = $10, activity_id = $11, revision = $12, updated_at = $13
        WHERE account_id = $1 AND campaign_id = $2 AND revision = $3";
    DELETE = "DELETE FROM campaign WHERE account_id = $1 AND campaign_id = $2 AND revision = $3";
    DELETE_CHECK = "DELETE FROM campaign_check WHERE account_id = $1 AND campaign_id = $2";
    PAGE = summary!("account_id = $1 AND campaign_id < $2 ORDER BY campaign_id DESC LIMIT $3");
    PAGE_IN_STATE = summary!(
        "account_id = $1 AND campaign_id < $2 AND state = $4 ORDER BY campaign_id DESC LIMIT $3");
    UNFINISHED = "SELECT campaign_id, name, audience FROM campaign
        WHERE account_id = $1 AND campaign_id < $2 AND state IN ('scheduled', 'sending', 'paused')
        ORDER BY campaign_id DESC LIMIT $3";
    COUNT = "SELECT state, COUNT(*) FROM campaign WHERE account_id = $1 GROUP BY state";
    INSERT_ACTIVITY = "INSERT INTO campaign_activity (account_id, activity_id, campaign_id, state, content, key_version,
            audience, recipients, freeze_cursor, frozen_at, started_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 0, NULL, NULL, $8, NULL)";
    FIND_ACTIVITY = activity!("account_id = $1 AND activity_id = $2");
    LOCK_ACTIVITY = "SELECT state FROM campaign_activity WHERE account_id = $1 AND activity_id = $2"
        => "SELECT state FROM campaign_activity WHERE account_id = $1 AND activity_id = $2 FOR UPDATE";
    ACTIVITIES = activity!(
        "account_id = $1 AND campaign_id = $2 ORDER BY activity_id DESC LIMIT $3");
    ACTIVITY_STATE = "UPDATE campaign_activity SET state = $3, finished_at = COALESCE($4, finished_at)
        WHERE account_id = $1 AND activity_id = $2";
    FREEZE = "UPDATE campaign_activity SET freeze_cursor = $3, recipients = recipients + $4
        WHERE account_id = $1 AND activity_id = $2";
    FROZEN = "UPDATE campaign_activity SET frozen_at = $3 WHERE account_id = $1 AND activity_id = $2";
    INSERT_LINK = "INSERT INTO campaign_link (account_id, activity_id, link_number, url, label)
        VALUES ($1, $2, $3, $4, $5)";
    LINKS = "SELECT link_number, url, label FROM campaign_link
        WHERE account_id = $1 AND activity_id = $2 ORDER BY link_number LIMIT 1000";
    LINK = "SELECT link_number, url, label FROM campaign_link
        WHERE account_id = $1 AND activity_id = $2 AND link_number = $3";
}

/// A campaign as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct CampaignRow {
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its name for the people of the account.
    pub name: String,
    /// Where it is in its life.
    pub state: String,
    /// Why it is in that state, if it did not get there by somebody's wish: a short code; else empty.
    pub state_reason: String,
    /// The sealed content ([`crate::sealed::column::CAMPAIGN_CONTENT`]).
    pub content: Vec<u8>,
    /// The key version that sealed it.
    pub key_version: i64,
    /// JSON.
    pub audience: String,
    /// When it shall go out, microseconds UTC.
    pub scheduled_at: Option<i64>,
    /// The activity that sends or sent it.
    pub activity_id: Option<Uuid>,
    /// Grows with every change.
    pub revision: i64,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// A campaign in a list: without its content.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CampaignSummaryRow {
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: String,
    /// Why; a short code or empty.
    pub state_reason: String,
    /// When it shall go out, microseconds UTC.
    pub scheduled_at: Option<i64>,
    /// The activity that sends or sent it.
    pub activity_id: Option<Uuid>,
    /// Grows with every change.
    pub revision: i64,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// A campaign that waits for its time, goes out or is paused: whom it is for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UnfinishedRow {
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its name.
    pub name: String,
    /// JSON.
    pub audience: String,
}

/// An activity as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct ActivityRow {
    /// The activity.
    pub activity_id: Uuid,
    /// The campaign that it sends.
    pub campaign_id: Uuid,
    /// `freezing`, `sending`, `paused`, `finished` or `cancelled`.
    pub state: String,
    /// The sealed, frozen content ([`crate::sealed::column::ACTIVITY_CONTENT`]).
    pub content: Vec<u8>,
    /// The key version that sealed it.
    pub key_version: i64,
    /// JSON, frozen.
    pub audience: String,
    /// Recipients frozen so far.
    pub recipients: i64,
    /// The last contact that freezing has come to.
    pub freeze_cursor: Option<Uuid>,
    /// When the audience was complete, microseconds UTC.
    pub frozen_at: Option<i64>,
    /// When it was made, microseconds UTC.
    pub started_at: i64,
    /// When it ended, microseconds UTC.
    pub finished_at: Option<i64>,
}

/// A link of an activity.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LinkRow {
    /// 1, 2, 3 …
    pub link_number: i64,
    /// Where it leads.
    pub url: String,
    /// Its text.
    pub label: String,
}

/// Adds a campaign.
pub async fn insert(tx: &mut Tx, account: Id<kind::Account>, row: &CampaignRow) -> Result<(), Error> {
    exec!(
        tx,
        INSERT,
        account.uuid(),
        row.campaign_id,
        &row.name,
        &row.state,
        &row.state_reason,
        &row.content,
        row.key_version,
        &row.audience,
        row.scheduled_at,
        row.activity_id,
        row.revision,
        row.created_at,
        row.updated_at
    )?;
    Ok(())
}

/// Whether any campaign names the list or tag `id` in its audience.
pub async fn is_in_an_audience(tx: &mut Tx, account: Id<kind::Account>, id: &str) -> Result<bool, Error> {
    Ok(optional!(tx, IN_AUDIENCE => (i64,), account.uuid(), format!("%\"{id}\"%"))?.is_some())
}

/// One campaign.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
) -> Result<Option<CampaignRow>, Error> {
    optional!(tx, FIND => CampaignRow, account.uuid(), campaign.uuid())
}

/// One campaign, to change it: nobody else changes it before this transaction ends.
pub async fn lock(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
) -> Result<Option<CampaignRow>, Error> {
    optional!(tx, LOCK => CampaignRow, account.uuid(), campaign.uuid())
}

/// Replaces a campaign whose stored revision is `before`; `false` if somebody was faster.
pub async fn replace(tx: &mut Tx, account: Id<kind::Account>, before: i64, row: &CampaignRow) -> Result<bool, Error> {
    let changed = exec!(
        tx,
        UPDATE,
        account.uuid(),
        row.campaign_id,
        before,
        &row.name,
        &row.state,
        &row.state_reason,
        &row.content,
        row.key_version,
        &row.audience,
        row.scheduled_at,
        row.activity_id,
        row.revision,
        row.updated_at
    )?;
    Ok(changed == 1)
}

/// Removes a campaign whose stored revision is `revision`, with what was counted for it; `false` if somebody was faster.
pub async fn delete(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
    revision: i64,
) -> Result<bool, Error> {
    exec!(tx, DELETE_CHECK, account.uuid(), campaign.uuid())?;
    Ok(exec!(tx, DELETE, account.uuid(), campaign.uuid(), revision)? == 1)
}

/// Campaigns made before `before` (use [`Uuid::max`] for the first page), newest first, in one state or in all.
pub async fn page(
    tx: &mut Tx,
    account: Id<kind::Account>,
    state: Option<&str>,
    before: Uuid,
    limit: i64,
) -> Result<Vec<CampaignSummaryRow>, Error> {
    match state {
        None => all!(tx, PAGE => CampaignSummaryRow, account.uuid(), before, limit),
        Some(state) => all!(tx, PAGE_IN_STATE => CampaignSummaryRow, account.uuid(), before, limit, state),
    }
}

/// Campaigns that wait for their time, go out or are paused, made before `before` (use [`Uuid::max`] for the first
/// piece), newest first.
pub async fn unfinished(
    tx: &mut Tx,
    account: Id<kind::Account>,
    before: Uuid,
    limit: i64,
) -> Result<Vec<UnfinishedRow>, Error> {
    all!(tx, UNFINISHED => UnfinishedRow, account.uuid(), before, limit)
}

/// How many campaigns are in each state; states with none are left out.
pub async fn count(tx: &mut Tx, account: Id<kind::Account>) -> Result<Vec<(String, i64)>, Error> {
    all!(tx, COUNT => (String, i64), account.uuid())
}

/// Adds an activity that has no recipients yet.
pub async fn insert_activity(tx: &mut Tx, account: Id<kind::Account>, row: &ActivityRow) -> Result<(), Error> {
    exec!(
        tx,
        INSERT_ACTIVITY,
        account.uuid(),
        row.activity_id,
        row.campaign_id,
        &row.state,
        &row.content,
        row.key_version,
        &row.audience,
        row.started_at
    )?;
    Ok(())
}

/// One activity.
pub async fn find_activity(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<ActivityRow>, Error> {
    optional!(tx, FIND_ACTIVITY => ActivityRow, account.uuid(), activity.uuid())
}

/// An activity's state, to change it: nobody else changes it before this transaction ends.
pub async fn lock_activity(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<String>, Error> {
    Ok(optional!(tx, LOCK_ACTIVITY => (String,), account.uuid(), activity.uuid())?.map(|(state,)| state))
}

/// The activities of a campaign, newest first.
pub async fn activities(
    tx: &mut Tx,
    account: Id<kind::Account>,
    campaign: Id<kind::Campaign>,
    limit: i64,
) -> Result<Vec<ActivityRow>, Error> {
    all!(tx, ACTIVITIES => ActivityRow, account.uuid(), campaign.uuid(), limit)
}

/// Sets an activity's state and, if given, when it ended (microseconds UTC). Whether the step is allowed is the
/// business of the room `campaign`.
pub async fn set_activity_state(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    state: &str,
    finished_at: Option<i64>,
) -> Result<bool, Error> {
    Ok(exec!(tx, ACTIVITY_STATE, account.uuid(), activity.uuid(), state, finished_at)? == 1)
}

/// Records how far freezing the audience has come: the cursor, and how many recipients this piece added.
pub async fn advance_freeze(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    cursor: Option<Uuid>,
    added: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, FREEZE, account.uuid(), activity.uuid(), cursor, added)? == 1)
}

/// Records that the audience is complete, microseconds UTC.
pub async fn set_frozen(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    at: i64,
) -> Result<bool, Error> {
    Ok(exec!(tx, FROZEN, account.uuid(), activity.uuid(), at)? == 1)
}

/// Adds the links of an activity.
pub async fn insert_links(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    links: &[LinkRow],
) -> Result<(), Error> {
    for link in links {
        exec!(tx, INSERT_LINK, account.uuid(), activity.uuid(), link.link_number, &link.url, &link.label)?;
    }
    Ok(())
}

/// The links of an activity in order; a campaign has at most 1,000.
pub async fn links(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Vec<LinkRow>, Error> {
    all!(tx, LINKS => LinkRow, account.uuid(), activity.uuid())
}

/// One link of an activity: where a redirect may lead.
pub async fn link(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    number: u16,
) -> Result<Option<LinkRow>, Error> {
    optional!(tx, LINK => LinkRow, account.uuid(), activity.uuid(), i64::from(number))
}
