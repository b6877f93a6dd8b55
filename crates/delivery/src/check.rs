//! What to know before a campaign is sent: what is missing, who will get it, who will not and why.

use std::collections::{BTreeMap, HashSet};

use letterkeep_audience::contact::ReadError;
use letterkeep_audience::field;
use letterkeep_campaign::{Audience, CampaignError, Problem, Severity, compile};
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::ledger::{self, Source};
use letterkeep_store::{KeyStoreError, Store, sending_domain};

use crate::{person, relay};

/// Contacts looked at in one piece.
const BATCH: i64 = 500;
/// Contacts that a finding names as examples.
const EXAMPLES: usize = 5;

/// A field that the content shows and some contacts have nothing for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MissingField {
    /// How many contacts.
    pub contacts: i64,
    /// A few of them.
    pub examples: Vec<Id<kind::Contact>>,
}

/// What the check found.
#[derive(Debug, Clone, Default)]
pub struct PreSend {
    /// What is wrong with the content, worst first.
    pub problems: Vec<Problem>,
    /// Fields that some contacts have nothing for, by merge key. These contacts are skipped, unless the template has a
    /// default.
    pub missing: BTreeMap<String, MissingField>,
    /// Contacts that would get it.
    pub would_send: i64,
    /// Contacts that would not, by reason, in the words of the ledger.
    pub would_skip: BTreeMap<String, i64>,
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
        self.has_domain
            && self.has_relay
            && self.has_postal_address
            && self.would_send > 0
            && self.problems.iter().all(|problem| problem.severity == Severity::Advice)
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
    /// A contact.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// Checks a campaign over its whole audience. Reads every contact of it once, in pieces, each in a transaction of its
/// own; the memory for it grows by 16 bytes a contact.
pub async fn pre_send(ctx: &Ctx, store: &Store, campaign: Id<kind::Campaign>) -> Result<PreSend, CheckError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.read().await?;
    let found = letterkeep_campaign::find(ctx, &mut tx, &keyring, campaign).await?.ok_or(CheckError::NoCampaign)?;
    let custom = field::all(ctx, &mut tx).await?;
    let domain = found.content.from_address.domain();
    let mut result = PreSend {
        has_domain: sending_domain::find_by_name(&mut tx, ctx.account, domain).await?.is_some(),
        has_relay: relay::find(ctx, &mut tx).await?.is_some(),
        has_postal_address: !found.content.postal_address.is_empty(),
        ..PreSend::default()
    };
    drop(tx);
    let compiled = match compile(&found.content, &person::known(&custom)) {
        Ok(compiled) => compiled,
        Err(problems) => {
            result.problems = problems;
            return Ok(result);
        }
    };
    result.problems = compiled.problems().to_vec();
    let excluded = members(ctx, store, found.audience.excluded_tags.iter().map(|tag| Source::Tag(tag.uuid()))).await?;
    let mut seen = HashSet::new();
    for source in sources(&found.audience) {
        let mut after = Id::<kind::Contact>::NIL;
        loop {
            let mut tx = store.db.read().await?;
            let mut ids = ledger::members(&mut tx, ctx.account, source, after.uuid(), BATCH).await?;
            let Some(last) = ids.last() else { break };
            after = Id::from_uuid(*last);
            ids.retain(|id| !excluded.contains(id) && seen.insert(*id));
            let ids: Vec<_> = ids.into_iter().map(Id::from_uuid).collect();
            let (people, unreadable) = person::open(ctx, &mut tx, &keyring, &custom, &ids).await?;
            drop(tx);
            if !unreadable.is_empty() {
                *result.would_skip.entry("unreadable".to_owned()).or_default() += unreadable.len() as i64;
            }
            for person in people {
                let Some(reason) = person.refusal(&compiled) else {
                    result.would_send += 1;
                    continue;
                };
                *result.would_skip.entry(reason.to_owned()).or_default() += 1;
                if reason == "missing_field" {
                    for key in compiled.missing(&person.fields) {
                        let missing = result.missing.entry(key.to_owned()).or_default();
                        missing.contacts += 1;
                        if missing.examples.len() < EXAMPLES {
                            missing.examples.push(person.id);
                        }
                    }
                }
            }
        }
    }
    Ok(result)
}

fn sources(audience: &Audience) -> Vec<Source> {
    if audience.everybody {
        return vec![Source::Everybody];
    }
    let lists = audience.lists.iter().map(|list| Source::List(list.uuid()));
    lists.chain(audience.tags.iter().map(|tag| Source::Tag(tag.uuid()))).collect()
}

async fn members(
    ctx: &Ctx,
    store: &Store,
    sources: impl Iterator<Item = Source>,
) -> Result<HashSet<uuid::Uuid>, letterkeep_store::Error> {
    let mut found = HashSet::new();
    for source in sources {
        let mut after = uuid::Uuid::nil();
        loop {
            let mut tx = store.db.read().await?;
            let ids = ledger::members(&mut tx, ctx.account, source, after, 5_000).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            found.extend(ids);
        }
    }
    Ok(found)
}
