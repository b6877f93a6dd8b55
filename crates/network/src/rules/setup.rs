//! What we set for a set of rules, in its own words.

use std::fmt::Write as _;

use super::RulesError;

/// Whether a set refuses requests or only tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What reaches the threshold is refused.
    Blocking,
    /// Nothing is refused; decisions are told as if.
    DetectionOnly,
}

/// How a set is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// 1 to 4: how much suspicion rules may have. Our own rules have the first level only.
    pub paranoia_level: u8,
    /// The anomaly score from which a request is refused.
    pub inbound_threshold: u32,
    /// The anomaly score from which an answer is refused.
    pub outbound_threshold: u32,
    /// Whether anything is refused.
    pub mode: Mode,
    /// SecLang that runs before the rules of the set, to except fields of ours from some of them (`ctl:…`).
    pub exclusions: String,
    /// Rules that are not loaded, by id.
    pub without: Vec<u32>,
    /// Methods that requests may have.
    pub allowed_methods: Vec<String>,
    /// Media types that bodies may have, without parameters, in lower case.
    pub allowed_content_types: Vec<String>,
    /// How many arguments a request may have; none leaves that to the limits of the engine.
    pub max_arguments: Option<u32>,
    /// Whether arguments must be UTF-8.
    pub utf8_only: bool,
}

impl Default for Settings {
    /// The first paranoia level, blocking at the thresholds that the Core Rule Set recommends.
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            paranoia_level: 1,
            inbound_threshold: 5,
            outbound_threshold: 4,
            mode: Mode::Blocking,
            exclusions: String::new(),
            without: Vec::new(),
            allowed_methods: owned(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
            allowed_content_types: owned(&[
                "application/x-www-form-urlencoded",
                "multipart/form-data",
                "application/json",
                "application/xml",
                "text/xml",
            ]),
            max_arguments: None,
            utf8_only: true,
        }
    }
}

/// The kinds of sets that name their settings differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Our own rules.
    Base,
    /// The Core Rule Set 3.
    Three,
    /// The Core Rule Set 4, and later ones until they are known to differ.
    Four,
    /// Somebody's own.
    Other,
}

impl Family {
    /// What a set is by the signature in its files: family, name and version.
    pub(super) fn of(rules: &[(String, String)]) -> (Self, String, String) {
        let lines = rules.iter().flat_map(|(_, text)| text.lines());
        let signature = lines
            .filter_map(|line| line.trim_start().strip_prefix("SecComponentSignature"))
            .map(|rest| rest.trim().trim_matches(['"', '\'']))
            .next()
            .unwrap_or_default();
        let (name, version) = signature.split_once('/').unwrap_or((signature, ""));
        match (name, version.split('.').next()) {
            ("LETTERKEEP_BASE", _) => (Self::Base, "Letterkeep base".to_owned(), version.to_owned()),
            ("OWASP_CRS", Some("3")) => (Self::Three, "OWASP CRS".to_owned(), version.to_owned()),
            ("OWASP_CRS", _) => (Self::Four, "OWASP CRS".to_owned(), version.to_owned()),
            ("", _) => (Self::Other, "rules of your own".to_owned(), String::new()),
            _ => (Self::Other, name.to_owned(), version.to_owned()),
        }
    }

    /// Rules that would ask a name server or a geographical database for each request.
    pub(super) const fn needs_look_ups(self) -> &'static [u32] {
        match self {
            Self::Three => &[910_100, 910_120, 910_140, 910_150, 910_160, 910_170, 910_180],
            _ => &[],
        }
    }

    /// The `TX` value that holds the anomaly score of a request.
    pub(super) const fn score(self) -> Option<&'static str> {
        match self {
            Self::Base => Some("inbound_anomaly_score"),
            Self::Three => Some("anomaly_score"),
            Self::Four => Some("blocking_inbound_anomaly_score"),
            Self::Other => None,
        }
    }
}

/// The settings as SecLang.
pub(super) fn text(family: Family, settings: &Settings) -> Result<String, RulesError> {
    let refuse = |problem: &str| Err(RulesError::Settings(problem.to_owned()));
    if !(1..=4).contains(&settings.paranoia_level) {
        return refuse("the paranoia level is 1, 2, 3 or 4");
    }
    if settings.inbound_threshold == 0 || settings.outbound_threshold == 0 {
        return refuse("a threshold of 0 refuses everything");
    }
    let is_token =
        |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    if !settings.allowed_methods.iter().all(is_token) {
        return refuse("a method is written in capital letters");
    }
    let is_type = |text: &String| {
        text.split_once('/').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/.+-_".contains(&byte))
    };
    if !settings.allowed_content_types.iter().all(is_type) {
        return refuse("a media type is written as in application/json, in small letters, without parameters");
    }
    let level = settings.paranoia_level;
    let (inbound, outbound) = (settings.inbound_threshold, settings.outbound_threshold);
    let methods = settings.allowed_methods.join(" ");
    let between_bars = |names: &[String]| names.iter().map(|name| format!("|{name}|")).collect::<Vec<_>>().join(" ");
    let types = between_bars(&settings.allowed_content_types);
    let utf8 = u8::from(settings.utf8_only);
    let mut variables = match family {
        Family::Other => return Ok(String::new()),
        Family::Base => vec![
            format!("tx.letterkeep_threshold={inbound}"),
            format!("tx.letterkeep_methods={}", between_bars(&settings.allowed_methods)),
            format!("tx.letterkeep_types={types}"),
            format!("tx.letterkeep_utf8={utf8}"),
        ],
        Family::Three | Family::Four => vec![
            format!("tx.inbound_anomaly_score_threshold={inbound}"),
            format!("tx.outbound_anomaly_score_threshold={outbound}"),
            format!("tx.allowed_methods={methods}"),
            format!("tx.allowed_request_content_type={types}"),
            format!("tx.crs_validate_utf8_encoding={utf8}"),
        ],
    };
    match family {
        Family::Three => {
            variables.extend([format!("tx.paranoia_level={level}"), format!("tx.executing_paranoia_level={level}")]);
        }
        Family::Four => variables
            .extend([format!("tx.blocking_paranoia_level={level}"), format!("tx.detection_paranoia_level={level}")]),
        Family::Base | Family::Other => {}
    }
    if let Some(number) = settings.max_arguments {
        let name = if family == Family::Base { "letterkeep_max_arguments" } else { "max_num_args" };
        variables.push(format!("tx.{name}={number}"));
    }
    let mut text = "SecAction \"id:100,phase:1,pass,nolog,t:none".to_owned();
    for variable in variables {
        // Writing to a string cannot fail.
        let _ = write!(text, ",setvar:'{variable}'");
    }
    text.push_str("\"\n");
    Ok(text)
}
