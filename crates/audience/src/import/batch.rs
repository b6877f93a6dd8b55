//! What a batch of rows does to the contacts: decided once, for a dry run and a run alike, then written in one
//! transaction together with the counters and the place reached.

use std::collections::{BTreeMap, HashMap, HashSet};

use letterkeep_model::{Ctx, EmailAddress, Id, kind};
use letterkeep_store::contact::{self, ChangedContact, ContactRow, NewContact};
use letterkeep_store::import::{self as rows, ChangeRow, Counts};
use letterkeep_store::permission::{self, PermissionChangeRow};
use letterkeep_store::sealed::column;
use letterkeep_store::{Error, Tx, list, suppression, tag};
use letterkeep_vault::Keyring;
use uuid::Uuid;

use super::prepare::Candidate;
use super::settings::{Existing, Settings};
use crate::{ContactRecord, Permission, TrackingConsent};

/// Where the permission of an imported contact comes from; the evidence stands, once, with the import.
pub(super) const SOURCE: &str = "import";

/// A row that can become a contact, sealed for the case that it is new.
pub(super) struct Prepared {
    pub(super) candidate: Candidate,
    pub(super) contact: Uuid,
    pub(super) sealed: Vec<u8>,
    pub(super) key_version: i64,
}

/// What a row would do.
pub(super) enum Effect {
    /// The account gets a new contact with this permission.
    Create(Permission),
    /// A contact changes.
    Update(Box<Update>),
    /// Nothing about the contact changes.
    Unchanged(Uuid),
}

/// How a contact changes.
pub(super) struct Update {
    pub(super) before: ContactRow,
    pub(super) record_before: ContactRecord,
    pub(super) record: ContactRecord,
    pub(super) permission_before: Permission,
    pub(super) permission: Permission,
    pub(super) tracking_before: TrackingConsent,
    pub(super) tracking: TrackingConsent,
}

/// The image of a contact before an import changed it, and what it changed it to; sealed.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Previous {
    pub(super) record: ContactRecord,
    pub(super) permission: Permission,
    pub(super) permission_source: String,
    pub(super) permission_at: i64,
    pub(super) tracking: TrackingConsent,
    pub(super) tracking_at: i64,
    pub(super) permission_after: Permission,
    pub(super) tracking_after: TrackingConsent,
}

/// A contact's stored record or state cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the stored contact {0} cannot be opened; restore its row from a backup")]
pub struct Unreadable(pub Id<kind::Contact>);

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Store(#[from] Error),
}

/// Decides what each row does.
pub(super) async fn decide(
    tx: &mut Tx,
    keyring: &Keyring,
    settings: &Settings,
    prepared: &[Prepared],
) -> Result<Vec<Effect>, BatchError> {
    let account = keyring.account();
    let wanted = prepared.iter().map(|row| row.candidate.index).collect::<Vec<_>>();
    let found = contact::find_many_by_email(tx, account, &wanted).await?;
    let mut found = found.into_iter().map(|row| (row.email_index.clone(), row)).collect::<HashMap<_, _>>();
    let suppressed = suppression::find_many(tx, account, &wanted).await?;
    let suppressed = suppressed.into_iter().map(|(index, _)| index).collect::<HashSet<_>>();
    let mut effects = Vec::with_capacity(prepared.len());
    for row in prepared {
        let is_suppressed = !suppressed.is_empty() && suppressed.contains(&row.candidate.index[..]);
        effects.push(match found.remove(&row.candidate.index[..]) {
            // Who has said no stays out, also after the contact itself was erased.
            None if is_suppressed => Effect::Create(Permission::Unsubscribed),
            None => Effect::Create(row.candidate.permission),
            Some(before) => change(keyring, settings, &row.candidate, before, is_suppressed)?,
        });
    }
    Ok(effects)
}

