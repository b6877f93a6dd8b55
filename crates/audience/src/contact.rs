//! Contacts: create, find, change, delete, page through, open for sending.

mod merge;
mod page;

use letterkeep_model::{Ctx, EmailAddress, Id, Timestamp, kind};
use letterkeep_store::contact::{ContactRow, Creation, EditedContact, NewContact};
use letterkeep_store::sealed::column::CONTACT_RECORD;
use letterkeep_store::{Error, Tx, audit, contact as rows, suppression as suppressed};
use letterkeep_vault::{IndexField, Keyring, OpenError};

use crate::permission::{self, Change, Evidence, Source};
use crate::{ContactRecord, Permission, RecordError, SuppressionReason, TrackingConsent, field, suppression};

pub use merge::MERGE_NAMES;
pub(crate) use page::open_rows;
pub use page::{ContactPage, Cursor, Filter, PAGE, page};

/// Contacts that [`open_batch`] opens at once, at most.
pub const BATCH: usize = 500;

/// A contact, opened. Personal data: `Debug` shows the id.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// The contact.
    pub id: Id<kind::Contact>,
    /// What is known about it.
    pub record: ContactRecord,
    /// Whether it may be written to.
    pub permission: Permission,
    /// Where the permission comes from.
    pub permission_source: Source,
    /// Since when it holds.
    pub permission_at: Timestamp,
    /// Whether opens and clicks may be recorded.
    pub tracking: TrackingConsent,
    /// The lists it is on.
    pub lists: Vec<Id<kind::List>>,
    /// The tags it bears.
    pub tags: Vec<Id<kind::Tag>>,
    /// The import that created it.
    pub import: Option<Id<kind::Import>>,
    /// Grows with every change of the record; an update names the one that was edited.
    pub revision: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contact").field("id", &self.id).field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// What a role without the right to see contacts may know of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedContact {
    /// The contact.
    pub id: Id<kind::Contact>,
    /// First letter of the local part and the top-level domain: `a•••@•••.org`.
    pub email: String,
    /// Whether it may be written to.
    pub permission: Permission,
    /// The lists it is on.
    pub lists: Vec<Id<kind::List>>,
    /// The tags it bears.
    pub tags: Vec<Id<kind::Tag>>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Contact {
    /// The contact as a role without the right to see contacts may see it: no name, no number, no address.
    pub fn masked(&self) -> MaskedContact {
        let first = self.record.email.local().chars().next().unwrap_or('•');
        let top = self.record.email.domain().rsplit('.').next().unwrap_or_default();
        MaskedContact {
            id: self.id,
            email: format!("{first}•••@•••.{top}"),
            permission: self.permission,
            lists: self.lists.clone(),
            tags: self.tags.clone(),
            created_at: self.created_at,
        }
    }
}

/// A contact to create.
#[derive(Clone)]
pub struct NewRecord {
    /// What is known about it.
    pub record: ContactRecord,
    /// Whether it may be written to.
    pub permission: Permission,
    /// Where the permission comes from.
    pub source: Source,
    /// What shows that it was given.
    pub evidence: Option<Evidence>,
}

/// A contact is not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Another contact has the address.
    #[error("contact {0} has this address already; edit that one")]
    Duplicate(Id<kind::Contact>),
    /// A limit.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The evidence is too long.
    #[error(transparent)]
    Evidence(#[from] permission::EvidenceError),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A contact is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A record does not open.
    #[error("{contact}: {reason}")]
    Sealed {
        /// Whose record.
        contact: Id<kind::Contact>,
        /// Why.
        reason: OpenError,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A contact is not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// No such contact.
    #[error("there is no contact with this id; it was deleted in the meantime")]
    Missing,
    /// Somebody else changed it first.
    #[error(
        "somebody else has changed the contact in the meantime (revision {found}, edited was {edited}); load it again"
    )]
    Stale {
        /// The revision that was edited.
        edited: i64,
        /// The present one.
        found: i64,
    },
    /// Another contact has the new address.
    #[error("contact {0} has this address already")]
    Duplicate(Id<kind::Contact>),
    /// A limit.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The blind index of an address: equal for every spelling of the same address.
pub fn email_index(keyring: &Keyring, email: &EmailAddress) -> [u8; 16] {
    keyring.blind_index(IndexField::ContactEmail, email.normalised().as_bytes())
}

/// Seals a record for its contact.
///
/// # Errors
/// The record exceeds a limit.
pub fn seal(
    ctx: &Ctx,
    keyring: &Keyring,
    contact: Id<kind::Contact>,
    record: &ContactRecord,
) -> Result<Vec<u8>, RecordError> {
    record.check()?;
    Ok(keyring.seal_json(&CONTACT_RECORD.slot(&contact.uuid()), record, ctx.entropy()))
}

