//! What users and attackers notice of contacts, on both databases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "audience/consent.rs"]
mod consent;
#[path = "audience/contacts.rs"]
mod contacts;
#[path = "audience/exporting.rs"]
mod exporting;
#[path = "audience/membership.rs"]
mod membership;
#[path = "audience/secrecy.rs"]
mod secrecy;

use std::sync::Arc;

use letterkeep_audience::contact::{self, NewRecord};
use letterkeep_audience::permission::Source;
use letterkeep_audience::{ContactRecord, Permission};
use letterkeep_model::{Ctx, Id, Role, kind};
use letterkeep_testkit::TestHouse;
use letterkeep_vault::Keyring;

/// An account with its keys and somebody who works in it.
pub(crate) struct Desk<'a> {
    pub(crate) house: &'a TestHouse,
    pub(crate) ctx: Ctx,
    pub(crate) keyring: Arc<Keyring>,
}

impl<'a> Desk<'a> {
    pub(crate) async fn of(house: &'a TestHouse) -> Self {
        let (account, keyring) = house.account().await;
        Self { house, ctx: house.person(account, Role::Manager), keyring }
    }

    pub(crate) async fn contact(&self, email: &str) -> Id<kind::Contact> {
        self.create(ContactRecord::new(email.parse().unwrap()), Permission::Implicit).await
    }

    pub(crate) async fn create(&self, record: ContactRecord, permission: Permission) -> Id<kind::Contact> {
        let mut tx = self.house.store.db.write().await.unwrap();
        let new = NewRecord { record, permission, source: Source::Manual, evidence: None };
        let id = contact::create(&self.ctx, &mut tx, &self.keyring, &new).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub(crate) async fn find(&self, id: Id<kind::Contact>) -> contact::Contact {
        let mut tx = self.house.store.db.read().await.unwrap();
        contact::find(&self.ctx, &mut tx, &self.keyring, id).await.unwrap().unwrap()
    }

    /// Runs `work` in a transaction and commits it.
    pub(crate) async fn write<T>(&self, work: impl AsyncFnOnce(&mut letterkeep_store::Tx) -> T) -> T {
        let mut tx = self.house.store.db.write().await.unwrap();
        let done = work(&mut tx).await;
        tx.commit().await.unwrap();
        done
    }
}
