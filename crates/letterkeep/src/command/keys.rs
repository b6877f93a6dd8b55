//! `letterkeep keys`

use std::process::ExitCode;

use clap::Subcommand;
use letterkeep_model::{Id, kind};
use letterkeep_store::rotation::{self, Progress};
use letterkeep_vault::{RootError, RootSource};

use super::say;
use crate::config::{Config, PassphraseFrom, RootKey};
use crate::house::{House, new_passphrase, root_source};

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
    /// Change the passphrase that seals the root key file; the keys stay the same.
    ///
    /// Asks for the old and the new passphrase. Without a terminal they come from LETTERKEEP_PASSPHRASE or
    /// LETTERKEEP_PASSPHRASE_FILE, and from LETTERKEEP_NEW_PASSPHRASE or LETTERKEEP_NEW_PASSPHRASE_FILE. The file is
    /// replaced as a whole: if anything fails, the old passphrase still opens it. A running service has to be started
    /// again with the new passphrase. Copies of the file in backups still open with the old one; after a leak, rotate
    /// the root key as well.
    Passphrase,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let account = match args.what {
        What::Rotate { account } => account,
        What::Passphrase => return change_passphrase(config),
    };
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

/// Needs neither database nor service: only the file of the root key is touched.
fn change_passphrase(config: &Config) -> anyhow::Result<ExitCode> {
    let source = root_source(&config.root, false)?;
    // A wrong old passphrase is told before anybody is asked for a new one.
    source.open()?;
    if let RootSource::KeyFile(path) = source {
        return Err(RootError::NoPassphrase(path).into());
    }
    source.change_passphrase(new_passphrase(&config.new_passphrase)?)?;
    say(&format!("{} opens with the new passphrase; the keys are the same.", source.path().display()));
    if let RootKey::PassphraseFile { passphrase: PassphraseFrom::File(file), .. } = &config.root {
        say(&format!("Write the new passphrase into {} as well.", file.display()));
    }
    say("Start the service again if it runs, and back up the root key file again.");
    Ok(ExitCode::SUCCESS)
}
