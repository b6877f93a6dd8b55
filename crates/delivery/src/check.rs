//! What to know before a campaign is sent: what is missing, who will get it, who will not and why.
//!
//! The letter and the technology are looked at at once. The audience has to be opened contact by contact: a small one
//! is counted at once too, a larger one by the job [`JOB`], which somebody starts with [`start`] and whose result stands
//! beside the campaign for as long as the campaign is not changed.

mod job;
mod walk;

use std::collections::BTreeMap;

use letterkeep_audience::{CustomField, contact, field, list, tag};
use letterkeep_campaign::{Audience, Campaign, CampaignError, Compiled, Problem, Severity, compile_apart};
use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::campaign_check::{self, CampaignCheckRow};
use letterkeep_store::{KeyStoreError, Store, Tx, audit, sending_domain};
use letterkeep_vault::Keyring;
use serde::{Deserialize, Serialize};

use crate::{PeopleError, person, relay};

pub use job::{JOB, run_job, start};
use walk::Walk;

/// Contacts that are counted at once, without a job: about a third of a second.
pub const AT_ONCE: i64 = 10_000;
/// What an id that is only excluded costs, measured in contacts that are opened.
const EXCLUDED_SHARE: i64 = 10;

/// A field that the content shows and some contacts have nothing for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MissingField {
    /// How many contacts.
    pub contacts: i64,
    /// A few of them.
    pub examples: Vec<Id<kind::Contact>>,
}

/// Who would get a campaign and who would not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// Contacts that would get it.
    pub would_send: i64,
    /// Contacts that would not, by reason, in the words of the ledger.
    pub would_skip: BTreeMap<String, i64>,
    /// Fields that some contacts have nothing for, by merge key. These contacts are skipped, unless the template has a
    /// default.
    pub missing: BTreeMap<String, MissingField>,
}

/// What is known about the audience of a draft as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counting {
    /// It was counted.
    Done {
        /// What was found.
        count: Count,
        /// When a job counted it; `None` if it was counted just now.
        at: Option<Timestamp>,
        /// Whether contacts, lists, tags or fields have been changed since.
        moved_on: bool,
    },
    /// A job counts it.
    UnderWay {
        /// Contacts looked at.
        checked: i64,
        /// About how many there are.
        total: i64,
        /// When it began.
        since: Timestamp,
    },
    /// It is too large to be counted at once, and no count for the campaign as it is now is there or under way.
    Wanted {
        /// About how many contacts there are.
        total: i64,
        /// Why there is none.
        why: Wanted,
    },
    /// The content cannot be shown at all: there is nothing to compare contacts with.
    Broken,
}

/// Why there is no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nobody has asked for one.
    NotAsked,
    /// The campaign was changed since.
    CampaignChanged,
    /// It gave up, or has not got on for minutes.
    Failed,
}

/// What the check found.
#[derive(Debug, Clone)]
pub struct PreSend {
    /// What is wrong with the content, worst first.
    pub problems: Vec<Problem>,
    /// Who would get it.
    pub audience: Counting,
    /// Whether every list and tag that the audience names still exists.
    pub has_whole_audience: bool,
    /// Whether the sender's domain is one of the account's sending domains.
    pub has_domain: bool,
    /// Whether a mail server is set up.
    pub has_relay: bool,
    /// Whether the content has a postal address.
    pub has_postal_address: bool,
}

impl PreSend {
    /// Whether the campaign can be sent as it is.
    pub fn is_ready(&self) -> bool {
        self.has_whole_audience
            && self.has_domain
            && self.has_relay
            && self.has_postal_address
            && self.count().is_some_and(|count| count.would_send > 0)
            && self.problems.iter().all(|problem| problem.severity == Severity::Advice)
    }

    /// Who would get it, if that was counted.
    pub fn count(&self) -> Option<&Count> {
        match &self.audience {
            Counting::Done { count, .. } => Some(count),
            Counting::UnderWay { .. } | Counting::Wanted { .. } | Counting::Broken => None,
        }
    }
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no such campaign.
    #[error("there is no such campaign")]
    NoCampaign,
    /// The campaign.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The contacts.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// A campaign and the fields that its content may name.
struct Draft {
    campaign: Campaign,
    custom: Vec<CustomField>,
}

impl Draft {
    async fn open(ctx: &Ctx, tx: &mut Tx, keyring: &Keyring, campaign: Id<kind::Campaign>) -> Result<Self, CheckError> {
        let campaign = letterkeep_campaign::find(ctx, tx, keyring, campaign).await?.ok_or(CheckError::NoCampaign)?;
        let custom = field::all(ctx, tx).await?;
        Ok(Self { campaign, custom })
    }

