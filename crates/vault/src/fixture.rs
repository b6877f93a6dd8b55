//! Keys and accounts for this crate's tests.

use letterkeep_model::{Entropy, Id, kind};

use crate::{KeyBytes, Keyring};

/// Hands out the same byte for ever.
pub(crate) struct Same(pub(crate) u8);

impl Entropy for Same {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

pub(crate) fn key(number: u8) -> KeyBytes {
    KeyBytes::generate(&Same(number))
}

pub(crate) fn account(number: u8) -> Id<kind::Account> {
    Id::from_uuid(uuid::Uuid::from_bytes([number; 16]))
}

/// The ring of an account with the data keys 1 and 2.
pub(crate) fn ring(number: u8) -> Keyring {
    Keyring::new(account(number), vec![(1, key(1)), (2, key(2))], &key(50), &key(51)).unwrap()
}
