//! Import of contacts from CSV, TSV and XLSX files.
//!
//! # The journey
//! [`upload`](stage::upload) stores the file, sealed, and looks at it; [`preview`](stage::preview) shows its headings,
//! first rows and a guessed mapping; [`configure`](stage::configure) stores what the user decided;
//! [`dry_run`](dry_run::dry_run) says what would happen, for a large file in the background ([`check`]);
//! [`start`](stage::start) enqueues the run;
//! [`run`](run::run) does it; [`progress`](progress::progress) is read from the database, so that it survives a
//! restart; [`undo`](undo::undo) takes a whole import back. [`import_file`] does all of it for the command line.
//!
//! # Invariants
//! * A batch of rows, its memberships, its images for undo, its refused rows, the counters and the place reached are
//!   one transaction. A process that is killed at any point goes on at the next batch: no row is doubled or lost.
//! * Whoever pauses or cancels, or takes over after a crash, moves the epoch of the import; a run of an older epoch
//!   can no longer commit.
//! * Every row ends as created, updated, unchanged, duplicate or rejected. Refused rows and duplicates come back in a
//!   file with the reason.
//! * A dry run decides with the same code as the run ([`batch`]).
//! * Everything that is read is foreign: [`limits`] says how much of it is taken.
//!
//! # The most common change
//! Another heading that is understood: add it to `heading.rs`. Another kind of file: a variant of
//! [`Format`](source::Format) that yields [`Row`](row::Row)s.

mod batch;
pub mod check;
pub mod csv;
pub mod dry_run;
pub mod encoding;
mod fields;
pub mod file;
mod heading;
pub mod limits;
pub mod made;
pub mod mapping;
mod pipeline;
mod prepare;
mod problem;
pub mod progress;
pub mod reject;
pub mod row;
pub mod run;
pub mod settings;
pub mod source;
pub mod stage;
pub mod undo;
pub mod xlsx;

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::{KeyStoreError, Store};
use tokio::io::AsyncRead;

pub use check::Check;
pub use csv::Delimiter;
pub use dry_run::{Difference, DryRun, Example};
pub use encoding::TextEncoding;
pub use file::{FileError, FileReader, FileStream, FileWriter, StoredFile};
pub use mapping::{KnownField, MappingError, Target, Unknown};
pub use problem::{ImportProblem, ProblemArg};
pub use progress::{Progress, State};
pub use reject::Reject;
pub use settings::{Existing, Settings, SettingsError};
pub use source::{Format, SourceError};
pub use stage::Preview;
pub use undo::Undone;

/// Why an import cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The account has no such import.
    #[error("there is no such import")]
    Missing,
    /// The import is in a state in which this cannot be done.
    #[error("the import is {0}; this can only be done {1}")]
    State(State, &'static str),
    /// The file cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The stored file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A custom field cannot be made.
    #[error("the custom field for a column cannot be made: {0}")]
    Field(#[from] crate::field::FieldError),
    /// The stored settings cannot be opened.
    #[error("the stored settings of the import cannot be opened; start it again")]
    Damaged,
    /// The thread that reads the file ended without an answer, or rows that were written did not reach the disk.
    #[error("the import was cut short; run it again, it goes on where it stopped")]
    Cut,
    /// The keys failed.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// Imports a whole file: upload, detection, mapping, run, with the code that the pages and jobs use.
///
/// `decide` gets the preview and yields the settings; [`Preview::settings`] is the guess. `seen` is called after every
/// batch.
pub async fn import_file(
    ctx: &Ctx,
    store: &Store,
    name: &str,
    file: &mut (impl AsyncRead + Unpin),
    decide: impl FnOnce(Preview) -> Settings,
    seen: impl FnMut(&Progress),
) -> Result<(Id<kind::Import>, Progress), ImportError> {
    let mut writer = FileWriter::begin(ctx, store, name, limits::FILE).await?;
    writer.write_from(file).await?;
    let stored = writer.finish().await?;
    let import = stage::register(ctx, store, stored.id).await?;
    let settings = decide(stage::preview(ctx, store, import).await?);
    stage::configure(ctx, store, import, &settings).await?;
    stage::begin(ctx, store, import, false).await?;
    let progress = run::run(ctx, store, import, None, seen).await?;
    Ok((import, progress))
}
