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
