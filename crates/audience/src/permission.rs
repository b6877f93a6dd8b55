//! The permission to send, the consent to being tracked, and how both may change.

use letterkeep_model::{Actor, Ctx, Id, Timestamp, kind};
use letterkeep_store::permission::{self as rows, PermissionChangeRow};
use letterkeep_store::sealed::column::PERMISSION_EVIDENCE;
use letterkeep_store::{Error, Tx, audit, contact as contacts, import as imports, suppression as suppressed};
use letterkeep_vault::Keyring;

use crate::SuppressionReason;
use crate::contact::ReadError;

/// Whether a contact may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// The contact has said yes.
    Explicit,
    /// The contact is a customer or the like, and has not said no.
    Implicit,
    /// Nobody knows.
    NotSet,
    /// Asked, not yet confirmed.
    PendingConfirmation,
    /// The contact has said no.
    Unsubscribed,
    /// Not for the time being.
    TemporaryHold,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 6] = [
        Self::Explicit,
        Self::Implicit,
        Self::NotSet,
        Self::PendingConfirmation,
        Self::Unsubscribed,
        Self::TemporaryHold,
    ];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Implicit => "implicit",
            Self::NotSet => "not_set",
            Self::PendingConfirmation => "pending_confirmation",
            Self::Unsubscribed => "unsubscribed",
            Self::TemporaryHold => "temporary_hold",
        }
    }

    /// The permission of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    /// Whether campaigns may be sent: an explicit or implicit yes, nothing else.
    pub const fn may_send(self) -> bool {
        matches!(self, Self::Explicit | Self::Implicit)
    }

    /// What an import that asserts `asserted` makes of a contact that stands at `self`: a no, a hold and a pending
    /// question stay, and a yes is never weakened.
    #[must_use]
    pub const fn after_import(self, asserted: Self) -> Self {
        match (self, asserted) {
            (Self::NotSet, _) => asserted,
            (_, Self::Unsubscribed) => Self::Unsubscribed,
            (Self::Implicit, Self::Explicit) => Self::Explicit,
            _ => self,
        }
    }
}

/// Whether opens and clicks of a contact may be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackingConsent {
    /// Never asked: no.
    NotSet,
    /// Yes.
    Given,
    /// Taken back: no.
    Withdrawn,
}

impl TrackingConsent {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::NotSet, Self::Given, Self::Withdrawn];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSet => "not_set",
            Self::Given => "given",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|consent| consent.name() == name)
    }

    /// Whether opens and clicks may be recorded.
    pub const fn may_track(self) -> bool {
        matches!(self, Self::Given)
    }
}

/// The subject of a change of the permission to send.
pub(crate) const PERMISSION: &str = "permission";
/// The subject of a change of the consent to tracking.
pub(crate) const TRACKING: &str = "tracking";
/// Characters in one field of an evidence, at most.
pub const EVIDENCE_CHARS: usize = 2_000;
/// Changes that [`history`] yields, at most.
const HISTORY: i64 = 200;

macro_rules! sources {
    ($($(#[$doc:meta])* $source:ident = $name:literal;)*) => {
        /// How a permission came about. The stored names are append-only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Source { $($(#[$doc])* $source),* }
        impl Source {
            /// Every source.
            pub const ALL: &[Self] = &[$(Self::$source),*];

            /// The stored name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$source => $name),* }
            }

            /// The source of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|source| source.name() == name)
            }
        }
    };
}

sources! {
    /// Somebody of the account entered it.
    Manual = "manual";
    /// A file was imported.
    Import = "import";
    /// The contact filled in a form.
    Form = "form";
    /// The contact confirmed by a link in a message.
    Confirmation = "confirmation";
    /// The contact pressed the mail program's button (RFC 8058).
    OneClick = "one_click";
    /// The contact used the page that a message links to.
    Page = "page";
    /// The contact called the message unwanted.
    Complaint = "complaint";
    /// The address was suppressed before the contact was created.
    Suppression = "suppression";
    /// A program, through the interface for programs.
    Api = "api";
    /// The operator, at the command line.
    CommandLine = "command_line";
}

/// What shows that a permission was given or taken back. Sealed; every field at most [`EVIDENCE_CHARS`] characters.
/// Personal data, so `Debug` shows nothing.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// On what ground: consent, existing customer, contract …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub basis: String,
    /// The words that the contact agreed to, in the language shown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wording: String,
    /// The form or paper: its name and version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub form: String,
    /// The page on which it happened.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub page: String,
    /// The network address it came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The browser or mail program, as it names itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// The Message-ID of the message that asked or was answered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Anything else.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evidence(hidden)")
    }
}

/// An evidence exceeds its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a field of the evidence is longer than 2,000 characters")]
pub struct EvidenceError;

impl Evidence {
    /// An evidence that says no more than this.
    pub fn note(note: impl Into<String>) -> Self {
        Self { note: note.into(), ..Self::default() }
    }

