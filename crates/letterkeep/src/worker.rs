//! The background worker: claims jobs from the queue and hands them to the room that does them.

use std::sync::Arc;
use std::time::Duration;

use letterkeep_audience::{field, import};
use letterkeep_campaign::CampaignError;
use letterkeep_delivery::sender::{self, Outbound};
use letterkeep_delivery::{check, merge_keys};
use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::queue::{self, ClaimedJob, NewJob, Outcome, Terms};
use letterkeep_store::rotation::{self, Progress, RotationError};
use letterkeep_store::{Error, Store, Tx};
use tokio::sync::watch;

use crate::house::House;

/// How long a job may run before another worker may take it; long work extends its lease.
const LEASE: Duration = Duration::from_mins(5);
/// How long an idle worker sleeps: the delay before a due job starts.
const IDLE: Duration = Duration::from_millis(500);
/// Jobs at the same time.
const WORKERS: usize = 4;
/// The kind of job that carries out a sending: there may be many, and each comes back as long as it has something to do.
const SENDING: &str = "delivery.run";
/// Jobs of one account at the same time: fewer than workers, so that others get their turn.
const PER_ACCOUNT: i64 = 2;
/// What most workers take.
pub(crate) const ANYTHING: Terms = Terms { per_account: PER_ACCOUNT, without: "" };
/// What the one takes that is there for everything short.
const NO_SENDING: Terms = Terms { per_account: PER_ACCOUNT, without: SENDING };

/// The beginning of a scheduled campaign.
const START: &str = "campaign.start";
/// Rotation of an account's key.
const ROTATE: &str = "keys.rotate";
/// Removal of what has expired.
const SWEEP: &str = "service.sweep";
/// How often that is done.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Runs jobs until `stop` turns true; ends when the jobs that run have ended.
pub(crate) async fn run(house: House, outbound: Outbound, stop: watch::Receiver<bool>) {
    if let Err(error) = enqueue_sweep(&house.system(Id::NIL), &house.store).await {
        tracing::error!(%error, "the hourly clean-up could not be planned");
    }
    let house = Arc::new(house);
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..WORKERS {
        let terms = if number == 0 { NO_SENDING } else { ANYTHING };
        let (house, outbound, mut stop) = (house.clone(), outbound.clone(), stop.clone());
        workers.spawn(async move {
            while !*stop.borrow() {
                match run_one(&house, &outbound, terms).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tokio::select! {
                            () = tokio::time::sleep(IDLE) => {}
                            _ = stop.changed() => {}
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "the job queue cannot be reached");
                        tokio::time::sleep(IDLE * 10).await;
                    }
                }
            }
        });
    }
    while workers.join_next().await.is_some() {}
}

/// Claims one job and does it; `false` if none was due.
pub(crate) async fn run_one(house: &House, outbound: &Outbound, terms: Terms) -> Result<bool, Error> {
    bury_vanished(house).await?;
    let claimed = queue::claim_on(&house.store.db, house.clock.now(), LEASE, terms).await?;
    let Some(job) = claimed else { return Ok(false) };
    let ctx = house.system(job.account());
    tracing::info!(job = %job.job_id, kind = job.kind, attempt = job.attempts, request = %ctx.request, "job started");
    // In a task of its own, so that a handler that panics fails its job and not the worker.
    let task = tokio::spawn({
        let (house, outbound, ctx, job) = (house.clone(), outbound.clone(), ctx.clone(), job.clone());
        async move { perform(&house, &outbound, &ctx, &job).await }
    });
    let outcome = task.await.unwrap_or_else(|_| Outcome::Retry("the handler panicked; see the log".into()));
    match &outcome {
        Outcome::Retry(error) | Outcome::Dead(error) => {
            tracing::warn!(job = %job.job_id, kind = job.kind, attempt = job.attempts, error, "job failed");
        }
        Outcome::Done | Outcome::Again(_) => {
            tracing::info!(job = %job.job_id, kind = job.kind, outcome = ?outcome, "job ended");
        }
    }
    let mut tx = house.store.db.write().await?;
    let gave_up_for_good = queue::settle(&mut tx, &job, &outcome, ctx.now()).await?;
    if gave_up_for_good {
        gave_up(&ctx, &mut tx, &job).await?;
    }
    tx.commit().await?;
    if gave_up_for_good {
        end_import(&ctx, &house.store, &job).await;
    }
    Ok(true)
}

