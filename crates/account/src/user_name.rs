use unicode_normalization::UnicodeNormalization as _;

/// The name that a person chose to log in with. Unique over the installation, not by its letters but by its looks:
/// two names that fold to the same text cannot both exist.
///
/// Folding: NFKC (full-width and ligature forms), lower case, and common look-alikes: Cyrillic and Greek letters that
/// look Latin; `0`/`o`; `1`/`i`/`l`/`|`; `rn`/`m`; `vv`/`w`. Not covered: look-alikes from other scripts (Armenian,
/// Cherokee, Coptic …), accents that a hurried reader overlooks (`é`/`e`), and words that merely resemble each other.
/// The full table of UTS #39 would be fifty times as long; extend `look_alike` when a case turns up.
#[derive(Clone, PartialEq, Eq)]
pub struct UserName {
    text: String,
    folded: String,
}

/// Why a text cannot be a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Fewer than 3 or more than 64 characters.
    #[error("a user name has 3 to 64 characters")]
    Length,
    /// Something else than a letter, a digit or one of `. - _ @ +`.
    #[error("a user name consists of letters, digits and . - _ @ +")]
    Character,
}

impl UserName {
    /// Parses a name as typed; surrounding spaces are dropped.
    pub fn parse(typed: &str) -> Result<Self, UserNameError> {
        let typed = typed.trim();
        // Counted before normalising, so that a hostile text costs nothing.
        if typed.len() > 1024 {
            return Err(UserNameError::Length);
        }
        let text: String = typed.nfc().collect();
        if !(3..=64).contains(&text.chars().count()) {
            return Err(UserNameError::Length);
        }
        if !text.chars().all(|c| c.is_alphanumeric() || ".-_@+".contains(c)) {
            return Err(UserNameError::Character);
        }
        Ok(Self { folded: fold(&text), text })
    }

    /// As its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is looked up and compared.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// Folds until nothing changes: lower-casing can undo normal form, and two folded letters can make a folded pair.
fn fold(text: &str) -> String {
    let mut folded = text.to_owned();
    for _ in 0..8 {
        let lower = folded.nfkc().collect::<String>().to_lowercase();
        let next = lower.nfkc().map(look_alike).collect::<String>().replace("rn", "m").replace("vv", "w");
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

/// The Latin letter that a reader takes this letter for.
fn look_alike(letter: char) -> char {
    match letter {
        '0' | 'о' | 'ο' | 'σ' => 'o',
        '1' | 'i' | '|' | 'ı' | 'і' | 'ι' | 'ӏ' => 'l',
        'а' | 'α' => 'a',
        'в' | 'ß' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' => 'e',
        'һ' | 'н' | 'η' => 'h',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' | 'μ' => 'm',
        'ո' | 'ν' => 'v',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'ѡ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' | 'υ' => 'y',
        'ζ' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> String {
        UserName::parse(text).unwrap().folded().to_owned()
    }

    #[test]
    fn names_that_look_alike_are_the_same_name() {
        for (one, other) in [
            ("erika", "ERIKA"),
            ("Erika", "Еrіkа"), // Cyrillic Е, і, а
            ("paypal", "paypaI"),
            ("paypal", "paypa1"),
            ("bob", "b0b"),
            ("modern", "modem"),
            ("erika", "ｅｒｉｋａ"),
            ("jörg", "jo\u{308}rg"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        // Positive control: folding does not make everything the same.
        for (one, other) in [("erika", "erik"), ("jörg", "jorg"), ("anna-1", "anna-2")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        for (typed, error) in [
            ("", UserNameError::Length),
            ("ab", UserNameError::Length),
            (&"a".repeat(65) as &str, UserNameError::Length),
            ("a b", UserNameError::Character),
            ("abc\u{200b}", UserNameError::Character),
            ("abc\u{202e}cba", UserNameError::Character),
            ("abc\n\nd", UserNameError::Character),
            ("<b>", UserNameError::Character),
        ] {
            assert_eq!(UserName::parse(typed).err(), Some(error), "{typed:?}");
        }
        assert_eq!(UserName::parse(" Jörg.Müller+x@example.de ").unwrap().as_str(), "Jörg.Müller+x@example.de");
    }

    proptest! {
        #[test]
        fn folding_is_stable(text in ".{0,70}") {
            if let Ok(name) = UserName::parse(&text) {
                prop_assert_eq!(fold(name.folded()), name.folded());
            }
        }
    }
}
