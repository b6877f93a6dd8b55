use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use letterkeep_model::Entropy;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{constant_time_eq, sha256};

/// A random secret that is handed to a browser or mailed to a person: a session, a device cookie, an
/// invitation. Only its hash is stored.
///
/// It cannot be printed by accident:
/// ```compile_fail,E0277
/// fn print(token: &letterkeep_vault::Token) -> String {
///     format!("{token:?}")
/// }
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Token([u8; 32]);

impl Token {
    /// A new token of 256 bits.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut token = Self([0; 32]);
        entropy.fill(&mut token.0);
        token
    }

    /// The form that is handed out: 43 characters of base64url, good for a cookie and a URL.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// Reads the form that was handed out; `None` if it is not exactly that.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 33]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).ok()?;
        let mut token = Self([0; 32]);
        if length != token.0.len() {
            return None;
        }
        token.0.copy_from_slice(&bytes[..length]);
        Some(token)
    }

    /// What is stored and looked up: SHA-256. A fast hash is right here, because 256 random bits cannot be
    /// guessed; a database thief learns nothing that a cookie would accept.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

const NONCE_LEN: usize = 16;
const TAG_LEN: usize = 16;

/// A token that a form of this session carries against cross-site request forgery: random bytes and their
/// HMAC-SHA-256 keyed by the session's token. It says nothing about that token and ends with it.
///
/// Every page gets another one: pages are compressed, and a value that stood on each of them could be
/// guessed from their lengths (BREACH). All of them stay valid as long as the session.
pub fn csrf_token(session: &Token, entropy: &dyn Entropy) -> String {
    let mut bytes = [0; NONCE_LEN + TAG_LEN];
    let (nonce, tag) = bytes.split_at_mut(NONCE_LEN);
    entropy.fill(nonce);
    tag.copy_from_slice(&csrf_tag(session, nonce).as_ref()[..TAG_LEN]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether `text` is a form token of `session`.
pub fn verify_csrf_token(session: &Token, text: &str) -> bool {
    let mut bytes = [0; NONCE_LEN + TAG_LEN + 1];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(length) if length == NONCE_LEN + TAG_LEN => {
            let (nonce, tag) = bytes[..length].split_at(NONCE_LEN);
            constant_time_eq(&csrf_tag(session, nonce).as_ref()[..TAG_LEN], tag)
        }
        _ => false,
    }
}

fn csrf_tag(session: &Token, nonce: &[u8]) -> hmac::Tag {
    let mut tag = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &session.0));
    tag.update(b"letterkeep csrf 1");
    tag.update(nonce);
    tag.sign()
}

#[cfg(test)]
mod tests {
    use letterkeep_model::SystemEntropy;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_reads_back_and_has_one_spelling() {
        let token = Token::generate(&SystemEntropy);
        let text = token.text();
        assert_eq!(text.len(), 43);
        assert_eq!(Token::parse(&text).unwrap().hash(), token.hash());
        let last = text.as_bytes()[42];
        for byte in (b'0'..=b'z').filter(|byte| *byte != last) {
            let other = format!("{}{}", &text[..42], char::from(byte));
            assert!(Token::parse(&other).is_none_or(|other| other.hash() != token.hash()), "{other}");
        }
        for other in ["", &text[1..], &format!("{}=", text.as_str()), &format!("{}A", text.as_str())] {
            assert!(Token::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn the_stored_hash_is_not_what_the_browser_holds() {
        let token = Token::generate(&SystemEntropy);
        assert_ne!(URL_SAFE_NO_PAD.encode(token.hash()), *token.text());
        assert_ne!(token.hash(), Token::generate(&SystemEntropy).hash());
    }

    #[test]
    fn a_form_token_belongs_to_one_session() {
        let (mine, other) = (Token::generate(&SystemEntropy), Token::generate(&SystemEntropy));
        let form = csrf_token(&mine, &SystemEntropy);
        assert!(verify_csrf_token(&mine, &form));
        assert!(!verify_csrf_token(&other, &form));
        assert_ne!(form, *mine.text());
        for wrong in ["", &mine.text(), &form[1..], &format!("{form}A")] {
            assert!(!verify_csrf_token(&mine, wrong), "{wrong}");
        }
        let bytes = URL_SAFE_NO_PAD.decode(&form).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_csrf_token(&mine, &URL_SAFE_NO_PAD.encode(changed)), "bit {bit}");
        }
    }

    #[test]
    fn every_page_carries_another_form_token() {
        let session = Token::generate(&SystemEntropy);
        let (one, other) = (csrf_token(&session, &SystemEntropy), csrf_token(&session, &SystemEntropy));
        assert_ne!(one[..16], other[..16]);
        assert!(verify_csrf_token(&session, &one) && verify_csrf_token(&session, &other));
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_refused_calmly(text in "[A-Za-z0-9_-]{40,46}|.{0,60}") {
            if let Some(token) = Token::parse(&text) {
                let again = token.text();
                prop_assert_eq!(again.as_str(), text.as_str());
            }
            prop_assert!(!verify_csrf_token(&Token([7; 32]), &text));
        }
    }
}
