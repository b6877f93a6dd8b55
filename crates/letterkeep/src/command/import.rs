//! `letterkeep import`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use letterkeep_audience::import::{self, Existing, FileStream, Preview, Settings};
use letterkeep_audience::{Permission, list, tag};
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::Store;
use tokio::io::AsyncWriteExt as _;

use super::{account, complain, say};
use crate::config::Config;
use crate::demo::progress::Progress;
use crate::house::House;
use crate::private;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// CSV, TSV or XLSX. The first row holds the headings; German and English ones are understood.
    file: PathBuf,
    /// The account; may be left out if there is only one.
    #[arg(long, value_name = "ID")]
    account: Option<Id<kind::Account>>,
    /// Put everybody on this list; made if it is missing. May be given several times.
    #[arg(long, value_name = "NAME")]
    list: Vec<String>,
    /// Give everybody this tag; made if it is missing. May be given several times.
    #[arg(long, value_name = "NAME")]
    tag: Vec<String>,
    /// May you write to these people?
    #[arg(long, value_enum, default_value_t = Asserted::NotSet)]
    permission: Asserted,
    /// How the permission came about, for example "sign-up form on our website, since 2019". Needed unless the
    /// permission is not set.
    #[arg(long, value_name = "TEXT", default_value = "")]
    evidence: String,
    /// Leave contacts as they are that exist already, instead of replacing what the file fills in.
    #[arg(long)]
    keep_existing: bool,
    /// Make custom fields of columns that no field fits, instead of skipping them.
    #[arg(long)]
    create_fields: bool,
    /// Where rejected rows are written with their reasons [default: FILE.rejected.csv]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asserted {
    /// They agreed.
    Explicit,
    /// They are customers of similar goods.
    Implicit,
    /// Nothing is known: nothing is sent to them.
    NotSet,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let mut file =
        tokio::fs::File::open(&args.file).await.with_context(|| format!("opening {}", args.file.display()))?;
    let house = House::open(config).await?;
    let ctx = house.system(account(&house, args.account).await?);
    let (lists, tags) = memberships(&ctx, &house.store, &args).await?;
    let decide = |preview: Preview| {
        let mut settings: Settings = if args.create_fields { preview.with_new_fields() } else { preview.settings };
        settings.lists = lists;
        settings.tags = tags;
        settings.permission = match args.permission {
            Asserted::Explicit => Permission::Explicit,
            Asserted::Implicit => Permission::Implicit,
            Asserted::NotSet => Permission::NotSet,
        };
        settings.evidence.clone_from(&args.evidence);
        settings.tracking_evidence.clone_from(&args.evidence);
        settings.existing = if args.keep_existing { Existing::Keep } else { Existing::Update };
        settings
    };
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut progress = Progress::start("import", "rows", 0);
    let seen = |at: &import::Progress| progress.at(at.rows_done, at.rows_total.unwrap_or(at.rows_done));
    let (id, done) = import::import_file(&ctx, &house.store, &name, &mut file, decide, seen).await?;
    progress.finish(done.rows_done);
    if let Some(problem) = &done.problem {
        complain(&format!("the import stopped: {}", problem.text));
    }
    say(&format!(
        "{id}: {} created, {} updated, {} unchanged, {} duplicate, {} rejected",
        done.created, done.updated, done.unchanged, done.duplicate, done.rejected
    ));
    if let Some(rejects) = done.rejects {
        let path = args.rejects.unwrap_or_else(|| {
            let mut path = args.file.clone().into_os_string();
            path.push(".rejected.csv");
            path.into()
        });
        write_rejects(&ctx, &house.store, rejects, &path).await?;
        say(&format!("rejected rows and reasons: {}", path.display()));
    }
    house.close().await;
    Ok(if done.problem.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Writes the rejected rows with their reasons into a file that only its owner can read.
pub(crate) async fn write_rejects(
    ctx: &Ctx,
    store: &Store,
    rejects: Id<kind::File>,
    path: &std::path::Path,
) -> anyhow::Result<()> {
    let mut stream = FileStream::open(store, ctx.account, rejects).await?;
    let mut file = private::create(path).await?;
    while let Some(piece) = stream.next().await? {
        file.write_all(&piece).await?;
    }
    file.flush().await.with_context(|| format!("writing {}", path.display()))
}

async fn memberships(
    ctx: &Ctx,
    store: &Store,
    args: &Args,
) -> anyhow::Result<(Vec<Id<kind::List>>, Vec<Id<kind::Tag>>)> {
    let (mut lists, mut tags) = (Vec::new(), Vec::new());
    let mut tx = store.db.write().await?;
    for name in &args.list {
        lists.push(match list::find_by_name(ctx, &mut tx, name).await? {
            Some(found) => found.id,
            None => list::create(ctx, &mut tx, name, "").await?,
        });
    }
    for name in &args.tag {
        tags.push(match tag::find_by_name(ctx, &mut tx, name).await? {
            Some(found) => found.id,
            None => tag::create(ctx, &mut tx, name).await?,
        });
    }
    tx.commit().await?;
    Ok((lists, tags))
}
