//! A campaign as the account's people handle it: written, listed, sent, stopped.

mod examine;
mod schedule;
mod stall;
mod write;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::campaign::{ActivityRow, CampaignRow, CampaignSummaryRow};
use letterkeep_store::sealed::column;
use letterkeep_store::{Error as StoreError, Tx, campaign as rows};
use letterkeep_vault::{Keyring, OpenError};

pub use examine::{Examined, examine};
pub use schedule::{LATEST, Launched, Scheduled, When, begin, cancel, finish, launch, pause, resume, unschedule};
pub use stall::{stall, stall_scheduled};
pub use write::{create, delete, duplicate, rename, update};

use crate::compile::Problem;
use crate::{Audience, Content, State, Step};

/// A campaign with its content.
#[derive(Clone)]
pub struct Campaign {
    /// The campaign.
    pub id: Id<kind::Campaign>,
    /// Its name for the people of the account.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
    /// Why it is paused, if the service paused it: `overdue`, `incomplete`, `no_audience`, `audience_gone`,
    /// `gave_up` or `sender_refused`; else empty.
    pub state_reason: String,
    /// What is written.
    pub content: Content,
    /// Who shall get it.
    pub audience: Audience,
    /// When it shall go out, if a time is set.
    pub scheduled_at: Option<Timestamp>,
    /// The activity that sends or sent it.
    pub activity: Option<Id<kind::CampaignActivity>>,
    /// Grows with every change; a change names the revision that it was made on.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A campaign in a list.
#[derive(Debug, Clone)]
pub struct CampaignSummary {
    /// The campaign.
    pub id: Id<kind::Campaign>,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
    /// Why, if the service paused it.
    pub state_reason: String,
    /// When it shall go out.
    pub scheduled_at: Option<Timestamp>,
    /// The activity that sends or sent it.
    pub activity: Option<Id<kind::CampaignActivity>>,
    /// Grows with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Where a sending is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActivityState {
    /// The audience is being written into the ledger.
    Freezing,
    /// Messages go out.
    Sending,
    /// Stopped for now. Freezing goes on where it was ([`Activity::frozen_at`] is empty then).
    Paused,
    /// Everybody has been dealt with.
    Finished,
    /// Stopped for good.
    Cancelled,
}

impl ActivityState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Freezing, Self::Sending, Self::Paused, Self::Finished, Self::Cancelled];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Freezing => "freezing",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One sending of a campaign: its frozen content and audience.
#[derive(Clone)]
pub struct Activity {
    /// The activity.
    pub id: Id<kind::CampaignActivity>,
    /// The campaign that it sends.
    pub campaign: Id<kind::Campaign>,
    /// Where it is.
    pub state: ActivityState,
    /// The frozen content.
    pub content: Content,
    /// The frozen audience.
    pub audience: Audience,
    /// Recipients in the ledger so far.
    pub recipients: i64,
    /// The last contact that freezing has come to.
    pub freeze_cursor: Option<Id<kind::Contact>>,
    /// When the audience was complete.
    pub frozen_at: Option<Timestamp>,
    /// When it was made.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Why a campaign could not be changed or sent.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// No campaign has this id.
    #[error("there is no such campaign")]
    Missing,
    /// The name is empty or too long.
    #[error("a campaign needs a name of at most {} bytes, in one line", crate::limit::NAME)]
    Name,
    /// The audience names too much.
    #[error("an audience names at most {} lists and tags", Audience::MAX_NAMED)]
    AudienceTooLarge,
    /// The audience names nobody.
    #[error("the campaign has no recipients yet: choose a list, a tag, or everybody")]
    NoAudience,
    /// The audience names a list or tag that has been deleted: whom it means is not known any more.
    #[error("a list or tag that the campaign names was deleted; choose its recipients again")]
    AudienceGone,
    /// Somebody else has changed it since.
    #[error("somebody has changed the campaign in the meantime (it is at revision {0}); load it again")]
    Changed(i64),
    /// The step is not allowed now.
    #[error("this cannot be done while the campaign is {state}")]
    State {
        /// Where the campaign is.
        state: State,
        /// What was asked, if it was a step.
        step: Option<Step>,
    },
    /// The time to send at is past or too far away.
    #[error("the time to send at must lie between now and one year from now")]
    Time,
    /// The content cannot be sent as it is.
    #[error("the campaign is not ready to be sent: {} to mend", .0.len())]
    Problems(Vec<Problem>),
    /// The stored content does not open.
    #[error("the stored campaign does not open with this account's keys")]
    Sealed(#[from] OpenError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One campaign.
pub async fn find(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::Campaign>,
) -> Result<Option<Campaign>, CampaignError> {
    rows::find(tx, ctx.account, id).await?.map(|row| open(keyring, row)).transpose()
}

/// Campaigns made before `before` (`None`: from the newest), newest first, in one state or in all. `limit` is cut to
/// 200.
pub async fn page(
    ctx: &Ctx,
    tx: &mut Tx,
    state: Option<State>,
    before: Option<Id<kind::Campaign>>,
    limit: u16,
) -> Result<Vec<CampaignSummary>, CampaignError> {
    let before = before.map_or(uuid_max(), Id::uuid);
    let rows = rows::page(tx, ctx.account, state.map(State::name), before, i64::from(limit.min(200))).await?;
    rows.into_iter().map(summary).collect()
}

/// How many campaigns are in each state, in the order of [`State::ALL`].
pub async fn count(ctx: &Ctx, tx: &mut Tx) -> Result<[(State, i64); 6], CampaignError> {
    let found = rows::count(tx, ctx.account).await?;
    Ok(State::ALL.map(|state| {
        let number = found.iter().find(|(name, _)| name == state.name()).map_or(0, |(_, number)| *number);
        (state, number)
    }))
}

/// One activity with its frozen content.
pub async fn find_activity(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::CampaignActivity>,
) -> Result<Option<Activity>, CampaignError> {
    rows::find_activity(tx, ctx.account, id).await?.map(|row| open_activity(keyring, &row)).transpose()
}

fn open(keyring: &Keyring, row: CampaignRow) -> Result<Campaign, CampaignError> {
    let content = keyring.open_json(&column::CAMPAIGN_CONTENT.slot(&row.campaign_id), &row.content)?;
    Ok(Campaign {
        id: Id::from_uuid(row.campaign_id),
        name: row.name,
        state: read_state(&row.state)?,
        state_reason: row.state_reason,
        content,
        audience: read_audience(&row.audience)?,
        scheduled_at: row.scheduled_at.map(Timestamp::from_micros),
        activity: row.activity_id.map(Id::from_uuid),
        revision: row.revision,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

fn open_activity(keyring: &Keyring, row: &ActivityRow) -> Result<Activity, CampaignError> {
    let content = keyring.open_json(&column::ACTIVITY_CONTENT.slot(&row.activity_id), &row.content)?;
    let state = ActivityState::ALL.into_iter().find(|state| state.name() == row.state);
    Ok(Activity {
        id: Id::from_uuid(row.activity_id),
        campaign: Id::from_uuid(row.campaign_id),
        state: state.ok_or(StoreError::Shape("campaign_activity.state"))?,
        content,
        audience: read_audience(&row.audience)?,
        recipients: row.recipients,
        freeze_cursor: row.freeze_cursor.map(Id::from_uuid),
        frozen_at: row.frozen_at.map(Timestamp::from_micros),
        started_at: Timestamp::from_micros(row.started_at),
        finished_at: row.finished_at.map(Timestamp::from_micros),
    })
}

fn summary(row: CampaignSummaryRow) -> Result<CampaignSummary, CampaignError> {
    Ok(CampaignSummary {
        id: Id::from_uuid(row.campaign_id),
        name: row.name,
        state: read_state(&row.state)?,
        state_reason: row.state_reason,
        scheduled_at: row.scheduled_at.map(Timestamp::from_micros),
        activity: row.activity_id.map(Id::from_uuid),
        revision: row.revision,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

fn read_state(name: &str) -> Result<State, StoreError> {
    name.parse().map_err(|_| StoreError::Shape("campaign.state"))
}

fn read_audience(json: &str) -> Result<Audience, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::Shape("campaign.audience"))
}

fn write_audience(audience: &Audience) -> String {
    serde_json::to_string(audience).expect("ids and flags serialize")
}

/// Sorts after every id there is.
fn uuid_max() -> uuid::Uuid {
    uuid::Uuid::max()
}

#[cfg(test)]
mod tests;
