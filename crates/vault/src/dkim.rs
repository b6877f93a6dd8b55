use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use letterkeep_model::Entropy;
use zeroize::Zeroizing;

use crate::sha256;

/// A key that signs messages as `a=rsa-sha256` (RFC 6376 §3.3.1). Cannot be printed.
pub struct DkimRsaKey(RsaKeyPair);

/// A key that signs messages as `a=ed25519-sha256` (RFC 8463). Cannot be printed.
pub struct DkimEd25519Key(Ed25519KeyPair);

/// A stored signing key cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DkimKeyError {
    /// The bytes are not a key of the wanted kind in PKCS#8.
    #[error("not a {0} key in PKCS#8; make a new key for the sending domain and publish its DNS record")]
    Malformed(&'static str),
    /// RSA below 1024 bits is refused by receivers, above 4096 the DNS record and the signature grow too large.
    #[error("an RSA key of {0} bits; a DKIM key has 1024 to 4096, new ones 2048")]
    Length(usize),
}

impl DkimRsaKey {
    /// A new key of 2048 bits. Takes about half a second: not on an async thread. Takes no [`Entropy`], because
    /// aws-lc searches the primes with its own generator.
    pub fn generate() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).expect("aws-lc finds primes as long as it has memory"))
    }

    /// From the stored form.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, DkimKeyError> {
        let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| DkimKeyError::Malformed("RSA"))?;
        match key.public_modulus_len() * 8 {
            1024..=4096 => Ok(Self(key)),
            bits => Err(DkimKeyError::Length(bits)),
        }
    }

    /// The stored form (RFC 5208); it is sealed before it is stored.
    pub fn pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().expect("a usable key can be written");
        Zeroizing::new(der.as_ref().to_vec())
    }

    /// Signs the canonical header data: RSASSA-PKCS1-v1_5 over its SHA-256. The value of `b=` before base64.
    pub fn sign(&self, headers: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), headers, &mut signature)
            .expect("a usable key signs anything");
        signature
    }

    /// The value of `p=` in the DNS record beside `k=rsa`: the public key (SubjectPublicKeyInfo) in base64.
    pub fn public_record(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().expect("a public key can be written");
        STANDARD.encode(der.as_ref())
    }
}

impl DkimEd25519Key {
    /// A new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed);
        Self(Ed25519KeyPair::from_seed_unchecked(&*seed).expect("any 32 bytes are a seed"))
    }

    /// From the stored form.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, DkimKeyError> {
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| DkimKeyError::Malformed("Ed25519"))?;
        Ok(Self(key))
    }

    /// The stored form (RFC 5208); it is sealed before it is stored.
    pub fn pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let der = self.0.to_pkcs8v1().expect("a usable key can be written");
        Zeroizing::new(der.as_ref().to_vec())
    }

    /// Signs the canonical header data: Ed25519 over its SHA-256 (RFC 8463 §3), so that both kinds of key take
    /// the same input. The value of `b=` before base64.
    pub fn sign(&self, headers: &[u8]) -> Vec<u8> {
        self.0.sign(&sha256(headers)).as_ref().to_vec()
    }

    /// The value of `p=` in the DNS record beside `k=ed25519`: the 32 bytes of the public key in base64.
    pub fn public_record(&self) -> String {
        STANDARD.encode(self.0.public_key().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use letterkeep_model::SystemEntropy;

    use super::*;

    const HEADERS: &[u8] = b"from:a@example.org\r\nsubject:hello\r\n";

    #[test]
    fn rsa_signatures_verify_with_the_published_key() {
        let key = DkimRsaKey::generate();
        let again = DkimRsaKey::from_pkcs8(&key.pkcs8()).unwrap();
        assert_eq!(key.public_record(), again.public_record());
        let spki = STANDARD.decode(key.public_record()).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki);
        let signature = again.sign(HEADERS);
        assert_eq!(signature.len(), 256);
        assert!(public.verify(HEADERS, &signature).is_ok());
        assert!(public.verify(&HEADERS[1..], &signature).is_err());
        // What a DNS record of one key must start with: SEQUENCE, and the id of rsaEncryption.
        assert!(key.public_record().starts_with("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{}", key.public_record());
    }

    #[test]
    fn ed25519_meets_the_example_of_rfc_8463() {
        // Appendix A.2: the secret key and the record's value.
        let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
        let key = DkimEd25519Key(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap());
        assert_eq!(key.public_record(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    }

    #[test]
    fn ed25519_signs_the_hash_of_the_headers() {
        let key = DkimEd25519Key::generate(&SystemEntropy);
        let again = DkimEd25519Key::from_pkcs8(&key.pkcs8()).unwrap();
        let public = STANDARD.decode(key.public_record()).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, &public);
        let signature = again.sign(HEADERS);
        assert!(public.verify(&sha256(HEADERS), &signature).is_ok());
        assert!(public.verify(HEADERS, &signature).is_err());
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_calmly(bytes: Vec<u8>) {
            proptest::prop_assert!(DkimRsaKey::from_pkcs8(&bytes).is_err());
            proptest::prop_assert!(DkimEd25519Key::from_pkcs8(&bytes).is_err());
        }
    }

    #[test]
    fn keys_of_another_kind_are_refused() {
        let key = DkimEd25519Key::generate(&SystemEntropy);
        assert_eq!(DkimRsaKey::from_pkcs8(&key.pkcs8()).err(), Some(DkimKeyError::Malformed("RSA")));
        assert_eq!(DkimEd25519Key::from_pkcs8(b"").err(), Some(DkimKeyError::Malformed("Ed25519")));
    }
}