    /// Takes its time: not to be done while a transaction is open.
    async fn compile(&self) -> Result<Compiled, Vec<Problem>> {
        compile_apart(self.campaign.content.clone(), person::known(&self.custom)).await
    }
}

/// Checks a campaign. An audience of at most `at_once` contacts ([`AT_ONCE`]) is counted here and now; of a larger one
/// this tells what a job has found or is finding. Changes nothing.
pub async fn pre_send(
    ctx: &Ctx,
    store: &Store,
    campaign: Id<kind::Campaign>,
    at_once: i64,
) -> Result<PreSend, CheckError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.read().await?;
    let draft = Draft::open(ctx, &mut tx, &keyring, campaign).await?;
    let content = &draft.campaign.content;
    let mut found = PreSend {
        problems: Vec::new(),
        audience: Counting::Broken,
        has_whole_audience: draft.campaign.audience.is_whole(ctx, &mut tx).await?,
        has_domain: sending_domain::find_by_name(&mut tx, ctx.account, content.from_address.domain()).await?.is_some(),
        has_relay: relay::find(ctx, &mut tx).await?.is_some(),
        has_postal_address: !content.postal_address.is_empty(),
    };
    let size = Size::of(ctx, &mut tx, &draft.campaign.audience).await?;
    let standing =
        if size.cost > at_once { Some(standing(ctx, &mut tx, &draft.campaign, size.total).await?) } else { None };
    drop(tx);
    let compiled = match draft.compile().await {
        Ok(compiled) => compiled,
        Err(problems) => {
            found.problems = problems;
            return Ok(found);
        }
    };
    found.problems = compiled.problems().to_vec();
    if let Some(standing) = standing {
        found.audience = standing;
        return Ok(found);
    }
    let mut walk = Walk::begin(ctx, store, &draft.campaign.audience).await?;
    while walk.step(ctx, store, &draft.custom, &compiled).await? {}
    found.audience = Counting::Done { count: walk.into_count(), at: None, moved_on: false };
    Ok(found)
}

/// Starts counting if the audience is too large for [`pre_send`] to count at once and no count for the campaign as it
/// is now is there or under way; `false` if there was nothing to start. In the caller's transaction.
pub async fn start_if_large(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    campaign: Id<kind::Campaign>,
    at_once: i64,
) -> Result<bool, CheckError> {
    let draft = Draft::open(ctx, tx, keyring, campaign).await?;
    let size = Size::of(ctx, tx, &draft.campaign.audience).await?;
    if size.cost <= at_once {
        return Ok(false);
    }
    match standing(ctx, tx, &draft.campaign, size.total).await? {
        Counting::Wanted { .. } | Counting::Done { moved_on: true, .. } => {}
        Counting::Done { .. } | Counting::UnderWay { .. } | Counting::Broken => return Ok(false),
    }
    start(ctx, tx, keyring, campaign).await?;
    Ok(true)
}

/// What is stored about the campaign as it is now.
async fn standing(
    ctx: &Ctx,
    tx: &mut Tx,
    campaign: &Campaign,
    total: i64,
) -> Result<Counting, letterkeep_store::Error> {
    let Some(row) = campaign_check::find(tx, ctx.account, campaign.id).await? else {
        return Ok(Counting::Wanted { total, why: Wanted::NotAsked });
    };
    if row.revision != campaign.revision {
        return Ok(Counting::Wanted { total, why: Wanted::CampaignChanged });
    }
    match row.state.as_str() {
        "counted" => Ok(Counting::Done {
            count: read_count(&row)?,
            at: Some(Timestamp::from_micros(row.updated_at)),
            moved_on: audit::audience_changed_since(tx, ctx.account, row.audit_seq).await?,
        }),
        "counting" if !job::has_stalled(&row, ctx.now()) => Ok(Counting::UnderWay {
            checked: row.checked,
            total: row.total.max(row.checked),
            since: Timestamp::from_micros(row.started_at),
        }),
        _ => Ok(Counting::Wanted { total, why: Wanted::Failed }),
    }
}

fn read_count(row: &CampaignCheckRow) -> Result<Count, letterkeep_store::Error> {
    serde_json::from_str(&row.result).map_err(|_| letterkeep_store::Error::Shape("campaign_check.result"))
}

/// How large an audience is, by the counters that every change keeps right: a contact on two lists counts twice.
struct Size {
    /// Contacts to open.
    total: i64,
    /// The same with what reading the excluded ids costs.
    cost: i64,
}

impl Size {
    async fn of(ctx: &Ctx, tx: &mut Tx, audience: &Audience) -> Result<Self, letterkeep_store::Error> {
        let (lists, tags) = (list::all(ctx, tx).await?, tag::all(ctx, tx).await?);
        let tagged = |wanted: &[Id<kind::Tag>]| -> i64 {
            tags.iter().filter(|tag| wanted.contains(&tag.id)).map(|tag| tag.members).sum()
        };
        let total = if audience.everybody {
            contact::count(ctx, tx).await?.total()
        } else {
            let listed = lists.iter().filter(|list| audience.lists.contains(&list.id));
            listed.map(|list| list.members).sum::<i64>() + tagged(&audience.tags)
        };
        Ok(Self { total, cost: total + tagged(&audience.excluded_tags) / EXCLUDED_SHARE })
    }
}