/// A job that kills its worker comes to its end too.
async fn bury_vanished(house: &House) -> Result<(), Error> {
    let mut tx = house.store.db.write().await?;
    let vanished = queue::bury_vanished(&mut tx, house.clock.now()).await?;
    for job in &vanished {
        tracing::error!(job = %job.job_id, kind = job.kind, "the worker of a job vanished in its last attempt");
        gave_up(&house.system(job.account()), &mut tx, job).await?;
    }
    tx.commit().await?;
    for job in &vanished {
        end_import(&house.system(job.account()), &house.store, job).await;
    }
    Ok(())
}

/// The same for imports, whose end takes several transactions: after a crash in between, the user cancels the import.
async fn end_import(ctx: &Ctx, store: &Store, job: &ClaimedJob) {
    if let Err(error) = import::run::gave_up(ctx, store, job).await {
        tracing::error!(job = %job.job_id, %error, "an import could not be ended");
    }
}

/// A job has become a dead letter: what waits for it is told, in the same commit.
async fn gave_up(ctx: &Ctx, tx: &mut Tx, job: &ClaimedJob) -> Result<(), Error> {
    let told = match job.kind.as_str() {
        SENDING => sender::gave_up(ctx, tx, job).await,
        START => match serde_json::from_str(&job.payload) {
            Ok(Start { campaign }) => {
                letterkeep_campaign::stall_scheduled(ctx, tx, campaign, "gave_up").await.map(|_| ())
            }
            Err(_) => Ok(()),
        },
        _ => Ok(()),
    };
    match told {
        Err(CampaignError::Store(error)) => Err(error),
        // The job must be buried even so: otherwise it would keep every worker busy.
        Err(error) => {
            tracing::error!(job = %job.job_id, %error, "a campaign could not be paused");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn perform(house: &House, outbound: &Outbound, ctx: &Ctx, job: &ClaimedJob) -> Outcome {
    match job.kind.as_str() {
        START => begin(ctx, &house.store, job).await,
        SENDING => sender::run_job(&house.store, ctx, outbound, job, &|_| {}).await,
        check::JOB => check::run_job(&house.store, ctx, job).await,
        import::run::JOB | import::undo::JOB | import::check::JOB => import::run::perform(ctx, &house.store, job).await,
        SWEEP => sweep(ctx, &house.store).await,
        ROTATE => rotate(ctx, &house.store).await,
        unknown => Outcome::Dead(format!("this version knows no job of kind {unknown}")),
    }
}

#[derive(serde::Deserialize)]
struct Start {
    campaign: Id<kind::Campaign>,
}

/// Begins a campaign whose time has come.
async fn begin(ctx: &Ctx, store: &Store, job: &ClaimedJob) -> Outcome {
    let Ok(Start { campaign }) = serde_json::from_str(&job.payload) else {
        return Outcome::Dead("the job names no campaign".into());
    };
    let begun: anyhow::Result<()> = async {
        let keyring = store.keys.keyring(ctx.account).await?;
        let mut tx = store.db.read().await?;
        let known = merge_keys(&field::all(ctx, &mut tx).await?);
        let Some(found) = letterkeep_campaign::find(ctx, &mut tx, &keyring, campaign).await? else { return Ok(()) };
        drop(tx);
        let examined = letterkeep_campaign::examine(&found, known).await;
        let mut tx = store.db.write().await?;
        letterkeep_campaign::begin(ctx, &mut tx, &keyring, &examined).await?;
        tx.commit().await?;
        Ok(())
    }
    .await;
    match begun {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// Removes what has expired: unfinished sign-ups, old sessions and counters, files of broken uploads.
async fn sweep(ctx: &Ctx, store: &Store) -> Outcome {
    if let Err(error) = letterkeep_account::sweep(ctx, store).await {
        return Outcome::Retry(error.to_string());
    }
    match import::file::sweep(ctx, store).await {
        Ok(_) => Outcome::Again(ctx.now().plus(SWEEP_EVERY)),
        Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// Makes sure that the hourly sweep is in the queue.
async fn enqueue_sweep(ctx: &Ctx, store: &Store) -> Result<(), Error> {
    let mut tx = store.db.write().await?;
    let job =
        NewJob { kind: SWEEP, payload: "{}".into(), run_at: ctx.now(), dedup: Some(SWEEP.into()), max_attempts: 1000 };
    queue::enqueue(ctx, &mut tx, job).await?;
    tx.commit().await
}

async fn rotate(ctx: &Ctx, store: &Store) -> Outcome {
    match rotation::advance(ctx, store, ctx.account).await {
        Ok(Progress::Waiting(until, _)) => Outcome::Again(until),
        Ok(Progress::Done(_)) => Outcome::Done,
        Err(error @ RotationError::Record { .. }) => Outcome::Dead(error.to_string()),
        Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// Lets the running service carry an account's key rotation to its end.
pub(crate) async fn enqueue_rotation(ctx: &Ctx, store: &Store) -> Result<(), Error> {
    let mut tx = store.db.write().await?;
    let job = NewJob {
        kind: ROTATE,
        payload: "{}".into(),
        run_at: Timestamp::from_micros(ctx.now().micros()),
        dedup: Some(format!("{ROTATE} {}", ctx.account)),
        max_attempts: 20,
    };
    queue::enqueue(ctx, &mut tx, job).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use letterkeep_audience::contact::MERGE_NAMES;
    use letterkeep_campaign::{Audience, Content, ContentInput, Format, Launched, State, When};
    use letterkeep_model::{EmailAddress, Locale};
    use letterkeep_testkit::{TestHouse, for_each_database};

    use super::*;

    fn house(test: &TestHouse) -> House {
        House { store: test.store.clone(), clock: test.clock.clone(), entropy: test.entropy.clone() }
    }

    fn content() -> Content {
        let input = ContentInput {
            subject: "Hello".into(),
            preheader: String::new(),
            from_name: "Shop".into(),
            from_address: EmailAddress::parse("news@shop.example").unwrap(),
            reply_to: None,
            postal_address: "Way 1".into(),
            format: Format::Html,
            source: "<html><body><p>{{ postal_address }}</p><a href=\"{{ unsubscribe_url }}\">x</a></body></html>"
                .into(),
            text: None,
            locale: Locale::En,
        };
        Content::parse(input).unwrap()
    }

    #[tokio::test]
    async fn a_campaign_whose_job_kills_its_workers_is_paused() {
        for_each_database(async |test| {
            let (house, (account, keyring)) = (house(test), test.account().await);
            let ctx = house.system(account);
            let known = MERGE_NAMES.iter().map(|name| (*name).to_owned()).collect();
            let audience = Audience { everybody: true, ..Audience::default() };
            let mut tx = test.store.db.write().await.unwrap();
            let made =
                letterkeep_campaign::create(&ctx, &mut tx, &keyring, "News", &content(), audience).await.unwrap();
            let examined = letterkeep_campaign::examine(&made, known).await;
            let launched = letterkeep_campaign::launch(&ctx, &mut tx, &keyring, &examined, When::Now).await;
            assert!(matches!(launched, Ok(Launched::Begun(_))));
            tx.commit().await.unwrap();
            let state = async || {
                let mut tx = test.store.db.read().await.unwrap();
                let found = letterkeep_campaign::find(&ctx, &mut tx, &keyring, made.id).await.unwrap().unwrap();
                (found.state, found.state_reason)
            };
            // Each worker takes the job and is never heard of again.
            let mut attempts = 0;
            while let Some(job) = queue::claim(&test.store.db, ctx.now(), LEASE).await.unwrap() {
                assert_eq!(job.kind, SENDING);
                attempts += 1;
                bury_vanished(&house).await.unwrap();
                assert_eq!(state().await.0, State::Sending, "in attempt {attempts} somebody still works on it");
                test.clock.advance(LEASE * 2);
            }
            assert!(attempts > 1);
            bury_vanished(&house).await.unwrap();
            assert_eq!(state().await, (State::Paused, "gave_up".to_owned()));
        })
        .await;
    }
}
