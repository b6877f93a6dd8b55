//! `letterkeep keys`

use std::process::ExitCode;

use clap::Subcommand;
use letterkeep_model::{Id, kind};
use letterkeep_store::rotation::{self, Progress};

use super::say;
use crate::config::Config;
use crate::house::House;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Replace the root key, or with --account the data key of one account.
    ///
    /// Everything stays readable and writable meanwhile. A rotation that is interrupted goes on at the next call. An
    /// account's rotation has waiting times (a minute until every process knows the new key, an hour until the old one
    /// is deleted): call again, or leave it to the running service, which goes on by itself.
    Rotate {
        /// The account whose data key is replaced, for example account_0193….
        #[arg(long, value_name = "ID")]
        account: Option<Id<kind::Account>>,
    },
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let What::Rotate { account } = args.what;
    let house = House::open(config).await?;
    match account {
        None => {
            let rewrapped = house.store.keys.rotate_root(house.entropy.clone()).await?;
            say(&format!("The root key is new; {rewrapped} keys were wrapped anew. Back up the root key file again."));
        }
        Some(account) => {
            let ctx = house.system(account);
            crate::worker::enqueue_rotation(&ctx, &house.store).await?;
            match rotation::advance(&ctx, &house.store, account).await? {
                Progress::Waiting(until, resealed) => say(&format!(
                    "Begun: {resealed} records sealed anew so far. The running service goes on by itself; without it, \
                     call again after {until}."
                )),
                Progress::Done(resealed) => {
                    say(&format!("Done: {resealed} records sealed anew, the old key is deleted."));
                }
            }
        }
    }
    house.close().await;
    Ok(ExitCode::SUCCESS)
}
