use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::hmac;
use letterkeep_model::{Id, kind};

use crate::derive::{aead_key, mac_key};
use crate::{Class, KeyBytes};

/// What a blind index is computed over. Each field has a key of its own, so that equal values in two
/// fields do not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexField {
    /// The normalised e-mail address of a contact.
    ContactEmail,
    /// The normalised e-mail address or user name of a person who logs in.
    UserEmail,
    /// What log-in attempts are counted by: a user name, a network, a device.
    Throttle,
}

impl IndexField {
    const ALL: [Self; 3] = [Self::ContactEmail, Self::UserEmail, Self::Throttle];

    const fn label(self) -> &'static [u8] {
        match self {
            Self::ContactEmail => b"index contact email",
            Self::UserEmail => b"index user email",
            Self::Throttle => b"index throttle",
        }
    }
}

/// The live keys of one account: seals and opens its records, finds its rows by blind index, signs its
/// links. Every key is derived once, when the ring is made; the ring is cheap to share in an `Arc`.
///
/// It cannot be printed:
/// ```compile_fail,E0277
/// fn print(ring: &letterkeep_vault::Keyring) -> String {
///     format!("{ring:?}")
/// }
/// ```
pub struct Keyring {
    pub(crate) account: Id<kind::Account>,
    /// Highest version first.
    pub(crate) versions: Vec<Version>,
    /// Where in `versions` the version stands that new records are sealed under.
    pub(crate) current: usize,
    index: [hmac::Key; IndexField::ALL.len()],
    pub(crate) link: hmac::Key,
}

pub(crate) struct Version {
    pub(crate) number: u32,
    classes: [LessSafeKey; Class::ALL.len()],
}

impl Version {
    pub(crate) fn class(&self, class: Class) -> &LessSafeKey {
        &self.classes[class as usize]
    }
}

/// The keys of an account do not make a ring.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyringError {
    /// There is no data key at all.
    #[error("the account has no data key; restore the key store from its backup")]
    NoDataKey,
    /// Two data keys claim the same version.
    #[error("the account has two data keys of version {0}; restore the key store from its backup")]
    VersionTwice(u32),
}

impl Keyring {
    /// Makes the ring of `account` from its data keys by version, its index key and its link key. New records are
    /// sealed under the highest version.
    pub fn new(
        account: Id<kind::Account>,
        data: Vec<(u32, KeyBytes)>,
        index: &KeyBytes,
        link: &KeyBytes,
    ) -> Result<Self, KeyringError> {
        let highest = data.iter().map(|(number, _)| *number).max().ok_or(KeyringError::NoDataKey)?;
        Self::with_current(account, data, highest, index, link)
    }

    /// The same, but new records are sealed under the version `current`: while an account's key is rotated, every
    /// process must be able to read the new version before the first one writes it.
    pub fn with_current(
        account: Id<kind::Account>,
        data: Vec<(u32, KeyBytes)>,
        current: u32,
        index: &KeyBytes,
        link: &KeyBytes,
    ) -> Result<Self, KeyringError> {
        let id = account.as_bytes();
        let mut versions = data
            .into_iter()
            .map(|(number, key)| Version {
                number,
                classes: Class::ALL.map(|class| aead_key(&key, &[id, &number.to_be_bytes(), class.label()])),
            })
            .collect::<Vec<_>>();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        let current = versions.iter().position(|version| version.number == current).ok_or(KeyringError::NoDataKey)?;
        if let Some(pair) = versions.windows(2).find(|pair| pair[0].number == pair[1].number) {
            return Err(KeyringError::VersionTwice(pair[0].number));
        }
        Ok(Self {
            account,
            versions,
            current,
            index: IndexField::ALL.map(|field| mac_key(index, &[id, field.label()])),
            link: mac_key(link, &[id, b"link"]),
        })
    }

    /// Whose keys these are.
    pub fn account(&self) -> Id<kind::Account> {
        self.account
    }

    /// The version of the data key that new records are sealed under.
    pub fn version(&self) -> u32 {
        self.versions[self.current].number
    }

