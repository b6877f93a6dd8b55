//! What a batch of rows does to the contacts: decided once, for a dry run and a run alike, then written in one
//! transaction together with the counters and the place reached.

use std::collections::{BTreeMap, HashMap, HashSet};

use letterkeep_model::{Ctx, EmailAddress, Id, kind};
use letterkeep_store::contact::{self, ChangedContact, ContactRow, Creation, NewContact};
use letterkeep_store::import::{self as rows, ChangeRow, Counts};
use letterkeep_store::permission::{self, PermissionChangeRow};
use letterkeep_store::sealed::column;
use letterkeep_store::{Error, Tx, list, suppression, tag};
use letterkeep_vault::Keyring;
use uuid::Uuid;

use super::made;
use super::prepare::Candidate;
use super::reject::Reject;
use super::settings::{Existing, Settings};
use crate::{ContactRecord, Permission, SuppressionReason, TrackingConsent};

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
    /// The row is refused; a no in it counts for this contact all the same.
    Refuse(Reject, Option<Uuid>),
}

impl Effect {
    fn refuse(candidate: &Candidate, reject: Reject, contact: Option<Uuid>) -> Self {
        let reject = if candidate.says_no() { Reject::ButNo(Box::new(reject)) } else { reject };
        Self::Refuse(reject, contact)
    }
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

/// Decides what each row does.
pub(super) async fn decide(
    tx: &mut Tx,
    keyring: &Keyring,
    settings: &Settings,
    prepared: &[Prepared],
) -> Result<Vec<Effect>, Error> {
    let account = keyring.account();
    let wanted = prepared.iter().map(|row| row.candidate.index).collect::<Vec<_>>();
    let found = contact::find_many_by_email(tx, account, &wanted).await?;
    let mut found = found.into_iter().map(|row| (row.email_index.clone(), row)).collect::<HashMap<_, _>>();
    let suppressed = suppression::find_many(tx, account, &wanted).await?;
    // A bounce or a complaint keeps messages back by itself: it is nobody's answer to the question for permission.
    let no = |(index, reason): (Vec<u8>, String)| (reason == SuppressionReason::Unsubscribed.name()).then_some(index);
    let said_no = suppressed.into_iter().filter_map(no).collect::<HashSet<_>>();
    let mut effects = Vec::with_capacity(prepared.len());
    for row in prepared {
        let candidate = &row.candidate;
        if let Some(reject) = &candidate.refused {
            let contact = found.get(&candidate.index[..]).map(|before| before.contact_id);
            effects.push(Effect::refuse(candidate, reject.clone(), contact));
            continue;
        }
        let has_said_no = !said_no.is_empty() && said_no.contains(&candidate.index[..]);
        effects.push(match found.remove(&candidate.index[..]) {
            // Who has said no stays out, also after the contact itself was erased.
            None if has_said_no => Effect::Create(Permission::Unsubscribed),
            None => Effect::Create(candidate.permission),
            Some(before) => change(keyring, settings, candidate, before, has_said_no),
        });
    }
    Ok(effects)
}

fn change(
    keyring: &Keyring,
    settings: &Settings,
    candidate: &Candidate,
    before: ContactRow,
    has_said_no: bool,
) -> Effect {
    let contact = before.contact_id;
    let slot = column::CONTACT_RECORD.slot(&contact);
    let (Some(permission_before), Some(tracking_before), Ok(record_before)) = (
        Permission::from_name(&before.permission),
        TrackingConsent::from_name(&before.tracking),
        keyring.open_json::<ContactRecord>(&slot, &before.record),
    ) else {
        return Effect::refuse(candidate, Reject::Unreadable(Id::from_uuid(contact)), Some(contact));
    };
    let mut record = record_before.clone();
    let updates = settings.existing == Existing::Update;
    let mut changed = updates && record.absorb(&candidate.record);
    if changed && let Err(error) = record.check() {
        return Effect::refuse(candidate, Reject::Record(error), Some(contact));
    }
    let permission = match candidate.permission {
        // A no counts even where contacts are otherwise left as they are.
        Permission::Unsubscribed => permission_before.after_import(Permission::Unsubscribed),
        asserted if updates && !has_said_no => permission_before.after_import(asserted),
        _ => permission_before,
    };
    let tracking = match (tracking_before, candidate.tracking) {
        (_, TrackingConsent::Withdrawn) => TrackingConsent::Withdrawn,
        (TrackingConsent::NotSet, TrackingConsent::Given) if updates => TrackingConsent::Given,
        (before, _) => before,
    };
    changed |= permission != permission_before || tracking != tracking_before;
    if !changed {
        return Effect::Unchanged(contact);
    }
    let update = Update { before, record_before, record, permission_before, permission, tracking_before, tracking };
    Effect::Update(Box::new(update))
}

/// What writing a batch needs besides the rows.
pub(super) struct Target<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) keyring: &'a Keyring,
    pub(super) settings: &'a Settings,
    pub(super) import: Id<kind::Import>,
    pub(super) actor: &'a str,
}

