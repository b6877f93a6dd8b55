//! The one writer of a sending: marks and outcomes of all connections go into the ledger in shared commits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use letterkeep_model::{EmailAddress, Id, kind};
use letterkeep_store::audit::{self, Event};
use letterkeep_store::ledger::{self, Claimed, ReplyRow, Settled};
use letterkeep_store::sealed::column::DELIVERY_REPLY;
use letterkeep_store::{Tx, queue, suppression};
use letterkeep_vault::IndexField;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::count::Counted;
use super::{Run, SendError};

/// Notes that share one commit at most.
const GROUP: usize = 1000;
/// Why an address that does not exist is suppressed.
const HARD_BOUNCE: &str = "hard_bounce";
/// How often leases are prolonged; a lease outlives three missed beats.
const BEAT: Duration = Duration::from_secs(15);

/// What becomes of one recipient, and what the server said about it.
pub(super) struct Ending {
    pub(super) settled: Settled,
    pub(super) reply: Option<String>,
    /// The address, if it must be suppressed.
    pub(super) suppress: Option<EmailAddress>,
}

enum Note {
    Held(Vec<Claimed>),
    Mark(Vec<(Uuid, i64)>, oneshot::Sender<Vec<Uuid>>),
    End(Vec<Ending>),
}

/// Speaks to the scribe.
#[derive(Clone)]
pub(super) struct Notes(mpsc::Sender<Note>);

impl Notes {
    pub(super) fn channel() -> (Self, Scribe) {
        let (sender, receiver) = mpsc::channel(GROUP);
        (Self(sender), Scribe(receiver))
    }

    /// These rows are held by this run: their leases are prolonged until they end.
    pub(super) async fn held(&self, rows: Vec<Claimed>) {
        let _ = self.0.send(Note::Held(rows)).await;
    }

    /// Commits that these messages are about to leave; yields those that may.
    pub(super) async fn mark(&self, rows: Vec<(Uuid, i64)>) -> Vec<Uuid> {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Note::Mark(rows, answer)).await.is_err() {
            return Vec::new();
        }
        // No answer is no permission.
        answered.await.unwrap_or_default()
    }

    /// Records endings, in the next commit.
    pub(super) async fn end(&self, endings: Vec<Ending>) {
        if !endings.is_empty() {
            let _ = self.0.send(Note::End(endings)).await;
        }
    }
}

pub(super) struct Scribe(mpsc::Receiver<Note>);

impl Scribe {
    /// Writes until every [`Notes`] is gone. A failure stops the run: what was not written is freed or in doubt when
    /// its lease ends.
    pub(super) async fn write(mut self, run: Arc<Run>) {
        let mut held: HashMap<Uuid, i64> = HashMap::new();
        let mut beat = tokio::time::interval(BEAT);
        beat.tick().await;
        loop {
            let first = tokio::select! {
                note = self.0.recv() => match note { Some(note) => Some(note), None => break },
                _ = beat.tick() => None,
            };
            let Some(first) = first else {
                if let Err(error) = heartbeat(&run, &held).await {
                    run.stop_with(format!("the leases could not be prolonged: {error}"));
                }
                continue;
            };
            let (mut marks, mut answers, mut endings) = (Vec::new(), Vec::new(), Vec::new());
            let mut notes = 0;
            let mut next = Some(first);
            while let Some(note) = next {
                notes += 1;
                match note {
                    Note::Held(rows) => held.extend(rows.iter().map(|row| (row.contact_id, row.lease_epoch))),
                    Note::Mark(rows, answer) => {
                        answers.push((rows.iter().map(|row| row.0).collect::<Vec<_>>(), answer));
                        marks.extend(rows);
                    }
                    Note::End(rows) => endings.extend(rows),
                }
                next = if notes < GROUP { self.0.try_recv().ok() } else { None };
            }
            for ending in &endings {
                held.remove(&ending.settled.contact_id);
            }
            if marks.is_empty() && endings.is_empty() {
                continue;
            }
            match commit(&run, &marks, &endings).await {
                Ok(marked) => {
                    for (rows, answer) in answers {
                        let _ = answer.send(rows.into_iter().filter(|row| marked.contains(row)).collect());
                    }
                    for ending in &endings {
                        run.count.add(Counted::of(ending.settled.state));
                    }
                }
                Err(error) => run.stop_with(format!("the ledger could not be written: {error}")),
            }
        }
    }
}

