//! The handler of `delivery.run`: what becomes of the job, and what the people of the campaign get to know.

use std::sync::atomic::Ordering;

use letterkeep_campaign::CampaignError;
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::queue::{ClaimedJob, Outcome};
use letterkeep_store::{Store, Tx, sending_trouble};

use super::{End, Outbound, Progress, Run, SendError, run};
use crate::trouble::{self, Trouble};

/// The campaign's `state_reason` after its job became a dead letter.
const GAVE_UP: &str = "gave_up";
/// The campaign's `state_reason` after the relay refused the sender.
const SENDER_REFUSED: &str = "sender_refused";

/// What `delivery.run` carries: `{"activity": "activity_…"}`.
#[derive(serde::Deserialize)]
struct Payload {
    activity: Id<kind::CampaignActivity>,
}

/// The handler of `delivery.run`.
pub async fn run_job(
    store: &Store,
    ctx: &Ctx,
    outbound: &Outbound,
    job: &ClaimedJob,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Outcome {
    match serde_json::from_str::<Payload>(&job.payload) {
        Ok(payload) => run_activity(store, ctx, payload.activity, outbound, Some(job), progress).await,
        Err(_) => Outcome::Dead("the job names no sending".to_owned()),
    }
}

/// Carries out a sending as far as it goes now, for about [`STINT`](super::STINT). `job` is the claimed job whose lease
/// is prolonged meanwhile; `progress` is called about twice a second. The outcome is for
/// [`queue::settle`](letterkeep_store::queue::settle); why the sending is held up, if it is, is kept for its people.
pub async fn run_activity(
    store: &Store,
    ctx: &Ctx,
    activity: Id<kind::CampaignActivity>,
    outbound: &Outbound,
    job: Option<&ClaimedJob>,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Outcome {
    let (outcome, trouble) = match run(store, ctx, activity, outbound, job, progress).await {
        Ok(End::Well(outcome)) => return outcome,
        Ok(End::Held(trouble, reason)) => (Outcome::Retry(reason), trouble),
        Ok(End::Refused(trouble)) => match refused(store, ctx, activity, &trouble).await {
            Ok(()) => return Outcome::Done,
            Err(error) => (Outcome::Retry(error.to_string()), trouble),
        },
        Err(error @ SendError::Missing) => return Outcome::Dead(error.to_string()),
        Err(error) => {
            let trouble = Trouble::from(&error);
            let reason = error.to_string();
            (if error.is_final() { Outcome::Dead(reason) } else { Outcome::Retry(reason) }, trouble)
        }
    };
    if let Err(error) = keep(store, ctx, activity, &trouble).await {
        tracing::error!(%activity, %error, "why a sending is held up could not be kept");
    }
    outcome
}

async fn keep(
    store: &Store,
    ctx: &Ctx,
    activity: Id<kind::CampaignActivity>,
    trouble: &Trouble,
) -> Result<(), SendError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    trouble::keep(ctx, &mut tx, &keyring, activity, trouble).await?;
    Ok(tx.commit().await?)
}

/// Pauses the campaign and says why, in one commit.
async fn refused(
    store: &Store,
    ctx: &Ctx,
    activity: Id<kind::CampaignActivity>,
    trouble: &Trouble,
) -> Result<(), SendError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    letterkeep_campaign::stall(ctx, &mut tx, activity, SENDER_REFUSED).await?;
    trouble::keep(ctx, &mut tx, &keyring, activity, trouble).await?;
    Ok(tx.commit().await?)
}

/// The job of a sending has become a dead letter, whatever it was that killed it: the campaign is paused, so that its
/// people see that it does not go on, and can resume it. In the transaction that buries the job.
pub async fn gave_up(ctx: &Ctx, tx: &mut Tx, job: &ClaimedJob) -> Result<(), CampaignError> {
    let Ok(payload) = serde_json::from_str::<Payload>(&job.payload) else { return Ok(()) };
    letterkeep_campaign::stall(ctx, tx, payload.activity, GAVE_UP).await?;
    Ok(())
}

/// Forgets what held the sending up before, once the relay is reached.
pub(super) async fn goes_on(run: &Run) {
    if !run.reached.load(Ordering::SeqCst) || !run.held_up.swap(false, Ordering::SeqCst) {
        return;
    }
    let cleared = async {
        let mut tx = run.store.db.write().await?;
        sending_trouble::clear(&mut tx, run.ctx.account, run.activity).await?;
        tx.commit().await
    };
    if let Err(error) = cleared.await {
        run.held_up.store(true, Ordering::SeqCst);
        tracing::warn!(activity = %run.activity, %error, "what held a sending up could not be cleared");
    }
}
