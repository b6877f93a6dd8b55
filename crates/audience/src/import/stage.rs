//! The steps before and around a run: upload, preview, settings, start, pause, resume, cancel.

use std::ops::ControlFlow;

use letterkeep_model::{Actor, Ctx, Id, kind};
use letterkeep_store::audit::{self, Event};
use letterkeep_store::import::{self as rows, ImportRow, NewImport};
use letterkeep_store::queue::{self, NewJob};
use letterkeep_store::sealed::column;
use letterkeep_store::{Store, Tx, import_check};
use letterkeep_vault::Keyring;

use super::file::{self, FileReader};
use super::mapping::{self, Target, Unknown};
use super::settings::Settings;
use super::source::{Format, SourceError};
use super::{ImportError, State, TextEncoding, fields, run};
use crate::import::Delimiter;
use crate::{CustomField, field};

/// Rows that a preview shows and that the mapping is guessed from.
const SAMPLES: usize = 20;

/// What an import looks like before it runs.
#[derive(Clone)]
pub struct Preview {
    /// The import.
    pub import: Id<kind::Import>,
    /// What the file is called.
    pub file_name: String,
    /// Bytes.
    pub size: u64,
    /// What kind of file it is and how it is read.
    pub format: Format,
    /// The first row.
    pub headings: Vec<String>,
    /// The rows after it, at most 20. Personal data.
    pub samples: Vec<Vec<String>>,
    /// What the user decided, or the guess.
    pub settings: Settings,
    /// The account's custom fields, for choosing targets.
    pub fields: Vec<CustomField>,
}

impl Preview {
    /// The settings with columns that no field fits made into custom fields.
    pub fn with_new_fields(mut self) -> Settings {
        let known = known(&self.fields);
        self.settings.mapping = mapping::guess(&self.headings, &self.samples, &known, Unknown::Create);
        self.settings
    }
}

/// Makes an import of a stored file: finds out what kind of file it is.
pub async fn register(ctx: &Ctx, store: &Store, file: Id<kind::File>) -> Result<Id<kind::Import>, ImportError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut reader = FileReader::open(store, ctx.account, file).await?;
    let format = threaded(move || Format::detect(&mut reader)).await;
    let format = match format {
        Ok(format) => format,
        Err(error) => {
            // Nobody could do anything with it.
            file::delete(store, ctx.account, file).await?;
            return Err(error);
        }
    };
    let settings = Settings::new(Vec::new(), Vec::new(), ctx.locale);
    let import = ctx.new_id::<kind::Import>();
    let sealed = seal(ctx, &keyring, import, &settings);
    let format = text(&format);
    let actor = actor(ctx);
    let new = NewImport {
        import,
        file,
        state: State::Mapping.name(),
        format: &format,
        settings: &sealed,
        key_version: i64::from(keyring.version()),
        actor: &actor,
    };
    let mut tx = store.db.write().await?;
    rows::insert(&mut tx, ctx.account, &new, ctx.now()).await?;
    record(ctx, &mut tx, import, "import.upload").await?;
    tx.commit().await?;
    Ok(import)
}

