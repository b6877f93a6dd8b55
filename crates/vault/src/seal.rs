#[cfg(test)]
mod tests;

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use letterkeep_model::{Entropy, Id, kind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::Keyring;
use crate::derive::bind;

/// The kind of secret in a sealed record. Each class has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A contact's data.
    Contact,
    /// Campaign content and other texts an account writes.
    Content,
    /// What opens something elsewhere: SMTP passwords, DKIM private keys, password hashes.
    Credential,
    /// Second factors: TOTP secrets, recovery codes.
    Factor,
    /// Uploaded files, chunk by chunk.
    File,
    /// Who a person is: names and addresses of people who log in.
    Identity,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 6] =
        [Self::Contact, Self::Content, Self::Credential, Self::Factor, Self::File, Self::Identity];

    pub(crate) const fn label(self) -> &'static [u8] {
        match self {
            Self::Contact => b"class contact",
            Self::Content => b"class content",
            Self::Credential => b"class credential",
            Self::Factor => b"class factor",
            Self::File => b"class file",
            Self::Identity => b"class identity",
        }
    }
}

/// The place where a sealed record stands. A record opens only in the place it was sealed for.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's primary key. For one chunk of a file: its id, the chunk's number and whether it is the
    /// last, so that chunks can be neither reordered nor cut off.
    pub row: &'a [u8],
    /// What kind of secret it is.
    pub class: Class,
}

/// A sealed record does not open. Says nothing about what is in it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// Too short, or of a format or algorithm this version does not know.
    #[error("not a sealed record of a known format; the column was damaged or written by a newer version")]
    Format,
    /// Sealed under a key version that the account's ring does not hold.
    #[error("sealed under key version {0}, which the key store no longer holds; restore the key store's backup")]
    UnknownVersion(u32),
    /// Changed, moved from another place, or sealed under another key.
    #[error("the sealed record was changed or moved; restore the row from a backup")]
    Refused,
    /// Opened, but the content does not have the expected shape.
    #[error("the record opened, but its content does not have the expected shape")]
    Shape,
}

const FORMAT: u8 = 1;
const AES_256_GCM_RANDOM_NONCE: u8 = 1;
const HEADER_LEN: usize = 6;
const TAG_LEN: usize = 16;

/// How many bytes a sealed record is longer than its content.
pub const SEAL_OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN;

impl Keyring {
    /// Seals `plain` for `slot` under the current key version.
    ///
    /// At most 2³² records may be sealed under one version and class (NIST SP 800-38D §8.3); see the crate's
    /// documentation.
    pub fn seal(&self, slot: &Slot<'_>, plain: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let version = &self.versions[self.current];
        let header = header(version.number);
        let nonce = entropy.bytes::<NONCE_LEN>();
        let mut sealed = vec![0; SEAL_OVERHEAD + plain.len()];
        let (head, body) = sealed.split_at_mut(HEADER_LEN + NONCE_LEN);
        head[..HEADER_LEN].copy_from_slice(&header);
        head[HEADER_LEN..].copy_from_slice(&nonce);
        let (text, tag) = body.split_at_mut(plain.len());
        text.copy_from_slice(plain);
        let made = version
            .class(slot.class)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated(self.account, slot, &header)),
                text,
            )
            .expect("AES-GCM seals anything below 64 GiB");
        tag.copy_from_slice(made.as_ref());
        sealed
    }

    /// Opens what was sealed for `slot`, under whichever key version it names.
    pub fn open(&self, slot: &Slot<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let number = sealed_version(sealed).ok_or(OpenError::Format)?;
        let version =
            self.versions.iter().find(|version| version.number == number).ok_or(OpenError::UnknownVersion(number))?;
        let (header, rest) = sealed.split_at(HEADER_LEN);
        let (nonce, rest) = rest.split_at(NONCE_LEN);
        let (text, tag) = rest.split_at(rest.len() - TAG_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Format)?;
        let mut plain = Zeroizing::new(vec![0; text.len()]);
        version
            .class(slot.class)
            .open_separate_gather(nonce, Aad::from(associated(self.account, slot, header)), text, tag, &mut plain)
            .map_err(|_| OpenError::Refused)?;
        Ok(plain)
    }

    /// Opens and seals anew under the current key version, for the same slot.
    pub fn reseal(&self, slot: &Slot<'_>, sealed: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, OpenError> {
        Ok(self.seal(slot, &self.open(slot, sealed)?, entropy))
    }

    /// Seals `value` as JSON.
    ///
    /// # Panics
    /// If `value` cannot be written as JSON: a map with keys that are not text, or a `Serialize` that fails.
    pub fn seal_json<T: Serialize>(&self, slot: &Slot<'_>, value: &T, entropy: &dyn Entropy) -> Vec<u8> {
        // A growing buffer would leave copies behind; large values may still grow it once or twice.
        let mut plain = Zeroizing::new(Vec::with_capacity(2048));
        serde_json::to_writer(&mut *plain, value).expect("record types serialize to JSON");
        self.seal(slot, &plain, entropy)
    }

    /// Opens what [`seal_json`](Self::seal_json) sealed.
    pub fn open_json<T: DeserializeOwned>(&self, slot: &Slot<'_>, sealed: &[u8]) -> Result<T, OpenError> {
        serde_json::from_slice(&self.open(slot, sealed)?).map_err(|_| OpenError::Shape)
    }
}

/// The key version a sealed record names; `None` if it is not a sealed record. Not authenticated: good for
/// finding what is left to reseal, not for a decision about trust.
pub fn sealed_version(sealed: &[u8]) -> Option<u32> {
    match sealed {
        [FORMAT, AES_256_GCM_RANDOM_NONCE, a, b, c, d, rest @ ..] if rest.len() >= NONCE_LEN + TAG_LEN => {
            Some(u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => None,
    }
}

fn header(version: u32) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = version.to_be_bytes();
    [FORMAT, AES_256_GCM_RANDOM_NONCE, a, b, c, d]
}

/// What is bound beside the content: format, algorithm and key version (the header), then the place.
fn associated(account: Id<kind::Account>, slot: &Slot<'_>, header: &[u8]) -> Vec<u8> {
    bind(&[
        b"letterkeep record",
        header,
        account.as_bytes(),
        slot.table.as_bytes(),
        slot.column.as_bytes(),
        slot.row,
        slot.class.label(),
    ])
}
