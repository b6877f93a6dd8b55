//! Carrying prepared messages over one connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use letterkeep_model::{EmailAddress, Id, Timestamp, kind};
use letterkeep_store::ledger::Claimed;
use tokio::sync::{Mutex, mpsc};

use super::Run;
use super::scribe::{Ending, Notes, ending};
use crate::smtp::{Connection, Delivered, Failure, Mail, SmtpError, Verdict, back_off, verdict};
use crate::trouble::Trouble;

/// Messages that one connection marks at a time. With the number of connections it bounds what a crash can leave in
/// doubt.
const WINDOW: usize = 4;
/// Connections lost in a row before the task gives up.
const LOSSES: u32 = 3;

/// A message that is ready to go.
pub(super) struct Prepared {
    pub(super) claim: Claimed,
    pub(super) mail: Mail,
}

impl Prepared {
    fn contact(&self) -> Id<kind::Contact> {
        Id::from_uuid(self.claim.contact_id)
    }
}

/// Takes messages from `source` until there are none. If the relay cannot be reached and no other connection stands,
/// the run stops with the reason.
pub(super) async fn carry(run: Arc<Run>, source: Arc<Mutex<mpsc::Receiver<Prepared>>>, notes: Notes) {
    let mut connection: Option<Connection> = None;
    let mut losses = 0;
    let mut window = take(&run, &source, &notes).await;
    while !window.is_empty() {
        if connection.as_ref().is_none_or(|open| !open.is_usable()) && !run.stopped() {
            match Connection::open(&run.server, &run.trust).await {
                Ok(open) => {
                    run.reached.store(true, Ordering::SeqCst);
                    connection = Some(open);
                }
                Err(error) => {
                    release(&run, &notes, window).await;
                    give_up(&run, &error);
                    return;
                }
            }
        }
        // The next window is marked while this one is on its way, so that no connection waits for the disk.
        let ((rest, lost), next) =
            tokio::join!(carry_window(&run, &notes, connection.as_mut(), window), take(&run, &source, &notes));
        window = rest;
        window.extend(next);
        losses = if lost.is_some() { losses + 1 } else { 0 };
        if let Some(error) = lost.filter(|_| losses >= LOSSES) {
            release(&run, &notes, window).await;
            give_up(&run, &error);
            return;
        }
    }
    if let Some(connection) = connection.filter(Connection::is_usable) {
        connection.quit().await;
    }
}

fn give_up(run: &Run, error: &SmtpError) {
    *super::lock(&run.unreachable) = Some(error.clone());
    if run.connections.fetch_sub(1, Ordering::SeqCst) == 1 {
        run.stop_for(Trouble::relay(error), error.without_words());
    } else {
        let error = error.without_words();
        tracing::warn!(activity = %run.activity, error, "a connection to the relay was given up; others go on");
    }
}

/// The next messages whose leave is committed; empty when there are no more.
async fn take(run: &Run, source: &Arc<Mutex<mpsc::Receiver<Prepared>>>, notes: &Notes) -> Vec<Prepared> {
    loop {
        let mut found = Vec::with_capacity(WINDOW);
        {
            let mut source = source.lock().await;
            match source.recv().await {
                Some(prepared) => found.push(prepared),
                None => return found,
            }
            while found.len() < WINDOW {
                let Ok(prepared) = source.try_recv() else { break };
                found.push(prepared);
            }
        }
        if run.stopped() {
            release(run, notes, found).await;
            continue;
        }
        let marked = notes.mark(found.iter().map(|one| (one.claim.contact_id, one.claim.lease_epoch)).collect()).await;
        let (ready, refused): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|one| marked.contains(&one.claim.contact_id));
        // Not marked: the contact has left since it was looked at. (Or the lease is lost: then this changes nothing.)
        let endings = refused.iter().map(|one| ending(run, one.contact(), &one.claim, "skipped", "withdrawn"));
        notes.end(endings.collect()).await;
        if !ready.is_empty() {
            return ready;
        }
    }
}