async fn commit(run: &Run, marks: &[(Uuid, i64)], endings: &[Ending]) -> Result<HashSet<Uuid>, SendError> {
    // A busy database is asked again; an outcome that is lost is a message in doubt.
    let mut attempt = 0;
    loop {
        attempt += 1;
        match try_commit(run, marks, endings).await {
            Err(SendError::Store(error)) if error.is_transient() && attempt < 5 => {
                tokio::time::sleep(Duration::from_millis(50 * attempt)).await;
            }
            outcome => return outcome,
        }
    }
}

async fn try_commit(run: &Run, marks: &[(Uuid, i64)], endings: &[Ending]) -> Result<HashSet<Uuid>, SendError> {
    // A sending may outlive the key that it began with: each commit seals under the key of its instant.
    let keyring = if endings.iter().any(|ending| ending.reply.is_some() || ending.suppress.is_some()) {
        Some(run.store.keys.keyring(run.ctx.account).await?)
    } else {
        None
    };
    let (account, now) = (run.ctx.account, run.ctx.now());
    let mut tx = run.store.db.write().await?;
    let marked = ledger::mark_sending(&mut tx, account, run.activity, marks, now, now.plus(super::LEASE)).await?;
    let settled: Vec<Settled> = endings.iter().map(|ending| ending.settled.clone()).collect();
    ledger::settle(&mut tx, account, run.activity, &settled).await?;
    let (mut replies, mut suppressed) = (Vec::new(), Vec::new());
    for ending in endings {
        if let (Some(text), Some(keyring)) = (&ending.reply, &keyring) {
            let reply_id = run.ctx.new_id::<kind::Engagement>().uuid();
            replies.push(ReplyRow {
                reply_id,
                contact_id: ending.settled.contact_id,
                attempt: ending.settled.attempts,
                reply_code: ending.settled.reply_code,
                reply: keyring.seal(&DELIVERY_REPLY.slot(&reply_id), text.as_bytes(), run.ctx.entropy()),
                key_version: i64::from(keyring.version()),
                at: ending.settled.at,
            });
        }
        if let (Some(address), Some(keyring)) = (&ending.suppress, &keyring) {
            let index = keyring.blind_index(IndexField::ContactEmail, address.normalised().as_bytes());
            let source = run.activity.to_string();
            if suppression::add(&mut tx, account, &index, HARD_BOUNCE, &source, now.micros()).await? {
                suppressed.push(Id::<kind::Contact>::from_uuid(ending.settled.contact_id));
            }
        }
    }
    ledger::insert_replies(&mut tx, account, run.activity, &replies).await?;
    // Last, because every other change of the account waits for it.
    record_suppressed(run, &mut tx, &suppressed).await?;
    tx.commit().await?;
    Ok(marked.into_iter().collect())
}

/// One audit entry for all addresses that a commit suppresses: it names the contacts, never the addresses.
async fn record_suppressed(
    run: &Run,
    tx: &mut Tx,
    contacts: &[Id<kind::Contact>],
) -> Result<(), letterkeep_store::Error> {
    if contacts.is_empty() {
        return Ok(());
    }
    let detail = serde_json::json!({ "reason": HARD_BOUNCE, "count": contacts.len(), "contacts": contacts });
    let (object, detail) = (run.activity.to_string(), detail.to_string());
    audit::append(&run.ctx, tx, Event { action: "suppression.add", object: &object, detail: &detail }).await
}

async fn heartbeat(run: &Run, held: &HashMap<Uuid, i64>) -> Result<(), letterkeep_store::Error> {
    let until = run.ctx.now().plus(super::LEASE);
    let rows: Vec<(Uuid, i64)> = held.iter().map(|(contact, epoch)| (*contact, *epoch)).collect();
    let mut tx = run.store.db.write().await?;
    ledger::extend(&mut tx, run.ctx.account, run.activity, &rows, until).await?;
    if let Some(job) = &run.job
        && !queue::extend(&mut tx, job, run.ctx.now().plus(super::JOB_LEASE)).await?
    {
        run.stop_with("another worker has taken this sending over".to_owned());
    }
    tx.commit().await
}

/// A claimed row's ending without a word from a server.
pub(super) fn ending(
    run: &Run,
    contact: Id<kind::Contact>,
    claim: &Claimed,
    state: &'static str,
    reason: &'static str,
) -> Ending {
    let now = run.ctx.now().micros();
    Ending {
        settled: Settled {
            contact_id: contact.uuid(),
            epoch: claim.lease_epoch,
            state,
            reason,
            attempts: claim.attempts,
            next_at: now,
            reply_code: None,
            enhanced_code: None,
            at: now,
        },
        reply: None,
        suppress: None,
    }
}
