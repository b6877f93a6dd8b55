//! Going through an audience contact by contact.

use std::collections::{HashSet, VecDeque};

use letterkeep_audience::CustomField;
use letterkeep_campaign::{Audience, Compiled};
use letterkeep_model::{Ctx, Id};
use letterkeep_store::Store;
use letterkeep_store::ledger::{self, Source};
use uuid::Uuid;

use super::{CheckError, Count};
use crate::person::{self, People};

/// Contacts opened in one piece.
const BATCH: i64 = 500;
/// Ids read in one piece.
const IDS: i64 = 5_000;
/// Contacts that a finding names as examples.
const EXAMPLES: usize = 5;

/// A walk through an audience: every contact of it once, in pieces, each in a transaction of its own. Memory grows by 16
/// bytes for each excluded contact, and, where lists and tags may overlap, for each contact.
pub(super) struct Walk {
    sources: VecDeque<Source>,
    after: Uuid,
    excluded: HashSet<Uuid>,
    /// Whom an earlier source has brought; `None` where there is only one.
    seen: Option<HashSet<Uuid>>,
    checked: i64,
    count: Count,
}

impl Walk {
    pub(super) async fn begin(ctx: &Ctx, store: &Store, audience: &Audience) -> Result<Self, CheckError> {
        let sources = sources(audience);
        let seen = (sources.len() > 1).then(HashSet::new);
        let excluded = excluded(ctx, store, audience).await?;
        Ok(Self { sources, after: Uuid::nil(), excluded, seen, checked: 0, count: Count::default() })
    }

    /// Contacts gone through so far, those of several lists as often.
    pub(super) fn checked(&self) -> i64 {
        self.checked
    }

    /// What was found.
    pub(super) fn into_count(self) -> Count {
        self.count
    }

    /// Goes through the next piece; `false` when there is none.
    pub(super) async fn step(
        &mut self,
        ctx: &Ctx,
        store: &Store,
        custom: &[CustomField],
        compiled: &Compiled,
    ) -> Result<bool, CheckError> {
        let Some(source) = self.sources.front() else { return Ok(false) };
        let mut tx = store.db.read().await?;
        let mut ids = ledger::members(&mut tx, ctx.account, *source, self.after, BATCH).await?;
        let Some(last) = ids.last() else {
            self.sources.pop_front();
            self.after = Uuid::nil();
            return Ok(!self.sources.is_empty());
        };
        self.after = *last;
        self.checked += ids.len() as i64;
        ids.retain(|id| !self.excluded.contains(id) && self.seen.as_mut().is_none_or(|seen| seen.insert(*id)));
        let ids: Vec<_> = ids.into_iter().map(Id::from_uuid).collect();
        drop(tx);
        let People { found, unreadable, .. } = person::open(ctx, store, custom, &ids).await?;
        if !unreadable.is_empty() {
            *self.count.would_skip.entry("unreadable".to_owned()).or_default() += unreadable.len() as i64;
        }
        for person in found {
            let Some(reason) = person.refusal(compiled) else {
                self.count.would_send += 1;
                continue;
            };
            *self.count.would_skip.entry(reason.to_owned()).or_default() += 1;
            if reason == "missing_field" {
                for key in compiled.missing(&person.fields) {
                    let missing = self.count.missing.entry(key.to_owned()).or_default();
                    missing.contacts += 1;
                    if missing.examples.len() < EXAMPLES {
                        missing.examples.push(person.id);
                    }
                }
            }
        }
        Ok(true)
    }
}

fn sources(audience: &Audience) -> VecDeque<Source> {
    if audience.everybody {
        return VecDeque::from([Source::Everybody]);
    }
    let lists = audience.lists.iter().map(|list| Source::List(list.uuid()));
    lists.chain(audience.tags.iter().map(|tag| Source::Tag(tag.uuid()))).collect()
}

async fn excluded(ctx: &Ctx, store: &Store, audience: &Audience) -> Result<HashSet<Uuid>, letterkeep_store::Error> {
    let mut found = HashSet::new();
    for tag in &audience.excluded_tags {
        let mut after = Uuid::nil();
        loop {
            let mut tx = store.db.read().await?;
            let ids = ledger::members(&mut tx, ctx.account, Source::Tag(tag.uuid()), after, IDS).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            found.extend(ids);
        }
    }
    Ok(found)
}
