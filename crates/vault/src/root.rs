mod file;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use letterkeep_model::{Entropy, Id, kind};
use zeroize::Zeroizing;

use crate::derive::{aead_key, bind};
use crate::{KeyBytes, sha256};

pub use file::RootTextError;
pub use source::{RootError, RootHold, RootSource};

/// Names a root key: the first 8 bytes of a hash of the key, so that a damaged key does not fit its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RootId([u8; 8]);

impl RootId {
    /// From the stored form.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// From the stored form; `None` if it does not have 8 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// The stored form.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    fn of(key: &KeyBytes) -> Self {
        let mut named = Zeroizing::new([0; 64]);
        named[..18].copy_from_slice(b"letterkeep root id");
        named[32..].copy_from_slice(key.as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&sha256(&*named)[..8]);
        Self(id)
    }
}

impl fmt::Display for RootId {
    /// Sixteen hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an account key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Sealing records.
    Data,
    /// Blind indexes.
    Index,
    /// Link tokens.
    Link,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Data, Self::Index, Self::Link];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Index => "index",
            Self::Link => "link",
        }
    }

    /// The purpose of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// The place of a wrapped key. A wrapped key opens only in the place it was wrapped for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrapSlot {
    /// The account whose key it is.
    pub account: Id<kind::Account>,
    /// What the key is for.
    pub purpose: KeyPurpose,
    /// Its version.
    pub version: u32,
}

/// An account key, wrapped by a root; what the key store keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The root that opens it.
    pub root: RootId,
    /// The wrapped key, [`Wrapped::LEN`] bytes.
    pub bytes: Vec<u8>,
}

impl Wrapped {
    /// Format, algorithm, nonce, key, tag.
    pub const LEN: usize = 2 + NONCE_LEN + 32 + TAG_LEN;
}

/// A wrapped key does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnwrapError {
    /// The root file does not hold the root that the key was wrapped by.
    #[error("wrapped by root {0}, which the root file does not hold; read the file again, or restore its backup")]
    UnknownRoot(RootId),
    /// The wrapped key was changed, or moved from another place.
    #[error("the wrapped key was changed or moved; restore the key store from its backup")]
    Refused,
}

const FORMAT: u8 = 1;
const AES_256_GCM_RANDOM_NONCE: u8 = 1;
const TAG_LEN: usize = 16;

/// The open root keys: the current one, and older ones that some account key is still wrapped by.
///
/// It cannot be printed:
/// ```compile_fail,E0277
/// fn print(root: &letterkeep_vault::Root) -> String {
///     format!("{root:?}")
/// }
/// ```
pub struct Root {
    /// The current one first; never empty.
    keys: Vec<(RootId, LessSafeKey)>,
    /// The digest of the file as it was read or written; zeros if there is none.
    file: [u8; 32],
}

impl Root {
    /// A root that is kept in no file and dies with the process. For tests: what it wraps cannot be opened
    /// after a restart.
    pub fn ephemeral(entropy: &dyn Entropy) -> Self {
        Self::from_keys(&[KeyBytes::generate(entropy)], [0; 32])
    }

    /// Reads the text of a root file, as [`RootSource::open`] finds it inside the file.
    pub fn parse(text: &[u8]) -> Result<Self, RootTextError> {
        Ok(Self::from_keys(&file::parse(text)?, [0; 32]))
    }

    fn from_keys(keys: &[KeyBytes], file: [u8; 32]) -> Self {
        Self { keys: keys.iter().map(|key| (RootId::of(key), aead_key(key, &[b"wrap"]))).collect(), file }
    }

    /// The root that new keys are wrapped by.
    pub fn current(&self) -> RootId {
        self.keys[0].0
    }

    /// Whether an older root is still there: a rotation has begun and is not finished.
    pub fn is_rotating(&self) -> bool {
        self.ids().nth(1).is_some()
    }

    /// Every open root, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = RootId> + '_ {
        self.keys.iter().map(|(id, _)| *id)
    }

    /// Wraps `key` for `slot` by the current root.
    pub fn wrap(&self, slot: &WrapSlot, key: &KeyBytes, entropy: &dyn Entropy) -> Wrapped {
        let (root, wrapping) = &self.keys[0];
        let nonce = entropy.bytes::<NONCE_LEN>();
        let mut bytes = Vec::with_capacity(Wrapped::LEN);
        bytes.extend_from_slice(&[FORMAT, AES_256_GCM_RANDOM_NONCE]);
        bytes.extend_from_slice(&nonce);
        let mut text = Zeroizing::new(*key.as_bytes());
        let tag = wrapping
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated(*root, slot)),
                &mut *text,
            )
            .expect("AES-GCM seals 32 bytes");
        bytes.extend_from_slice(&*text);
        bytes.extend_from_slice(tag.as_ref());
        Wrapped { root: *root, bytes }
    }

    /// Opens a key that `root` wrapped for `slot`.
    pub fn unwrap(&self, slot: &WrapSlot, root: RootId, bytes: &[u8]) -> Result<KeyBytes, UnwrapError> {
        let (_, wrapping) = self.keys.iter().find(|(id, _)| *id == root).ok_or(UnwrapError::UnknownRoot(root))?;
        let [FORMAT, AES_256_GCM_RANDOM_NONCE, rest @ ..] = bytes else { return Err(UnwrapError::Refused) };
        if bytes.len() != Wrapped::LEN {
            return Err(UnwrapError::Refused);
        }
        let (nonce, rest) = rest.split_at(NONCE_LEN);
        let (text, tag) = rest.split_at(rest.len() - TAG_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnwrapError::Refused)?;
        let mut plain = Zeroizing::new([0; 32]);
        wrapping
            .open_separate_gather(nonce, Aad::from(associated(root, slot)), text, tag, &mut *plain)
            .map_err(|_| UnwrapError::Refused)?;
        KeyBytes::from_slice(&*plain).ok_or(UnwrapError::Refused)
    }
}

fn associated(root: RootId, slot: &WrapSlot) -> Vec<u8> {
    bind(&[
        b"letterkeep wrapped key",
        &[FORMAT, AES_256_GCM_RANDOM_NONCE],
        root.as_bytes(),
        slot.account.as_bytes(),
        slot.purpose.name().as_bytes(),
        &slot.version.to_be_bytes(),
    ])
}
