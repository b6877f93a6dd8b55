use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Clock, Entropy, Timestamp};

/// Names a kind of thing that has ids.
pub trait Kind: 'static {
    /// The prefix of the kind's ids in text form, for example `contact`.
    const NAME: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal;)*) => {
        /// The kinds of ids. Append-only: names stand in URLs, logs and audit entries.
        pub mod kind {
            $($(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $kind {}
            impl super::Kind for $kind { const NAME: &'static str = $name; })*
        }
    };
}

kinds! {
    /// An organisation that keeps its contacts here.
    Account = "account";
    /// A person who logs in.
    User = "user";
    /// A log-in on one device.
    Session = "session";
    /// A browser that has completed a log-in before.
    Device = "device";
    /// An invitation to join an account.
    Invitation = "invitation";
    /// Somebody who receives campaigns.
    Contact = "contact";
    /// A named set of contacts.
    List = "list";
    /// A label on contacts.
    Tag = "tag";
    /// A field that an account defined for its contacts.
    CustomField = "field";
    /// One import of a file.
    Import = "import";
    /// A file kept sealed.
    File = "file";
    /// A campaign.
    Campaign = "campaign";
    /// One sending of a campaign to its audience.
    CampaignActivity = "activity";
    /// A domain that campaigns are sent from.
    SendingDomain = "domain";
    /// An SMTP server that accepts mail for an account.
    Relay = "relay";
    /// A piece of background work.
    Job = "job";
    /// A request, from its first byte to its answer.
    Request = "request";
    /// An open or a click.
    Engagement = "engagement";
    /// A change of a contact's permission.
    PermissionChange = "permission";
    /// A rotation of keys.
    Rotation = "rotation";
}

/// A UUIDv7 (RFC 9562 §5.7) that knows what it names: ids of different kinds cannot be mixed up.
///
/// In text: the kind, an underscore, 32 hexadecimal digits, for example `contact_0193…`.
pub struct Id<K: Kind>(Uuid, PhantomData<fn() -> K>);

/// The text is not an id of the wanted kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an id of a {0}")]
pub struct IdError(&'static str);

impl<K: Kind> Id<K> {
    /// The id that means "none": system-wide rows use it where an account id must stand.
    pub const NIL: Self = Self(Uuid::nil(), PhantomData);

    /// A new id. Ids made later sort later, to the millisecond.
    pub fn generate(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        Self::at(clock.now(), entropy)
    }

    /// A new id whose time part is `instant`.
    pub fn at(instant: Timestamp, entropy: &dyn Entropy) -> Self {
        let millis = u64::try_from(instant.micros().div_euclid(1000)).unwrap_or(0);
        let builder = uuid::Builder::from_unix_timestamp_millis(millis, &entropy.bytes::<10>());
        Self(builder.into_uuid(), PhantomData)
    }

    /// From the stored form.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The stored form.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The sixteen bytes, as sealed records bind them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl<K: Kind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Kind> Copy for Id<K> {}
impl<K: Kind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K: Kind> Eq for Id<K> {}
impl<K: Kind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: Kind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K: Kind> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::NAME, self.0.simple())
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text
            .strip_prefix(K::NAME)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|digits| digits.len() == 32)
            .ok_or(IdError(K::NAME))?;
        let uuid = Uuid::try_parse(digits).map_err(|_| IdError(K::NAME))?;
        Ok(Self(uuid, PhantomData))
    }
}
impl<K: Kind> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: Kind> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn text_form_round_trips_and_kinds_do_not_mix() {
        let id = Id::<kind::Contact>::at(Timestamp::from_seconds(1_000), &Zeros);
        let text = id.to_string();
        assert!(text.starts_with("contact_"), "{text}");
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.parse::<Id<kind::List>>(), Err(IdError("list")));
        assert!("contact_00".parse::<Id<kind::Contact>>().is_err());
        assert!("contact_{0193}00000000000000000000000000".parse::<Id<kind::Contact>>().is_err());
    }

    #[test]
    fn later_ids_sort_later() {
        let early = Id::<kind::Contact>::at(Timestamp::from_seconds(1), &Zeros);
        let late = Id::<kind::Contact>::at(Timestamp::from_seconds(2), &Zeros);
        assert!(early < late);
    }
}
