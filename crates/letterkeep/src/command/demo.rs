//! `letterkeep demo`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;
use crate::demo;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A contact file of your own (CSV, TSV or XLSX) in place of the fictional one.
    #[arg(long, value_name = "FILE")]
    contacts: Option<PathBuf>,
    /// End after the summary instead of serving on.
    #[arg(long)]
    exit: bool,
}

pub(crate) async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    demo::run(config, args.contacts, args.exit).await?;
    Ok(ExitCode::SUCCESS)
}
