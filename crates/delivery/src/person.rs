//! A contact as delivery sees it: the address, the merge fields, whether it may be written to and tracked.

use std::collections::BTreeSet;
use std::sync::Arc;

use letterkeep_audience::contact::{self, MERGE_NAMES, OpenContact, ReadError};
use letterkeep_audience::{CustomField, Permission, SuppressionReason};
use letterkeep_campaign::{Compiled, Fields};
use letterkeep_model::{Ctx, EmailAddress, Id, kind};
use letterkeep_store::{KeyStoreError, Store};
use letterkeep_vault::{Keyring, OpenError};

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

/// Why contacts cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// Not a damaged record: the key that sealed it is missing, and with it most likely every other record's.
    #[error("contacts are sealed under key version {0}, which the key store does not hold; restore its newest backup")]
    NoKey(u32),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// Contacts that were opened together.
pub(crate) struct People {
    /// Everybody who still exists and opens.
    pub(crate) found: Vec<Person>,
    /// Those whose record does not open: one damaged record must not keep the others from their message.
    pub(crate) unreadable: Vec<Id<kind::Contact>>,
    /// What opened them.
    pub(crate) keyring: Arc<Keyring>,
}

/// Opens contacts under the keys of this instant: while work goes on for hours, the account's key may be rotated.
pub(crate) async fn open(
    ctx: &Ctx,
    store: &Store,
    custom: &[CustomField],
    ids: &[Id<kind::Contact>],
) -> Result<People, PeopleError> {
    let mut wanted = ids.to_vec();
    let mut unreadable = Vec::new();
    let mut keyring = store.keys.keyring(ctx.account).await?;
    let mut fresh = false;
    loop {
        let mut tx = store.db.read().await?;
        match contact::open_batch(ctx, &mut tx, &keyring, &wanted).await {
            Ok(open) => {
                let found = open.iter().map(|one| Person::new(one, custom)).collect();
                return Ok(People { found, unreadable, keyring });
            }
            Err(ReadError::Sealed { reason: OpenError::UnknownVersion(_), .. }) if !fresh => {
                fresh = true;
                drop(tx);
                store.keys.forget(ctx.account);
                keyring = store.keys.keyring(ctx.account).await?;
            }
            Err(ReadError::Sealed { reason: OpenError::UnknownVersion(version), contact }) => {
                tracing::error!(%contact, version, "the key that sealed a contact is not in the key store");
                return Err(PeopleError::NoKey(version));
            }
            Err(ReadError::Sealed { contact, reason }) => {
                tracing::error!(%contact, %reason, "a contact's record does not open; it is skipped");
                wanted.retain(|id| *id != contact);
                unreadable.push(contact);
            }
            Err(ReadError::Store(error)) => return Err(error.into()),
        }
    }
}

/// The merge keys that a template of this account may name.
pub fn known(custom: &[CustomField]) -> BTreeSet<String> {
    let custom = custom.iter().map(|field| field.merge_key.clone());
    MERGE_NAMES.iter().map(|name| (*name).to_owned()).chain(custom).collect()
}
