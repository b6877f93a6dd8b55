use aws_lc_rs::constant_time;
use letterkeep_model::Entropy;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A 256-bit key. Overwritten when dropped; cannot be printed, copied or serialized, and its bytes do not
/// leave this crate except wrapped by a root.
///
/// ```compile_fail,E0277
/// fn print(key: &letterkeep_vault::KeyBytes) -> String {
///     format!("{key:?}")
/// }
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyBytes([u8; 32]);

impl KeyBytes {
    /// A new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = Self([0; 32]);
        entropy.fill(&mut key.0);
        key
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Self([0; 32]);
        if bytes.len() != key.0.len() {
            return None;
        }
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a person types to open a sealed root file. Overwritten when dropped; cannot be printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Passphrase {
    text: String,
    #[zeroize(skip)]
    work_factor: u8,
}

impl Passphrase {
    /// The fewest characters a new root file accepts: whoever steals the file may guess for years.
    pub const MIN_CHARS: usize = 12;

    /// The usual cost of a guess: 128 MiB and a good part of a second (OWASP Password Storage Cheat Sheet).
    pub const WORK_FACTOR: u8 = 17;

    /// The highest cost that is accepted from a file: 1 GiB. A file that asks for more was tampered with.
    pub const MAX_WORK_FACTOR: u8 = 20;

    /// Takes the text as typed; a line end behind it is dropped, so that a file or pipe can supply it.
    pub fn new(mut text: String) -> Self {
        let kept = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(kept);
        Self { text, work_factor: Self::WORK_FACTOR }
    }

    /// The same passphrase, with another cost for files that are written from now on: scrypt with
    /// N = 2^`log_n`, r = 8, p = 1. Reading follows what the file says. Kept within 1 to 20.
    #[must_use]
    pub fn with_work_factor(mut self, log_n: u8) -> Self {
        self.work_factor = log_n.clamp(1, Self::MAX_WORK_FACTOR);
        self
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn work_factor(&self) -> u8 {
        self.work_factor
    }

    pub(crate) fn is_long_enough(&self) -> bool {
        self.text.chars().count() >= Self::MIN_CHARS
    }
}

/// Compares without telling by its duration where the two differ. Lengths are not secret.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_from_a_pipe_loses_its_line_end_and_nothing_else() {
        assert_eq!(Passphrase::new(" zwölf Zeichen \r\n".into()).as_str(), " zwölf Zeichen ");
        assert!(Passphrase::new("zwölf Zeiche".into()).is_long_enough());
        assert!(!Passphrase::new("elf Zeichen".into()).is_long_enough());
    }

    #[test]
    fn compares() {
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd"));
        assert!(!constant_time_eq(b"abc", b"ab"));
    }
}
