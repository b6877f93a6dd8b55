//! `letterkeep ops`

use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use letterkeep_model::{Clock as _, SystemClock, SystemEntropy};
use letterkeep_vault::sha256;
use letterkeep_web::ops::{OneTimeLink, VALID};

use super::{complain, say};
use crate::config::{Config, OpsListen};
use crate::ops::{address_file, certificate};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Print an address that opens the operator's pages once, within ten minutes.
    ///
    /// Run it on the server, as the user that the service runs as or as root, while the service runs. A new link replaces
    /// an older one that was not used. Logging in by it ends any other session of these pages.
    Link,
}

pub(crate) fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Link => link(config),
    }
}

fn link(config: &Config) -> anyhow::Result<ExitCode> {
    if config.ops == OpsListen::Off {
        bail!("the operator's pages are switched off (ops.listen); set an address and restart the service");
    }
    let file = address_file(&config.data);
    let text = match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(NOT_RUNNING),
        text => text.with_context(|| format!("reading {}", file.display()))?,
    };
    let address: SocketAddr = text.trim().parse().with_context(|| format!("{} holds no address", file.display()))?;
    if TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_err() {
        bail!(NOT_RUNNING);
    }
    let certificate = certificate(&config.data, address)?;
    let link = OneTimeLink::of(&config.data);
    let link = link.issue(&format!("https://{address}"), &SystemEntropy, SystemClock.now());
    say(&link.context("making the link")?);
    let port = address.port();
    let minutes = VALID.as_secs() / 60;
    complain(&format!("It opens the operator's pages once, within {minutes} minutes. From another machine, first:"));
    complain(&format!("  ssh -L {port}:{address} SERVER"));
    complain("The browser warns, because no authority certifies this address. Compare the SHA-256 of the certificate:");
    if let Some(first) = certificate.chain().first() {
        complain(&format!("  {}", fingerprint(&sha256(first))));
    }
    Ok(ExitCode::SUCCESS)
}

const NOT_RUNNING: &str = "the service does not run here; start it with: letterkeep serve";

/// As browsers show it.
fn fingerprint(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
