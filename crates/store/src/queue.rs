//! The durable job queue.
//!
//! A job is enqueued in the transaction of the change that it follows, so that neither exists without the other.
//! A worker claims it under a lease with an epoch; a worker that has lost its lease can no longer finish the job,
//! because the epoch has moved on. A failed job runs again after a growing pause; after its last attempt it becomes a
//! dead letter, which stays visible with its last error until somebody retries or drops it. So does a job whose worker
//! vanishes in the last attempt: it may be the job that kills its workers.
//! Handlers must be idempotent: after a crash a job runs again.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use uuid::Uuid;

use crate::{Db, Error, Tx};

statements! {
    INSERT = "INSERT INTO job (job_id, account_id, kind, payload, dedup, state, attempts, max_attempts, run_at,
            lease_until, epoch, last_error, created_at)
        VALUES ($1, $2, $3, $4, $5, 'ready', 0, $6, $7, 0, 0, NULL, $8)
        ON CONFLICT (dedup) DO NOTHING";
    CLAIM = "UPDATE job SET state = 'leased', attempts = attempts + 1, epoch = epoch + 1, lease_until = $2
        WHERE job_id = (SELECT j.job_id FROM job j WHERE j.state = 'ready' AND j.run_at <= $1 AND j.kind <> $3
            AND (SELECT COUNT(*) FROM job r WHERE r.account_id = j.account_id AND r.state = 'leased') < $4
            ORDER BY j.run_at, j.job_id LIMIT 1)
        RETURNING job_id, account_id, kind, payload, attempts, max_attempts, epoch"
        => "UPDATE job SET state = 'leased', attempts = attempts + 1, epoch = epoch + 1, lease_until = $2
        WHERE job_id = (SELECT j.job_id FROM job j WHERE j.state = 'ready' AND j.run_at <= $1 AND j.kind <> $3
            AND (SELECT COUNT(*) FROM job r WHERE r.account_id = j.account_id AND r.state = 'leased') < $4
            ORDER BY j.run_at, j.job_id LIMIT 1 FOR UPDATE OF j SKIP LOCKED)
        RETURNING job_id, account_id, kind, payload, attempts, max_attempts, epoch";
    EXTEND = "UPDATE job SET lease_until = $3 WHERE job_id = $1 AND epoch = $2 AND state = 'leased'";
    FINISH = "DELETE FROM job WHERE job_id = $1 AND epoch = $2 AND state = 'leased'";
    AGAIN = "UPDATE job SET state = 'ready', run_at = $3, attempts = 0, last_error = NULL
        WHERE job_id = $1 AND epoch = $2 AND state = 'leased'";
    RETRY = "UPDATE job SET state = 'ready', run_at = $3, last_error = $4
        WHERE job_id = $1 AND epoch = $2 AND state = 'leased'";
    BURY = "UPDATE job SET state = 'dead', dedup = NULL, last_error = $3
        WHERE job_id = $1 AND epoch = $2 AND state = 'leased'";
    EXPIRE = "UPDATE job SET state = 'ready', run_at = $1
        WHERE state = 'leased' AND lease_until < $1 AND attempts < max_attempts";
    BURY_VANISHED = "UPDATE job SET state = 'dead', dedup = NULL,
            last_error = 'the worker vanished in attempt ' || attempts || ', the last one'
        WHERE state = 'leased' AND lease_until < $1 AND attempts >= max_attempts
        RETURNING job_id, account_id, kind, payload, attempts, max_attempts, epoch";
    DEAD = "SELECT job_id, account_id, kind, attempts, last_error, created_at
        FROM job WHERE state = 'dead' ORDER BY job_id LIMIT $1";
    REVIVE = "UPDATE job SET state = 'ready', attempts = 0, run_at = $2 WHERE job_id = $1 AND state = 'dead'";
    DROP_DEAD = "DELETE FROM job WHERE job_id = $1 AND state = 'dead'";
    COUNT_DEAD = "SELECT COUNT(*) FROM job WHERE state = 'dead'";
    NEXT_AT = "SELECT MIN(run_at) FROM job WHERE state = 'ready'";
    COUNT = "SELECT COUNT(*) FROM job WHERE account_id = $1 AND kind = $2 AND state IN ('ready', 'leased')";
}

/// The pause before the second attempt; it doubles with every further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// A job to be done.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// Which handler does it, for example `import.run`.
    pub kind: &'a str,
    /// What the handler needs: JSON with ids only, never contact data.
    pub payload: String,
    /// When it may start at the earliest.
    pub run_at: Timestamp,
    /// While a job with the same text waits or runs, no second one is made.
    pub dedup: Option<String>,
    /// How often it is tried before it becomes a dead letter.
    pub max_attempts: u16,
}

/// A job that this worker has claimed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ClaimedJob {
    /// The job.
    pub job_id: Uuid,
    /// The account it works for; nil for the installation itself.
    pub account_id: Uuid,
    /// Which handler does it.
    pub kind: String,
    /// What the handler was given.
    pub payload: String,
    /// 1 on the first attempt.
    pub attempts: i64,
    /// How often it is tried.
    pub max_attempts: i64,
    /// Fences this claim against later ones.
    pub epoch: i64,
}

impl ClaimedJob {
    /// The account it works for.
    pub fn account(&self) -> Id<kind::Account> {
        Id::from_uuid(self.account_id)
    }
}

