use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::{hkdf, hmac};

use crate::KeyBytes;

/// Every label below names what a derived key is for; two uses never share one (NIST SP 800-108 §7.6).
const SALT: &[u8] = b"letterkeep key derivation 1";

/// An AES-256-GCM key derived from `key` by HKDF-SHA-256 (RFC 5869), its schedule computed once.
///
/// All parts of `info` but the last must have a fixed length, so that no two lists read the same.
pub(crate) fn aead_key(key: &KeyBytes, info: &[&[u8]]) -> LessSafeKey {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(key.as_bytes());
    let expanded = extracted.expand(info, &AES_256_GCM).expect("32 bytes are within the reach of HKDF-SHA-256");
    LessSafeKey::new(UnboundKey::from(expanded))
}

/// An HMAC-SHA-256 key derived from `key` the same way.
pub(crate) fn mac_key(key: &KeyBytes, info: &[&[u8]]) -> hmac::Key {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(key.as_bytes());
    let expanded = extracted.expand(info, hmac::HMAC_SHA256).expect("32 bytes are within the reach of HKDF-SHA-256");
    hmac::Key::from(expanded)
}

/// Joins `parts` so that every boundary is bound: each part is preceded by its length.
pub(crate) fn bind(parts: &[&[u8]]) -> Vec<u8> {
    let mut bound = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        let length = u32::try_from(part.len()).expect("parts are names and ids, far below 4 GiB");
        bound.extend_from_slice(&length.to_be_bytes());
        bound.extend_from_slice(part);
    }
    bound
}
