//! `[edge]` and `[firewall]`: proxies in front, limits of rate, which rules look at requests, and what they do not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use letterkeep_model::Network;
use letterkeep_network::{Exclusion, Field, Pattern, Rate, Rules};
use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Found, Source, refuse};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEdge {
    trusted_proxies: Option<Vec<Spanned<String>>>,
    client_rate: Option<Spanned<String>>,
    session_rate: Option<Spanned<String>>,
    account_rate: Option<Spanned<String>>,
    requests: Option<Spanned<usize>>,
    requests_per_client: Option<Spanned<usize>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileFirewall {
    mode: Option<Spanned<String>>,
    rules: Option<Spanned<String>>,
    paranoia_level: Option<Spanned<u8>>,
    threshold: Option<Spanned<u32>>,
    budget_ms: Option<Spanned<u64>>,
    #[serde(default)]
    exclusion: Vec<FileExclusion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileExclusion {
    method: Option<Spanned<String>>,
    path: Spanned<String>,
    #[serde(default)]
    fields: Vec<Spanned<String>>,
    rules: Vec<Spanned<String>>,
    reason: Spanned<String>,
}

/// Limits of the edge that an operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EdgeLimits {
    pub(crate) trusted: Vec<Network>,
    pub(crate) client_rate: Option<Rate>,
    pub(crate) session_rate: Option<Rate>,
    pub(crate) account_rate: Option<Rate>,
    pub(crate) requests: usize,
    pub(crate) requests_per_client: usize,
}

/// Which rules look at requests, and how strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirewallSettings {
    pub(crate) mode: FirewallMode,
    pub(crate) rules: RulesFrom,
    pub(crate) paranoia_level: u8,
    pub(crate) threshold: u32,
    pub(crate) budget: Duration,
    pub(crate) exclusions: Vec<Exclusion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirewallMode {
    Block,
    /// Rules only tell: to learn what would be refused.
    Detect,
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RulesFrom {
    /// What was installed, else Debian's package, else our own.
    Found,
    BuiltIn,
    Directory(PathBuf),
}

impl EdgeLimits {
    pub(super) fn parse(source: &Source<'_>, file: FileEdge) -> Result<Self, ConfigError> {
        let usual = letterkeep_network::EdgeSettings::default();
        let count = |given: Option<Spanned<usize>>, usual, key| match given {
            None => Ok(usual),
            Some(given) if (1..=1_000_000).contains(given.get_ref()) => Ok(given.into_inner()),
            Some(given) => Err(refuse(source.found(&given), key, "is not between 1 and 1000000")),
        };
        let rate = |variable: &str, given, usual, key| match source.find(variable, given) {
            None => Ok(usual),
            Some(found) => parse_rate(&found.value).ok_or_else(|| refuse(found, key, RATE)),
        };
        let trusted = match source.find("LETTERKEEP_TRUSTED_PROXIES", None) {
            Some(Found { value, place }) => {
                value.split(',').map(|text| Found { value: text.trim().to_owned(), place: place.clone() }).collect()
            }
            None => file.trusted_proxies.into_iter().flatten().map(|text| source.found(&text)).collect::<Vec<_>>(),
        };
        let network = |found: Found| match found.value.parse() {
            Ok(network) => Ok(network),
            Err(error) => Err(refuse(found, "edge.trusted_proxies", format!("is {error}"))),
        };
        Ok(Self {
            trusted: trusted.into_iter().map(network).collect::<Result<_, _>>()?,
            client_rate: rate("LETTERKEEP_CLIENT_RATE", file.client_rate, usual.client_rate, "edge.client_rate")?,
            session_rate: rate("LETTERKEEP_SESSION_RATE", file.session_rate, usual.session_rate, "edge.session_rate")?,
            account_rate: rate("LETTERKEEP_ACCOUNT_RATE", file.account_rate, usual.account_rate, "edge.account_rate")?,
            requests: count(file.requests, usual.in_flight, "edge.requests")?,
            requests_per_client: count(
                file.requests_per_client,
                usual.in_flight_per_client,
                "edge.requests_per_client",
            )?,
        })
    }
}

impl FirewallSettings {
    pub(super) fn parse(source: &Source<'_>, file: FileFirewall) -> Result<Self, ConfigError> {
        let mode = match source.find("LETTERKEEP_FIREWALL", file.mode) {
            None => FirewallMode::Block,
            Some(found) => match found.value.as_str() {
                "block" => FirewallMode::Block,
                "detect" => FirewallMode::Detect,
                "off" => FirewallMode::Off,
                _ => return Err(refuse(found, "firewall.mode", "is neither block nor detect nor off")),
            },
        };
        let rules = match source.find("LETTERKEEP_FIREWALL_RULES", file.rules) {
            None => RulesFrom::Found,
            Some(found) => match found.value.as_str() {
                "found" => RulesFrom::Found,
                "built-in" => RulesFrom::BuiltIn,
                path if path.contains('/') => RulesFrom::Directory(path.into()),
                _ => {
                    return Err(refuse(
                        found,
                        "firewall.rules",
                        "is neither found nor built-in nor a path with a slash",
                    ));
                }
            },
        };
        let within = |given: &Spanned<u64>, key, from: u64, to: u64| match *given.get_ref() {
            value if (from..=to).contains(&value) => Ok(value),
            _ => Err(refuse(source.found(given), key, format!("is not between {from} and {to}"))),
        };
        let paranoia_level = match file.paranoia_level {
            None => 1,
            Some(given) if (1..=4).contains(given.get_ref()) => given.into_inner(),
            Some(given) => {
                return Err(refuse(source.found(&given), "firewall.paranoia_level", "is not between 1 and 4"));
            }
        };
        let threshold = match file.threshold {
            None => 5,
            Some(given) if (1..=1000).contains(given.get_ref()) => given.into_inner(),
            Some(given) => return Err(refuse(source.found(&given), "firewall.threshold", "is not between 1 and 1000")),
        };
        let budget = match &file.budget_ms {
            None => 50,
            Some(given) => within(given, "firewall.budget_ms", 1, 10_000)?,
        };
        let budget = Duration::from_millis(budget);
        let exclusions = file.exclusion.into_iter().map(|file| exclusion(source, file)).collect::<Result<_, _>>()?;
        Ok(Self { mode, rules, paranoia_level, threshold, budget, exclusions })
    }
}

fn exclusion(source: &Source<'_>, file: FileExclusion) -> Result<Exclusion, ConfigError> {
    let method = match file.method {
        None => None,
        Some(given) => match given.get_ref().parse() {
            Ok(method) if given.get_ref().bytes().all(|byte| byte.is_ascii_uppercase()) => Some(method),
            _ => {
                return Err(refuse(
                    source.found(&given),
                    "firewall.exclusion.method",
                    "is no method, for example POST",
                ));
            }
        },
    };
    let route = match Pattern::new(file.path.get_ref()) {
        Ok(route) => route,
        Err(error) => return Err(refuse(source.found(&file.path), "firewall.exclusion.path", error.to_string())),
    };
    let mut fields = Vec::new();
    for given in &file.fields {
        let field = Field::new(given.get_ref());
        fields
            .push(field.map_err(|error| refuse(source.found(given), "firewall.exclusion.fields", error.to_string()))?);
    }
    let mut rules = Vec::new();
    for given in &file.rules {
        let range = Rules::new(given.get_ref());
        rules.push(range.map_err(|error| refuse(source.found(given), "firewall.exclusion.rules", error.to_string()))?);
    }
    if rules.is_empty() || file.reason.get_ref().trim().is_empty() {
        let problem = "is not enough: an exclusion names its rules and says why";
        return Err(refuse(source.found(&file.reason), "firewall.exclusion.reason", problem));
    }
    Ok(Exclusion { method, route, fields, rules, reason: file.reason.into_inner() })
}

/// The exclusions that our own pages need, from the file that stands beside the code.
pub(crate) fn own_exclusions() -> Result<Vec<Exclusion>, ConfigError> {
    read_exclusions(Path::new("exclusions.toml"), include_str!("../edge/exclusions.toml"))
}

/// A file that holds nothing but exclusions.
pub(crate) fn read_exclusions(path: &Path, text: &str) -> Result<Vec<Exclusion>, ConfigError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        exclusion: Vec<FileExclusion>,
    }
    let source = Source { path, text, environment: &|_| None };
    let file: File = toml::from_str(text).map_err(|error| source.not_valid(&error))?;
    file.exclusion.into_iter().map(|file| exclusion(&source, file)).collect()
}

