use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use letterkeep_model::Entropy;
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::constant_time_eq;

/// A password as somebody typed it, in Unicode form NFC, so that two keyboards that compose `ü` differently
/// mean the same (NIST SP 800-63B §5.1.1.2). Never cut. Overwritten when dropped; cannot be printed.
///
/// ```compile_fail,E0277
/// fn print(password: &letterkeep_vault::Password) -> String {
///     format!("{password:?}")
/// }
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

/// The text cannot be a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    /// Longer than is hashed. Refused, because cutting it silently would weaken it.
    #[error("the password is longer than {} bytes; choose a shorter one", Password::MAX_LEN)]
    TooLong,
}

impl Password {
    /// The most bytes of UTF-8 a password may have as typed.
    pub const MAX_LEN: usize = 1024;

    /// Takes the text as typed. Which passwords are good enough is the account room's policy.
    pub fn new(typed: String) -> Result<Self, PasswordError> {
        let typed = Zeroizing::new(typed);
        if typed.len() > Self::MAX_LEN {
            return Err(PasswordError::TooLong);
        }
        // NFC lengthens UTF-8 by a factor of three at most; a buffer that grew would leave a copy behind.
        let mut normal = String::with_capacity(typed.len() * 3);
        normal.extend(typed.nfc());
        Ok(Self(normal))
    }

    /// How many characters (Unicode code points) it has, as a policy counts them.
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// The text, for comparing with a list of forbidden passwords. Do not keep it, do not print it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// What one guess at a password costs; OWASP and ASVS 5.0 (appendix C) count these as equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordCost {
    /// Argon2id with 19 MiB, 2 passes, 1 lane: the faster of the two.
    #[default]
    M19T2,
    /// Argon2id with 46 MiB, 1 pass, 1 lane.
    M46T1,
}

impl PasswordCost {
    fn params(self) -> Params {
        let (mib, passes) = match self {
            Self::M19T2 => (19, 2),
            Self::M46T1 => (46, 1),
        };
        Params::new(mib * 1024, passes, 1, Some(HASH_LEN)).expect("these figures are within Argon2's bounds")
    }

    fn is_met_by(self, params: &Params) -> bool {
        let own = self.params();
        (params.m_cost(), params.t_cost(), params.p_cost()) == (own.m_cost(), own.t_cost(), own.p_cost())
    }
}

/// Whether a password is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordMatch {
    /// It is.
    Yes,
    /// It is, but the stored hash has another cost than those of [`PasswordCost`]: hash it again and store that.
    YesRehash,
    /// It is not.
    No,
}

const HASH_LEN: usize = 32;
const SALT_LEN: usize = 16;
/// A stored hash that asks for more than this would stop the server; it is not one of ours.
const MOST_MEMORY_KIB: u32 = 128 * 1024;
const MOST_PASSES: u32 = 8;
const MOST_LANES: u32 = 4;

/// Hashes a password into a PHC string (`$argon2id$v=19$m=…`). Takes tens of milliseconds: not on an async
/// thread. The caller seals the result.
pub fn hash_password(password: &Password, cost: PasswordCost, entropy: &dyn Entropy) -> Zeroizing<String> {
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params())
        .hash_password_with_salt(password.0.as_bytes(), &entropy.bytes::<SALT_LEN>())
        .expect("length of password and salt are within Argon2's bounds");
    Zeroizing::new(hash.to_string())
}

/// Compares a password with a PHC string of [`hash_password`]. Takes as long as hashing. A string that is
/// not an Argon2 hash, or asks for absurd effort, matches nothing.
pub fn verify_password(password: &Password, phc: &str) -> PasswordMatch {
    match compare(password, phc) {
        Some((true, true)) => PasswordMatch::Yes,
        Some((true, false)) => PasswordMatch::YesRehash,
        Some((false, _)) | None => PasswordMatch::No,
    }
}

/// Spends the time of [`verify_password`] where there is no such user, so that the answer's delay does not
/// tell whether there is one.
pub fn verify_nobody(password: &Password, cost: PasswordCost) -> PasswordMatch {
    let mut out = [0; HASH_LEN];
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params());
    // Whatever comes out, the answer is no.
    let _ = argon.hash_password_into(password.0.as_bytes(), &[0; SALT_LEN], &mut out);
    out.zeroize();
    PasswordMatch::No
}

/// Whether it matches, and whether the cost is one of today's.
fn compare(password: &Password, phc: &str) -> Option<(bool, bool)> {
    let stored = PasswordHash::new(phc).ok()?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
    let version = Version::try_from(stored.version?).ok()?;
    let params = Params::try_from(&stored).ok()?;
    if params.m_cost() > MOST_MEMORY_KIB || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
        return None;
    }
    let wanted = stored.hash?;
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..wanted.len())?;
    let current = algorithm == Algorithm::Argon2id
        && version == Version::V0x13
        && out.len() == HASH_LEN
        && [PasswordCost::M19T2, PasswordCost::M46T1].iter().any(|cost| cost.is_met_by(&params));
    Argon2::new(algorithm, version, params).hash_password_into(password.0.as_bytes(), &stored.salt?, out).ok()?;
    let equal = constant_time_eq(out, wanted.as_bytes());
    out.zeroize();
    Some((equal, current))
}