/// The headings, the first rows, and the settings: what the user decided, or what is guessed.
pub async fn preview(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<Preview, ImportError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.read().await?;
    let row = rows::find(&mut tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
    let fields = field::all(ctx, &mut tx).await?;
    drop(tx);
    let format = format_of(&row)?;
    let mut settings = open(&keyring, &row)?;
    let file = Id::from_uuid(row.file_id);
    let (file_name, stored) = file::describe(store, ctx.account, file).await?;
    let reader = FileReader::open(store, ctx.account, file).await?;
    let (headings, samples) = threaded(move || {
        let (mut headings, mut samples): (Option<Vec<String>>, Vec<Vec<String>>) = (None, Vec::new());
        format.read_rows(reader, &mut |row, _| {
            let cells = row.cells().map(str::to_owned).collect();
            match &headings {
                None => headings = Some(cells),
                Some(_) => samples.push(cells),
            }
            if samples.len() < SAMPLES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok((headings.ok_or(SourceError::Empty)?, samples))
    })
    .await?;
    if settings.headings != headings {
        settings.mapping = mapping::guess(&headings, &samples, &known(&fields), Unknown::Skip);
        settings.headings.clone_from(&headings);
    }
    Ok(Preview { import, file_name, size: stored.size, format, headings, samples, settings, fields })
}

/// Reads the file with another encoding or delimiter; the mapping is guessed anew by the next preview.
pub async fn set_format(
    ctx: &Ctx,
    store: &Store,
    import: Id<kind::Import>,
    encoding: TextEncoding,
    delimiter: Delimiter,
) -> Result<(), ImportError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    let row = in_mapping(&mut tx, ctx, import).await?;
    if format_of(&row)? == Format::Xlsx {
        return Err(ImportError::State(State::Mapping, "with text files"));
    }
    let settings = Settings { headings: Vec::new(), mapping: Vec::new(), ..open(&keyring, &row)? };
    let sealed = seal(ctx, &keyring, import, &settings);
    let format = text(&Format::Text { encoding, delimiter });
    let version = i64::from(keyring.version());
    import_check::remove(&mut tx, ctx.account, import).await?;
    rows::set_settings(&mut tx, ctx.account, import, &format, &sealed, version).await?;
    tx.commit().await?;
    Ok(())
}

/// Checks and stores what the user decided.
pub async fn configure(
    ctx: &Ctx,
    store: &Store,
    import: Id<kind::Import>,
    settings: &Settings,
) -> Result<(), ImportError> {
    settings.check()?;
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    let row = in_mapping(&mut tx, ctx, import).await?;
    let known = field::all(ctx, &mut tx).await?;
    for (index, target) in settings.mapping.iter().enumerate() {
        if let Target::Custom(id) = target
            && !known.iter().any(|field| field.id == *id)
        {
            return Err(ImportError::Settings(mapping::MappingError::NoField(index + 1).into()));
        }
    }
    let sealed = seal(ctx, &keyring, import, settings);
    let version = i64::from(keyring.version());
    import_check::remove(&mut tx, ctx.account, import).await?;
    rows::set_settings(&mut tx, ctx.account, import, &row.format, &sealed, version).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes the custom fields that the mapping asks for and lets the import run in the background.
pub async fn start(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<(), ImportError> {
    begin(ctx, store, import, true).await
}

pub(super) async fn begin(
    ctx: &Ctx,
    store: &Store,
    import: Id<kind::Import>,
    background: bool,
) -> Result<(), ImportError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.write().await?;
    let row = in_mapping(&mut tx, ctx, import).await?;
    let mut settings = open(&keyring, &row)?;
    settings.check()?;
    for target in &mut settings.mapping {
        if let Target::Create { kind, label } = target {
            *target = Target::Custom(fields::make(ctx, &mut tx, label, *kind).await?);
        }
    }
    let sealed = seal(ctx, &keyring, import, &settings);
    let version = i64::from(keyring.version());
    import_check::remove(&mut tx, ctx.account, import).await?;
    rows::set_settings(&mut tx, ctx.account, import, &row.format, &sealed, version).await?;
    rows::set_state(&mut tx, ctx.account, import, State::Running.name(), None, Some(ctx.now()), None).await?;
    record(ctx, &mut tx, import, "import.start").await?;
    if background {
        enqueue(ctx, &mut tx, import, run::JOB).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Stops a run after the batch that it is writing.
pub async fn pause(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<(), ImportError> {
    let mut tx = store.db.write().await?;
    in_state(&mut tx, ctx, import, &[State::Running], "while it runs").await?;
    rows::set_state(&mut tx, ctx.account, import, State::Paused.name(), None, None, None).await?;
    record(ctx, &mut tx, import, "import.pause").await?;
    tx.commit().await?;
    Ok(())
}

/// Lets a paused run go on where it stopped.
pub async fn resume(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<(), ImportError> {
    let mut tx = store.db.write().await?;
    in_state(&mut tx, ctx, import, &[State::Paused], "while it is paused").await?;
    rows::set_state(&mut tx, ctx.account, import, State::Running.name(), None, None, None).await?;
    record(ctx, &mut tx, import, "import.resume").await?;
    enqueue(ctx, &mut tx, import, run::JOB).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends an import early. What was imported stays; [`undo`](super::undo::start) takes it back.
pub async fn cancel(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<(), ImportError> {
    let mut tx = store.db.write().await?;
    let possible = [State::Mapping, State::Running, State::Paused];
    in_state(&mut tx, ctx, import, &possible, "before it has ended").await?;
    tx.commit().await?;
    run::end(ctx, store, import, State::Cancelled, None).await?;
    Ok(())
}

/// The evidence that stands behind the permissions which an import brought.
pub async fn evidence(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    import: Id<kind::Import>,
) -> Result<Option<Settings>, ImportError> {
    let row = rows::find(tx, ctx.account, import).await?;
    row.map(|row| open(keyring, &row)).transpose()
}

pub(super) async fn enqueue(
    ctx: &Ctx,
    tx: &mut Tx,
    import: Id<kind::Import>,
    kind: &'static str,
) -> Result<(), ImportError> {
    let payload = text(&run::Payload { import, epoch: 0 });
    // No text that suppresses a second job: a run that was paused may still be ending while it is resumed, and two
    // runs cannot harm each other, because each moves the epoch.
    let job = NewJob { kind, payload, run_at: ctx.now(), dedup: None, max_attempts: 10 };
    queue::enqueue(ctx, tx, job).await?;
    Ok(())
}

/// Runs what reads a stored file on a thread of its own.
pub(super) async fn threaded<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, ImportError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| ImportError::Cut)??)
}

pub(super) fn open(keyring: &Keyring, row: &ImportRow) -> Result<Settings, ImportError> {
    let slot = column::IMPORT_SETTINGS.slot(&row.import_id);
    keyring.open_json(&slot, &row.settings).map_err(|_| ImportError::Damaged)
}

fn seal(ctx: &Ctx, keyring: &Keyring, import: Id<kind::Import>, settings: &Settings) -> Vec<u8> {
    keyring.seal_json(&column::IMPORT_SETTINGS.slot(&import.uuid()), settings, ctx.entropy())
}

pub(super) fn format_of(row: &ImportRow) -> Result<Format, ImportError> {
    serde_json::from_str(&row.format).map_err(|_| ImportError::Damaged)
}

#[expect(clippy::expect_used, reason = "ids, names and numbers always have a JSON form")]
pub(super) fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("ids, names and numbers can be written as JSON")
}

pub(super) fn actor(ctx: &Ctx) -> String {
    match ctx.actor {
        Actor::User { id, .. } => id.to_string(),
        Actor::System => "system".to_owned(),
        Actor::Public => "public".to_owned(),
    }
}

pub(super) async fn record(ctx: &Ctx, tx: &mut Tx, import: Id<kind::Import>, action: &str) -> Result<(), ImportError> {
    audit::append(ctx, tx, Event { action, object: &import.to_string(), detail: "{}" }).await?;
    Ok(())
}

pub(super) async fn in_state(
    tx: &mut Tx,
    ctx: &Ctx,
    import: Id<kind::Import>,
    possible: &[State],
    when: &'static str,
) -> Result<ImportRow, ImportError> {
    let row = rows::find_for_change(tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
    let state = State::from_name(&row.state).ok_or(letterkeep_store::Error::Shape("import state"))?;
    if possible.contains(&state) { Ok(row) } else { Err(ImportError::State(state, when)) }
}

/// Before it has run, or after it failed at the first batch: then another encoding or mapping may help.
pub(super) async fn in_mapping(tx: &mut Tx, ctx: &Ctx, import: Id<kind::Import>) -> Result<ImportRow, ImportError> {
    let when = "before it has run";
    let row = in_state(tx, ctx, import, &[State::Mapping, State::Failed], when).await?;
    if row.state == State::Failed.name() && row.rows_done > 0 {
        return Err(ImportError::State(State::Failed, when));
    }
    Ok(row)
}

fn known(fields: &[CustomField]) -> Vec<mapping::KnownField> {
    let known = |field: &CustomField| mapping::KnownField {
        id: field.id,
        label: field.label.clone(),
        merge_key: field.merge_key.clone(),
    };
    fields.iter().map(known).collect()
}
