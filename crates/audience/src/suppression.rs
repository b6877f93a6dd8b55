//! Addresses that are never written to. Kept as blind indexes, so that they outlive the contact without naming anybody.

use letterkeep_model::{Ctx, EmailAddress, Id, Timestamp, kind};
use letterkeep_store::{Error, Tx, audit, contact as contacts, suppression as rows};
use letterkeep_vault::Keyring;

use crate::contact::email_index;
use crate::permission::Source;

/// Why an address is never written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SuppressionReason {
    /// The contact has said no. A new explicit permission with evidence lifts it.
    Unsubscribed,
    /// The address does not exist.
    HardBounce,
    /// The contact called a message unwanted.
    Complaint,
    /// Somebody of the account said so.
    Manual,
}

impl SuppressionReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Unsubscribed, Self::HardBounce, Self::Complaint, Self::Manual];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::HardBounce => "hard_bounce",
            Self::Complaint => "complaint",
            Self::Manual => "manual",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Why a suppression is lifted. A choice, not a text: it stands in the audit log, where no personal data may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LiftReason {
    /// It was made by mistake.
    Mistake,
    /// The contact has asked for it.
    Asked,
    /// The address works again.
    WorksAgain,
}

impl LiftReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Mistake, Self::Asked, Self::WorksAgain];

    /// The name, as the audit log has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mistake => "mistake",
            Self::Asked => "asked",
            Self::WorksAgain => "works_again",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A suppressed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppression {
    /// Why.
    pub reason: SuppressionReason,
    /// Since when.
    pub since: Timestamp,
}

/// Suppresses an address; whether that is new. A bounce, a complaint or a decision takes the place of an
/// unsubscription, never the other way round.
pub async fn add(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    email: &EmailAddress,
    reason: SuppressionReason,
    source: Source,
) -> Result<bool, Error> {
    add_index(ctx, tx, &email_index(keyring, email), reason, source).await
}

/// Suppresses the address of a contact, which need not be opened for it; `false` if there is no such contact, or
/// nothing changes.
pub async fn add_contact(
    ctx: &Ctx,
    tx: &mut Tx,
    contact: Id<kind::Contact>,
    reason: SuppressionReason,
    source: Source,
) -> Result<bool, Error> {
    let Some(row) = contacts::find(tx, ctx.account, contact).await? else { return Ok(false) };
    let index = row.email_index[..].try_into().map_err(|_| Error::Shape("contact.email_index"))?;
    add_index(ctx, tx, &index, reason, source).await
}

async fn add_index(
    ctx: &Ctx,
    tx: &mut Tx,
    index: &[u8; 16],
    reason: SuppressionReason,
    source: Source,
) -> Result<bool, Error> {
    let new = rows::add(tx, ctx.account, index, reason.name(), source.name(), ctx.now().micros()).await?;
    if new {
        let object = object(ctx, tx, index).await?;
        let detail = format!(r#"{{"reason":"{}","source":"{}"}}"#, reason.name(), source.name());
        audit::append(ctx, tx, audit::Event { action: "suppression.add", object: &object, detail: &detail }).await?;
    }
    Ok(new)
}

/// Lifts the suppression of an address, whatever its reason was; `false` if there was none. The contact's permission
/// stays as it is.
pub async fn remove(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    email: &EmailAddress,
    why: LiftReason,
) -> Result<bool, Error> {
    let index = email_index(keyring, email);
    let removed = rows::remove(tx, ctx.account, &index).await?;
    if removed {
        let object = object(ctx, tx, &index).await?;
        let detail = format!(r#"{{"why":"{}"}}"#, why.name());
        audit::append(ctx, tx, audit::Event { action: "suppression.remove", object: &object, detail: &detail }).await?;
    }
    Ok(removed)
}

/// The suppression of an address, if there is one.
pub async fn check(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    email: &EmailAddress,
) -> Result<Option<Suppression>, Error> {
    let row = rows::find(tx, ctx.account, &email_index(keyring, email)).await?;
    row.map(|row| {
        let reason = SuppressionReason::from_name(&row.reason).ok_or(Error::Shape("suppression.reason"))?;
        Ok(Suppression { reason, since: Timestamp::from_micros(row.created_at) })
    })
    .transpose()
}

/// How many addresses are suppressed, by reason.
pub async fn counts(ctx: &Ctx, tx: &mut Tx) -> Result<Vec<(SuppressionReason, i64)>, Error> {
    let rows = rows::counts(tx, ctx.account).await?;
    rows.into_iter()
        .map(|(name, addresses)| {
            Ok((SuppressionReason::from_name(&name).ok_or(Error::Shape("suppression.reason"))?, addresses))
        })
        .collect()
}

/// Lifts an unsubscription because the contact has given a new permission; other suppressions stay.
pub(crate) async fn lift(ctx: &Ctx, tx: &mut Tx, index: &[u8; 16], contact: Id<kind::Contact>) -> Result<(), Error> {
    let found = rows::find(tx, ctx.account, index).await?;
    if found.is_some_and(|row| row.reason == SuppressionReason::Unsubscribed.name()) {
        rows::remove(tx, ctx.account, index).await?;
        let object = contact.to_string();
        let detail = r#"{"why":"new_permission"}"#;
        audit::append(ctx, tx, audit::Event { action: "suppression.remove", object: &object, detail }).await?;
    }
    Ok(())
}

/// The contact that has the address, for the audit log; empty if there is none.
async fn object(ctx: &Ctx, tx: &mut Tx, index: &[u8; 16]) -> Result<String, Error> {
    let row = contacts::find_by_email(tx, ctx.account, index).await?;
    Ok(row.map_or_else(String::new, |row| Id::<kind::Contact>::from_uuid(row.contact_id).to_string()))
}