    /// Whether it says anything at all.
    pub fn is_empty(&self) -> bool {
        self.fields().iter().all(|field| field.trim().is_empty())
    }

    pub(crate) fn check(&self) -> Result<(), EvidenceError> {
        let fits = |field: &&String| field.len() <= EVIDENCE_CHARS || field.chars().count() <= EVIDENCE_CHARS;
        if self.fields().iter().all(fits) { Ok(()) } else { Err(EvidenceError) }
    }

    const fn fields(&self) -> [&String; 8] {
        [&self.basis, &self.wording, &self.form, &self.page, &self.address, &self.client, &self.message, &self.note]
    }
}

/// A permission is not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// No such contact.
    #[error("there is no contact with this id; it was deleted in the meantime")]
    Missing,
    /// A no stays a no.
    #[error("the contact has said no; only a new explicit permission with evidence of it can change that")]
    SaidNo,
    /// The evidence is too long.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Whether a new permission is strong enough to undo a no: explicit, with evidence, and not from a file.
pub(crate) fn renews(after: Permission, source: Source, evidence: Option<&Evidence>) -> bool {
    after == Permission::Explicit && is_new_word(source, evidence)
}

fn is_new_word(source: Source, evidence: Option<&Evidence>) -> bool {
    !matches!(source, Source::Import | Source::Suppression) && evidence.is_some_and(|evidence| !evidence.is_empty())
}

/// A change to record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) contact: Id<kind::Contact>,
    pub(crate) subject: &'static str,
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
    pub(crate) source: Source,
}

/// Appends a change to the contact's history.
pub(crate) async fn record(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    change: Change,
    evidence: Option<&Evidence>,
) -> Result<(), Error> {
    let id = ctx.new_id::<kind::PermissionChange>();
    let sealed = evidence
        .filter(|evidence| !evidence.is_empty())
        .map(|evidence| keyring.seal_json(&PERMISSION_EVIDENCE.slot(&id.uuid()), evidence, ctx.entropy()));
    let row = PermissionChangeRow {
        change_id: id.uuid(),
        contact_id: change.contact.uuid(),
        subject: change.subject.to_owned(),
        before: change.before.to_owned(),
        after: change.after.to_owned(),
        source: change.source.name().to_owned(),
        evidence: sealed,
        key_version: i64::from(keyring.version()),
        actor: actor(ctx),
        at: ctx.now().micros(),
    };
    rows::insert_many(tx, ctx.account, &[row]).await
}

/// Sets the permission of a contact; whether it was another one before.
///
/// # Errors
/// [`SetError::SaidNo`] if the contact is unsubscribed and `after` is not an explicit permission with evidence.
pub async fn set(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    contact: Id<kind::Contact>,
    after: Permission,
    source: Source,
    evidence: Option<&Evidence>,
) -> Result<bool, SetError> {
    if let Some(evidence) = evidence {
        evidence.check()?;
    }
    let row = contacts::lock(tx, ctx.account, contact).await?.ok_or(SetError::Missing)?;
    let before = crate::contact::permission_of(&row.permission)?;
    let renewed = renews(after, source, evidence);
    if before == Permission::Unsubscribed && after != before && !renewed {
        return Err(SetError::SaidNo);
    }
    let now = ctx.now().micros();
    let email_index = <[u8; 16]>::try_from(&row.email_index[..]).map_err(|_| Error::Shape("contact.email_index"))?;
    if after == Permission::Unsubscribed {
        let reason = match source {
            Source::Complaint => SuppressionReason::Complaint,
            _ => SuppressionReason::Unsubscribed,
        };
        suppressed::add(tx, ctx.account, &email_index, reason.name(), source.name(), now).await?;
    } else if renewed {
        crate::suppression::lift(ctx, tx, &email_index, contact).await?;
    }
    // The same yes once more, with evidence, is worth recording; without, nothing has happened.
    if before == after && evidence.is_none_or(|_| after == Permission::Unsubscribed) {
        return Ok(false);
    }
    contacts::set_permission(tx, ctx.account, contact, before.name(), after.name(), source.name(), now).await?;
    let change = Change { contact, subject: PERMISSION, before: before.name(), after: after.name(), source };
    record(ctx, tx, keyring, change, evidence).await?;
    note(ctx, tx, "contact.permission", change).await?;
    Ok(before != after)
}

/// Unsubscribes a contact and suppresses its address; whether it was subscribed before. Doing it again changes nothing.
pub async fn unsubscribe(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    contact: Id<kind::Contact>,
    source: Source,
    evidence: Option<&Evidence>,
) -> Result<bool, SetError> {
    set(ctx, tx, keyring, contact, Permission::Unsubscribed, source, evidence).await
}

