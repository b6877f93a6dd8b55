//! What the rules found, for people and for machines.

use serde::Serialize;

use crate::seclang::action::{EngineMode, Severity};
use crate::transaction::Interruption;

/// What happened to a transaction.
#[derive(Debug, Clone)]
pub struct Record {
    /// The rules that matched and log it, in the order in which they ran.
    pub matches: Vec<Match>,
    /// Why it was not let through.
    pub interruption: Option<Interruption>,
    /// The mode that the engine ended in.
    pub mode: EngineMode,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its id.
    pub rule: u32,
    /// The phase that it ran in, 1 to 5.
    pub phase: u8,
    /// What it says.
    pub message: String,
    /// What it says about the values. Holds bytes of the request.
    pub data: String,
    /// How bad it says this is.
    pub severity: Option<Severity>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The version of its rule set.
    pub version: String,
    /// The line that it stands on in its file.
    pub line: u32,
    /// What it added to the anomaly scores.
    pub score: i64,
    /// The values that matched.
    pub findings: Vec<Finding>,
}

/// A value that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `ARGS:name`.
    pub variable: String,
    /// The value after the rule's transformations. Holds bytes of the request.
    pub value: Vec<u8>,
    /// Where in it the match is: from, to.
    pub span: (usize, usize),
}

impl Record {
    /// The decision as one line of JSON. Bytes of the request are left out unless `reveal` is set: they may be
    /// personal data. Names of variables are shown, their values are told by length and place.
    pub fn to_json(&self, id: &str, reveal: bool) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            id: &'a str,
            mode: &'a str,
            interruption: Option<Interruption>,
            score: i64,
            matches: Vec<Shown<'a>>,
        }
        #[derive(Serialize)]
        struct Shown<'a> {
            rule: u32,
            phase: u8,
            message: &'a str,
            severity: Option<Severity>,
            tags: &'a [String],
            version: &'a str,
            score: i64,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a str>,
            findings: Vec<ShownFinding<'a>>,
        }
        #[derive(Serialize)]
        struct ShownFinding<'a> {
            variable: &'a str,
            length: usize,
            span: (usize, usize),
            #[serde(skip_serializing_if = "Option::is_none")]
            value: Option<String>,
        }
        let matches = self.matches.iter().map(|found| Shown {
            rule: found.rule,
            phase: found.phase,
            message: &found.message,
            severity: found.severity,
            tags: &found.tags,
            version: &found.version,
            score: found.score,
            data: reveal.then_some(&found.data),
            findings: found
                .findings
                .iter()
                .map(|finding| ShownFinding {
                    variable: &finding.variable,
                    length: finding.value.len(),
                    span: finding.span,
                    value: reveal.then(|| finding.value.escape_ascii().to_string()),
                })
                .collect(),
        });
        let line = Line {
            id,
            mode: match self.mode {
                EngineMode::On => "on",
                EngineMode::DetectionOnly => "detection_only",
                EngineMode::Off => "off",
            },
            interruption: self.interruption,
            score: self.matches.iter().map(|found| found.score).sum(),
            matches: matches.collect(),
        };
        serde_json::to_string(&line).unwrap_or_default()
    }
}