/// Gives messages back that have not left.
pub(super) async fn release(run: &Run, notes: &Notes, window: Vec<Prepared>) {
    let endings = window.iter().map(|one| ending(run, one.contact(), &one.claim, "planned", ""));
    notes.end(endings.collect()).await;
}

/// Sends a window. Yields what has not been tried because the connection ended, and why it ended.
async fn carry_window(
    run: &Run,
    notes: &Notes,
    connection: Option<&mut Connection>,
    window: Vec<Prepared>,
) -> (Vec<Prepared>, Option<SmtpError>) {
    let Some(connection) = connection else {
        release(run, notes, window).await;
        return (Vec::new(), None);
    };
    let mut waiting = std::collections::VecDeque::from(window);
    while let Some(prepared) = waiting.pop_front() {
        if run.stopped() {
            waiting.push_front(prepared);
            release(run, notes, waiting.into()).await;
            return (Vec::new(), None);
        }
        let next = waiting.front().map(|next| &next.mail);
        let delivered = connection.deliver(&prepared.mail, next).await;
        let lost = record(run, notes, &prepared, delivered).await;
        if lost.is_some() || !connection.is_usable() {
            return (waiting.into(), lost);
        }
    }
    (Vec::new(), None)
}

async fn record(run: &Run, notes: &Notes, prepared: &Prepared, delivered: Delivered) -> Option<SmtpError> {
    let contact = prepared.contact();
    let attempts = prepared.claim.attempts + 1;
    let (mut ended, lost) = match delivered {
        Delivered::Answered(stage, reply) => {
            let judged = verdict(stage, &reply);
            if judged == Verdict::SenderRefused {
                // Nothing was said about the recipient: no attempt is counted.
                notes.end(vec![ending(run, contact, &prepared.claim, "planned", "")]).await;
                run.sender_refused(reply);
                return None;
            }
            run.sender_taken();
            let mut ended = judge(run, contact, &prepared.claim, judged, &prepared.mail.to, attempts);
            ended.settled.reply_code = Some(i64::from(reply.code));
            ended.settled.enhanced_code = reply.enhanced.map(|code| code.to_string());
            ended.reply = (judged != Verdict::Accepted).then(|| reply.to_string());
            (ended, None)
        }
        Delivered::LostBefore(error) => {
            let mut ended = judge(run, contact, &prepared.claim, Verdict::Deferred, &prepared.mail.to, attempts);
            if ended.settled.state == "deferred" {
                ended.settled.reason = "connection_lost";
                if attempts == 1 {
                    // Servers end a connection after some messages as a matter of course: try the next one at once.
                    ended.settled.next_at = run.ctx.now().micros();
                }
            }
            (ended, Some(error))
        }
        Delivered::LostAfter(error) => (ending(run, contact, &prepared.claim, "in_doubt", "no_reply"), Some(error)),
    };
    ended.settled.attempts = attempts;
    notes.end(vec![ended]).await;
    lost
}

fn judge(
    run: &Run,
    contact: Id<kind::Contact>,
    claim: &Claimed,
    judged: Verdict,
    to: &EmailAddress,
    attempts: i64,
) -> Ending {
    match judged {
        Verdict::Accepted => ending(run, contact, claim, "accepted", ""),
        Verdict::Deferred | Verdict::SenderRefused => match back_off(attempts) {
            Some(pause) => {
                let mut ended = ending(run, contact, claim, "deferred", "later");
                ended.settled.next_at = Timestamp::plus(run.ctx.now(), pause).micros();
                ended
            }
            None => ending(run, contact, claim, "failed", Failure::Expired.name()),
        },
        Verdict::Failed(failure) => {
            let mut ended = ending(run, contact, claim, "failed", failure.name());
            if failure == Failure::HardBounce {
                ended.suppress = Some(to.clone());
            }
            ended
        }
    }
}
