//! What became of a sending, in numbers. Every query reads the rows of this sending alone, by their key; [`totals`] reads
//! counters, for pages that ask again and again.

use std::collections::{BTreeMap, HashMap};

use letterkeep_campaign::ActivityState;
use letterkeep_model::{Ctx, EmailAddress, Id, Timestamp, kind};
use letterkeep_store::sealed::column::DELIVERY_REPLY;
use letterkeep_store::{Store, Tx, engagement, ledger, sending_total};
use letterkeep_vault::Keyring;

use crate::person::{self, PeopleError};

/// Buckets of the chart, at most.
const BUCKETS: i64 = 60;

/// All occurrences, and how many contacts caused them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All.
    pub total: i64,
    /// Contacts.
    pub unique: i64,
}

/// A link with its clicks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// The link's number in the content.
    pub number: u16,
    /// Where it leads.
    pub url: String,
    /// What it says.
    pub label: String,
    /// Its clicks.
    pub clicks: Tally,
}

/// What happened in one piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Microseconds UTC at which it begins.
    pub start: i64,
    /// Messages accepted.
    pub accepted: i64,
    /// Messages refused.
    pub failed: i64,
    /// Opens.
    pub opens: i64,
    /// Clicks.
    pub clicks: i64,
    /// Unsubscriptions.
    pub unsubscribes: i64,
}

/// The numbers of one sending. Opens and clicks are of contacts who agreed to tracking alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The frozen audience: the sum of the states below.
    pub recipients: i64,
    /// Wait for their turn.
    pub planned: i64,
    /// Are being prepared or sent at this instant.
    pub under_way: i64,
    /// Taken by the mail server.
    pub accepted: i64,
    /// Put off by the receiver; tried again.
    pub deferred: i64,
    /// Refused for good.
    pub failed: i64,
    /// Sent, and no answer came.
    pub in_doubt: i64,
    /// Not sent.
    pub skipped: i64,
    /// Refused for good, by reason.
    pub failed_by_reason: BTreeMap<String, i64>,
    /// Not sent, by reason.
    pub skipped_by_reason: BTreeMap<String, i64>,
    /// Refused because the address does not exist.
    pub bounces: i64,
    /// Displayed.
    pub opens: Tally,
    /// Links followed.
    pub clicks: Tally,
    /// Contacts who left by this message.
    pub unsubscribes: i64,
    /// Each link of the content.
    pub links: Vec<LinkReport>,
    /// The course of time, at most 60 pieces, those in which nothing happened included.
    pub series: Vec<Bucket>,
    /// How long a piece of `series` is, in microseconds.
    pub bucket_micros: i64,
}

/// How far a sending is. The same numbers as those of the [`Report`], without reasons and the course of time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// The frozen audience; while it is being frozen, those planned so far.
    pub recipients: i64,
    /// Wait for their turn or are on their way at this instant.
    pub waiting: i64,
    /// Taken by the mail server.
    pub accepted: i64,
    /// Put off by the receiver; tried again.
    pub deferred: i64,
    /// Refused for good.
    pub failed: i64,
    /// Sent, and no answer came.
    pub in_doubt: i64,
    /// Not sent.
    pub skipped: i64,
    /// Recipients that come to their end in a second; `None` if nothing has happened for a while.
    pub rate: Option<f64>,
}

impl Totals {
    /// Those that nothing more will happen to.
    pub fn done(&self) -> i64 {
        self.accepted + self.failed + self.skipped + self.in_doubt
    }
}

/// Without an end for so long, in microseconds, a sending has no rate.
const QUIET: i64 = 60_000_000;