    /// Every version of the data key that the ring opens, the highest first.
    pub fn versions(&self) -> impl Iterator<Item = u32> + '_ {
        self.versions.iter().map(|version| version.number)
    }

    /// The blind index of a value: HMAC-SHA-256 under a key of this account and field, cut to 16 bytes.
    ///
    /// Equal values give equal indexes, and nothing else can be learnt without the key. The caller
    /// normalises (an e-mail address with [`EmailAddress::normalised`](letterkeep_model::EmailAddress::normalised)).
    pub fn blind_index(&self, field: IndexField, normalised: &[u8]) -> [u8; 16] {
        let tag = hmac::sign(&self.index[field as usize], normalised);
        let mut index = [0; 16];
        index.copy_from_slice(&tag.as_ref()[..16]);
        index
    }
}

#[cfg(test)]
mod tests {
    use letterkeep_model::SystemEntropy;

    use super::*;
    use crate::fixture::{account, key, ring};

    #[test]
    fn the_highest_version_is_the_current_one() {
        let ring = Keyring::new(account(1), vec![(2, key(2)), (9, key(9)), (1, key(1))], &key(50), &key(51)).unwrap();
        assert_eq!((ring.version(), ring.account()), (9, account(1)));
        assert_eq!(ring.versions().collect::<Vec<_>>(), [9, 2, 1]);
    }

    #[test]
    fn a_new_version_can_be_read_before_it_is_written() {
        let slot = crate::Slot { table: "contact", column: "record", row: b"1", class: Class::Contact };
        let data = || vec![(1, key(1)), (2, key(2))];
        let before = Keyring::with_current(account(1), data(), 1, &key(50), &key(51)).unwrap();
        let after = Keyring::with_current(account(1), data(), 2, &key(50), &key(51)).unwrap();
        for (ring, version) in [(&before, 1), (&after, 2)] {
            let record = ring.seal(&slot, b"secret", &SystemEntropy);
            assert_eq!((ring.version(), crate::sealed_version(&record)), (version, Some(version)));
            assert!(before.open(&slot, &record).is_ok() && after.open(&slot, &record).is_ok());
        }
        let absent = Keyring::with_current(account(1), data(), 3, &key(50), &key(51));
        assert_eq!(absent.err(), Some(KeyringError::NoDataKey));
    }

    #[test]
    fn keys_that_make_no_sense_make_no_ring() {
        let refused = |data| Keyring::new(account(1), data, &key(50), &key(51)).err();
        assert_eq!(refused(vec![]), Some(KeyringError::NoDataKey));
        assert_eq!(refused(vec![(3, key(1)), (4, key(2)), (3, key(3))]), Some(KeyringError::VersionTwice(3)));
    }

    #[test]
    fn a_blind_index_depends_on_value_field_account_and_key() {
        let index = |account, index, field, value: &str| {
            let data = KeyBytes::generate(&SystemEntropy);
            let ring = Keyring::new(account, vec![(1, data)], &key(index), &KeyBytes::generate(&SystemEntropy));
            ring.unwrap().blind_index(field, value.as_bytes())
        };
        let one = index(account(1), 50, IndexField::ContactEmail, "a@example.org");
        assert_eq!(one, index(account(1), 50, IndexField::ContactEmail, "a@example.org"), "whatever the data key is");
        assert_ne!(one, index(account(1), 50, IndexField::ContactEmail, "b@example.org"));
        assert_ne!(one, index(account(1), 50, IndexField::UserEmail, "a@example.org"));
        assert_ne!(one, index(account(1), 50, IndexField::Throttle, "a@example.org"));
        assert_ne!(one, index(account(2), 50, IndexField::ContactEmail, "a@example.org"));
        assert_ne!(one, index(account(1), 51, IndexField::ContactEmail, "a@example.org"));
    }

    #[test]
    fn classes_and_fields_never_share_a_label() {
        let labels = Class::ALL.map(Class::label).into_iter().chain(IndexField::ALL.map(IndexField::label));
        let distinct = labels.clone().collect::<std::collections::HashSet<_>>();
        assert_eq!(distinct.len(), labels.count());
        // `class as usize` and `field as usize` pick the key: the lists must be in the order of the variants.
        assert!(Class::ALL.iter().enumerate().all(|(at, class)| *class as usize == at));
        assert!(IndexField::ALL.iter().enumerate().all(|(at, field)| *field as usize == at));
    }

    #[test]
    fn can_be_shared_between_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&ring(1));
    }
}
