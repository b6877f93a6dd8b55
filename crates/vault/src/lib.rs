//! Keys, sealed records, blind indexes, password hashes, factors, tokens and signing keys. No other room
//! names a cipher.
//!
//! # Keys
//! ```text
//! root            file, plain with mode 0600 or sealed with a passphrase     RootSource, Root
//!  └ account keys  data (by version), index, link: 256 random bits each,     KeyBytes, WrapSlot
//!     │            wrapped by a root, kept in a key store apart from the data
//!     ├ class keys   HKDF-SHA-256(data key, account ‖ version ‖ class)       Keyring::seal, open
//!     ├ index keys   HKDF-SHA-256(index key, account ‖ field)                Keyring::blind_index
//!     └ link key     HKDF-SHA-256(link key, account)                         Keyring::link_token
//! ```
//! A stolen database without the key store, or both without the root, is noise. To rotate the root, wrap
//! every account key anew and touch no data; to rotate an account's data key, add a version and reseal its
//! records one by one, while both versions open. Index and link keys have no versions: a new index key means
//! computing every index anew, and a new link key breaks the links in mail that is out.
//!
//! # Sealed records
//! `format 1 | algorithm 1 | key version 4 | nonce 12 | ciphertext | tag 16`, AES-256-GCM with a random
//! 96-bit nonce. Bound as associated data, each part preceded by its length: format, algorithm and key
//! version; account; table; column; row; class. A record that was changed, or copied to another place, is
//! refused.
//!
//! * **Bound on use.** With random nonces one key seals at most 2³² records (NIST SP 800-38D §8.3); beyond,
//!   two records sharing a nonce become likely enough to matter. A key here is one class of one version of
//!   one account; who seals a thousand records a second for seven weeks in one account comes near it and
//!   must rotate that account's data key before.
//! * **Not caught: rollback.** Whoever can write to the database can put an older ciphertext of the *same* cell
//!   back; nothing in it is wrong but its age. Where that matters (grants, roles, factors), the row needs a
//!   version that is sealed with it and checked against something an attacker cannot roll back.
//! * **Not hidden:** how long a record is, when it changes, that two rows have equal blind indexes.
//! * A large file is sealed in chunks; [`Slot::row`] says how to keep them in order.
//!
//! # Secrets in memory
//! Types that hold a secret are overwritten when dropped and have neither `Debug` nor `Serialize`. What
//! callers get out of them is in `Zeroizing`. Libraries below may leave copies on the stack; swap and core
//! dumps are the operator's to switch off.
//!
//! # Changing it
//! The most common change is a new [`Class`] or [`IndexField`]: add the variant at the end and give it a label
//! that nothing else has. Labels, the record format and the root file's text are for ever: a test holds
//! samples of each. A new cipher is a new algorithm byte, beside the old one.

mod derive;
mod digest;
mod dkim;
#[cfg(test)]
mod fixture;
mod keyring;
mod link;
mod password;
mod qr;
mod recovery;
mod root;
#[cfg(test)]
mod samples;
mod seal;
mod secret;
mod token;
mod totp;

pub use digest::{Sha256, breach_list_hash, sha256};
pub use dkim::{DkimEd25519Key, DkimKeyError, DkimRsaKey};
pub use keyring::{IndexField, Keyring, KeyringError};
pub use link::{Link, LinkError, LinkToken, Purpose};
pub use password::{
    Password, PasswordCost, PasswordError, PasswordMatch, hash_password, password_strength, verify_nobody,
    verify_password,
};
pub use qr::qr_svg;
pub use recovery::{RECOVERY_CODES, RecoveryCode, recovery_codes};
pub use root::{
    KeyPurpose, Root, RootError, RootHold, RootId, RootSource, RootTextError, UnwrapError, WrapSlot, Wrapped,
};
pub use seal::{Class, OpenError, SEAL_OVERHEAD, Slot, sealed_version};
pub use secret::{KeyBytes, Passphrase, constant_time_eq};
pub use token::{Token, csrf_token, verify_csrf_token};
pub use totp::TotpSecret;
