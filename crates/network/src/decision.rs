//! What the firewall decided: a bounded memory for its page, and one line of JSON for each decision in a file.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use letterkeep_model::Timestamp;
use letterkeep_waf::{Cause, Record, Severity};
use serde::{Deserialize, Serialize};

use crate::client::shortened;

/// A request that the firewall refused, or would have. Holds no value of the request and no whole address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The id that the client was told.
    pub id: String,
    /// When, in microseconds since 1970 (UTC).
    pub at_us: i64,
    /// What was done.
    pub outcome: Outcome,
    /// What it was answered with, 0 if it was let through.
    pub status: u16,
    /// The method.
    pub method: String,
    /// The route, without ids and query.
    pub route: String,
    /// A /24 or /48 that the client is in.
    pub client: String,
    /// The rule that decided; 0 where no rule did.
    pub rule: u32,
    /// The rule set and its version.
    pub rules: String,
    /// The sum of what the matching rules count.
    pub score: i64,
    /// Processor time that the rules took, in microseconds.
    pub cpu_us: u64,
    /// The rules that matched.
    pub matches: Vec<Matched>,
}

/// What was done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Refused by a rule.
    Refused,
    /// Let through, because rules only tell.
    Detected,
    /// Refused because a body or its parts are more than is allowed.
    TooLarge,
    /// Refused because the time for its rules ran out.
    OverBudget,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// Its id.
    pub rule: u32,
    /// What it says of itself. Macros that would show values are left out.
    pub message: String,
    /// How bad it says this is.
    pub severity: Option<String>,
    /// What it counts.
    pub score: i64,
    /// Where it looked and found something.
    pub findings: Vec<Place>,
}

/// A place in the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `ARGS:name`.
    pub variable: String,
    /// Bytes of the value after its transformations.
    pub length: usize,
    /// Where in it: from, to.
    pub span: (usize, usize),
}

/// What a decision is about.
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) method: &'a str,
    pub(crate) route: String,
    pub(crate) client: IpAddr,
    pub(crate) rules: &'a str,
    pub(crate) cpu_us: u64,
}

/// Findings of one rule that are kept.
const PLACES: usize = 8;
/// Matches of one request that are kept.
const MATCHES: usize = 64;

impl Decision {
    /// Of what the rules found; nothing if they found nothing that counts.
    pub(crate) fn of(record: &Record, subject: &Subject<'_>) -> Option<Self> {
        let score: i64 = record.matches.iter().map(|found| found.score).sum();
        let outcome = match record.interruption.map(|interruption| interruption.cause) {
            Some(Cause::Rule) => Outcome::Refused,
            Some(Cause::TooLarge) => Outcome::TooLarge,
            Some(Cause::OverBudget) => Outcome::OverBudget,
            None if score > 0 => Outcome::Detected,
            None => return None,
        };
        let matches = record.matches.iter().take(MATCHES).map(|found| Matched {
            rule: found.rule,
            message: found.message.clone(),
            severity: found.severity.and_then(name_of),
            score: found.score,
            findings: found
                .findings
                .iter()
                .take(PLACES)
                .map(|finding| Place {
                    variable: printable(&finding.variable),
                    length: finding.value.len(),
                    span: finding.span,
                })
                .collect(),
        });
        Some(Self {
            id: subject.id.to_owned(),
            at_us: subject.at.micros(),
            outcome,
            status: record.interruption.map_or(0, |interruption| interruption.status),
            method: printable(subject.method),
            route: printable(&subject.route),
            client: shortened(subject.client),
            rule: record.interruption.map_or(0, |interruption| interruption.rule),
            rules: subject.rules.to_owned(),
            score,
            cpu_us: subject.cpu_us,
            matches: matches.collect(),
        })
    }

    /// When.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.at_us)
    }
}

fn name_of(severity: Severity) -> Option<String> {
    serde_json::to_value(severity).ok().and_then(|value| value.as_str().map(str::to_owned))
}

/// Names come from the request: bounded, and without what could disturb whoever reads them.
fn printable(text: &str) -> String {
    text.chars().take(120).map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// Decisions that are kept in memory.
const RECENT: usize = 1000;
/// Bytes of the file before another is begun. The one before is kept.
const FILE_BYTES: u64 = 16 << 20;

/// The recent decisions, and the file that holds them all.
pub(crate) struct Decisions {
    kept: Mutex<Kept>,
}

struct Kept {
    recent: VecDeque<Decision>,
    /// How often each rule matched in the recent decisions.
    rules: HashMap<u32, RuleCount>,
    file: Option<Log>,
}

/// How often a rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCount {
    /// Its id.
    pub rule: u32,
    /// What it says of itself.
    pub message: String,
    /// Recent requests that it matched in.
    pub requests: u64,
}

struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Decisions {
    /// Without a file, decisions last as long as the process.
    pub(crate) fn open(path: Option<&Path>) -> std::io::Result<Self> {
        let mut kept = Kept { recent: VecDeque::new(), rules: HashMap::new(), file: None };
        if let Some(path) = path {
            for decision in read(&before(path)).chain(read(path)) {
                kept.remember(decision);
            }
            kept.file = Some(Log::open(path)?);
        }
        Ok(Self { kept: Mutex::new(kept) })
    }

    /// Keeps a decision. A file that cannot be written is told in the log; the decision stands all the same.
    pub(crate) fn add(&self, decision: Decision) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = &mut kept.file
            && let Err(error) = log.write(&decision)
        {
            tracing::error!(%error, "a decision of the firewall could not be written to its file");
        }
        kept.remember(decision);
    }

    /// The newest first.
    pub(crate) fn recent(&self, count: usize) -> Vec<Decision> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.recent.iter().rev().take(count).cloned().collect()
    }

    /// The decision with this id: from memory, else from the file.
    pub(crate) fn find(&self, id: &str) -> Option<Decision> {
        let path = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = kept.recent.iter().rev().find(|decision| decision.id == id) {
                return Some(found.clone());
            }
            kept.file.as_ref()?.path.clone()
        };
        read(&path).chain(read(&before(&path))).find(|decision| decision.id == id)
    }

    /// The rules that matched most often among the recent decisions.
    pub(crate) fn top_rules(&self, count: usize) -> Vec<RuleCount> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rules: Vec<RuleCount> = kept.rules.values().cloned().collect();
        rules.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.rule.cmp(&b.rule)));
        rules.truncate(count);
        rules
    }
}

impl Kept {
    fn remember(&mut self, decision: Decision) {
        if self.recent.len() == RECENT
            && let Some(oldest) = self.recent.pop_front()
        {
            for rule in distinct(&oldest) {
                if let Some(count) = self.rules.get_mut(&rule.rule) {
                    count.requests -= 1;
                    if count.requests == 0 {
                        self.rules.remove(&rule.rule);
                    }
                }
            }
        }
        for found in distinct(&decision) {
            let none = || RuleCount { rule: found.rule, message: found.message.clone(), requests: 0 };
            self.rules.entry(found.rule).or_insert_with(none).requests += 1;
        }
        self.recent.push_back(decision);
    }
}

/// Each rule once.
fn distinct(decision: &Decision) -> impl Iterator<Item = &Matched> {
    let matches = &decision.matches;
    matches
        .iter()
        .enumerate()
        .filter(|(at, found)| matches[..*at].iter().all(|other| other.rule != found.rule))
        .map(|(_, found)| found)
}

impl Log {
    fn open(path: &Path) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 {
            // A line that a crash cut must not swallow the next one; an empty line harms nobody.
            file.write_all(b"\n")?;
            bytes += 1;
        }
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    fn write(&mut self, decision: &Decision) -> std::io::Result<()> {
        if self.bytes >= FILE_BYTES {
            std::fs::rename(&self.path, before(&self.path))?;
            *self = Self::open(&self.path)?;
        }
        let mut line = serde_json::to_vec(decision)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

/// What can be read; a line that a crash cut is left out.
fn read(path: &Path) -> impl Iterator<Item = Decision> + use<> {
    let lines = File::open(path).ok().into_iter().flat_map(|file| BufReader::new(file).lines().map_while(Result::ok));
    lines.filter_map(|line| serde_json::from_str(&line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(id: u64, rule: u32) -> Decision {
        let found = Matched { rule, message: "m".into(), severity: None, score: 5, findings: Vec::new() };
        Decision {
            id: id.to_string(),
            at_us: 0,
            outcome: Outcome::Refused,
            status: 403,
            method: "GET".into(),
            route: "/a".into(),
            client: "192.0.2.0/24".into(),
            rule,
            rules: "test 1".into(),
            score: 5,
            cpu_us: 1,
            matches: vec![found.clone(), found],
        }
    }

    #[test]
    fn decisions_outlive_the_process_and_memory_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("firewall.jsonl");
        let decisions = Decisions::open(Some(&path)).unwrap();
        for id in 0..1500 {
            decisions.add(decision(id, if id % 3 == 0 { 7 } else { 8 }));
        }
        let same = |decisions: &Decisions| {
            assert_eq!(decisions.recent(2000).len(), RECENT);
            assert_eq!(decisions.recent(1)[0].id, "1499");
            assert_eq!(decisions.find("3").unwrap().id, "3", "from the file");
            assert_eq!(decisions.find("x"), None);
            let top = decisions.top_rules(5);
            assert_eq!(top.iter().map(|rule| rule.requests).sum::<u64>(), 1000, "once for each request");
            assert_eq!(top[0].rule, 8);
        };
        same(&decisions);
        drop(decisions);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":\"cut").unwrap();
        let again = Decisions::open(Some(&path)).unwrap();
        same(&again);
        again.add(decision(2000, 7));
        assert_eq!(Decisions::open(Some(&path)).unwrap().recent(1)[0].id, "2000");
    }
}