/// Reads how far a sending is. The cost does not grow with the audience, but for those that were put off.
pub async fn totals(
    ctx: &Ctx,
    tx: &mut Tx,
    activity: Id<kind::CampaignActivity>,
) -> Result<Totals, letterkeep_store::Error> {
    let Some(row) = sending_total::find(tx, ctx.account, activity).await? else { return Ok(Totals::default()) };
    let mut totals = Totals {
        recipients: row.recipients,
        waiting: 0,
        accepted: row.accepted,
        deferred: row.deferred,
        failed: row.failed,
        in_doubt: row.in_doubt,
        skipped: row.skipped,
        rate: None,
    };
    let done = totals.done();
    totals.waiting = (row.recipients - done - row.deferred).max(0);
    if row.state == ActivityState::Cancelled.name() {
        // As in the report: nothing more goes out, whether or not the worker has written that down yet.
        totals.skipped += totals.waiting + totals.deferred;
        (totals.waiting, totals.deferred) = (0, 0);
        return Ok(totals);
    }
    let now = ctx.now().micros();
    let (at, ended) =
        if now - row.past_at < QUIET { (row.past_at, row.past_done) } else { (row.mark_at, row.mark_done) };
    let seconds = (now - at) as f64 / 1e6;
    totals.rate =
        (now - row.mark_at < QUIET && seconds >= 1.0 && done > ended).then(|| (done - ended) as f64 / seconds);
    Ok(totals)
}

/// How many contacts opened and clicked, of those who agreed to tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readers {
    /// Displayed it.
    pub opened: i64,
    /// Followed a link.
    pub clicked: i64,
}

/// Counts the readers of a sending; one row of an index for each.
pub async fn readers(
    ctx: &Ctx,
    tx: &mut Tx,
    activity: Id<kind::CampaignActivity>,
) -> Result<Readers, letterkeep_store::Error> {
    let mut readers = Readers::default();
    for (kind, number) in engagement::readers(tx, ctx.account, activity).await? {
        match kind.as_str() {
            "open" => readers.opened = number,
            "click" => readers.clicked = number,
            _ => {}
        }
    }
    Ok(readers)
}

/// Counts what became of a sending.
pub async fn report(
    ctx: &Ctx,
    tx: &mut Tx,
    activity: Id<kind::CampaignActivity>,
) -> Result<Report, letterkeep_store::Error> {
    let account = ctx.account;
    let mut report = Report::default();
    let cancelled =
        ledger::activity_state(tx, account, activity).await?.as_deref() == Some(ActivityState::Cancelled.name());
    for (state, reason, number) in ledger::totals(tx, account, activity).await? {
        report.recipients += number;
        match state.as_str() {
            // Nothing more goes out, whether or not the worker has written that down yet.
            "planned" | "deferred" if cancelled => {
                report.skipped += number;
                *report.skipped_by_reason.entry("cancelled".to_owned()).or_default() += number;
            }
            "planned" => report.planned += number,
            "accepted" => report.accepted += number,
            "deferred" => report.deferred += number,
            "in_doubt" => report.in_doubt += number,
            "failed" => {
                report.failed += number;
                if reason == "hard_bounce" {
                    report.bounces += number;
                }
                *report.failed_by_reason.entry(reason).or_default() += number;
            }
            "skipped" => {
                report.skipped += number;
                *report.skipped_by_reason.entry(reason).or_default() += number;
            }
            _ => report.under_way += number,
        }
    }
    for (kind, total, unique) in engagement::totals(tx, account, activity).await? {
        match kind.as_str() {
            "open" => report.opens = Tally { total, unique },
            "click" => report.clicks = Tally { total, unique },
            "unsubscribe" => report.unsubscribes = unique,
            _ => {}
        }
    }
    for row in engagement::by_link(tx, account, activity).await? {
        report.links.push(LinkReport {
            number: u16::try_from(row.link_number).unwrap_or(0),
            url: row.url,
            label: row.label,
            clicks: Tally { total: row.total, unique: row.contacts },
        });
    }
    let sent = ledger::span(tx, account, activity).await?;
    let engaged = engagement::span(tx, account, activity).await?;
    if let Some((first, last)) = sent.into_iter().chain(engaged).reduce(|one, two| (one.0.min(two.0), one.1.max(two.1)))
    {
        let width = bucket_width(last - first);
        let start = first.div_euclid(width) * width;
        let mut buckets: Vec<Bucket> = (0..)
            .map(|number| Bucket { start: start + number * width, ..Bucket::default() })
            .take_while(|bucket| bucket.start <= last)
            .take(usize::try_from(BUCKETS).unwrap_or(60) + 1)
            .collect();
        let sent = ledger::series(tx, account, activity, width).await?;
        let engaged = engagement::series(tx, account, activity, width).await?;
        for (at, what, number) in sent.into_iter().chain(engaged) {
            let index = usize::try_from((at - start) / width).unwrap_or(usize::MAX);
            let Some(bucket) = buckets.get_mut(index) else { continue };
            match what.as_str() {
                "accepted" => bucket.accepted += number,
                "failed" => bucket.failed += number,
                "open" => bucket.opens += number,
                "click" => bucket.clicks += number,
                "unsubscribe" => bucket.unsubscribes += number,
                _ => {}
            }
        }
        report.series = buckets;
        report.bucket_micros = width;
    }
    Ok(report)
}

