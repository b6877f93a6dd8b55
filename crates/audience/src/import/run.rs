//! Running an import: batch after batch, each in one transaction with the place reached. Several batches reach the disk
//! together: the random order of the address index makes a flush after each of them several times as expensive.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::audit::{self, Event};
use letterkeep_store::import::{self as rows, Counts, ImportRow};
use letterkeep_store::queue::{self, ClaimedJob, Outcome};
use letterkeep_store::{Released, Store, Tx, import_check};
use tokio::sync::mpsc;

use super::batch;
use super::file::{self, FileReader};
use super::pipeline::{Feed, Work};
use super::prepare::{Plan, Sieve};
use super::problem::ImportProblem;
use super::reject::RejectRows;
use super::settings::Settings;
use super::{ImportError, Progress, State, check, stage, undo};
use crate::field;

/// The kind of job that runs an import.
pub const JOB: &str = "import.run";

/// How often a batch is tried again when somebody else changed the same contacts.
const TRIES: u32 = 5;
/// What is flushed together: the first batch alone, so that whoever waits sees it move, then so many rows, or what was
/// written in so long. Bounds what a crash repeats, and how long others wait for
/// the flush.
const FLUSH_ROWS: u64 = 65_536;
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// The pause before another attempt where even the failure could not be recorded.
const AGAIN: Duration = Duration::from_mins(5);
/// How long a job is held from each batch on.
pub(super) const LEASE: Duration = Duration::from_mins(5);

/// What an import's jobs carry.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Payload {
    pub(super) import: Id<kind::Import>,
    /// Of a check: fences it against later ones.
    #[serde(default)]
    pub(super) epoch: i64,
}

/// The place reached: every row up to this number is done.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Cursor {
    #[serde(default)]
    row: u64,
}

