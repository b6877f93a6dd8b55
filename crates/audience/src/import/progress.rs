//! How far an import has come.

use std::fmt;
use std::time::Duration;

use letterkeep_model::{Id, Timestamp, kind};
use letterkeep_store::import::{self as rows, ImportRow};
use letterkeep_store::{Error, Tx};
use uuid::Uuid;

use super::problem::ImportProblem;

/// What an import is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The file is stored; the user decides.
    Mapping,
    /// It runs, or will as soon as a worker is free.
    Running,
    /// Somebody stopped it; it can go on.
    Paused,
    /// Every row was read.
    Done,
    /// Somebody ended it early; what was imported stays, and can be undone.
    Cancelled,
    /// It cannot go on; what was imported stays, and can be undone.
    Failed,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Mapping,
        Self::Running,
        Self::Paused,
        Self::Done,
        Self::Cancelled,
        Self::Failed,
        Self::Undoing,
        Self::Undone,
    ];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more will happen by itself.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed | Self::Undone)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far an import has come; read from the database, so that it survives a restart.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Progress {
    /// The import.
    pub import: Id<kind::Import>,
    /// What it is doing.
    pub state: State,
    /// Rows read, the heading not counted.
    pub rows_done: u64,
    /// Rows in the file: an estimate while it runs, `None` before it has begun.
    pub rows_total: Option<u64>,
    /// Contacts created.
    pub created: u64,
    /// Contacts updated.
    pub updated: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Rows whose address stood further up in the file.
    pub duplicate: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Rows a second since it began; 0 before it has begun.
    pub rate: f64,
    /// How long it will take from now on, at that rate.
    pub seconds_left: Option<u64>,
    /// When the file was uploaded.
    pub created_at: Timestamp,
    /// When it first ran.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The file of refused rows and duplicates, once it is complete and if there are any.
    pub rejects: Option<Id<kind::File>>,
    /// Why it failed.
    pub problem: Option<ImportProblem>,
}

impl Progress {
    pub(super) fn of(row: &ImportRow, now: Timestamp) -> Result<Self, Error> {
        let state = State::from_name(&row.state).ok_or(Error::Shape("import state"))?;
        let started_at = row.started_at.map(Timestamp::from_micros);
        let finished_at = row.finished_at.map(Timestamp::from_micros);
        let passed = started_at.map_or(Duration::ZERO, |started| finished_at.unwrap_or(now).since(started));
        let rows_done = row.rows_done as u64;
        let rate = if passed.is_zero() { 0.0 } else { rows_done as f64 / passed.as_secs_f64() };
        let rows_total = row.rows_total.map(|rows| rows as u64);
        let left = rows_total.map(|total| total.saturating_sub(rows_done));
        let seconds_left = left.filter(|_| rate > 0.0 && state == State::Running);
        let rejects = row.reject_file_id.map(Id::from_uuid).filter(|_| state.has_ended());
        Ok(Self {
            import: Id::from_uuid(row.import_id),
            state,
            rows_done,
            rows_total,
            created: row.created as u64,
            updated: row.updated as u64,
            unchanged: row.unchanged as u64,
            duplicate: row.duplicate as u64,
            rejected: row.rejected as u64,
            rate,
            seconds_left: seconds_left.map(|rows| (rows as f64 / rate).ceil() as u64),
            created_at: Timestamp::from_micros(row.created_at),
            started_at,
            finished_at,
            rejects: rejects.filter(|_| row.rejected + row.duplicate > 0),
            problem: row.problem.as_deref().map(ImportProblem::read),
        })
    }
}

/// How far an import has come, if there is such an import.
pub async fn progress(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
    now: Timestamp,
) -> Result<Option<Progress>, Error> {
    rows::find(tx, account, import).await?.map(|row| Progress::of(&row, now)).transpose()
}

/// The account's imports before `before`, newest first, at most `limit`.
pub async fn newest(
    tx: &mut Tx,
    account: Id<kind::Account>,
    before: Option<Id<kind::Import>>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Progress>, Error> {
    let before = before.map_or(Uuid::max(), Id::uuid);
    let found = rows::newest(tx, account, before, limit).await?;
    found.iter().map(|row| Progress::of(row, now)).collect()
}
