//! The binary: command line, configuration, composition root.
//!
//! Rules of the domain live in the rooms below; here stands only what joins them: which database, which root key, which
//! jobs a worker runs, what a command prints. Results go to standard output, logs and questions to standard error, so
//! that a command can be used in a pipe.
//!
//! The most common change is a new command: a file in `command/` with its `Args` and `run`, and a line in
//! [`Command`].

mod command;
mod config;
mod demo;
mod edge;
mod house;
mod listen;
mod log;
mod ops;
mod private;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Overrides, parse_listen};

/// E-mail marketing whose security page proves itself.
///
/// Start with `letterkeep demo`: it makes a data directory, a fictional organisation and a campaign, and shows the
/// address to log in at. For real work: `letterkeep init`, then `letterkeep serve`, then sign up in the browser.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    /// The configuration file (TOML). Without it the defaults below hold.
    #[arg(long, global = true, value_name = "FILE", env = "LETTERKEEP_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory [default: letterkeep-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen: address and port, or a port on this machine [default: 127.0.0.1:8443]
    #[arg(long, global = true, value_name = "ADDRESS", value_parser = listen)]
    listen: Option<SocketAddr>,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Environment variables win over the configuration file, the command line over both:
  LETTERKEEP_CONFIG, LETTERKEEP_DATA, LETTERKEEP_LISTEN, LETTERKEEP_PUBLIC_URL,
  LETTERKEEP_TLS_CERTIFICATE, LETTERKEEP_TLS_KEY, LETTERKEEP_DATABASE_URL (postgres://…),
  LETTERKEEP_KEYS_DATABASE_URL, LETTERKEEP_ROOT (key-file or passphrase), LETTERKEEP_PASSPHRASE,
  LETTERKEEP_RELAY_PRIVATE_NETWORKS (networks that mail servers may be in although they are not public,
  for example 10.1.0.0/16,::1), LETTERKEEP_SIGN_UP_OPEN (true, or false: then by invitation alone),
  LETTERKEEP_PASSPHRASE_FILE, LETTERKEEP_NEW_PASSPHRASE and LETTERKEEP_NEW_PASSPHRASE_FILE (for keys passphrase),
  LETTERKEEP_PASSWORD_BLOCKLIST, LETTERKEEP_PASSWORD_COST (19-mib or 46-mib),
  LETTERKEEP_TLS_PLAIN_LISTEN (where plain HTTP leads to TLS), LETTERKEEP_ACME_DIRECTORY and
  LETTERKEEP_ACME_CONTACT (for [tls.acme]), LETTERKEEP_TRUSTED_PROXIES (networks of proxies in front),
  LETTERKEEP_CLIENT_RATE, LETTERKEEP_SESSION_RATE, LETTERKEEP_ACCOUNT_RATE (for example 600/30s, or off),
  LETTERKEEP_FIREWALL (block, detect or off), LETTERKEEP_FIREWALL_RULES (found, built-in, or a directory),
  LETTERKEEP_OPS_LISTEN (an address of this machine for the operator's pages, or off),
  LETTERKEEP_LOG (error … trace), LETTERKEEP_LOG_FORMAT (text or json)";

#[derive(Subcommand)]
enum Command {
    /// Show the whole job on fictional contacts: sign-up, import, campaign, report.
    ///
    /// Makes the data directory and keys if they are missing, starts the service and an SMTP sink on this machine, signs
    /// up an organisation, imports 10,000 contacts, sends them a signed campaign, verifies every signature, and prints
    /// what happened and how to log in. Then it serves on.
    Demo(command::demo::Args),
    /// Make the data directory, the root key and the databases; overwrites nothing.
    Init,
    /// Run the service: pages, background work, sending.
    Serve,
    /// Stand before another service: TLS, limits and the firewall, without a database.
    ///
    /// Requests that pass go on over HTTP/1.1; WebSockets, streams and downloads pass as they come. The service is told
    /// the client in X-Forwarded-For, -Proto and -Host and the request's id in X-Request-Id. The data directory holds
    /// the certificate, installed rules and the file of decisions, and is made if it is missing; limits, the firewall
    /// and exclusions stand in the configuration under [edge] and [firewall].
    Edge(command::edge::Args),
    /// Import contacts from a CSV, TSV or XLSX file.
    Import(command::import::Args),
    /// Export contacts as CSV or JSON.
    Export(command::export::Args),
    /// List campaigns, send one.
    Campaign(command::campaign::Args),
    /// List the jobs that gave up; run one again, or drop it.
    Jobs(command::jobs::Args),
    /// Say what is misconfigured and how to mend it; changes nothing.
    Doctor,
    /// Replace keys while the service runs; change the passphrase of the root key.
    Keys(command::keys::Args),
    /// Show, install and try the rules of the firewall.
    Rules(command::rules::Args),
    /// Open the pages of whoever operates this installation: the firewall and what it decides.
    Ops(command::ops::Args),
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    parse_listen(text).ok_or_else(|| "not an address and port; for example 127.0.0.1:8443 or 8443".to_owned())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            // One line a cause, outermost first: the reader sees what was attempted and what stopped it.
            command::complain(&format!("letterkeep: {error}"));
            for cause in error.chain().skip(1) {
                let cause = cause.to_string();
                if !error.to_string().contains(&cause) {
                    command::complain(&format!("  because: {cause}"));
                }
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let overrides = Overrides { listen: cli.listen, data: cli.data };
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let loaded = Config::load(cli.config.as_deref(), &environment, &overrides);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if matches!(cli.command, Command::Doctor) {
        return Ok(runtime.block_on(command::doctor::run(loaded)));
    }
    let mut config = loaded?;
    // Only a service that runs for days is followed by its log; commands speak for themselves.
    if config.log.level.is_empty() {
        config.log.level =
            if matches!(cli.command, Command::Serve | Command::Edge(_)) { "info" } else { "warn" }.into();
    }
    log::start(&config.log);
    runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => Box::pin(command::demo::run(config, args)).await,
            Command::Init => command::init::run(&config).await,
            Command::Serve => command::serve::run(config).await,
            Command::Edge(args) => command::edge::run(config, args).await,
            Command::Doctor => Ok(ExitCode::SUCCESS),
            Command::Import(args) => command::import::run(&config, args).await,
            Command::Export(args) => command::export::run(&config, args).await,
            Command::Campaign(args) => Box::pin(command::campaign::run(&config, args)).await,
            Command::Jobs(args) => command::jobs::run(&config, args).await,
            Command::Keys(args) => command::keys::run(&config, args).await,
            Command::Rules(args) => command::rules::run(&config, args).await,
            Command::Ops(args) => command::ops::run(&config, &args),
        }
    })
}
