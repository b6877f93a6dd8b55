//! Tokens from links, cookies and forms: never a panic, and nothing made up passes.
#![no_main]

use letterkeep_vault::{LinkToken, Password, RecoveryCode, Token, verify_csrf_token, verify_password};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = LinkToken::parse(text).map(|token| token.account());
    let _ = RecoveryCode::parse(text);
    if let Some(token) = Token::parse(text) {
        assert_eq!(token.text().as_str(), text);
    }
    if let Some(session) = Token::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") {
        assert!(!verify_csrf_token(&session, text));
    }
    if let Ok(password) = Password::new("correct horse battery staple".to_owned()) {
        let _ = verify_password(&password, text);
    }
});
