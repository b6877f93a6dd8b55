//! The tests once more, over TLS through the running edge: as bytes on a connection, with its limits, its strict reading
//! and its server before the rules.

mod client;
mod refused;
mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::case::{Case, Generation, Stage};
use super::run::is_explained;
use client::{Answer, Client};
use running::{Running, Seen};

/// Connections at the same time.
const CONNECTIONS: usize = 8;

/// What came of all tests.
#[derive(Debug, Default)]
pub(super) struct Report {
    passed: usize,
    total: usize,
    /// Refused by the edge itself, as the list says.
    refused: usize,
    /// What the edge itself has refused, as lines of the list.
    lines: BTreeSet<String>,
    failures: Vec<String>,
    /// Failed, as the rules alone do.
    explained: usize,
    /// Lines of the list that no longer hold.
    stale: Vec<String>,
}

impl Report {
    /// Whether nothing failed without a reason, and the list is exact.
    pub(super) fn is_good(&self) -> bool {
        self.failures.len() == self.explained && self.stale.is_empty()
    }

    /// Writes the failures, and what a list of today would hold.
    pub(super) fn write(&self, directory: &Path, generation: Generation) -> Result<()> {
        fs::create_dir_all(directory)?;
        for (name, lines) in [("failures", &self.failures), ("refused", &self.lines.iter().cloned().collect())] {
            let path = directory.join(format!("edge-{name}-{generation}.txt"));
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.failures {
            writeln!(f, "{line}")?;
        }
        for line in &self.stale {
            writeln!(f, "not refused like this: take it off the list of what the edge refuses: {line}")?;
        }
        let Self { passed, total, refused, explained, .. } = self;
        let percent = *passed as f64 * 100.0 / (*total).max(1) as f64;
        writeln!(
            f,
            "{passed:>6}/{total:<6} passed ({percent:.2} %), {refused} of them refused by the edge itself, {explained} \
             failures explained"
        )
    }
}

/// What became of a request.
struct Outcome {
    answer: Option<Answer>,
    seen: Seen,
}

/// Sends every request of `cases`, those that need a server too, through an edge with the set of rules in `set`.
pub(super) fn run(generation: Generation, set: &Path, cases: &[Case]) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcomes = runtime.block_on(send_all(generation, set, cases))?;
    runtime.shutdown_background();
    Ok(report(generation, cases, &outcomes, refused::LIST))
}

async fn send_all(generation: Generation, set: &Path, cases: &[Case]) -> Result<BTreeMap<(usize, usize), Outcome>> {
    let running = Arc::new(Running::start(generation, set).await?);
    let client = Arc::new(Client::new(running.address, &running.certificate)?);
    let mut waiting = cases
        .iter()
        .enumerate()
        .flat_map(|(at, case)| case.stages.iter().enumerate().map(move |(number, stage)| ((at, number), stage)));
    let mut outcomes = BTreeMap::new();
    let mut sending = JoinSet::new();
    loop {
        while sending.len() < CONNECTIONS
            && let Some((key, Stage { request, .. })) = waiting.next()
        {
            let (running, client, request) = (running.clone(), client.clone(), request.clone());
            sending.spawn(async move {
                let connection = client.connect().await?;
                let from = connection.from;
                running.expect(from, request.response);
                let answer = connection.ask(&request.wire).await;
                let id = answer.as_ref().and_then(|answer| answer.id.as_deref());
                let seen = running.seen(from, id);
                anyhow::Ok((key, Outcome { answer, seen }))
            });
        }
        match sending.join_next().await {
            Some(done) => outcomes.extend([done??]),
            None => return Ok(outcomes),
        }
    }
}

fn report(
    generation: Generation,
    cases: &[Case],
    outcomes: &BTreeMap<(usize, usize), Outcome>,
    list: &'static str,
) -> Report {
    let listed: BTreeSet<&str> = refused::of(list, generation).collect();
    let mut report = Report::default();
    for (at, case) in cases.iter().enumerate() {
        let mut wrong = Vec::new();
        let mut is_refused = false;
        for (number, stage) in case.stages.iter().enumerate() {
            let Some(outcome) = outcomes.get(&(at, number)) else {
                wrong.push("not sent".to_owned());
                continue;
            };
            if outcome.seen.reached {
                wrong.extend(differences(stage, outcome));
                continue;
            }
            is_refused = true;
            let line = refused::line(case, number, outcome.answer.as_ref());
            if !listed.contains(line.as_str()) {
                wrong.push(format!("the edge refuses it and the list does not say so: {line}"));
            }
            report.lines.insert(line);
        }
        report.total += 1;
        if wrong.is_empty() {
            report.passed += 1;
            report.refused += usize::from(is_refused);
            continue;
        }
        report.explained += usize::from(is_explained(case));
        report.failures.push(format!("{} {}: {}", case.file, case.name, wrong.join(" | ")));
    }
    report.stale = listed.iter().filter(|line| !report.lines.contains(**line)).map(|line| (*line).to_owned()).collect();
    report
}

