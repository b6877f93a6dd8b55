use std::fmt::Write;

use aws_lc_rs::hmac;
use letterkeep_model::{Entropy, Timestamp};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::constant_time_eq;

/// The shared secret of a time-based one-time password (RFC 6238: SHA-1, 6 digits, 30 seconds, what every
/// authenticator app speaks). Overwritten when dropped; cannot be printed.
///
/// ```compile_fail,E0277
/// fn print(secret: &letterkeep_vault::TotpSecret) -> String {
///     format!("{secret:?}")
/// }
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct TotpSecret(Vec<u8>);

const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;
/// Steps before and after the present one that are accepted: a clock may be half a minute off.
const WINDOW: i64 = 1;

impl TotpSecret {
    /// A new secret of 160 bits, the length RFC 4226 §4 recommends.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut secret = Self(vec![0; 20]);
        entropy.fill(&mut secret.0);
        secret
    }

    /// From the stored form; `None` unless it has 16 to 64 bytes (RFC 4226 §4 demands 128 bits).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (16..=64).contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// The stored form; it is sealed before it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The form that a person types into an app: base32 (RFC 4648) without padding.
    pub fn base32(&self) -> Zeroizing<String> {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

        let mut text = Zeroizing::new(String::with_capacity(self.0.len().div_ceil(5) * 8));
        for group in self.0.chunks(5) {
            let mut bits = [0; 8];
            bits[..group.len()].copy_from_slice(group);
            let bits = u64::from_be_bytes(bits);
            for place in 0..(group.len() * 8).div_ceil(5) {
                text.push(char::from(ALPHABET[(bits >> (59 - 5 * place)) as usize & 31]));
            }
        }
        text
    }

    /// The `otpauth:` address that a QR code carries. It holds the secret.
    pub fn uri(&self, issuer: &str, label: &str) -> Zeroizing<String> {
        let (issuer, label) = (percent_encode(issuer), percent_encode(label));
        let secret = self.base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{label}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            secret.as_str()
        ))
    }

    /// The code that an app shows at `now`.
    pub fn code_at(&self, now: Timestamp) -> String {
        String::from_utf8_lossy(&self.code(step(now))).into_owned()
    }

    /// The step whose code this is, if it is that of `now` or one step beside it and later than `last_step`,
    /// the step accepted last (start with 0). Spaces in the code are ignored.
    ///
    /// A code counts once: the caller stores the step by compare-and-set (`… WHERE last_step < $1`) and
    /// refuses the log-in if no row changed.
    pub fn verify(&self, code: &str, now: Timestamp, last_step: i64) -> Option<i64> {
        let mut typed = Zeroizing::new([0; DIGITS]);
        let mut length = 0;
        for byte in code.bytes().filter(|byte| *byte != b' ') {
            *typed.get_mut(length)? = byte;
            length += 1;
        }
        let present = step(now);
        let mut found = None;
        // Every step is compared, so that the duration does not tell which one fits.
        for candidate in present.saturating_sub(WINDOW)..=present.saturating_add(WINDOW) {
            let equal = constant_time_eq(&self.code(candidate), &typed[..length]);
            if equal && candidate > last_step {
                found = Some(candidate);
            }
        }
        found
    }

    /// RFC 4226 §5.3 with the step as the counter.
    fn code(&self, step: i64) -> [u8; DIGITS] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[19] & 15);
        let mut value = u32::from_be_bytes([tag[offset] & 127, tag[offset + 1], tag[offset + 2], tag[offset + 3]]);
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += (value % 10) as u8;
            value /= 10;
        }
        digits
    }
}

fn step(now: Timestamp) -> i64 {
    now.seconds().div_euclid(STEP_SECONDS)
}

/// Everything but the unreserved characters of RFC 3986 §2.3.
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string does not fail");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use letterkeep_model::SystemEntropy;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn rfc_secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    #[test]
    fn meets_the_vectors_of_rfc_6238() {
        // Appendix B, SHA-1; the last six of its eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(rfc_secret().code_at(at(seconds)), code);
        }
    }

    #[test]
    fn agrees_with_another_implementation() {
        for round in 0..50 {
            let secret = TotpSecret::generate(&SystemEntropy);
            let bytes: [u8; 20] = secret.as_bytes().try_into().unwrap();
            let oracle = totp_rs::Builder::new().with_secret(bytes).build_noncompliant();
            let seconds = 1_700_000_000 + round * 7_919;
            assert_eq!(secret.code_at(at(seconds)), oracle.generate(seconds as u64).to_string());
        }
    }

    #[test]
    fn accepts_one_step_to_each_side_and_each_step_once() {
        let secret = rfc_secret();
        let now = at(1_234_567_890);
        let present = 1_234_567_890 / 30;
        for (offset, wanted) in [(-60, None), (-30, Some(-1)), (0, Some(0)), (30, Some(1)), (60, None)] {
            let code = secret.code_at(at(1_234_567_890 + offset));
            assert_eq!(secret.verify(&code, now, 0), wanted.map(|by: i64| present + by), "{offset} s");
        }
        let code = secret.code_at(now);
        assert_eq!(secret.verify(&code, now, present - 1), Some(present));
        assert_eq!(secret.verify(&code, now, present), None, "a second time");
        assert_eq!(secret.verify(&code, now, present + 1), None, "after a later one");
    }

    #[test]
    fn reads_codes_as_people_type_them_and_refuses_the_rest() {
        let secret = rfc_secret();
        let now = at(59);
        for code in ["287082", "287 082", " 287082 "] {
            assert_eq!(secret.verify(code, now, 0), Some(1), "{code:?}");
        }
        for code in ["", "28708", "2870820", "287083", "28708２", "-287082", "\u{0}", "287082\n"] {
            assert_eq!(secret.verify(code, now, 0), None, "{code:?}");
        }
        assert_eq!(secret.verify("287082", Timestamp::from_micros(i64::MAX), 0), None);
        assert_eq!(secret.verify("287082", Timestamp::from_micros(i64::MIN), i64::MIN), None);
    }

    #[test]
    fn base32_as_in_rfc_4648_and_the_address_is_encoded() {
        let text = |bytes: &[u8]| TotpSecret(bytes.to_vec()).base32().to_string();
        for (bytes, base32) in
            [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(text(bytes.as_bytes()), base32);
        }
        assert_eq!(
            rfc_secret().uri("Letterkeep", "Bäcker & Söhne:x@y.de").as_str(),
            "otpauth://totp/Letterkeep:B%C3%A4cker%20%26%20S%C3%B6hne%3Ax%40y.de?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Letterkeep&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn secrets_of_unsafe_length_are_refused() {
        for (length, fine) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
            assert_eq!(TotpSecret::from_bytes(&vec![7; length]).is_some(), fine, "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_text_is_refused_calmly(code in "[0-9 ]{0,9}|.{0,20}", seconds: i64, last: i64) {
            let accepted = rfc_secret().verify(&code, at(seconds), last);
            let digits = code.replace(' ', "");
            let shown = [-30, 0, 30].map(|by| rfc_secret().code_at(at(seconds.saturating_add(by))));
            proptest::prop_assert!(accepted.is_none() || shown.contains(&digits));
        }
    }
}
