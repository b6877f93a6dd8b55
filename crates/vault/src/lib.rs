//! Keys, sealed records, blind indexes, password hashes, factors and tokens.

mod derive;
mod digest;
mod dkim;
mod keyring;
mod link;
mod password;
mod qr;
mod recovery;
mod root;
mod seal;
mod secret;
mod token;
mod totp;

pub use digest::{Sha256, sha256};
pub use dkim::{DkimEd25519Key, DkimKeyError, DkimRsaKey};
pub use keyring::{IndexField, Keyring, KeyringError};
pub use link::{Link, LinkError, LinkToken, Purpose};
pub use password::{
    Password, PasswordCost, PasswordError, PasswordMatch, hash_password, password_strength, verify_nobody,
    verify_password,
};
pub use qr::qr_svg;
pub use recovery::{RECOVERY_CODES, RecoveryCode, recovery_codes};
pub use root::{KeyPurpose, Root, RootError, RootId, RootSource, RootTextError, UnwrapError, WrapSlot, Wrapped};
pub use seal::{Class, OpenError, SEAL_OVERHEAD, Slot, sealed_version};
pub use secret::{KeyBytes, Passphrase, constant_time_eq};
pub use token::{Token, csrf_token, verify_csrf_token};
pub use totp::TotpSecret;
