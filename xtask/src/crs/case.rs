//! A test and what it expects.

use std::fmt;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::engine::Logged;
use super::request::Request;

/// Which rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// As Debian ships it, 3.3.
    Three,
    /// The current one.
    Four,
}

impl Generation {
    /// Where the tests are in what was fetched.
    pub(super) fn tests(self) -> &'static str {
        match self {
            Self::Three => "tests/regression/tests",
            Self::Four => "tests",
        }
    }

    /// Where the rules are in what was fetched.
    pub(super) fn rules(self) -> &'static str {
        match self {
            Self::Three => "rules",
            Self::Four => "rules/@owasp_crs",
        }
    }

    /// The example of a set-up that belongs to the rules in `directory`.
    pub(super) fn setup(self, directory: &Path) -> PathBuf {
        directory.with_file_name(match self {
            Self::Three => "crs-setup.conf.example",
            Self::Four => "@crs-setup.conf.example",
        })
    }

    /// What the rule set's own runner sets before its tests, at a paranoia level.
    pub(super) fn settings(self, level: u8) -> String {
        let name = match self {
            Self::Three => "tx.paranoia_level",
            Self::Four => "tx.blocking_paranoia_level",
        };
        format!(
            "SecAction \"id:1,phase:1,nolog,pass,setvar:{name}={level},setvar:tx.crs_validate_utf8_encoding=1,\
             setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,\
             setvar:tx.max_num_args=255,setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535\"\n"
        )
    }

    /// Where the scores of the request and of its answer are added up.
    pub(super) fn scores(self) -> [&'static str; 2] {
        match self {
            Self::Three => ["tx.anomaly_score", "tx.outbound_anomaly_score"],
            Self::Four => ["tx.blocking_inbound_anomaly_score", "tx.blocking_outbound_anomaly_score"],
        }
    }

    /// Rules that would ask a name server or a geographical database for every request.
    pub(super) fn left_out(self) -> &'static [u32] {
        match self {
            Self::Three => &[910_100, 910_120, 910_140, 910_150, 910_160, 910_170, 910_180],
            Self::Four => &[],
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Three => "3",
            Self::Four => "4",
        })
    }
}

/// One test of the rule set.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) generation: Generation,
    /// The directory of the file: which rules it is about.
    pub(super) file: String,
    /// Rule and number: `942100-1`.
    pub(super) name: String,
    pub(super) stages: Vec<Stage>,
}

/// A request and what must be logged for it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) request: Request,
    pub(super) expected: Expected,
}

/// What must be logged, and what a server must answer.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) ids: Vec<u32>,
    pub(super) absent: Vec<u32>,
    pub(super) matching: Option<Regex>,
    pub(super) not_matching: Option<Regex>,
    /// No rule beside the expected one may match.
    pub(super) isolated: bool,
    /// Any of these; none are demanded if empty.
    pub(super) status: Vec<u16>,
    /// The server closes the connection.
    pub(super) error: bool,
}

/// Tests that name rules and still mean what the server in front of the rules does.
const NEED_A_SERVER: [(Generation, &str, &str); 3] = [
    (Generation::Four, "920181-1", "a server drops Content-Length beside Transfer-Encoding"),
    (Generation::Four, "920430-5", "a server closes the connection on a request line without a version"),
    (Generation::Four, "920620-1", "a server joins several Content-Type headers into one"),
];

impl Case {
    /// Why the test says nothing about rules alone, if so.
    pub(super) fn needs_server(&self) -> Option<&'static str> {
        let listed =
            NEED_A_SERVER.iter().find(|(generation, name, _)| (*generation, *name) == (self.generation, &self.name));
        let whole = self.stages.iter().all(|stage| stage.expected.is_for_server());
        listed.map(|(_, _, reason)| *reason).or(whole.then_some("only the answer of a server is expected"))
    }
}

impl Expected {
    /// Whether no rule is expected: nothing is said of the log, or that a refused request reaches none.
    fn is_for_server(&self) -> bool {
        let asks_for_none = !self.absent.is_empty() || self.not_matching.is_some();
        !self.asks_for_rules() && (self.asks_for_refusal() || !asks_for_none)
    }

    fn asks_for_rules(&self) -> bool {
        !self.ids.is_empty() || self.matching.is_some()
    }

    fn asks_for_refusal(&self) -> bool {
        self.error || !self.status.is_empty() && self.status.iter().all(|status| *status >= 400)
    }

    /// Whether nobody, neither a rule nor a server, shall take offence.
    pub(super) fn is_harmless(&self) -> bool {
        !self.asks_for_rules() && !self.asks_for_refusal()
    }

    /// What is wrong with `log`; empty if nothing is.
    pub(super) fn differences(&self, log: &[Logged]) -> Vec<String> {
        let has = |id: &u32| log.iter().any(|logged| logged.rule == *id);
        let mut wrong: Vec<String> = self.ids.iter().filter(|id| !has(id)).map(|id| format!("misses {id}")).collect();
        wrong.extend(self.absent.iter().filter(|id| has(id)).map(|id| format!("has {id}")));
        if self.isolated && log.iter().any(|logged| !self.ids.contains(&logged.rule)) {
            wrong.push("has rules beside the expected one".to_owned());
        }
        let matches = |regex: &Regex| log.iter().any(|logged| regex.is_match(&logged.text()));
        wrong.extend(
            self.matching.iter().filter(|regex| !matches(regex)).map(|regex| format!("logs nothing like {regex}")),
        );
        wrong.extend(self.not_matching.iter().filter(|regex| matches(regex)).map(|regex| format!("logs {regex}")));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(rules: &[u32]) -> Vec<Logged> {
        rules.iter().map(|rule| Logged { rule: *rule, line: format!("[msg \"m{rule}\"]") }).collect()
    }

    #[test]
    fn every_difference_is_named() {
        let expected = Expected {
            ids: vec![1, 2],
            absent: vec![3],
            matching: Some(Regex::new(r#"id "9"\].*m9"#).unwrap()),
            not_matching: Some(Regex::new("m4").unwrap()),
            isolated: true,
            ..Expected::default()
        };
        assert_eq!(expected.differences(&log(&[1, 3, 4])).len(), 5);
        let quiet = Expected { isolated: false, ..expected };
        assert!(quiet.differences(&log(&[1, 2, 9])).is_empty());
    }

    #[test]
    fn what_asks_for_no_rule_needs_a_server() {
        let needs = |expected: &Expected| expected.is_for_server();
        assert!(needs(&Expected { status: vec![400], ..Expected::default() }));
        assert!(needs(&Expected { status: vec![403, 400], absent: vec![1], ..Expected::default() }));
        assert!(!needs(&Expected { status: vec![200], absent: vec![1], ..Expected::default() }));
        assert!(!needs(&Expected { status: vec![400], ids: vec![1], ..Expected::default() }));
        let harmless = Expected { status: vec![200], absent: vec![1], ..Expected::default() };
        assert!(harmless.is_harmless());
        assert!(!Expected { status: vec![400, 501], ..harmless }.is_harmless());
        assert!(!Expected { ids: vec![1], ..Expected::default() }.is_harmless());
    }
}
