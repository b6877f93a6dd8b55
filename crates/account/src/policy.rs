//! Which passwords are good enough. A policy is data; there is one profile today.

mod blocklist;

use letterkeep_vault::{Password, password_strength};

pub use blocklist::{Blocklist, BlocklistError};

/// What a new password must meet. Nothing about kinds of characters and no expiry: ASVS 5.0 (6.2.5, 6.2.10) and
/// NIST SP 800-63B-4 forbid both.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordPolicy {
    /// The profile's name.
    pub name: String,
    /// The fewest characters (Unicode code points).
    pub min_length: usize,
    /// The lowest zxcvbn score, 0 to 4.
    pub min_strength: u8,
}

impl PasswordPolicy {
    /// NIST SP 800-63B-4 and ASVS 5.0 level 2, for people who always have a second factor: twelve characters, hard to
    /// guess, not on a list.
    pub fn nist() -> Self {
        Self { name: "nist".to_owned(), min_length: 12, min_strength: 3 }
    }

    /// Names every rule that `password` breaks. `context` holds words about the person: user name, organisation,
    /// address. Takes milliseconds.
    pub fn check(&self, password: &Password, context: &[&str], blocklist: &Blocklist) -> Result<(), PolicyError> {
        let mut breaches = Vec::new();
        if password.chars() < self.min_length {
            breaches.push(Breach::TooShort { min: self.min_length, have: password.chars() });
        }
        let words = context_words(context);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if blocklist.is_about(password, &words) {
            breaches.push(Breach::ContextWord);
        }
        if blocklist.contains(password) {
            breaches.push(Breach::Common);
        }
        let have = password_strength(password, &words);
        if have < self.min_strength {
            breaches.push(Breach::TooWeak { min: self.min_strength, have });
        }
        if breaches.is_empty() { Ok(()) } else { Err(PolicyError { breaches }) }
    }
}

/// The parts of names and addresses that somebody would guess with.
fn context_words(context: &[&str]) -> Vec<String> {
    context
        .iter()
        .flat_map(|text| {
            let whole = std::iter::once(*text);
            whole.chain(text.split(|c: char| !c.is_alphanumeric()))
        })
        .filter(|word| word.chars().count() >= 4)
        .map(str::to_lowercase)
        .take(32)
        .collect()
}

/// A rule that a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Too few characters.
    #[error("it has {have} characters; at least {min} are needed")]
    TooShort {
        /// What is needed.
        min: usize,
        /// What it has.
        have: usize,
    },
    /// Too easy to guess, by zxcvbn.
    #[error("it is too easy to guess; several unrelated words make a better one")]
    TooWeak {
        /// The score that is needed.
        min: u8,
        /// The score it has.
        have: u8,
    },
    /// On a list of passwords that others have chosen.
    #[error("it is on a list of passwords that many people choose")]
    Common,
    /// Little more than the person's, the organisation's or the service's name.
    #[error("it consists of your name, your organisation's or ours")]
    ContextWord,
}

/// The password breaks these rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the password cannot be used: {}", .breaches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct PolicyError {
    /// Each rule that is broken; never empty.
    pub breaches: Vec<Breach>,
}

#[cfg(test)]
mod tests {
    use letterkeep_testkit::SeededEntropy;

    use super::*;

    const CONTEXT: &[&str] = &["erika.mustermann", "Bäckerei Sonnenschein", "erika@baeckerei-sonnenschein.de"];

    fn breaches(text: &str) -> Vec<Breach> {
        let password = Password::new(text.to_owned()).unwrap();
        match PasswordPolicy::nist().check(&password, CONTEXT, &Blocklist::packaged()) {
            Ok(()) => Vec::new(),
            Err(error) => error.breaches,
        }
    }

    fn names(text: &str) -> Vec<&'static str> {
        breaches(text)
            .into_iter()
            .map(|breach| match breach {
                Breach::TooShort { .. } => "short",
                Breach::TooWeak { .. } => "weak",
                Breach::Common => "common",
                Breach::ContextWord => "context",
            })
            .collect()
    }

    #[test]
    fn every_broken_rule_is_named() {
        for (text, wanted) in [
            ("Kürzer11", vec!["short", "weak"]),
            ("passwort", vec!["short", "common", "weak"]),
            ("Passwort2026!", vec!["common"]),
            ("P@ssw0rd123456", vec!["common", "weak"]),
            ("Sommer2026!!!!", vec!["common"]),
            ("Willkommen#2026", vec!["common"]),
            ("aaaaaaaaaaaaaaA1!", vec!["weak"]),
            ("letterkeep-2026-!", vec!["context"]),
            ("Sonnenschein1234", vec!["context"]),
            ("erika.mustermann42", vec!["context"]),
        ] {
            let have = names(text);
            for rule in &wanted {
                assert!(have.contains(rule), "{text}: {have:?} lacks {rule}");
            }
        }
    }

    #[test]
    fn good_passwords_of_any_kind_of_character_pass() {
        for text in [
            "correct horse battery staple",
            "acht grüne Lampen am Kanal",
            "日本語のとても長い合言葉です夜",
            "vK7-ruQ2-mmz9-Txp4",
        ] {
            assert_eq!(breaches(text), [], "{text}");
        }
    }

    #[test]
    fn random_passwords_are_never_on_the_list() {
        let entropy = SeededEntropy::new(20);
        let alphabet: Vec<char> = ('!'..='~').collect();
        let blocklist = Blocklist::packaged();
        for _ in 0..20_000 {
            let text: String =
                (0..20).map(|_| alphabet[(entropy.next_u64() % alphabet.len() as u64) as usize]).collect();
            let password = Password::new(text).unwrap();
            assert!(!blocklist.contains(&password) && !blocklist.is_about(&password, &["erika"]));
        }
    }

    #[test]
    fn a_policy_is_data_and_knows_its_fields() {
        let json = serde_json::to_string(&PasswordPolicy::nist()).unwrap();
        assert_eq!(serde_json::from_str::<PasswordPolicy>(&json).unwrap(), PasswordPolicy::nist());
        assert!(serde_json::from_str::<PasswordPolicy>(&json.replace("min_length", "minlength")).is_err());
    }
}