/// What is wrong with a request that came to the service and its answer.
fn differences(stage: &Stage, outcome: &Outcome) -> Vec<String> {
    let mut wrong = stage.expected.differences(&outcome.seen.log);
    if !wrong.is_empty() {
        let mut found: Vec<u32> = outcome.seen.log.iter().map(|logged| logged.rule).collect();
        found.dedup();
        let mut text = String::from("found");
        for rule in found {
            // Writing to a string cannot fail.
            let _ = write!(text, " {rule}");
        }
        wrong.push(text);
    }
    let status = outcome.answer.as_ref().map(|answer| answer.status);
    match status {
        None => wrong.push("there was no answer".to_owned()),
        Some(status) if stage.expected.error => wrong.push(format!("it was answered with {status}")),
        Some(status) if !stage.expected.status.is_empty() && !stage.expected.status.contains(&status) => {
            wrong.push(format!("it was answered with {status}, and not with {:?}", stage.expected.status));
        }
        Some(_) => {}
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::super::case::Expected;
    use super::super::engine::Logged;
    use super::super::request::Request;
    use super::*;

    fn case(name: &str, expected: Expected) -> Case {
        let stages = vec![Stage { request: Request::default(), expected }];
        Case { generation: Generation::Four, file: "F".to_owned(), name: name.to_owned(), stages }
    }

    fn outcome(status: u16, reached: bool, rules: &[u32]) -> Outcome {
        let log = rules.iter().map(|rule| Logged { rule: *rule, line: String::new() }).collect();
        let id = reached.then(|| "id".to_owned());
        Outcome { answer: Some(Answer { status, id, text: "Why.\nmore".to_owned() }), seen: Seen { reached, log } }
    }

    fn report_of(expected: Expected, outcome: Outcome, list: &'static str) -> Report {
        report(Generation::Four, &[case("a-1", expected)], &BTreeMap::from([((0, 0), outcome)]), list)
    }

    fn wants(ids: &[u32]) -> Expected {
        Expected { ids: ids.to_vec(), ..Expected::default() }
    }

    #[test]
    fn rules_and_status_must_be_as_expected() {
        assert!(report_of(wants(&[1]), outcome(200, true, &[1, 2]), "").is_good());
        assert!(!report_of(wants(&[1]), outcome(200, true, &[2]), "").is_good());
        let refused = |status| Expected { status: vec![status], ..Expected::default() };
        assert!(report_of(refused(200), outcome(200, true, &[]), "").is_good());
        assert!(!report_of(refused(400), outcome(200, true, &[]), "").is_good());
        let closed = Expected { error: true, ..Expected::default() };
        assert!(!report_of(closed, outcome(200, true, &[]), "").is_good());
        let silent = Outcome { answer: None, seen: Seen { reached: true, log: Vec::new() } };
        assert!(!report_of(Expected::default(), silent, "").is_good());
        let none = report(Generation::Four, &[case("a-1", wants(&[]))], &BTreeMap::new(), "");
        assert!(!none.is_good(), "what was not sent has not passed");
    }

    #[test]
    fn the_list_of_refusals_is_exact() {
        let list = "# a remark\n3 a-1 caught 501 Other.\n4 a-1 caught 400 Why.\n";
        let listed = report_of(wants(&[1]), outcome(400, false, &[]), list);
        assert!(listed.is_good() && listed.refused == 1, "{listed}");
        assert!(!report_of(wants(&[1]), outcome(400, false, &[]), "").is_good(), "not listed");
        assert!(!report_of(wants(&[1]), outcome(501, false, &[]), list).is_good(), "refused otherwise");
        let stale = report_of(wants(&[1]), outcome(200, true, &[1]), list);
        assert!(!stale.is_good() && stale.to_string().contains("take it off"), "no longer refused");
    }
}
