//! Taking a whole import back: contacts that it created are removed, contacts that it changed get their earlier state
//! back, memberships that it added are ended. What somebody changed since is left alone and counted.
//!
//! The steps go in batches, each in one transaction with the place reached, so that an undo that is cut off goes on
//! where it stopped.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::audit::{self, Event};
use letterkeep_store::contact::{self, ChangedContact, ContactRow};
use letterkeep_store::import::{self as rows, ChangeRow, ImportRow};
use letterkeep_store::permission::{self, PermissionChangeRow};
use letterkeep_store::queue::ClaimedJob;
use letterkeep_store::sealed::column;
use letterkeep_store::{Store, Tx, list, queue, tag};
use letterkeep_vault::Keyring;
use uuid::Uuid;

use super::batch::Previous;
use super::run::LEASE;
use super::{ImportError, State, made, stage};
use crate::{Permission, TrackingConsent};

/// The kind of job that takes an import back.
pub const JOB: &str = "import.undo";

/// Contacts of a batch.
const BATCH: i64 = 1000;
/// Lists and tags that are looked at.
const MEMBERSHIPS: i64 = 10_000;

/// What an undo did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Undone {
    /// Contacts that the import had created and that are gone.
    pub removed: u64,
    /// Contacts that have their earlier state back.
    pub restored: u64,
    /// Memberships of lists and tags that were ended.
    pub memberships: u64,
    /// Contacts that somebody changed since, or that said no since: they stay as they are.
    pub kept: u64,
    /// Lists and tags that the import had made and that are gone, because nobody uses them.
    #[serde(default)]
    pub unmade: u64,
}

/// The place reached.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Cursor {
    #[serde(default)]
    step: Step,
    #[serde(default)]
    after: Uuid,
    #[serde(default)]
    of: Uuid,
    #[serde(default)]
    undone: Undone,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Step {
    #[default]
    Restore,
    Lists,
    Tags,
    Remove,
    End,
}

