use std::fmt;
use std::sync::Arc;

use crate::{Clock, Entropy, Id, Kind, Locale, Role, Timestamp, kind};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A person who has logged in with all factors, and the role that they hold in the account.
    User {
        /// The person.
        id: Id<kind::User>,
        /// Their role in the context's account.
        role: Role,
    },
    /// The service itself: a background job, or the operator at the command line.
    System,
    /// Somebody who is not logged in, for example a recipient who follows a link.
    Public,
}

/// The context of a request or job: who acts, for which account, since when, in which language; with the
/// clock and entropy that everything below must use.
#[derive(Clone)]
pub struct Ctx {
    /// Who acts.
    pub actor: Actor,
    /// The account whose data may be touched. [`Id::NIL`] before anybody has logged in.
    pub account: Id<kind::Account>,
    /// Joins the log lines of one request or job.
    pub request: Id<kind::Request>,
    /// The language of answers.
    pub locale: Locale,
    /// The instant after which nobody waits for the answer any more.
    pub deadline: Option<Timestamp>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Ctx {
    /// A context for the public, outside any account.
    pub fn public(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, locale: Locale) -> Self {
        let request = Id::generate(&*clock, &*entropy);
        Self { actor: Actor::Public, account: Id::NIL, request, locale, deadline: None, clock, entropy }
    }

    /// A context for the service's own work in `account`.
    pub fn system(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, account: Id<kind::Account>) -> Self {
        let mut ctx = Self::public(clock, entropy, Locale::default());
        ctx.actor = Actor::System;
        ctx.account = account;
        ctx
    }

    /// The same context for a person who has logged in.
    #[must_use]
    pub fn with_user(mut self, account: Id<kind::Account>, id: Id<kind::User>, role: Role) -> Self {
        self.account = account;
        self.actor = Actor::User { id, role };
        self
    }

    /// The same context for the service's own work in `account`, keeping request, language, clock and entropy.
    #[must_use]
    pub fn as_system(&self, account: Id<kind::Account>) -> Self {
        let mut ctx = self.clone();
        ctx.actor = Actor::System;
        ctx.account = account;
        ctx
    }

    /// The person who acts, if it is a person.
    pub fn user(&self) -> Option<Id<kind::User>> {
        match self.actor {
            Actor::User { id, .. } => Some(id),
            Actor::System | Actor::Public => None,
        }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The source of chance.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The source of chance, to share.
    pub fn shared_entropy(&self) -> &Arc<dyn Entropy> {
        &self.entropy
    }

    /// A new id.
    pub fn new_id<K: Kind>(&self) -> Id<K> {
        Id::at(self.now(), self.entropy())
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("actor", &self.actor)
            .field("account", &self.account)
            .field("request", &self.request)
            .field("locale", &self.locale)
            .finish_non_exhaustive()
    }
}
