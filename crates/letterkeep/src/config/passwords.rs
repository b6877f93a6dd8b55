//! `[passwords]`: what a new password must meet, and what a guess at a stolen hash costs.

use std::path::Path;

use letterkeep_account::{Blocklist, PasswordPolicy, Passwords};
use letterkeep_vault::PasswordCost;
use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Found, Source, refuse};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePasswords {
    min_length: Option<Spanned<usize>>,
    min_strength: Option<Spanned<u8>>,
    blocklist: Option<Spanned<String>>,
    cost: Option<Spanned<String>>,
}

/// The rules in force. They can only be stricter than the profile that they begin with.
#[derive(Debug, Clone)]
pub(crate) struct PasswordRules {
    policy: PasswordPolicy,
    blocklist: Option<Found>,
    cost: PasswordCost,
}

impl PasswordRules {
    pub(super) fn parse(source: &Source<'_>, file: FilePasswords) -> Result<Self, ConfigError> {
        let mut policy = PasswordPolicy::nist();
        if let Some(given) = file.min_length {
            let found = source.found(&given);
            policy.min_length = given.into_inner();
            // ASVS 5.0, 6.2.9: passwords of 64 characters must be possible.
            if !(PasswordPolicy::nist().min_length..=64).contains(&policy.min_length) {
                return Err(refuse(found, "passwords.min_length", "is not between 12 and 64"));
            }
        }
        if let Some(given) = file.min_strength {
            let found = source.found(&given);
            policy.min_strength = given.into_inner();
            if !(PasswordPolicy::nist().min_strength..=4).contains(&policy.min_strength) {
                return Err(refuse(found, "passwords.min_strength", "is neither 3 nor 4 (zxcvbn)"));
            }
        }
        let cost = match source.find("LETTERKEEP_PASSWORD_COST", file.cost) {
            None => PasswordCost::default(),
            Some(found) => match found.value.as_str() {
                "19-mib" => PasswordCost::M19T2,
                "46-mib" => PasswordCost::M46T1,
                _ => return Err(refuse(found, "passwords.cost", "is neither 19-mib nor 46-mib")),
            },
        };
        let blocklist = source.find("LETTERKEEP_PASSWORD_BLOCKLIST", file.blocklist);
        Ok(Self { policy, blocklist, cost })
    }

    /// The file with forbidden passwords, if one is set.
    pub(crate) fn blocklist(&self) -> Option<&Path> {
        self.blocklist.as_ref().map(|found| Path::new(&found.value))
    }

    /// Reads the file with forbidden passwords, which may take seconds.
    pub(crate) fn load(&self) -> Result<Passwords, ConfigError> {
        let mut blocklist = Blocklist::packaged();
        if let Some(found) = &self.blocklist {
            blocklist = blocklist
                .with_file(Path::new(&found.value))
                .map_err(|error| refuse(found.clone(), "passwords.blocklist", format!("cannot be used: {error}")))?;
        }
        Ok(Passwords::new(self.policy.clone(), blocklist, self.cost))
    }
}