/// Lets an import be taken back in the background.
pub async fn start(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<(), ImportError> {
    mark(ctx, store, import, true).await
}

/// Takes an import back at once.
pub async fn undo_now(ctx: &Ctx, store: &Store, import: Id<kind::Import>) -> Result<Undone, ImportError> {
    mark(ctx, store, import, false).await?;
    undo(ctx, store, import, None).await
}

async fn mark(ctx: &Ctx, store: &Store, import: Id<kind::Import>, background: bool) -> Result<(), ImportError> {
    let mut tx = store.db.write().await?;
    let possible = [State::Done, State::Cancelled, State::Failed];
    let row = stage::in_state(&mut tx, ctx, import, &possible, "after it has ended").await?;
    let finished = row.finished_at.map(Timestamp::from_micros);
    rows::set_state(&mut tx, ctx.account, import, State::Undoing.name(), None, None, finished).await?;
    let row = rows::find(&mut tx, ctx.account, import).await?.ok_or(ImportError::Missing)?;
    let cursor = stage::text(&Cursor::default());
    rows::undo_reached(&mut tx, ctx.account, import, row.epoch, &cursor).await?;
    stage::record(ctx, &mut tx, import, "import.undo").await?;
    if background {
        stage::enqueue(ctx, &mut tx, import, JOB).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Takes an import back that is marked for it, from the place reached on.
pub async fn undo(
    ctx: &Ctx,
    store: &Store,
    import: Id<kind::Import>,
    job: Option<&ClaimedJob>,
) -> Result<Undone, ImportError> {
    loop {
        let keyring = store.keys.keyring(ctx.account).await?;
        let mut tx = store.db.write().await?;
        let row = stage::in_state(&mut tx, ctx, import, &[State::Undoing], "while it is taken back").await?;
        let mut cursor: Cursor = serde_json::from_str(&row.cursor).map_err(|_| ImportError::Damaged)?;
        let batch = Batch { ctx, keyring: &keyring, row: &row, import };
        match cursor.step {
            Step::Restore => batch.restore(&mut tx, &mut cursor).await?,
            Step::Lists => batch.unlist(&mut tx, &mut cursor).await?,
            Step::Tags => batch.untag(&mut tx, &mut cursor).await?,
            Step::Remove => batch.remove(&mut tx, &mut cursor).await?,
            Step::End => {
                cursor.undone.unmade = made::remove_unused(ctx, &mut tx, import).await?;
                rows::undo_reached(&mut tx, ctx.account, import, row.epoch, &stage::text(&cursor)).await?;
                let state = State::Undone.name();
                rows::set_state(&mut tx, ctx.account, import, state, None, None, Some(ctx.now())).await?;
                let (object, detail) = (import.to_string(), stage::text(&cursor.undone));
                let event = Event { action: "import.undone", object: &object, detail: &detail };
                audit::append(ctx, &mut tx, event).await?;
                tx.commit().await?;
                return Ok(cursor.undone);
            }
        }
        rows::undo_reached(&mut tx, ctx.account, import, row.epoch, &stage::text(&cursor)).await?;
        if let Some(job) = job
            && !queue::extend(&mut tx, job, ctx.now().plus(LEASE)).await?
        {
            return Ok(cursor.undone);
        }
        tx.commit().await?;
    }
}

/// What an undo has done so far or did in the end; `None` if the import was never taken back.
pub async fn undone(
    tx: &mut Tx,
    account: Id<kind::Account>,
    import: Id<kind::Import>,
) -> Result<Option<Undone>, ImportError> {
    let Some(row) = rows::find(tx, account, import).await? else { return Ok(None) };
    if !matches!(State::from_name(&row.state), Some(State::Undoing | State::Undone)) {
        return Ok(None);
    }
    let cursor: Cursor = serde_json::from_str(&row.cursor).map_err(|_| ImportError::Damaged)?;
    Ok(Some(cursor.undone))
}

struct Batch<'a> {
    ctx: &'a Ctx,
    keyring: &'a Keyring,
    row: &'a ImportRow,
    import: Id<kind::Import>,
}

impl Batch<'_> {
    async fn restore(&self, tx: &mut Tx, cursor: &mut Cursor) -> Result<(), ImportError> {
        let account = self.ctx.account;
        let images = rows::changes(tx, account, self.import, cursor.after, BATCH).await?;
        let Some(last) = images.last().map(|image| image.change_id) else {
            (cursor.step, cursor.after, cursor.of) = (Step::Lists, Uuid::nil(), Uuid::nil());
            return Ok(());
        };
        cursor.after = last;
        let (mut changed, mut tracking, mut history) = (Vec::new(), Vec::new(), Vec::new());
        for image in &images {
            let Some(current) = contact::lock(tx, account, Id::from_uuid(image.contact_id)).await? else { continue };
            let slot = column::IMPORT_PREVIOUS.slot(&image.change_id);
            // An image that cannot be opened restores nothing; the contact stays as it is.
            let previous = self.keyring.open_json::<Previous>(&slot, &image.previous).ok();
            let Some(mut previous) = previous.filter(|previous| previous.is_untouched(image, &current)) else {
                cursor.undone.kept += 1;
                continue;
            };
            previous.keep_noes(&current);
            let mut note = |subject: &str, before: &str, after: &str| {
                if before != after {
                    history.push(self.history_row(current.contact_id, subject, before, after));
                }
            };
            note("permission", previous.permission_after.name(), previous.permission.name());
            note("tracking", previous.tracking_after.name(), previous.tracking.name());
            if previous.tracking_after != previous.tracking {
                tracking.push((current.contact_id, previous.tracking.name(), previous.tracking_at));
            }
            changed.push(self.earlier(previous, current));
        }
        cursor.undone.restored += contact::update_many(tx, account, &changed).await?.len() as u64;
        for (contact, consent, at) in tracking {
            contact::set_tracking(tx, account, Id::from_uuid(contact), consent, at).await?;
        }
        permission::insert_many(tx, account, &history).await?;
        Ok(())
    }

    fn earlier(&self, previous: Previous, current: ContactRow) -> ChangedContact {
        let slot = column::CONTACT_RECORD.slot(&current.contact_id);
        ChangedContact {
            contact_id: current.contact_id,
            revision: current.revision,
            record: self.keyring.seal_json(&slot, &previous.record, self.ctx.entropy()),
            key_version: i64::from(self.keyring.version()),
            permission_before: current.permission,
            permission: previous.permission.name().to_owned(),
            permission_source: previous.permission_source,
            permission_at: previous.permission_at,
            updated_at: self.ctx.now().micros(),
        }
    }

    fn history_row(&self, contact: Uuid, subject: &str, before: &str, after: &str) -> PermissionChangeRow {
        PermissionChangeRow {
            change_id: self.ctx.new_id::<kind::PermissionChange>().uuid(),
            contact_id: contact,
            subject: subject.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            source: self.import.to_string(),
            evidence: None,
            key_version: i64::from(self.keyring.version()),
            actor: stage::actor(self.ctx),
            at: self.ctx.now().micros(),
        }
    }

    async fn unlist(&self, tx: &mut Tx, cursor: &mut Cursor) -> Result<(), ImportError> {
        let account = self.ctx.account;
        let mut lists =
            list::all(tx, account, MEMBERSHIPS).await?.into_iter().map(|row| row.list_id).collect::<Vec<_>>();
        lists.sort_unstable();
        let Some(current) = lists.into_iter().find(|list| *list >= cursor.of) else {
            (cursor.step, cursor.after, cursor.of) = (Step::Tags, Uuid::nil(), Uuid::nil());
            return Ok(());
        };
        let id = Id::from_uuid(current);
        let after = if current == cursor.of { cursor.after } else { Uuid::nil() };
        let members = rows::listed(tx, account, self.import, id, after, BATCH).await?;
        cursor.undone.memberships += list::remove(tx, account, id, &members, self.ctx.now().micros()).await?;
        cursor.go_on(current, members.last().copied());
        Ok(())
    }

    async fn untag(&self, tx: &mut Tx, cursor: &mut Cursor) -> Result<(), ImportError> {
        let account = self.ctx.account;
        let mut tags = tag::all(tx, account, MEMBERSHIPS).await?.into_iter().map(|row| row.tag_id).collect::<Vec<_>>();
        tags.sort_unstable();
        let Some(current) = tags.into_iter().find(|tag| *tag >= cursor.of) else {
            // Ids grow with time: contacts of this import stand between its first and its last instant. A clock that
            // was set back in between is allowed a day.
            let started = self.row.started_at.unwrap_or(self.row.created_at);
            (cursor.step, cursor.of) = (Step::Remove, Uuid::nil());
            cursor.after = edge(Timestamp::from_micros(started).minus(DAY));
            return Ok(());
        };
        let id = Id::from_uuid(current);
        let after = if current == cursor.of { cursor.after } else { Uuid::nil() };
        let members = rows::tagged(tx, account, self.import, id, after, BATCH).await?;
        cursor.undone.memberships += tag::remove(tx, account, id, &members).await?;
        cursor.go_on(current, members.last().copied());
        Ok(())
    }

    async fn remove(&self, tx: &mut Tx, cursor: &mut Cursor) -> Result<(), ImportError> {
        let account = self.ctx.account;
        let ended = self.row.finished_at.map_or(self.ctx.now(), Timestamp::from_micros);
        let until = edge(ended.plus(DAY));
        let created = rows::created(tx, account, self.import, cursor.after, until, BATCH).await?;
        let Some(last) = created.last().map(|row| row.contact_id) else {
            cursor.step = Step::End;
            return Ok(());
        };
        cursor.after = last;
        let untouched = created
            .iter()
            .filter(|row| row.revision == 1 && row.permission_at <= row.created_at && row.tracking_at <= row.created_at)
            .map(|row| row.contact_id)
            .collect::<Vec<_>>();
        cursor.undone.kept += (created.len() - untouched.len()) as u64;
        cursor.undone.removed += contact::delete_many(tx, account, &untouched, self.ctx.now().micros()).await?;
        Ok(())
    }
}

impl Cursor {
    /// After a batch of a list or tag: on with the same one, or with the next.
    fn go_on(&mut self, current: Uuid, last: Option<Uuid>) {
        let next = || (Uuid::from_u128(current.as_u128().saturating_add(1)), Uuid::nil());
        (self.of, self.after) = last.map_or_else(next, |last| (current, last));
    }
}

impl Previous {
    /// A no that came with the import outlives it.
    fn keep_noes(&mut self, current: &ContactRow) {
        if self.permission_after == Permission::Unsubscribed {
            self.permission = self.permission_after;
            self.permission_source.clone_from(&current.permission_source);
            self.permission_at = current.permission_at;
        }
        if self.tracking_after == TrackingConsent::Withdrawn {
            self.tracking = self.tracking_after;
        }
    }

    /// Whether the contact stands as the import left it.
    fn is_untouched(&self, image: &ChangeRow, current: &ContactRow) -> bool {
        current.revision == image.revision
            && current.permission == self.permission_after.name()
            && current.tracking == self.tracking_after.name()
    }
}

const DAY: Duration = Duration::from_hours(24);

/// The smallest id of that instant.
fn edge(instant: Timestamp) -> Uuid {
    let millis = u64::try_from(instant.micros().div_euclid(1000)).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}
