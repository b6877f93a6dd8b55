//! From claimed recipients to messages that are ready to go.

use std::collections::HashMap;
use std::sync::Arc;

use letterkeep_campaign::Links as _;
use letterkeep_model::Id;
use letterkeep_store::ledger::{self, Claimed};
use letterkeep_vault::Keyring;
use tokio::sync::mpsc;

use super::Run;
use super::carry::{Prepared, release};
use super::scribe::{Ending, Notes, ending};
use crate::links::MessageLinks;
use crate::message::{BulkFields, Letter, MessageIdentity};
use crate::person::{self, People, PeopleError, Person};
use crate::smtp::{Body, Mail};

/// Recipients claimed at a time.
const CHUNK: i64 = 200;
/// Recipients that one blocking call renders and signs: about 10 ms.
const SLICE: usize = 32;

/// Claims, opens, checks, renders and signs until nothing is due or the run stops.
pub(super) async fn prepare(run: Arc<Run>, out: mpsc::Sender<Prepared>, notes: Notes) {
    while !run.stopped() {
        match chunk(&run, &out, &notes).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return run.stop_with(error.to_string()),
        }
    }
}

async fn chunk(run: &Arc<Run>, out: &mpsc::Sender<Prepared>, notes: &Notes) -> Result<bool, PeopleError> {
    let now = run.ctx.now();
    let account = run.ctx.account;
    let mut tx = run.store.db.write().await?;
    let claimed = ledger::claim(&mut tx, account, run.activity, now, now.plus(super::LEASE), CHUNK).await?;
    tx.commit().await?;
    if claimed.is_empty() {
        return Ok(false);
    }
    notes.held(claimed.clone()).await;
    let ids: Vec<_> = claimed.iter().map(|claim| Id::from_uuid(claim.contact_id)).collect();
    let People { found, unreadable, keyring } = match person::open(&run.ctx, &run.store, &run.custom, &ids).await {
        Ok(people) => people,
        Err(error) => {
            let free = claimed.iter().map(|claim| ending(run, Id::from_uuid(claim.contact_id), claim, "planned", ""));
            notes.end(free.collect()).await;
            return Err(error);
        }
    };
    let mut people: HashMap<_, _> = found.into_iter().map(|person| (person.id, person)).collect();
    let mut endings = Vec::new();
    let mut admitted = Vec::with_capacity(claimed.len());
    for claim in claimed {
        let id = Id::from_uuid(claim.contact_id);
        let skip = |reason| ending(run, id, &claim, "skipped", reason);
        match people.remove(&id) {
            None => endings.push(skip(if unreadable.contains(&id) { "unreadable" } else { "contact_gone" })),
            Some(person) => match person.refusal(&run.compiled) {
                Some(reason) => endings.push(skip(reason)),
                None => match run.destinations.take(account, person.address.domain(), run.per_minute, now) {
                    Ok(()) => admitted.push((claim, person)),
                    Err(at) => {
                        let mut wait = ending(run, id, &claim, "planned", "destination_limit");
                        wait.settled.next_at = at.micros();
                        endings.push(wait);
                    }
                },
            },
        }
    }
    notes.end(endings).await;
    let mut admitted = admitted.into_iter();
    loop {
        let slice: Vec<_> = admitted.by_ref().take(SLICE).collect();
        if slice.is_empty() {
            return Ok(true);
        }
        if run.stopped() {
            let rest = slice.into_iter().chain(admitted);
            notes.end(rest.map(|(claim, person)| ending(run, person.id, &claim, "planned", "")).collect()).await;
            return Ok(false);
        }
        let (worker, keyring) = (run.clone(), keyring.clone());
        let written = tokio::task::spawn_blocking(move || {
            slice.into_iter().map(|(claim, person)| write(&worker, &keyring, claim, &person)).collect::<Vec<_>>()
        });
        // A thread that panics leaves its rows to their leases.
        let Ok(written) = written.await else {
            run.stop_with("rendering a message failed unexpectedly".to_owned());
            return Ok(false);
        };
        for result in written {
            match result {
                Ok(prepared) => {
                    if let Err(mpsc::error::SendError(prepared)) = out.send(prepared).await {
                        // No connection is left; the rest of the slice comes the same way.
                        release(run, notes, vec![prepared]).await;
                    }
                }
                Err(ended) => notes.end(vec![*ended]).await,
            }
        }
    }
}

/// Renders, writes and signs one message. Takes a third of a millisecond, nearly all of it the RSA signature.
fn write(run: &Run, keyring: &Keyring, claim: Claimed, person: &Person) -> Result<Prepared, Box<Ending>> {
    let skip = |reason| Box::new(ending(run, person.id, &claim, "skipped", reason));
    let to = &person.address;
    let links =
        MessageLinks { base: &run.link_base, keyring, activity: run.activity, contact: person.id, track: person.track };
    let rendered = run.compiled.render(&person.fields, &links).map_err(|_| skip("render_error"))?;
    let identity = MessageIdentity::new(keyring, run.activity, person.id, run.signer.domain());
    let bulk = BulkFields::new(run.ctx.account, run.activity, links.unsubscribe());
    let letter = Letter {
        from_name: &run.content.from_name,
        from: &run.content.from_address,
        to,
        reply_to: run.content.reply_to.as_ref(),
        subject: &rendered.subject,
        date: run.ctx.now(),
        identity: &identity,
        text: &rendered.text,
        html: &rendered.html,
        bulk: Some(&bulk),
    };
    let message = letter.write().map_err(|_| skip("message_error"))?;
    let mut signed = run.signer.sign(&message, run.ctx.now()).map_err(|_| skip("message_error"))?;
    signed.extend_from_slice(&message);
    let body = Body::new(&signed).map_err(|_| skip("message_error"))?;
    Ok(Prepared { claim, mail: Mail { from: run.content.from_address.clone(), to: to.clone(), body } })
}
