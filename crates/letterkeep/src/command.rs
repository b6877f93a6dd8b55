//! The commands, one file each.

pub(crate) mod campaign;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod edge;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod ops;
pub(crate) mod rules;
pub(crate) mod serve;

use anyhow::{Context as _, bail};
use letterkeep_model::{Id, kind};

use crate::house::House;

/// Prints a result line for the person or pipe that called the command.
#[expect(clippy::print_stdout, reason = "the one place where commands print their results")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a line for the person at the terminal, beside the results.
#[expect(clippy::print_stderr, reason = "the one place where commands talk beside their results")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

/// The account that was named, or the only one that there is.
async fn account(house: &House, named: Option<Id<kind::Account>>) -> anyhow::Result<Id<kind::Account>> {
    if let Some(account) = named {
        house.store.keys.keyring(account).await.with_context(|| format!("there is no account {account}"))?;
        return Ok(account);
    }
    match house.store.keys.accounts(Id::NIL, 2).await?.as_slice() {
        [] => bail!("there is no account; sign up in the browser first"),
        [only] => Ok(*only),
        _ => bail!("there are several accounts; name one with --account"),
    }
}
