use letterkeep_model::Entropy;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Sha256;

/// A code that replaces the second factor once, for the day the phone is lost. Shown once; only its hash is
/// stored. 120 random bits: more than the 112 from which a fast hash needs no salt (NIST SP 800-63B §5.1.2.2).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; LEN]);

const LEN: usize = 15;
const CHARS: usize = LEN * 8 / 5;
const GROUP: usize = 4;
/// Crockford's base32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many codes a person gets at once.
pub const RECOVERY_CODES: usize = 10;

/// A new set of codes.
pub fn recovery_codes(entropy: &dyn Entropy) -> Vec<RecoveryCode> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut code = RecoveryCode([0; LEN]);
            entropy.fill(&mut code.0);
            code
        })
        .collect()
}

impl RecoveryCode {
    /// The form that a person writes down: six groups of four, for example `7K3M-…`.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(CHARS + CHARS / GROUP));
        for place in 0..CHARS {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            let value = (0..5).fold(0, |value, bit| {
                let at = place * 5 + bit;
                value << 1 | usize::from(self.0[at / 8] >> (7 - at % 8) & 1)
            });
            text.push(char::from(ALPHABET[value]));
        }
        text
    }

    /// Reads a code as people type it: in any case, with or without spaces and hyphens, `O` for `0`, `I` or
    /// `L` for `1`. `None` if it is not a code.
    pub fn parse(typed: &str) -> Option<Self> {
        let mut code = Self([0; LEN]);
        let mut place = 0;
        for byte in typed.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'-')) {
            let letter = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                letter => letter,
            };
            let value = ALPHABET.iter().position(|known| *known == letter)? as u8;
            if place == CHARS {
                return None;
            }
            for bit in 0..5 {
                let at = place * 5 + bit;
                code.0[at / 8] |= (value >> (4 - bit) & 1) << (7 - at % 8);
            }
            place += 1;
        }
        (place == CHARS).then_some(code)
    }

    /// What is stored and looked up.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"letterkeep recovery code 1");
        hash.update(&self.0);
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use letterkeep_model::SystemEntropy;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_different_codes_that_read_back() {
        let codes = recovery_codes(&SystemEntropy);
        assert_eq!(codes.iter().map(RecoveryCode::hash).collect::<HashSet<_>>().len(), 10);
        for code in &codes {
            let text = code.text();
            assert_eq!(text.len(), 29, "{}", text.as_str());
            assert_eq!(RecoveryCode::parse(&text).unwrap().hash(), code.hash());
        }
    }

    #[test]
    fn reads_what_people_make_of_it() {
        let code = RecoveryCode::parse("0123-4567-89AB-CDEF-GHJK-0111").unwrap();
        for typed in
            ["o123 4567 89ab cdef ghjk oiLl", "  0123456789abcdefghjk0111\r\n", "OI23--4567-89AB-CDEF-GHJK-0I1l"]
        {
            assert_eq!(RecoveryCode::parse(typed).unwrap().hash(), code.hash(), "{typed}");
        }
        for typed in [
            "",
            "0123",
            "0123-4567-89AB-CDEF-GHJK-011",
            "0123-4567-89AB-CDEF-GHJK-01111",
            "U123-4567-89AB-CDEF-GHJK-0111",
        ] {
            assert!(RecoveryCode::parse(typed).is_none(), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(bytes: [u8; LEN]) {
            let text = RecoveryCode(bytes).text();
            prop_assert_eq!(RecoveryCode::parse(&text).unwrap().0, bytes);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            if let Some(code) = RecoveryCode::parse(&text) {
                prop_assert_eq!(RecoveryCode::parse(&code.text()).unwrap().0, code.0);
            }
        }
    }
}