/// Opens a sealed record of a contact.
pub fn open(keyring: &Keyring, contact: Id<kind::Contact>, sealed: &[u8]) -> Result<ContactRecord, ReadError> {
    let opened = keyring.open_json(&CONTACT_RECORD.slot(&contact.uuid()), sealed);
    opened.map_err(|reason| ReadError::Sealed { contact, reason })
}

/// Creates a contact.
///
/// An address that was unsubscribed before starts as unsubscribed, unless the new permission is explicit and comes
/// with evidence; then the suppression is lifted. Suppressions for other reasons stay.
pub async fn create(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    new: &NewRecord,
) -> Result<Id<kind::Contact>, CreateError> {
    let (account, now) = (ctx.account, ctx.now().micros());
    if let Some(evidence) = &new.evidence {
        evidence.check()?;
    }
    let id = ctx.new_id::<kind::Contact>();
    let record = seal(ctx, keyring, id, &new.record)?;
    let email_index = email_index(keyring, &new.record.email);
    let (mut after, mut source) = (new.permission, new.source);
    let suppression = suppressed::find(tx, account, &email_index).await?;
    if suppression.is_some_and(|row| row.reason == SuppressionReason::Unsubscribed.name()) {
        if permission::renews(after, source, new.evidence.as_ref()) {
            suppression::lift(ctx, tx, &email_index, id).await?;
        } else {
            (after, source) = (Permission::Unsubscribed, Source::Suppression);
        }
    }
    let creation = Creation {
        key_version: i64::from(keyring.version()),
        permission_source: source.name(),
        import_id: None,
        created_at: now,
    };
    let row = NewContact {
        contact_id: id.uuid(),
        email_index,
        record: &record,
        permission: after.name(),
        tracking: TrackingConsent::NotSet.name(),
        tracking_at: 0,
    };
    if !rows::insert_many(tx, account, &creation, &[row]).await? {
        let other = rows::find_by_email(tx, account, &email_index).await?;
        return Err(CreateError::Duplicate(other.map_or(Id::NIL, |row| Id::from_uuid(row.contact_id))));
    }
    if after != Permission::NotSet {
        let change = Change {
            contact: id,
            subject: permission::PERMISSION,
            before: Permission::NotSet.name(),
            after: after.name(),
            source,
        };
        permission::record(ctx, tx, keyring, change, new.evidence.as_ref()).await?;
    }
    if after == Permission::Unsubscribed {
        suppressed::add(tx, account, &email_index, SuppressionReason::Unsubscribed.name(), source.name(), now).await?;
    }
    let detail = format!(r#"{{"permission":"{}"}}"#, after.name());
    let event = audit::Event { action: "contact.create", object: &id.to_string(), detail: &detail };
    audit::append(ctx, tx, event).await?;
    Ok(id)
}

/// Finds a contact by its id.
pub async fn find(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    contact: Id<kind::Contact>,
) -> Result<Option<Contact>, ReadError> {
    let row = rows::find(tx, ctx.account, contact).await?;
    Ok(open_rows(ctx, tx, keyring, row.into_iter().collect()).await?.pop())
}

/// Finds a contact by its address, however it is spelt.
pub async fn find_by_email(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    email: &EmailAddress,
) -> Result<Option<Contact>, ReadError> {
    let row = rows::find_by_email(tx, ctx.account, &email_index(keyring, email)).await?;
    Ok(open_rows(ctx, tx, keyring, row.into_iter().collect()).await?.pop())
}

/// Replaces what is known about a contact; yields the new revision. `revision` is the one that was edited. The
/// permission stays as it is, also if the address becomes another one. Values of custom fields that are not defined
/// (any more) are dropped.
pub async fn update(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    contact: Id<kind::Contact>,
    revision: i64,
    record: &ContactRecord,
) -> Result<i64, UpdateError> {
    let account = ctx.account;
    let row = rows::lock(tx, account, contact).await?.ok_or(UpdateError::Missing)?;
    if row.revision != revision {
        return Err(UpdateError::Stale { edited: revision, found: row.revision });
    }
    let fields = field::all(ctx, tx).await?;
    let mut record = record.clone();
    record.custom.retain(|key, value| fields.iter().any(|field| field.merge_key == *key && value.fits(field.kind)));
    let sealed = seal(ctx, keyring, contact, &record)?;
    let email_index = email_index(keyring, &record.email);
    let moved = row.email_index != email_index;
    if moved && let Some(other) = rows::find_by_email(tx, account, &email_index).await? {
        return Err(UpdateError::Duplicate(Id::from_uuid(other.contact_id)));
    }
    let edited = EditedContact {
        contact,
        revision,
        email_index,
        record: &sealed,
        key_version: i64::from(keyring.version()),
        updated_at: ctx.now().micros(),
    };
    if !rows::update(tx, account, &edited).await? {
        return Err(UpdateError::Missing);
    }
    let detail = format!(r#"{{"revision":{},"address_changed":{moved}}}"#, revision + 1);
    let event = audit::Event { action: "contact.update", object: &contact.to_string(), detail: &detail };
    audit::append(ctx, tx, event).await?;
    Ok(revision + 1)
}

/// Erases contacts: records, memberships, permission history with its evidence, what imports and deliveries kept of
/// them. Suppressions stay, as blind indexes. Yields how many there were.
pub async fn delete(ctx: &Ctx, tx: &mut Tx, contacts: &[Id<kind::Contact>]) -> Result<u64, Error> {
    let ids = contacts.iter().map(|id| id.uuid()).collect::<Vec<_>>();
    let deleted = rows::delete_many(tx, ctx.account, &ids, ctx.now().micros()).await?;
    let object = match contacts {
        [one] => one.to_string(),
        _ => String::new(),
    };
    let detail = format!(r#"{{"contacts":{deleted}}}"#);
    audit::append(ctx, tx, audit::Event { action: "contact.delete", object: &object, detail: &detail }).await?;
    Ok(deleted)
}

/// How many contacts there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By permission; what has none is left out.
    pub by_permission: Vec<(Permission, i64)>,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> i64 {
        self.by_permission.iter().map(|(_, contacts)| contacts).sum()
    }

    /// Those that campaigns may be sent to, suppressions aside.
    pub fn may_send(&self) -> i64 {
        self.by_permission.iter().filter(|(permission, _)| permission.may_send()).map(|(_, contacts)| contacts).sum()
    }
}

/// Counts the contacts of the account. Reads one counter a permission, which every change keeps right in its own
/// transaction: the time does not grow with the number of contacts.
pub async fn count(ctx: &Ctx, tx: &mut Tx) -> Result<Counts, Error> {
    let rows = rows::counts(tx, ctx.account).await?;
    let by_permission = rows
        .into_iter()
        .map(|(name, contacts)| {
            let permission = Permission::from_name(&name).ok_or(Error::Shape("contact_count.permission"))?;
            Ok((permission, contacts))
        })
        .collect::<Result<_, Error>>()?;
    Ok(Counts { by_permission })
}

/// A contact opened for sending.
#[derive(Clone)]
pub struct OpenContact {
    /// The contact.
    pub id: Id<kind::Contact>,
    /// What is known about it.
    pub record: ContactRecord,
    /// Whether it may be written to.
    pub permission: Permission,
    /// Whether opens and clicks may be recorded.
    pub tracking: TrackingConsent,
    /// Why its address is suppressed, if it is.
    pub suppressed: Option<SuppressionReason>,
}

impl OpenContact {
    /// Whether a campaign may be sent: permission, and no suppression.
    pub const fn may_send(&self) -> bool {
        self.permission.may_send() && self.suppressed.is_none()
    }
}

/// Opens many contacts for sending, in the order of `contacts`; those that were deleted are left out. Ask for at most
/// [`BATCH`] at once: everything is held in memory.
pub async fn open_batch(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    contacts: &[Id<kind::Contact>],
) -> Result<Vec<OpenContact>, ReadError> {
    let ids = contacts.iter().map(|id| id.uuid()).collect::<Vec<_>>();
    let found = rows::open_many(tx, ctx.account, &ids).await?;
    let mut by_id = found.into_iter().map(|row| (row.contact_id, row)).collect::<std::collections::HashMap<_, _>>();
    let mut opened = Vec::with_capacity(by_id.len());
    for contact in contacts {
        let Some(row) = by_id.remove(&contact.uuid()) else { continue };
        let suppressed = match row.suppressed.as_deref() {
            None => None,
            Some(reason) => Some(SuppressionReason::from_name(reason).ok_or(Error::Shape("suppression.reason"))?),
        };
        opened.push(OpenContact {
            id: *contact,
            record: open(keyring, *contact, &row.record)?,
            permission: permission_of(&row.permission)?,
            tracking: tracking_of(&row.tracking)?,
            suppressed,
        });
    }
    Ok(opened)
}

/// Opens one row; lists and tags are filled in by the caller.
fn open_row(keyring: &Keyring, row: &ContactRow) -> Result<Contact, ReadError> {
    let id = Id::from_uuid(row.contact_id);
    Ok(Contact {
        id,
        record: open(keyring, id, &row.record)?,
        permission: permission_of(&row.permission)?,
        permission_source: Source::from_name(&row.permission_source)
            .ok_or(Error::Shape("contact.permission_source"))?,
        permission_at: Timestamp::from_micros(row.permission_at),
        tracking: tracking_of(&row.tracking)?,
        lists: Vec::new(),
        tags: Vec::new(),
        import: row.import_id.map(Id::from_uuid),
        revision: row.revision,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

pub(crate) fn permission_of(name: &str) -> Result<Permission, Error> {
    Permission::from_name(name).ok_or(Error::Shape("contact.permission"))
}

pub(crate) fn tracking_of(name: &str) -> Result<TrackingConsent, Error> {
    TrackingConsent::from_name(name).ok_or(Error::Shape("contact.tracking"))
}