/// Writes a batch in the caller's transaction and adds to `counts` what it did. Yields the rows that are refused, by
/// number.
pub(super) async fn write(
    tx: &mut Tx,
    target: &Target<'_>,
    prepared: &[Prepared],
    counts: &mut Counts,
) -> Result<Vec<(u64, Reject)>, Error> {
    let Target { ctx, keyring, settings, import, .. } = *target;
    let account = ctx.account;
    let now = ctx.now().micros();
    let effects = decide(tx, keyring, settings, prepared).await?;
    let mut members = Vec::with_capacity(prepared.len());
    let mut tagged: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
    let (mut creates, mut updates) = (Vec::with_capacity(prepared.len()), Vec::new());
    let (mut history, mut noes, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (row, effect) in prepared.iter().zip(&effects) {
        if row.candidate.permission == Permission::Unsubscribed {
            noes.push(row.candidate.index);
        }
        let contact = match effect {
            Effect::Refuse(reject, contact) => {
                refused.push((&row.candidate, reject, *contact));
                continue;
            }
            Effect::Create(permission) => {
                // No row of history: `permission::history` tells from the contact what it began with.
                creates.push(new_contact(row, *permission, now));
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
    let creation = Creation {
        // One feed seals with one keyring.
        key_version: prepared.first().map_or(0, |row| row.key_version),
        permission_source: SOURCE,
        import_id: Some(import.uuid()),
        created_at: now,
    };
    if !contact::insert_many(tx, account, &creation, &creates).await? {
        // Somebody added one of the addresses between looking and writing: the batch is done again.
        return Err(Error::Conflict("contact address".into()));
    }
    update_contacts(tx, target, &updates, &mut history).await?;
    for (candidate, _, contact) in &refused {
        if let Some(contact) = contact {
            take_back(tx, target, candidate, *contact, &mut history).await?;
        }
    }
    // A no outlives the contact: it is kept where erasing and undoing do not reach.
    let reason = SuppressionReason::Unsubscribed.name();
    suppression::add_many(tx, account, &noes, reason, SOURCE, now).await?;
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
        let id = tag_named(ctx, tx, import, name).await?;
        tag::add_imported(tx, account, id, &contacts, import, now).await?;
    }
    counts.created += creates.len() as i64;
    counts.updated += updates.len() as i64;
    counts.unchanged += (prepared.len() - creates.len() - updates.len() - refused.len()) as i64;
    let duplicates = refused.iter().filter(|(_, reject, _)| reject.is_duplicate()).count();
    counts.duplicate += duplicates as i64;
    counts.rejected += (refused.len() - duplicates) as i64;
    Ok(refused.into_iter().map(|(candidate, reject, _)| (candidate.number, reject.clone())).collect())
}

/// Lets the no of a refused row count. The record is neither opened nor replaced, and no image is kept: a no is not
/// taken back by an undo.
async fn take_back(
    tx: &mut Tx,
    target: &Target<'_>,
    candidate: &Candidate,
    contact: Uuid,
    history: &mut Vec<PermissionChangeRow>,
) -> Result<(), Error> {
    let (account, now) = (target.ctx.account, target.ctx.now().micros());
    let id = Id::from_uuid(contact);
    let Some(row) = contact::lock(tx, account, id).await? else { return Ok(()) };
    let (unsubscribed, withdrawn) = (Permission::Unsubscribed.name(), TrackingConsent::Withdrawn.name());
    if candidate.permission == Permission::Unsubscribed && row.permission != unsubscribed {
        contact::set_permission(tx, account, id, &row.permission, unsubscribed, SOURCE, now).await?;
        history.push(history_row(target, contact, "permission", &row.permission, unsubscribed));
    }
    if candidate.tracking == TrackingConsent::Withdrawn && row.tracking != withdrawn {
        contact::set_tracking(tx, account, id, withdrawn, now).await?;
        history.push(history_row(target, contact, "tracking", &row.tracking, withdrawn));
    }
    Ok(())
}

fn new_contact(row: &Prepared, permission: Permission, now: i64) -> NewContact<'_> {
    let tracking = row.candidate.tracking;
    NewContact {
        contact_id: row.contact,
        email_index: row.candidate.index,
        record: &row.sealed,
        permission: permission.name(),
        tracking: tracking.name(),
        tracking_at: if tracking == TrackingConsent::NotSet { 0 } else { now },
    }
}

/// The evidence is the import's own, kept once; the source names the import.
fn history_row(target: &Target<'_>, contact: Uuid, subject: &str, before: &str, after: &str) -> PermissionChangeRow {
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
async fn tag_named(ctx: &Ctx, tx: &mut Tx, import: Id<kind::Import>, name: &str) -> Result<Id<kind::Tag>, Error> {
    if let Some(row) = tag::find_by_name(tx, ctx.account, name).await? {
        return Ok(Id::from_uuid(row.tag_id));
    }
    let id = ctx.new_id::<kind::Tag>();
    if tag::insert(tx, ctx.account, id, name, ctx.now().micros()).await? {
        made::remember_tag(ctx, tx, import, id).await?;
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