/// Does a job of the kinds [`JOB`], [`undo::JOB`] and [`check::JOB`]; anything else is a dead letter.
pub async fn perform(ctx: &Ctx, store: &Store, job: &ClaimedJob) -> Outcome {
    let Ok(payload) = serde_json::from_str::<Payload>(&job.payload) else {
        return Outcome::Dead("the payload names no import".into());
    };
    let done = match &*job.kind {
        JOB => run(ctx, store, payload.import, Some(job), |_| {}).await.map(drop),
        check::JOB => check::run(ctx, store, &payload, job).await,
        undo::JOB => undo::undo(ctx, store, payload.import, Some(job)).await.map(drop),
        _ => return Outcome::Dead("not a job of an import".into()),
    };
    match done {
        // What went wrong with the file stands with the import, where the user sees it.
        Ok(())
        | Err(ImportError::State(..) | ImportError::Missing | ImportError::Source(_) | ImportError::Settings(_)) => {
            Outcome::Done
        }
        // The last attempt: the job becomes a dead letter, and the import must not wait for it for ever.
        Err(error) if job.attempts >= job.max_attempts => match give_up(ctx, store, &payload, &job.kind).await {
            Ok(()) => Outcome::Dead(error.to_string()),
            Err(_) => Outcome::Again(ctx.now().plus(AGAIN)),
        },
        Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// A job of an import has become a dead letter without [`perform`] saying so: it panicked, or its worker vanished. Ends
/// what waits for it; jobs of other kinds, and what has ended already, are left alone.
pub async fn gave_up(ctx: &Ctx, store: &Store, job: &ClaimedJob) -> Result<(), ImportError> {
    let is_ours = [JOB, undo::JOB, check::JOB].contains(&&*job.kind);
    match serde_json::from_str::<Payload>(&job.payload) {
        Ok(payload) if is_ours => match give_up(ctx, store, &payload, &job.kind).await {
            Err(ImportError::State(..) | ImportError::Missing) => Ok(()),
            done => done,
        },
        _ => Ok(()),
    }
}

/// Ends an import, its undo or its check, that failed at every attempt; the user reads why, and may undo it.
async fn give_up(ctx: &Ctx, store: &Store, payload: &Payload, job: &str) -> Result<(), ImportError> {
    let import = payload.import;
    if job == check::JOB {
        return check::give_up(ctx, store, payload).await;
    }
    if job == JOB {
        end(ctx, store, import, State::Failed, Some(&ImportProblem::gave_up("gave-up").stored())).await?;
        return Ok(());
    }
    let mut tx = store.db.write().await?;
    let row = stage::in_state(&mut tx, ctx, import, &[State::Undoing], "while it is taken back").await?;
    let problem = ImportProblem::gave_up("undo-gave-up").stored();
    rows::set_state(&mut tx, ctx.account, import, State::Failed.name(), Some(&problem), None, Some(ctx.now())).await?;
    record_end(ctx, &mut tx, &row, State::Failed).await?;
    tx.commit().await?;
    Ok(())
}

/// Runs an import that was started, from the place reached to its end, or until somebody pauses or cancels it.
/// `seen` is called with what is durable, about once a second.
///
/// # Errors
/// A file or settings that cannot be used end the import as failed. Other errors leave it running: run it again.
pub async fn run(
    ctx: &Ctx,
    store: &Store,
    import: Id<kind::Import>,
    job: Option<&ClaimedJob>,
    mut seen: impl FnMut(&Progress),
) -> Result<Progress, ImportError> {
    match run_batches(ctx, store, import, job, &mut seen).await {
        Ok(true) => end(ctx, store, import, State::Done, None).await,
        Ok(false) => now_at(ctx, store, import).await,
        Err(error @ (ImportError::Source(_) | ImportError::Settings(_))) => {
            end(ctx, store, import, State::Failed, Some(&ImportProblem::of(&error).stored())).await?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// `true` when the file was read to its end; `false` when somebody else has moved the import on.
async fn run_batches(
    ctx: &Ctx,
    store: &Store,
    import: Id<kind::Import>,
    job: Option<&ClaimedJob>,
    seen: &mut impl FnMut(&Progress),
) -> Result<bool, ImportError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    let row = rows::find_for_change(&mut tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
    let settings = stage::open(&keyring, &row)?;
    let format = stage::format_of(&row)?;
    let plan = Plan::new(&settings, &field::all(ctx, &mut tx).await?)?;
    let reject_file = match row.reject_file_id {
        Some(id) => Id::from_uuid(id),
        None => begin_rejects(ctx, &mut tx, &keyring, &settings).await?,
    };
    let Some(epoch) = rows::take_over(&mut tx, ctx.account, import, reject_file, ctx.now()).await? else {
        return Ok(false);
    };
    tx.commit().await?;

    let cursor: Cursor = serde_json::from_str(&row.cursor).map_err(|_| ImportError::Damaged)?;
    let reader = FileReader::open(store, ctx.account, Id::from_uuid(row.file_id)).await?;
    let mut feed = Feed::new(ctx, format, settings.headings.clone(), Sieve::new(plan), keyring);
    feed.skip = cursor.row;
    feed.locale = settings.locale;
    // One batch waits while one is written and one is made: three in memory.
    let (to, mut from) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || feed.run(reader, &to));
    let writer = Writer { ctx, store, import, epoch, settings: &settings, actor: &row.actor, reject_file, job };
    let mut rows_done = row.rows_done;
    let mut unflushed = Unflushed::since(ctx.now());
    let mut is_first = true;
    while let Some(work) = from.recv().await {
        rows_done += work.counts.rows;
        let Some((released, progress)) = writer.write(&work, rows_done).await? else { return Ok(false) };
        unflushed.batches.push(released);
        unflushed.rows += work.counts.rows.unsigned_abs();
        if std::mem::take(&mut is_first)
            || unflushed.rows >= FLUSH_ROWS
            || ctx.now().since(unflushed.since) >= FLUSH_AFTER
        {
            unflushed.flush(ctx.now()).await?;
            seen(&progress);
        }
    }
    reading.await.map_err(|_| ImportError::Cut)??;
    unflushed.flush(ctx.now()).await?;
    Ok(true)
}

/// Batches that are written, but not yet durable.
struct Unflushed {
    batches: Vec<Released>,
    rows: u64,
    since: Timestamp,
}

impl Unflushed {
    fn since(now: Timestamp) -> Self {
        Self { batches: Vec::new(), rows: 0, since: now }
    }

    async fn flush(&mut self, now: Timestamp) -> Result<(), ImportError> {
        for batch in std::mem::replace(self, Self::since(now)).batches {
            batch.durable().await?;
        }
        Ok(())
    }
}

async fn begin_rejects(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &letterkeep_vault::Keyring,
    settings: &Settings,
) -> Result<Id<kind::File>, ImportError> {
    let id = ctx.new_id::<kind::File>();
    file::begin_in(ctx, tx, keyring, id, "rejects.csv").await?;
    let heading = RejectRows::heading(&settings.headings, settings.locale);
    file::append_in(ctx, tx, keyring, id, heading.bytes(), false).await?;
    Ok(id)
}

struct Writer<'a> {
    ctx: &'a Ctx,
    store: &'a Store,
    import: Id<kind::Import>,
    epoch: i64,
    settings: &'a Settings,
    actor: &'a str,
    reject_file: Id<kind::File>,
    job: Option<&'a ClaimedJob>,
}

impl Writer<'_> {
    /// Writes a batch; `None` if the import has moved on to another run or state.
    async fn write(&self, work: &Work, rows_done: i64) -> Result<Option<(Released, Progress)>, ImportError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_write(work, rows_done).await {
                Err(ImportError::Store(error)) if tries < TRIES && (error.is_conflict() || error.is_transient()) => {}
                done => return done,
            }
        }
    }

    async fn try_write(&self, work: &Work, rows_done: i64) -> Result<Option<(Released, Progress)>, ImportError> {
        let Self { ctx, store, import, settings, actor, .. } = *self;
        // Asked for every batch: the key may be rotated while a long import runs.
        let keyring = store.keys.keyring(ctx.account).await?;
        let mut tx = store.db.write().await?;
        let mut counts = work.counts;
        let target = batch::Target { ctx, keyring: &keyring, settings, import, actor };
        let refused = batch::write(&mut tx, &target, &work.prepared, &mut counts).await?;
        if !work.rejects.is_empty() {
            file::append_in(ctx, &mut tx, &keyring, self.reject_file, work.rejects.bytes(), false).await?;
        }
        if !refused.is_empty() {
            let mut rejects = RejectRows::default();
            for (number, reject) in refused {
                rejects.push(number, &reject.text(&settings.headings, settings.locale), work.kept.cells(number));
            }
            file::append_in(ctx, &mut tx, &keyring, self.reject_file, rejects.bytes(), false).await?;
        }
        let total = work.place.rows_in_all(rows_done);
        let cursor = stage::text(&Cursor { row: work.last_row });
        let mine = rows::advance(&mut tx, ctx.account, import, self.epoch, &counts, Some(total), &cursor).await?;
        let leased = match self.job {
            Some(job) => queue::extend(&mut tx, job, ctx.now().plus(LEASE)).await?,
            None => true,
        };
        if !mine || !leased {
            return Ok(None);
        }
        let row = rows::find(&mut tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
        if row.rows_done != rows_done {
            // The flush of an earlier batch failed: its rows must not be passed over.
            return Err(ImportError::Cut);
        }
        let progress = Progress::of(&row, ctx.now())?;
        Ok(Some((tx.release().await?, progress)))
    }
}

/// Ends an import: closes the file of refused rows, or removes it if it is empty, and removes the uploaded file.
pub(super) async fn end(
    ctx: &Ctx,
    store: &Store,
    import: Id<kind::Import>,
    state: State,
    problem: Option<&str>,
) -> Result<Progress, ImportError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    let row = rows::find_for_change(&mut tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
    import_check::remove(&mut tx, ctx.account, import).await?;
    let before = State::from_name(&row.state);
    if before.is_some_and(State::has_ended) {
        return Ok(Progress::of(&row, ctx.now())?);
    }
    let rejects = row.reject_file_id.map(Id::from_uuid);
    if let Some(file) = rejects {
        file::append_in(ctx, &mut tx, &keyring, file, &[], true).await?;
    }
    let unused = rejects.filter(|_| row.rejected + row.duplicate == 0);
    if unused.is_some() {
        rows::forget_rejects(&mut tx, ctx.account, import).await?;
    }
    if state == State::Done {
        let total = Some(row.rows_done);
        rows::advance(&mut tx, ctx.account, import, row.epoch, &Counts::default(), total, &row.cursor).await?;
    }
    rows::set_state(&mut tx, ctx.account, import, state.name(), problem, None, Some(ctx.now())).await?;
    record_end(ctx, &mut tx, &row, state).await?;
    tx.commit().await?;
    // What is not needed any more is not kept; a crash in between leaves a sealed file that the sweep finds.
    // A file that failed at its first batch may only need another encoding.
    if state != State::Failed || row.rows_done > 0 {
        file::delete(store, ctx.account, Id::from_uuid(row.file_id)).await?;
    }
    if let Some(file) = unused {
        file::delete(store, ctx.account, file).await?;
    }
    now_at(ctx, store, import).await
}

async fn record_end(ctx: &Ctx, tx: &mut Tx, row: &ImportRow, state: State) -> Result<(), ImportError> {
    let detail = serde_json::json!({
        "rows": row.rows_done, "created": row.created, "updated": row.updated, "unchanged": row.unchanged,
        "duplicate": row.duplicate, "rejected": row.rejected,
    });
    let import = Id::<kind::Import>::from_uuid(row.import_id).to_string();
    let action = format!("import.{}", state.name());
    audit::append(ctx, tx, Event { action: &action, object: &import, detail: &detail.to_string() }).await?;
    Ok(())
}

async fn now_at(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<Progress, ImportError> {
    let mut tx = store.db.read().await?;
    let row = rows::find(&mut tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
    Ok(Progress::of(&row, ctx.now())?)
}
