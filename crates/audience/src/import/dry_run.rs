//! What an import would do, without doing it: the same reading and the same decisions, against the database as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::Store;
use letterkeep_store::import::{self as rows, Counts};
use letterkeep_vault::Keyring;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::batch::{self, Effect, Update};
use super::file::FileReader;
use super::pipeline::{Feed, Work};
use super::prepare::{Plan, Sieve};
use super::{ImportError, Reject, Settings, SourceError, stage};
use crate::{StandardField, field};

/// Examples and differences that are kept, at most each.
const SHOWN: usize = 20;

/// A refused row, as an example.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Example {
    /// Its number in the file.
    pub row: u64,
    /// A stable name of the reason.
    pub code: String,
    /// The reason in words.
    pub reason: String,
}

/// What would change about a contact. Personal data: for the eyes of whoever may see contacts.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// The row in the file.
    pub row: u64,
    /// The contact.
    pub contact: Id<kind::Contact>,
    /// Its address, cut short.
    pub email: String,
    /// Field, before, after. The field is a stable name, a merge key, `permission` or `tracking`.
    pub changes: Vec<(String, String, String)>,
}

/// What an import would do.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct DryRun {
    /// Rows in the file, the heading not counted.
    pub rows: u64,
    /// Contacts that would be created.
    pub created: u64,
    /// Contacts that would be updated.
    pub updated: u64,
    /// Rows that would change nothing but lists and tags.
    pub unchanged: u64,
    /// Rows whose address stands further up in the file.
    pub duplicate: u64,
    /// Rows that would be refused.
    pub rejected: u64,
    /// How many rows would be refused for which reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first refused rows and duplicates.
    pub examples: Vec<Example>,
    /// The first contacts that would change.
    pub differences: Vec<Difference>,
}

/// Says what the import would do. Writes nothing.
pub async fn dry_run(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<DryRun, ImportError> {
    let mut walk = Walk::begin(ctx, store, import).await?;
    while walk.step(store).await?.is_some() {}
    walk.end().await
}

/// A dry run, batch by batch.
pub(super) struct Walk {
    keyring: Arc<Keyring>,
    settings: Settings,
    from: mpsc::Receiver<Work>,
    reading: JoinHandle<Result<(), SourceError>>,
    found: DryRun,
}

impl Walk {
    pub(super) async fn begin(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<Self, ImportError> {
        let keyring = store.keys.keyring(ctx.account).await?;
        let mut tx = store.db.read().await?;
        let row = rows::find(&mut tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
        let fields = field::all(ctx, &mut tx).await?;
        drop(tx);
        let settings = stage::open(&keyring, &row)?;
        let sieve = Sieve::new(Plan::new(&settings, &fields)?);
        let mut feed = Feed::new(ctx, stage::format_of(&row)?, settings.headings.clone(), sieve, keyring.clone());
        feed.seal = false;
        feed.keep_rejects = false;
        let reader = FileReader::open(store, ctx.account, Id::from_uuid(row.file_id)).await?;
        let (to, from) = mpsc::channel(1);
        let reading = tokio::task::spawn_blocking(move || feed.run(reader, &to));
        Ok(Self { keyring, settings, from, reading, found: DryRun::default() })
    }

    /// Decides the next batch; yields the rows read and about how many there are, or `None` at the end.
    pub(super) async fn step(&mut self, store: &Store) -> Result<Option<(i64, i64)>, ImportError> {
        let Some(work) = self.from.recv().await else { return Ok(None) };
        let mut tx = store.db.read().await?;
        let effects = batch::decide(&mut tx, &self.keyring, &self.settings, &work.prepared).await?;
        drop(tx);
        let Self { settings, found, .. } = self;
        found.add(&work.counts);
        for (row, reject) in &work.reasons {
            found.refuse(*row, reject, settings);
        }
        for (row, effect) in work.prepared.iter().zip(&effects) {
            match effect {
                Effect::Create(_) => found.created += 1,
                Effect::Unchanged(_) => found.unchanged += 1,
                Effect::Refuse(reject, _) => {
                    if reject.is_duplicate() {
                        found.duplicate += 1;
                    } else {
                        found.rejected += 1;
                    }
                    found.refuse(row.candidate.number, reject, settings);
                }
                Effect::Update(update) => {
                    found.updated += 1;
                    if found.differences.len() < SHOWN {
                        found.differences.push(difference(row.candidate.number, update));
                    }
                }
            }
        }
        let rows_done = found.rows as i64;
        Ok(Some((rows_done, work.place.rows_in_all(rows_done))))
    }

    pub(super) async fn end(self) -> Result<DryRun, ImportError> {
        self.reading.await.map_err(|_| ImportError::Cut)??;
        Ok(self.found)
    }
}

impl DryRun {
    fn add(&mut self, counts: &Counts) {
        self.rows += counts.rows as u64;
        self.duplicate += counts.duplicate as u64;
        self.rejected += counts.rejected as u64;
    }

    fn refuse(&mut self, row: u64, reject: &Reject, settings: &Settings) {
        *self.reasons.entry(reject.code().to_owned()).or_default() += 1;
        if self.examples.len() < SHOWN {
            let reason = reject.text(&settings.headings, settings.locale);
            self.examples.push(Example { row, code: reject.code().to_owned(), reason });
        }
    }
}

fn difference(row: u64, update: &Update) -> Difference {
    let (before, after) = (&update.record_before, &update.record);
    let mut changes = Vec::new();
    let mut compare = |name: &str, before: String, after: String| {
        if before != after {
            changes.push((name.to_owned(), before, after));
        }
    };
    for field in StandardField::all() {
        compare(field.name(), before.text(field), after.text(field));
    }
    for (key, value) in &after.custom {
        compare(key, before.custom.get(key).map_or_else(String::new, crate::FieldValue::text), value.text());
    }
    compare("permission", update.permission_before.name().into(), update.permission.name().into());
    compare("tracking", update.tracking_before.name().into(), update.tracking.name().into());
    let contact = Id::from_uuid(update.before.contact_id);
    Difference { row, contact, email: batch::shortened(&before.email), changes }
}