fn change(
    keyring: &Keyring,
    settings: &Settings,
    candidate: &Candidate,
    before: ContactRow,
    is_suppressed: bool,
) -> Result<Effect, Unreadable> {
    let unreadable = || Unreadable(Id::from_uuid(before.contact_id));
    let permission_before = Permission::from_name(&before.permission).ok_or_else(unreadable)?;
    let tracking_before = TrackingConsent::from_name(&before.tracking).ok_or_else(unreadable)?;
    let slot = column::CONTACT_RECORD.slot(&before.contact_id);
    let record_before = keyring.open_json::<ContactRecord>(&slot, &before.record).map_err(|_| unreadable())?;
    let mut record = record_before.clone();
    let updates = settings.existing == Existing::Update;
    let mut changed = updates && record.absorb(&candidate.record);
    let permission = match candidate.permission {
        // A no counts even where contacts are otherwise left as they are.
        Permission::Unsubscribed => permission_before.after_import(Permission::Unsubscribed),
        asserted if updates && !is_suppressed => permission_before.after_import(asserted),
        _ => permission_before,
    };
    let tracking = match (tracking_before, candidate.tracking) {
        (_, TrackingConsent::Withdrawn) => TrackingConsent::Withdrawn,
        (TrackingConsent::NotSet, TrackingConsent::Given) if updates => TrackingConsent::Given,
        (before, _) => before,
    };
    changed |= permission != permission_before || tracking != tracking_before;
    // A record that has grown too large stays as it was, rather than being refused after other rows were written.
    if !changed || record.check().is_err() {
        return Ok(Effect::Unchanged(before.contact_id));
    }
    let update = Update { before, record_before, record, permission_before, permission, tracking_before, tracking };
    Ok(Effect::Update(Box::new(update)))
}

/// What writing a batch needs besides the rows.
pub(super) struct Target<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) keyring: &'a Keyring,
    pub(super) settings: &'a Settings,
    pub(super) import: Id<kind::Import>,
    pub(super) actor: &'a str,
}

/// Writes a batch in the caller's transaction and adds to `counts` what it did.
pub(super) async fn write(
    tx: &mut Tx,
    target: &Target<'_>,
    prepared: &[Prepared],
    counts: &mut Counts,
) -> Result<(), BatchError> {
    let Target { ctx, keyring, settings, import, .. } = *target;
    let account = ctx.account;
    let now = ctx.now().micros();
    let effects = decide(tx, keyring, settings, prepared).await?;
    let mut members = Vec::with_capacity(prepared.len());
    let mut tagged: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
    let (mut creates, mut updates) = (Vec::with_capacity(prepared.len()), Vec::new());
    let mut history = Vec::new();
    for (row, effect) in prepared.iter().zip(&effects) {
        let contact = match effect {
            Effect::Create(permission) => {
                // No row of history: `permission::history` tells from the contact what it began with.
                creates.push(new_contact(row, *permission, import, now));
                row.contact
            }
            Effect::Update(update) => {
                updates.push(&**update);
                update.before.contact_id
            }
            Effect::Unchanged(contact) => *contact,
        };
        members.push(contact);
        for tag in &row.candidate.tags {
            tagged.entry(tag).or_default().push(contact);
        }
    }
    if !contact::insert_many(tx, account, &creates).await? {
        // Somebody added one of the addresses between looking and writing: the batch is done again.
        return Err(Error::Conflict("contact address".into()).into());
    }
    update_contacts(tx, target, &updates, &mut history).await?;
    permission::insert_many(tx, account, &history).await?;
    for id in &settings.lists {
        if list::find(tx, account, *id).await?.is_some() {
            list::add_imported(tx, account, *id, &members, import, now).await?;
        }
    }
    for id in &settings.tags {
        if tag::find(tx, account, *id).await?.is_some() {
            tag::add_imported(tx, account, *id, &members, import, now).await?;
        }
    }
    for (name, contacts) in tagged {
        let id = tag_named(ctx, tx, name).await?;
        tag::add_imported(tx, account, id, &contacts, import, now).await?;
    }
    counts.created += creates.len() as i64;
    counts.updated += updates.len() as i64;
    counts.unchanged += (prepared.len() - creates.len() - updates.len()) as i64;
    Ok(())
}

fn new_contact(row: &Prepared, permission: Permission, import: Id<kind::Import>, now: i64) -> NewContact<'_> {
    let tracking = row.candidate.tracking;
    NewContact {
        contact_id: row.contact,
        email_index: row.candidate.index,
        record: &row.sealed,
        key_version: row.key_version,
        permission: permission.name(),
        permission_source: SOURCE,
        permission_at: now,
        tracking: tracking.name(),
        tracking_at: if tracking == TrackingConsent::NotSet { 0 } else { now },
        import_id: Some(import.uuid()),
        created_at: now,
    }
}