/// The shortest round piece of time of which `span` microseconds need at most [`BUCKETS`].
fn bucket_width(span: i64) -> i64 {
    const SECONDS: [i64; 12] = [1, 5, 15, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600, 86_400, 7 * 86_400, 28 * 86_400];
    let wanted = span / BUCKETS + 1;
    SECONDS.into_iter().map(|seconds| seconds * 1_000_000).find(|width| *width >= wanted).unwrap_or(wanted)
}

/// A recipient that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientReport {
    /// Who.
    pub contact: Id<kind::Contact>,
    /// Why, as a short word.
    pub reason: String,
    /// The server's last reply code.
    pub reply_code: Option<i64>,
    /// The server's last enhanced code.
    pub enhanced_code: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The addresses of contacts by id, and those whose record does not open. Contacts that are in neither were erased.
pub async fn addresses(
    ctx: &Ctx,
    store: &Store,
    contacts: &[Id<kind::Contact>],
) -> Result<(HashMap<Id<kind::Contact>, EmailAddress>, Vec<Id<kind::Contact>>), PeopleError> {
    let people = person::open(ctx, store, &[], contacts).await?;
    let found = people.found.into_iter().map(|person| (person.id, person.address)).collect();
    Ok((found, people.unreadable))
}

/// The recipients in a state (`failed`, `in_doubt`, `skipped`, `deferred`, `accepted`), by id after `after`, at most 200.
pub async fn recipients(
    ctx: &Ctx,
    tx: &mut Tx,
    activity: Id<kind::CampaignActivity>,
    state: &str,
    after: Option<Id<kind::Contact>>,
) -> Result<Vec<RecipientReport>, letterkeep_store::Error> {
    let after = after.unwrap_or(Id::NIL).uuid();
    let rows = ledger::page(tx, ctx.account, activity, state, after, 200).await?;
    let report = |row: ledger::RecipientRow| RecipientReport {
        contact: Id::from_uuid(row.contact_id),
        reason: row.reason,
        reply_code: row.reply_code,
        enhanced_code: row.enhanced_code,
        at: Timestamp::from_micros(row.updated_at),
    };
    Ok(rows.into_iter().map(report).collect())
}

/// The last words of servers about some recipients; `None` for words that do not open. They often quote the address:
/// personal data.
pub async fn last_words(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    activity: Id<kind::CampaignActivity>,
    contacts: &[Id<kind::Contact>],
) -> Result<HashMap<Id<kind::Contact>, Option<String>>, letterkeep_store::Error> {
    let contacts: Vec<_> = contacts.iter().map(|contact| contact.uuid()).collect();
    let open = |row: ledger::StoredReply| {
        let contact = Id::from_uuid(row.contact_id);
        match keyring.open(&DELIVERY_REPLY.slot(&row.reply_id), &row.reply) {
            Ok(words) => (contact, Some(String::from_utf8_lossy(&words).into_owned())),
            Err(error) => {
                tracing::error!(%contact, %activity, %error, "what a server said about a recipient does not open");
                (contact, None)
            }
        }
    };
    Ok(ledger::last_replies(tx, ctx.account, activity, &contacts).await?.into_iter().map(open).collect())
}
