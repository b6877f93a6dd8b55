//! The check of a large file: a [dry run](super::dry_run) in the background, whose progress and result are stored, so
//! that it goes on and is found again whoever closes the page.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::import_check::{self as rows, ImportCheckRow};
use letterkeep_store::queue::{self, ClaimedJob, NewJob};
use letterkeep_store::sealed::column;
use letterkeep_store::{Store, Tx};
use letterkeep_vault::Keyring;

use super::run::{LEASE, Payload};
use super::{DryRun, ImportError, ImportProblem, dry_run, stage};

/// The kind of job that checks a file.
pub const JOB: &str = "import.check";

/// How often the place reached is written.
const BEAT: Duration = Duration::from_secs(1);
/// A check that has not got on for so long is offered again: longer than the lease.
const STALLED: Duration = Duration::from_mins(10);
/// How often a check is tried.
const ATTEMPTS: u16 = 3;

/// What is known about what an import would do.
pub enum Check {
    /// Nobody has asked since the settings were changed last.
    NotAsked,
    /// It gave up, or has not got on for minutes.
    Failed,
    /// The file is being read.
    UnderWay {
        /// Rows read.
        rows_done: u64,
        /// About how many there are.
        rows_total: Option<u64>,
        /// When it began.
        since: Timestamp,
    },
    /// The file cannot be imported like this.
    Refused(ImportProblem),
    /// The whole file was read.
    Done {
        /// What was found.
        found: Box<DryRun>,
        /// When a job read it; `None` if it was read just now.
        at: Option<Timestamp>,
    },
}

/// What is kept, sealed: it shows contacts.
#[derive(serde::Serialize, serde::Deserialize)]
enum Stored {
    Found(Box<DryRun>),
    Refused(ImportProblem),
}

/// Lets the file be checked in the background; a check that is under way or done is begun anew.
pub async fn start(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<(), ImportError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    stage::in_mapping(&mut tx, ctx, import).await?;
    stage::record(ctx, &mut tx, import, "import.check").await?;
    let epoch = rows::start(&mut tx, ctx.account, import, i64::from(keyring.version()), ctx.now()).await?;
    let payload = stage::text(&Payload { import, epoch });
    // No text that suppresses a second job: one that reads already began with other settings, and will find itself
    // replaced.
    let job = NewJob { kind: JOB, payload, run_at: ctx.now(), dedup: None, max_attempts: ATTEMPTS };
    queue::enqueue(ctx, &mut tx, job).await?;
    tx.commit().await?;
    Ok(())
}

/// What a check has found or is finding.
pub async fn standing(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    import: Id<kind::Import>,
) -> Result<Check, ImportError> {
    let Some(row) = rows::find(tx, ctx.account, import).await? else { return Ok(Check::NotAsked) };
    let at = Timestamp::from_micros(row.updated_at);
    Ok(match (row.state.as_str(), open(keyring, import, &row)) {
        ("reading", _) if ctx.now().since(at) <= STALLED => Check::UnderWay {
            rows_done: row.rows_done as u64,
            rows_total: row.rows_total.map(|rows| rows as u64),
            since: Timestamp::from_micros(row.started_at),
        },
        ("read", Some(Stored::Found(found))) => Check::Done { found, at: Some(at) },
        ("read", Some(Stored::Refused(problem))) => Check::Refused(problem),
        _ => Check::Failed,
    })
}

/// A result that cannot be opened, or that an earlier version has written otherwise, is found out again.
fn open(keyring: &Keyring, import: Id<kind::Import>, row: &ImportCheckRow) -> Option<Stored> {
    let id = import.uuid();
    let sealed = row.result.as_deref()?;
    keyring.open_json(&column::IMPORT_CHECK.slot(&id), sealed).ok()
}

/// Reads the file from its beginning to its end; stops when nobody wants to know any more.
pub(super) async fn run(ctx: &Ctx, store: &Store, payload: &Payload, job: &ClaimedJob) -> Result<(), ImportError> {
    let Payload { import, epoch } = *payload;
    if !advance(ctx, store, payload, job, 0, None).await? {
        return Ok(());
    }
    let stored = match read(ctx, store, payload, job).await {
        Ok(Some(found)) => Stored::Found(Box::new(found)),
        Ok(None) => return Ok(()),
        Err(error @ (ImportError::Source(_) | ImportError::Settings(_))) => Stored::Refused(ImportProblem::of(&error)),
        Err(error) => return Err(error),
    };
    let keyring = store.keys.keyring(ctx.account).await?;
    let sealed = keyring.seal_json(&column::IMPORT_CHECK.slot(&import.uuid()), &stored, ctx.entropy());
    let mut tx = store.db.write().await?;
    if queue::extend(&mut tx, job, ctx.now().plus(LEASE)).await? {
        let version = i64::from(keyring.version());
        rows::finish(&mut tx, ctx.account, import, epoch, Some((&sealed, version)), ctx.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// `None` if nobody wants to know any more.
async fn read(ctx: &Ctx, store: &Store, payload: &Payload, job: &ClaimedJob) -> Result<Option<DryRun>, ImportError> {
    let mut walk = dry_run::Walk::begin(ctx, store, payload.import).await?;
    let mut written = ctx.now();
    while let Some((rows_done, rows_total)) = walk.step(store).await? {
        if ctx.now().since(written) >= BEAT {
            if !advance(ctx, store, payload, job, rows_done, Some(rows_total)).await? {
                return Ok(None);
            }
            written = ctx.now();
        }
    }
    walk.end().await.map(Some)
}

/// Writes the place reached; `false` if the lease is lost or the check no longer wanted.
async fn advance(
    ctx: &Ctx,
    store: &Store,
    payload: &Payload,
    job: &ClaimedJob,
    rows_done: i64,
    rows_total: Option<i64>,
) -> Result<bool, ImportError> {
    let Payload { import, epoch } = *payload;
    let mut tx = store.db.write().await?;
    if !queue::extend(&mut tx, job, ctx.now().plus(LEASE)).await? {
        return Ok(false);
    }
    let wanted = rows::advance(&mut tx, ctx.account, import, epoch, rows_done, rows_total, ctx.now()).await?;
    tx.commit().await?;
    Ok(wanted)
}

pub(super) async fn give_up(ctx: &Ctx, store: &Store, payload: &Payload) -> Result<(), ImportError> {
    let mut tx = store.db.write().await?;
    rows::finish(&mut tx, ctx.account, payload.import, payload.epoch, None, ctx.now()).await?;
    tx.commit().await?;
    Ok(())
}
