//! `letterkeep export`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use letterkeep_audience::contact::Filter;
use letterkeep_audience::export::{Export, Format, Options};
use letterkeep_audience::{list, tag};
use letterkeep_model::{Id, kind};

use super::{account, complain};
use crate::config::Config;
use crate::house::House;
use crate::private;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The account; may be left out if there is only one.
    #[arg(long, value_name = "ID")]
    account: Option<Id<kind::Account>>,
    /// CSV cells that a spreadsheet would take for a formula get a leading apostrophe.
    #[arg(long, value_enum, default_value_t = Kind::Csv)]
    format: Kind,
    /// Only contacts on this list.
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
    /// Only contacts with this tag.
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,
    /// Where to write; standard output if left out.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// For spreadsheets, with a byte order mark.
    Csv,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    JsonLines,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let house = House::open(config).await?;
    let ctx = house.system(account(&house, args.account).await?);
    let mut filter = Filter::default();
    let mut tx = house.store.db.read().await?;
    if let Some(name) = &args.list {
        let found = list::find_by_name(&ctx, &mut tx, name).await?;
        filter.list = Some(found.with_context(|| format!("there is no list {name:?}"))?.id);
    }
    if let Some(name) = &args.tag {
        let found = tag::find_by_name(&ctx, &mut tx, name).await?;
        filter.tag = Some(found.with_context(|| format!("there is no tag {name:?}"))?.id);
    }
    drop(tx);
    let format = match args.format {
        Kind::Csv => Format::Csv { bom: true },
        Kind::Json => Format::Json,
        Kind::JsonLines => Format::JsonLines,
    };
    let export = Export::begin(&ctx, &house.store, Options { format, filter }).await?;
    let contacts = if let Some(path) = &args.output {
        export.write(&mut private::create(path).await?).await?
    } else {
        let mut export = export;
        while let Some(piece) = export.chunk().await? {
            std::io::stdout().write_all(&piece).context("writing to standard output")?;
        }
        export.contacts()
    };
    complain(&format!("{contacts} contacts exported"));
    house.close().await;
    Ok(ExitCode::SUCCESS)
}
