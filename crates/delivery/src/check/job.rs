//! Counting a large audience in the background.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::audit::{self, Event};
use letterkeep_store::campaign_check::{self as rows, CampaignCheckRow};
use letterkeep_store::queue::{self, ClaimedJob, NewJob, Outcome};
use letterkeep_store::{Store, Tx};
use letterkeep_vault::Keyring;

use super::walk::Walk;
use super::{CheckError, Draft, Size};

/// The kind of job that counts an audience.
pub const JOB: &str = "delivery.check";

/// How often the place reached is written.
const BEAT: Duration = Duration::from_secs(1);
/// How long the job is held from each beat on.
const LEASE: Duration = Duration::from_mins(5);
/// A count that has not got on for so long is offered again: longer than the lease, the pauses between the first
/// attempts included.
const STALLED: Duration = Duration::from_mins(10);
/// How often a count is tried.
const ATTEMPTS: u16 = 4;

/// What the job carries.
#[derive(serde::Deserialize)]
struct Payload {
    campaign: Id<kind::Campaign>,
    revision: i64,
    /// The audit entry that began the count.
    entry: i64,
}

/// Begins to count the audience of a draft as it is now, in the background; a count that is under way or done is begun
/// anew. In the caller's transaction.
pub async fn start(ctx: &Ctx, tx: &mut Tx, keyring: &Keyring, campaign: Id<kind::Campaign>) -> Result<(), CheckError> {
    let draft = Draft::open(ctx, tx, keyring, campaign).await?;
    let revision = draft.campaign.revision;
    let size = Size::of(ctx, tx, &draft.campaign.audience).await?;
    let (object, detail) = (campaign.to_string(), format!(r#"{{"revision":{revision}}}"#));
    audit::append(ctx, tx, Event { action: "campaign.check", object: &object, detail: &detail }).await?;
    let entry = audit::latest(tx, ctx.account).await?;
    rows::start(tx, ctx.account, campaign, revision, size.total, entry, ctx.now()).await?;
    let job = NewJob {
        kind: JOB,
        payload: format!(r#"{{"campaign":"{campaign}","revision":{revision},"entry":{entry}}}"#),
        run_at: ctx.now(),
        // No text that suppresses a second job: one that counts already began before the latest changes, and will find
        // itself replaced.
        dedup: None,
        max_attempts: ATTEMPTS,
    };
    queue::enqueue(ctx, tx, job).await?;
    Ok(())
}

/// The handler of [`JOB`].
pub async fn run_job(store: &Store, ctx: &Ctx, job: &ClaimedJob) -> Outcome {
    let Ok(payload) = serde_json::from_str::<Payload>(&job.payload) else {
        return Outcome::Dead("the job names no campaign".to_owned());
    };
    match count(store, ctx, &payload, job).await {
        Ok(()) | Err(CheckError::NoCampaign) => Outcome::Done,
        Err(error) if job.attempts < job.max_attempts => Outcome::Retry(error.to_string()),
        Err(error) => match give_up(store, ctx, &payload).await {
            Ok(()) => Outcome::Dead(error.to_string()),
            Err(_) => Outcome::Retry(error.to_string()),
        },
    }
}

/// Whether nobody is working on this count any more.
pub(super) fn has_stalled(row: &CampaignCheckRow, now: Timestamp) -> bool {
    now.since(Timestamp::from_micros(row.updated_at)) > STALLED
}

/// Counts from the beginning to the end; stops when nobody wants to know any more.
async fn count(store: &Store, ctx: &Ctx, payload: &Payload, job: &ClaimedJob) -> Result<(), CheckError> {
    let Payload { campaign, revision, entry } = *payload;
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.read().await?;
    let draft = Draft::open(ctx, &mut tx, &keyring, campaign).await?;
    drop(tx);
    let Ok(compiled) = draft.compile().await else { return Ok(()) };
    if draft.campaign.revision != revision || !advance(store, ctx, payload, job, 0).await? {
        return Ok(());
    }
    let mut walk = Walk::begin(ctx, store, &draft.campaign.audience).await?;
    let mut written = ctx.now();
    while walk.step(ctx, store, &draft.custom, &compiled).await? {
        if ctx.now().since(written) >= BEAT {
            if !advance(store, ctx, payload, job, walk.checked()).await? {
                return Ok(());
            }
            written = ctx.now();
        }
    }
    #[expect(clippy::expect_used, reason = "numbers, words and ids always have a JSON form")]
    let result = serde_json::to_string(&walk.into_count()).expect("counts can be written as JSON");
    let mut tx = store.db.write().await?;
    if queue::extend(&mut tx, job, ctx.now().plus(LEASE)).await? {
        rows::finish(&mut tx, ctx.account, campaign, entry, "counted", &result, ctx.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Writes the place reached; `false` if the lease is lost or the count no longer wanted.
async fn advance(
    store: &Store,
    ctx: &Ctx,
    payload: &Payload,
    job: &ClaimedJob,
    checked: i64,
) -> Result<bool, letterkeep_store::Error> {
    let mut tx = store.db.write().await?;
    if !queue::extend(&mut tx, job, ctx.now().plus(LEASE)).await? {
        return Ok(false);
    }
    let wanted = rows::advance(&mut tx, ctx.account, payload.campaign, payload.entry, checked, ctx.now()).await?;
    tx.commit().await?;
    Ok(wanted)
}

async fn give_up(store: &Store, ctx: &Ctx, payload: &Payload) -> Result<(), letterkeep_store::Error> {
    let mut tx = store.db.write().await?;
    rows::finish(&mut tx, ctx.account, payload.campaign, payload.entry, "failed", "{}", ctx.now()).await?;
    tx.commit().await
}
