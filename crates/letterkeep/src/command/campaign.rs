//! `letterkeep campaign`

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use letterkeep_audience::field;
use letterkeep_campaign::{self as campaign, Launched, When};
use letterkeep_delivery::{merge_keys, report};
use letterkeep_model::{Id, Timestamp, kind};

use super::{account, say};
use crate::config::Config;
use crate::demo::progress::Progress;
use crate::house::{House, outbound};
use crate::worker;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The account; may be left out if there is only one.
    #[arg(long, value_name = "ID", global = true)]
    account: Option<Id<kind::Account>>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// List the newest campaigns with their ids and states.
    List,
    /// Send a draft. Stays until everybody has been dealt with; a running service helps. Ctrl-C leaves the rest to the
    /// service.
    Send {
        /// The campaign, for example campaign_0193….
        id: Id<kind::Campaign>,
        /// Leave the sending to the running service and return at once; with a time (RFC 3339), not before then.
        #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "now")]
        at: Option<String>,
    },
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let house = House::open(config).await?;
    let ctx = house.system(account(&house, args.account).await?);
    match args.what {
        What::List => {
            let mut tx = house.store.db.read().await?;
            for found in campaign::page(&ctx, &mut tx, None, None, 50).await? {
                say(&format!("{}  {:<10} {}", found.id, found.state.name(), found.name));
            }
        }
        What::Send { id, at } => {
            let when = match at.as_deref() {
                None | Some("now") => When::Now,
                Some(text) => {
                    let at: jiff::Timestamp = text.parse().with_context(|| format!("{text:?} is no time"))?;
                    When::At(Timestamp::from_micros(at.as_microsecond()))
                }
            };
            let keyring = house.store.keys.keyring(ctx.account).await?;
            let mut tx = house.store.db.read().await?;
            let known = merge_keys(&field::all(&ctx, &mut tx).await?);
            let found = campaign::find(&ctx, &mut tx, &keyring, id).await?.ok_or(campaign::CampaignError::Missing)?;
            drop(tx);
            let examined = campaign::examine(&found, known).await;
            let mut tx = house.store.db.write().await?;
            let launched = campaign::launch(&ctx, &mut tx, &keyring, &examined, when).await?;
            tx.commit().await?;
            match launched {
                Launched::Waiting(at) => say(&format!("{id} waits until {at}; the running service sends it then")),
                Launched::Begun(activity) if at.is_some() => {
                    say(&format!("{activity} begun; the running service sends it"));
                }
                Launched::Begun(activity) => Box::pin(carry_out(&house, config, &ctx, activity)).await?,
            }
        }
    }
    house.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Does the jobs of the queue until the sending has ended.
async fn carry_out(
    house: &House,
    config: &Config,
    ctx: &letterkeep_model::Ctx,
    activity: Id<kind::CampaignActivity>,
) -> anyhow::Result<()> {
    let outbound = outbound(config)?;
    let mut progress = Progress::start("sending", "messages", 0);
    let work = async {
        loop {
            if !worker::run_one(house, &outbound, worker::ANYTHING).await? {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
        #[expect(unreachable_code, reason = "gives the endless loop its error type")]
        anyhow::Ok(())
    };
    tokio::pin!(work);
    loop {
        // Anew each time: a sending may outlive the account's key.
        let keyring = house.store.keys.keyring(ctx.account).await?;
        let mut tx = house.store.db.read().await?;
        let now = report::totals(ctx, &mut tx, activity).await?;
        let found = campaign::find_activity(ctx, &mut tx, &keyring, activity).await?;
        drop(tx);
        let Some(found) = found else { bail!("the sending {activity} is gone") };
        let done = now.done();
        progress.at(done as u64, now.recipients as u64);
        if found.finished_at.is_some() {
            progress.finish(done as u64);
            say(&format!(
                "{activity}: {} accepted, {} failed, {} skipped, {} in doubt of {}",
                now.accepted, now.failed, now.skipped, now.in_doubt, now.recipients
            ));
            return Ok(());
        }
        tokio::select! {
            ended = &mut work => ended?,
            () = tokio::time::sleep(std::time::Duration::from_millis(500)) => {}
            _ = tokio::signal::ctrl_c() => {
                say(&format!("{activity}: {done} of {} done; the service sends the rest", now.recipients));
                return Ok(());
            }
        }
    }
}