const RATE: &str = "is no rate; write requests and a period, for example 600/30s or 3000/1m, or off";

/// `600/30s`, `3000/1m`, `off`.
#[expect(clippy::option_option, reason = "what is wrong, what is off, and a rate are three things")]
fn parse_rate(text: &str) -> Option<Option<Rate>> {
    if text == "off" {
        return Some(None);
    }
    let (requests, per) = text.split_once('/')?;
    let requests: u32 = requests.trim().parse().ok().filter(|requests| *requests > 0)?;
    let per = per.trim();
    let (number, unit) = per.split_at_checked(per.len().checked_sub(1)?)?;
    let number: u64 =
        if number.is_empty() { 1 } else { number.parse().ok().filter(|number| (1..=3600).contains(number))? };
    let per = match unit {
        "s" => Duration::from_secs(number),
        "m" => Duration::from_mins(number),
        "h" if number <= 24 => Duration::from_hours(number),
        _ => return None,
    };
    Some(Some(Rate { requests, per }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let rate = |requests, per| Some(Some(Rate { requests, per }));
        assert_eq!(parse_rate("600/30s"), rate(600, Duration::from_secs(30)));
        assert_eq!(parse_rate("5/m"), rate(5, Duration::from_mins(1)));
        assert_eq!(parse_rate("off"), Some(None));
        for text in ["", "5", "5/", "0/s", "5/0s", "5/x", "-1/s", "5/1ü", "a/1s"] {
            assert_eq!(parse_rate(text), None, "{text}");
        }
    }

    #[test]
    fn our_own_exclusions_can_be_read_and_say_why() {
        for exclusion in own_exclusions().unwrap() {
            assert!(exclusion.reason.len() > 20, "{exclusion:?}");
        }
    }
}