/// What becomes of a job after its handler has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done: remove it.
    Done,
    /// It has more to do: run it again at this instant, as if for the first time.
    Again(Timestamp),
    /// It failed and may succeed later. The text is shown to operators: no personal data.
    Retry(String),
    /// It failed and will not succeed: make it a dead letter at once. The text is shown to operators.
    Dead(String),
}

/// A job that gave up.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeadJob {
    /// The job.
    pub job_id: Uuid,
    /// The account it worked for.
    pub account_id: Uuid,
    /// Which handler did it.
    pub kind: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was enqueued, microseconds UTC.
    pub created_at: i64,
}

/// Enqueues a job in the caller's transaction. Yields `false` if `dedup` found one that waits or runs already.
pub async fn enqueue(ctx: &Ctx, tx: &mut Tx, job: NewJob<'_>) -> Result<bool, Error> {
    let made = exec!(
        tx,
        INSERT,
        ctx.new_id::<kind::Job>().uuid(),
        ctx.account.uuid(),
        job.kind,
        &job.payload,
        job.dedup.as_deref(),
        i64::from(job.max_attempts),
        job.run_at.micros(),
        ctx.now().micros()
    )?;
    Ok(made == 1)
}

/// Which jobs a worker takes.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// No job of an account that has so many running already, counted over all workers. Workers that claim at the same
    /// instant can exceed it by one each.
    pub per_account: i64,
    /// No job of this kind; empty for any.
    pub without: &'static str,
}

impl Terms {
    /// Every job.
    pub const ANY: Self = Self { per_account: i64::MAX, without: "" };
}

/// Claims the job that has been due longest, if any, for `lease`. First frees jobs whose worker has vanished, but for
/// those that [`bury_vanished`] buries.
pub async fn claim(db: &Db, now: Timestamp, lease: Duration) -> Result<Option<ClaimedJob>, Error> {
    claim_on(db, now, lease, Terms::ANY).await
}

/// [`claim`], but only a job that the worker takes.
pub async fn claim_on(db: &Db, now: Timestamp, lease: Duration, terms: Terms) -> Result<Option<ClaimedJob>, Error> {
    let mut tx = db.write().await?;
    exec!(&mut tx, EXPIRE, now.micros())?;
    let (at, until) = (now.micros(), now.plus(lease).micros());
    let job = optional!(&mut tx, CLAIM => ClaimedJob, at, until, terms.without, terms.per_account)?;
    tx.commit().await?;
    Ok(job)
}

/// Makes dead letters of the jobs whose worker has vanished in their last attempt, and yields them: what waits for such
/// a job must hear of it in the same transaction.
pub async fn bury_vanished(tx: &mut Tx, now: Timestamp) -> Result<Vec<ClaimedJob>, Error> {
    all!(tx, BURY_VANISHED => ClaimedJob, now.micros())
}

/// Prolongs the lease of a running job; `false` means that the lease is lost and the handler must stop.
pub async fn extend(tx: &mut Tx, job: &ClaimedJob, until: Timestamp) -> Result<bool, Error> {
    Ok(exec!(tx, EXTEND, job.job_id, job.epoch, until.micros())? == 1)
}

/// Records what became of a claimed job; does nothing if the lease was lost. `true` if it became a dead letter.
pub async fn settle(tx: &mut Tx, job: &ClaimedJob, outcome: &Outcome, now: Timestamp) -> Result<bool, Error> {
    match outcome {
        Outcome::Done => exec!(tx, FINISH, job.job_id, job.epoch)?,
        Outcome::Again(at) => exec!(tx, AGAIN, job.job_id, job.epoch, at.micros())?,
        Outcome::Retry(error) if job.attempts < job.max_attempts => {
            let at = now.plus(pause_after(job.attempts));
            exec!(tx, RETRY, job.job_id, job.epoch, at.micros(), error)?
        }
        Outcome::Retry(error) | Outcome::Dead(error) => {
            return Ok(exec!(tx, BURY, job.job_id, job.epoch, error)? == 1);
        }
    };
    Ok(false)
}

/// The jobs that gave up, oldest first, at most `limit`.
pub async fn dead(tx: &mut Tx, limit: i64) -> Result<Vec<DeadJob>, Error> {
    all!(tx, DEAD => DeadJob, limit)
}

/// Lets a dead job run again; `false` if there is none with this id.
pub async fn revive(tx: &mut Tx, job: Id<kind::Job>, now: Timestamp) -> Result<bool, Error> {
    Ok(exec!(tx, REVIVE, job.uuid(), now.micros())? == 1)
}

/// Removes a dead job; `false` if there is none with this id.
pub async fn drop_dead(tx: &mut Tx, job: Id<kind::Job>) -> Result<bool, Error> {
    Ok(exec!(tx, DROP_DEAD, job.uuid())? == 1)
}

/// How many jobs gave up.
pub async fn count_dead(tx: &mut Tx) -> Result<i64, Error> {
    Ok(one!(tx, COUNT_DEAD => (i64,))?.0)
}

/// When the next waiting job is due; `None` if none waits.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>, Error> {
    let (at,) = one!(tx, NEXT_AT => (Option<i64>,))?;
    Ok(at.map(Timestamp::from_micros))
}

/// How many jobs of a kind wait or run for an account.
pub async fn count(tx: &mut Tx, account: Id<kind::Account>, kind: &str) -> Result<i64, Error> {
    Ok(one!(tx, COUNT => (i64,), account.uuid(), kind)?.0)
}

/// 5 s, 10 s, 20 s … one hour.
fn pause_after(attempts: i64) -> Duration {
    let doublings = u32::try_from((attempts - 1).clamp(0, 20)).unwrap_or(20);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}
