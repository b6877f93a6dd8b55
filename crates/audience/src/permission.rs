//! The permission to send, the consent to being tracked, and how both may change.

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