/// How hard the password is to guess, from 0 (at once) to 4 (more than 10¹⁰ guesses), by zxcvbn. `context`
/// holds words that a guesser would try first: user name, address, company.
pub fn password_strength(password: &Password, context: &[&str]) -> u8 {
    let mut words = vec!["letterkeep"];
    words.extend_from_slice(context);
    zxcvbn::zxcvbn(&password.0, &words).score().into()
}

#[cfg(test)]
mod tests {
    use letterkeep_model::SystemEntropy;

    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    /// A cheap hash, as an old installation could have left it.
    fn cheap(text: &str, algorithm: Algorithm) -> String {
        hashed(text, algorithm, (8, 1, 1))
    }

    fn hashed(text: &str, algorithm: Algorithm, (kib, passes, lanes): (u32, u32, u32)) -> String {
        Argon2::new(algorithm, Version::V0x13, Params::new(kib, passes, lanes, Some(32)).unwrap())
            .hash_password_with_salt(text.as_bytes(), b"0123456789abcdef")
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_right_password_matches_and_no_other() {
        for cost in [PasswordCost::M19T2, PasswordCost::M46T1] {
            let phc = hash_password(&password("Grüße aus Köln"), cost, &SystemEntropy);
            assert_eq!(verify_password(&password("Grüße aus Köln"), &phc), PasswordMatch::Yes, "{cost:?}");
            assert_eq!(verify_password(&password("Grüße aus Koln"), &phc), PasswordMatch::No, "{cost:?}");
        }
    }

    #[test]
    fn the_cost_and_a_fresh_salt_stand_in_the_hash() {
        let (one, other) = (
            hash_password(&password("a"), PasswordCost::M19T2, &SystemEntropy),
            hash_password(&password("a"), PasswordCost::M19T2, &SystemEntropy),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.as_str());
        assert_ne!(one, other);
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let phc = cheap("M\u{fc}ller", Algorithm::Argon2id);
        assert_eq!(verify_password(&password("Mu\u{308}ller"), &phc), PasswordMatch::YesRehash);
        assert_eq!(verify_password(&password("Muller"), &phc), PasswordMatch::No);
    }

    #[test]
    fn every_byte_counts_up_to_the_limit_and_beyond_it_nothing_is_cut() {
        let (long, other) = ("x".repeat(1024), format!("{}y", "x".repeat(1023)));
        let phc = cheap(&long, Algorithm::Argon2id);
        assert_eq!(verify_password(&password(&long), &phc), PasswordMatch::YesRehash);
        assert_eq!(verify_password(&password(&other), &phc), PasswordMatch::No);
        assert_eq!(Password::new("x".repeat(1025)).err(), Some(PasswordError::TooLong));
        // The worst a password of this length can grow to when it is composed.
        assert!(Password::new("\u{fb2c}".repeat(341)).is_ok());
    }

    #[test]
    fn an_old_hash_asks_for_a_new_one() {
        for algorithm in [Algorithm::Argon2id, Algorithm::Argon2i, Algorithm::Argon2d] {
            assert_eq!(verify_password(&password("a"), &cheap("a", algorithm)), PasswordMatch::YesRehash);
        }
    }

    #[test]
    fn what_is_not_a_reasonable_hash_matches_nothing() {
        let good = cheap("a", Algorithm::Argon2id);
        assert_eq!(verify_password(&password("a"), &good), PasswordMatch::YesRehash);
        for phc in [
            "",
            "a",
            "$argon2id$",
            "$scrypt$ln=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
            &good.replace("m=8", "m=4194304"),
            &good.replace("t=1", "t=1000000"),
            &good[..good.rfind('$').unwrap()],
            &good.replace("argon2id", "argon2x"),
        ] {
            assert_eq!(verify_password(&password("a"), phc), PasswordMatch::No, "{phc}");
        }
    }

    #[test]
    fn a_hash_that_costs_too_much_is_not_even_tried() {
        let most = (MOST_MEMORY_KIB, MOST_PASSES, MOST_LANES);
        for (cost, fine) in [
            ((64, most.1, most.2), true),
            ((64, most.1 + 1, 1), false),
            ((64, 1, most.2 + 1), false),
            ((most.0, 1, 1), true),
            ((most.0 + 8, 1, 1), false),
        ] {
            let matched = verify_password(&password("a"), &hashed("a", Algorithm::Argon2id, cost));
            assert_eq!(matched == PasswordMatch::YesRehash, fine, "{cost:?}");
        }
    }

    #[test]
    fn nobody_never_matches() {
        assert_eq!(verify_nobody(&password(""), PasswordCost::M19T2), PasswordMatch::No);
    }

    #[test]
    fn strength_sees_through_patterns_and_knows_the_person() {
        for weak in ["Password1!", "aaaaaaaaaaaaaaA1!", "letterkeepletterkeep"] {
            assert!(password_strength(&password(weak), &[]) < 3, "{weak}");
        }
        assert_eq!(password_strength(&password("correct horse battery staple"), &[]), 4);
        let own = password("erika.mustermann42");
        assert!(
            password_strength(&own, &["erika.mustermann"]) < password_strength(&own, &[]),
            "a name from the context counts for nothing"
        );
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_hashes_are_refused_calmly(
            phc in r"\$argon2(id|i|d)(\$v=(16|19))?\$m=[0-9]{1,3},t=[0-9],p=[0-9](,[a-z]+=[a-z0-9]+)?(\$[A-Za-z0-9+/]{0,30}){0,3}|.{0,80}"
        ) {
            proptest::prop_assert_eq!(verify_password(&password("a"), &phc), PasswordMatch::No);
        }
    }
}
