//! Keys, sealed records, blind indexes, password hashes, factors and tokens.

mod derive;
mod digest;
mod keyring;
mod link;
mod root;
mod seal;
mod secret;
mod token;

pub use digest::{Sha256, sha256};
pub use keyring::{IndexField, Keyring, KeyringError};
pub use link::{Link, LinkError, LinkToken, Purpose};
pub use root::{KeyPurpose, Root, RootError, RootId, RootSource, RootTextError, UnwrapError, WrapSlot, Wrapped};
pub use seal::{Class, OpenError, SEAL_OVERHEAD, Slot, sealed_version};
pub use secret::{KeyBytes, Passphrase, constant_time_eq};
pub use token::{Token, csrf_token, verify_csrf_token};
