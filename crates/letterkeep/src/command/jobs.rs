//! `letterkeep jobs`: the dead letters of the job queue.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use letterkeep_model::{Id, Timestamp, kind};
use letterkeep_store::queue;

use super::say;
use crate::config::Config;
use crate::house::House;

/// Jobs that are listed at most.
const LISTED: i64 = 1_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// List the jobs that gave up: id, what it was, for which account, since when, and why. The oldest come first.
    List,
    /// Let a job run again, with all its attempts; the running service does it.
    ///
    /// A campaign whose sending gave up is paused: its people resume it, and nothing needs to be run again here.
    Retry {
        /// The job, as `jobs list` shows it.
        id: Id<kind::Job>,
    },
    /// Remove a job that gave up. What it was to do is not done.
    Drop {
        /// The job, as `jobs list` shows it.
        id: Id<kind::Job>,
    },
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let house = House::open(config).await?;
    match args.what {
        What::List => list(&house).await?,
        What::Retry { id } => {
            let mut tx = house.store.db.write().await?;
            if !queue::revive(&mut tx, id, house.clock.now()).await? {
                bail!("no job {id} has given up; see: letterkeep jobs list");
            }
            tx.commit().await?;
            say(&format!("{id} will run again as soon as the service has a worker for it."));
        }
        What::Drop { id } => {
            let mut tx = house.store.db.write().await?;
            if !queue::drop_dead(&mut tx, id).await? {
                bail!("no job {id} has given up; see: letterkeep jobs list");
            }
            tx.commit().await?;
            say(&format!("{id} is dropped."));
        }
    }
    house.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(house: &House) -> anyhow::Result<()> {
    let mut tx = house.store.db.read().await?;
    let (number, dead) = (queue::count_dead(&mut tx).await?, queue::dead(&mut tx, LISTED).await?);
    for job in dead {
        let (id, account) = (Id::<kind::Job>::from_uuid(job.job_id), Id::<kind::Account>::from_uuid(job.account_id));
        let account = if account == Id::NIL { "the service".to_owned() } else { account.to_string() };
        let since = Timestamp::from_micros(job.created_at);
        say(&format!("{id}  {}  {account}  made {since}  after {} attempts:", job.kind, job.attempts));
        say(&format!("  {}", job.last_error.as_deref().unwrap_or("no reason kept")));
    }
    say(&match number {
        0 => "No job has given up.".to_owned(),
        1 => "1 job has given up. Run it again with `jobs retry ID`, or remove it with `jobs drop ID`.".to_owned(),
        _ => format!(
            "{number} jobs have given up. Run one again with `jobs retry ID`, or remove it with `jobs drop ID`."
        ),
    });
    Ok(())
}
