//! A contact as delivery sees it: the address, the merge fields, whether it may be written to and tracked.

use std::collections::BTreeSet;

use letterkeep_audience::contact::{self, MERGE_NAMES, OpenContact, ReadError};
use letterkeep_audience::{CustomField, Permission, SuppressionReason};
use letterkeep_campaign::{Compiled, Fields};
use letterkeep_model::{Ctx, EmailAddress, Id, kind};
use letterkeep_store::Tx;
use letterkeep_vault::Keyring;

pub(crate) struct Person {
    pub(crate) id: Id<kind::Contact>,
    pub(crate) address: EmailAddress,
    pub(crate) fields: Fields,
    /// Whether opens and clicks may be recorded.
    pub(crate) track: bool,
    permission: Permission,
    suppressed: Option<SuppressionReason>,
}

impl Person {
    pub(crate) fn new(open: &OpenContact, custom: &[CustomField]) -> Self {
        Self {
            id: open.id,
            address: open.record.email.clone(),
            fields: Fields::new(open.merge_fields(custom)),
            track: open.tracking.may_track(),
            permission: open.permission,
            suppressed: open.suppressed,
        }
    }

    /// Why nothing is sent to this contact; `None` if it may be. The words are those of the ledger.
    pub(crate) fn refusal(&self, compiled: &Compiled) -> Option<&'static str> {
        match (self.permission, self.suppressed) {
            (Permission::Unsubscribed, _) | (_, Some(SuppressionReason::Unsubscribed)) => Some("unsubscribed"),
            (_, Some(_)) => Some("suppressed"),
            (permission, None) if !permission.may_send() => Some("no_permission"),
            _ if !compiled.missing(&self.fields).is_empty() => Some("missing_field"),
            _ => None,
        }
    }
}

/// Everybody among `ids` who still exists, and those whose record does not open: one damaged record must not keep
/// the others from their message.
pub(crate) async fn open(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    custom: &[CustomField],
    ids: &[Id<kind::Contact>],
) -> Result<(Vec<Person>, Vec<Id<kind::Contact>>), letterkeep_store::Error> {
    let mut wanted = ids.to_vec();
    let mut unreadable = Vec::new();
    loop {
        match contact::open_batch(ctx, tx, keyring, &wanted).await {
            Ok(open) => return Ok((open.iter().map(|one| Person::new(one, custom)).collect(), unreadable)),
            Err(ReadError::Sealed { contact, reason }) => {
                tracing::error!(%contact, %reason, "a contact's record does not open; it is skipped");
                wanted.retain(|id| *id != contact);
                unreadable.push(contact);
            }
            Err(ReadError::Store(error)) => return Err(error),
        }
    }
}

/// The merge keys that a template of this account may name.
pub fn known(custom: &[CustomField]) -> BTreeSet<String> {
    let custom = custom.iter().map(|field| field.merge_key.clone());
    MERGE_NAMES.iter().map(|name| (*name).to_owned()).chain(custom).collect()
}
