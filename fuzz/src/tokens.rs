//! Tokens from links, cookies and forms, codes that people type, and stored password hashes.

use std::sync::LazyLock;

use letterkeep_model::{Entropy, Id};
use letterkeep_vault::{
    KeyBytes, Keyring, Link, LinkToken, Password, PasswordMatch, RecoveryCode, Token, csrf_token, verify_csrf_token,
    verify_password,
};

/// Chance that is always the same byte.
pub(crate) struct Still(pub(crate) u8);

impl Entropy for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// The keys of the account that signed the seeds.
pub(crate) fn ring() -> Keyring {
    let key = |byte| KeyBytes::generate(&Still(byte));
    Keyring::new(Id::NIL, vec![(1, key(1))], &key(2), &key(3)).expect("one data key")
}

static RING: LazyLock<Keyring> = LazyLock::new(ring);
static SESSION: LazyLock<(Token, String)> = LazyLock::new(|| {
    let session = Token::generate(&Still(8));
    let form = csrf_token(&session, &Still(9));
    (session, form)
});

/// What is accepted has one spelling, and nothing passes that was not signed.
pub fn check(bytes: &[u8]) {
    holds(bytes, &|token| RING.read_link(token).ok());
}

/// The check of any reader of links.
pub(crate) fn holds(bytes: &[u8], read_link: &dyn Fn(&LinkToken) -> Option<Link>) {
    let text = crate::text(bytes);
    if let Some(token) = LinkToken::parse(text)
        && let Some(link) = read_link(&token)
    {
        assert_eq!(RING.link_token(&link), text, "a link that was not signed like this");
        assert_eq!(token.account(), link.account);
    }
    if let Some(code) = RecoveryCode::parse(text) {
        let shown = code.text();
        assert_eq!(RecoveryCode::parse(&shown).map(|again| again.hash()), Some(code.hash()));
        assert_eq!(shown.len(), 29);
    }
    if let Some(token) = Token::parse(text) {
        assert_eq!(token.text().as_str(), text);
    }
    let (session, form) = &*SESSION;
    assert!(verify_csrf_token(session, form));
    assert_eq!(verify_csrf_token(session, text), form == text, "a form token that was not given out");
    // A hash that the input would spend long on is not worth a run; absurd ones are refused before any work.
    if text.starts_with("$argon2") && !is_costly(text) {
        let password = Password::new("correct horse battery staple".to_owned()).expect("short");
        assert_eq!(verify_password(&password, text), PasswordMatch::No, "a made-up hash matches");
    }
    if let Ok(password) = Password::new(text.to_owned()) {
        assert!(password.reveal().len() <= Password::MAX_LEN * 3);
        // NFC is stable: the same password again.
        let again = Password::new(password.reveal().to_owned());
        assert!(again.is_ok_and(|again| again.reveal() == password.reveal()) || password.reveal().len() > 1024);
    }
}

/// Within the bounds that the product accepts, but more than a few milliseconds' work.
fn is_costly(phc: &str) -> bool {
    let figure = |name: &str| {
        let at = phc.find(name)? + name.len();
        phc[at..].split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
    };
    matches!(figure("m="), Some(1024..=131_072)) || matches!(figure("t="), Some(3..=8))
}