/// Sets a contact's consent to the recording of opens and clicks; whether it was another one before.
///
/// # Errors
/// [`SetError::SaidNo`] if the consent was withdrawn and is to be given again without evidence.
pub async fn set_tracking(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    contact: Id<kind::Contact>,
    after: TrackingConsent,
    source: Source,
    evidence: Option<&Evidence>,
) -> Result<bool, SetError> {
    if let Some(evidence) = evidence {
        evidence.check()?;
    }
    let row = contacts::lock(tx, ctx.account, contact).await?.ok_or(SetError::Missing)?;
    let before = crate::contact::tracking_of(&row.tracking)?;
    let gives_again = after == TrackingConsent::Given && is_new_word(source, evidence);
    if before == TrackingConsent::Withdrawn && after != before && !gives_again {
        return Err(SetError::SaidNo);
    }
    if before == after {
        return Ok(false);
    }
    contacts::set_tracking(tx, ctx.account, contact, after.name(), ctx.now().micros()).await?;
    let change = Change { contact, subject: TRACKING, before: before.name(), after: after.name(), source };
    record(ctx, tx, keyring, change, evidence).await?;
    note(ctx, tx, "contact.tracking", change).await?;
    Ok(true)
}

/// A change in a contact's history.
#[derive(Debug, Clone)]
pub struct PermissionChange {
    /// `permission` or `tracking`.
    pub subject: String,
    /// The name of the state before.
    pub before: String,
    /// The name of the state after.
    pub after: String,
    /// How it came about.
    pub source: Source,
    /// The import that brought it; the evidence stands with it, once for the whole file.
    pub import: Option<Id<kind::Import>>,
    /// What shows it.
    pub evidence: Option<Evidence>,
    /// `user_…`, `system` or `public`.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// The newest changes of a contact's permission and tracking consent, newest first, at most 200.
///
/// What a contact began with is not stored beside it when an import created it: it follows from the oldest change, or
/// from the contact as it stands if nothing has changed since.
pub async fn history(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    contact: Id<kind::Contact>,
) -> Result<Vec<PermissionChange>, ReadError> {
    let found = rows::history(tx, ctx.account, contact, HISTORY).await?;
    let is_whole = (found.len() as i64) < HISTORY;
    let changes = found
        .into_iter()
        .map(|row| {
            let slot = PERMISSION_EVIDENCE.slot(&row.change_id);
            let evidence = row.evidence.as_deref().map(|sealed| keyring.open_json(&slot, sealed)).transpose();
            // An import stands there by its id: its evidence is kept once, with the import.
            let import = row.source.parse().ok();
            let source = import.map_or_else(|| Source::from_name(&row.source), |_| Some(Source::Import));
            let source = source.ok_or(Error::Shape("permission_change.source"))?;
            Ok(PermissionChange {
                subject: row.subject,
                before: row.before,
                after: row.after,
                source,
                import,
                evidence: evidence.map_err(|reason| ReadError::Sealed { contact, reason })?,
                actor: row.actor,
                at: Timestamp::from_micros(row.at),
            })
        })
        .collect::<Result<Vec<_>, ReadError>>();
    let mut changes = changes?;
    if is_whole {
        let began = beginnings(ctx, tx, contact, &changes).await?;
        changes.extend(began);
    }
    Ok(changes)
}

/// What an imported contact began with.
async fn beginnings(
    ctx: &Ctx,
    tx: &mut Tx,
    contact: Id<kind::Contact>,
    changes: &[PermissionChange],
) -> Result<Vec<PermissionChange>, Error> {
    let Some(row) = contacts::find(tx, ctx.account, contact).await? else { return Ok(Vec::new()) };
    let Some(import) = row.import_id.map(Id::<kind::Import>::from_uuid) else { return Ok(Vec::new()) };
    let actor = imports::find(tx, ctx.account, import).await?.map_or_else(|| "system".to_owned(), |row| row.actor);
    let not_set = TrackingConsent::NotSet.name();
    let mut began = Vec::new();
    for (subject, state) in [(TRACKING, row.tracking), (PERMISSION, row.permission)] {
        let oldest = changes.iter().rev().find(|change| change.subject == subject);
        let first = oldest.map_or(state, |change| change.before.clone());
        if first != not_set {
            began.push(PermissionChange {
                subject: subject.to_owned(),
                before: not_set.to_owned(),
                after: first,
                source: Source::Import,
                import: Some(import),
                evidence: None,
                actor: actor.clone(),
                at: Timestamp::from_micros(row.created_at),
            });
        }
    }
    Ok(began)
}

async fn note(ctx: &Ctx, tx: &mut Tx, action: &str, change: Change) -> Result<(), Error> {
    let detail =
        format!(r#"{{"before":"{}","after":"{}","source":"{}"}}"#, change.before, change.after, change.source.name());
    audit::append(ctx, tx, audit::Event { action, object: &change.contact.to_string(), detail: &detail }).await
}

/// Who acts, as histories name them.
pub(crate) fn actor(ctx: &Ctx) -> String {
    match ctx.actor {
        Actor::User { id, .. } => id.to_string(),
        Actor::System => "system".to_owned(),
        Actor::Public => "public".to_owned(),
    }
}