/// The evidence is the import's own, kept once; the source names the import.
fn history_row(
    target: &Target<'_>,
    contact: Uuid,
    subject: &str,
    before: &'static str,
    after: &'static str,
) -> PermissionChangeRow {
    PermissionChangeRow {
        change_id: target.ctx.new_id::<kind::PermissionChange>().uuid(),
        contact_id: contact,
        subject: subject.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
        source: target.import.to_string(),
        evidence: None,
        key_version: i64::from(target.keyring.version()),
        actor: target.actor.to_owned(),
        at: target.ctx.now().micros(),
    }
}

async fn update_contacts(
    tx: &mut Tx,
    target: &Target<'_>,
    updates: &[&Update],
    history: &mut Vec<PermissionChangeRow>,
) -> Result<(), Error> {
    let Target { ctx, keyring, import, .. } = *target;
    let now = ctx.now().micros();
    let key_version = i64::from(keyring.version());
    let (mut changed, mut images) = (Vec::with_capacity(updates.len()), Vec::with_capacity(updates.len()));
    for update in updates {
        let before = &update.before;
        let permission_changes = update.permission != update.permission_before;
        let slot = column::CONTACT_RECORD.slot(&before.contact_id);
        changed.push(ChangedContact {
            contact_id: before.contact_id,
            revision: before.revision,
            record: keyring.seal_json(&slot, &update.record, ctx.entropy()),
            key_version,
            permission_before: before.permission.clone(),
            permission: update.permission.name().to_owned(),
            permission_source: if permission_changes { SOURCE.to_owned() } else { before.permission_source.clone() },
            permission_at: if permission_changes { now } else { before.permission_at },
            updated_at: now,
        });
        let change_id = ctx.new_id::<kind::Import>().uuid();
        let previous = Previous {
            record: update.record_before.clone(),
            permission: update.permission_before,
            permission_source: before.permission_source.clone(),
            permission_at: before.permission_at,
            tracking: update.tracking_before,
            tracking_at: before.tracking_at,
            permission_after: update.permission,
            tracking_after: update.tracking,
        };
        let slot = column::IMPORT_PREVIOUS.slot(&change_id);
        let previous = keyring.seal_json(&slot, &previous, ctx.entropy());
        let image = ChangeRow { change_id, contact_id: before.contact_id, previous, revision: before.revision + 1 };
        images.push((image, key_version));
        if permission_changes {
            let (before_name, after) = (update.permission_before.name(), update.permission.name());
            history.push(history_row(target, before.contact_id, "permission", before_name, after));
        }
    }
    let replaced = contact::update_many(tx, ctx.account, &changed).await?;
    if replaced.len() != changed.len() {
        return Err(Error::Conflict("contact revision".into()));
    }
    for update in updates.iter().filter(|update| update.tracking != update.tracking_before) {
        let contact = update.before.contact_id;
        contact::set_tracking(tx, ctx.account, Id::from_uuid(contact), update.tracking.name(), now).await?;
        let (before, after) = (update.tracking_before.name(), update.tracking.name());
        history.push(history_row(target, contact, "tracking", before, after));
    }
    rows::insert_changes(tx, ctx.account, import, &images).await
}

/// The tag of that name, made if there is none.
async fn tag_named(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<Id<kind::Tag>, Error> {
    if let Some(row) = tag::find_by_name(tx, ctx.account, name).await? {
        return Ok(Id::from_uuid(row.tag_id));
    }
    let id = ctx.new_id::<kind::Tag>();
    if tag::insert(tx, ctx.account, id, name, ctx.now().micros()).await? {
        return Ok(id);
    }
    // Somebody else made it a moment ago: the batch is done again and finds it.
    Err(Error::Conflict("tag name".into()))
}

/// The address of a contact in an example, enough to be recognised by who knows it.
pub(super) fn shortened(email: &EmailAddress) -> String {
    let first = email.local().chars().next().unwrap_or('?');
    format!("{first}…@{}", email.domain())
}
