//! Running the tests on all cores, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result};

use super::case::{Case, Generation};
use super::engine::{Engine, Logged};

/// Tests that fail, each with the reason. One that is not listed, and one that is and passes, is an error.
const EXPLAINED: [(Generation, &str, &str); 8] = [
    (Generation::Three, "920180-3", "the runner of today sends Content-Length: 0 with an empty POST"),
    (Generation::Three, "920181-1", "Apache drops Content-Length beside Transfer-Encoding before rules see it"),
    (
        Generation::Three,
        "920272-5",
        "a file that is not there is asked for, and the server of these tests answers everything",
    ),
    (Generation::Three, "920460-1", DOUBLED),
    (Generation::Three, "920460-2", DOUBLED),
    (Generation::Three, "920460-3", DOUBLED),
    (Generation::Three, "920460-4", DOUBLED),
    (Generation::Three, "941330-1", DOUBLED),
];
const DOUBLED: &str = "the pattern doubles its backslashes for Apache, whose configuration undoes that; here, as in \
                       libmodsecurity, a pattern is taken as it stands";

/// What came of all tests.
#[derive(Default)]
pub(super) struct Report {
    /// Passed and total by file.
    files: BTreeMap<String, (usize, usize)>,
    failures: Vec<String>,
    /// Failed, as the list above explains.
    explained: usize,
    /// Listed above, and passed.
    stale: Vec<&'static str>,
}

impl Report {
    /// Whether nothing failed without a reason.
    pub(super) fn is_good(&self) -> bool {
        self.failures.len() == self.explained && self.stale.is_empty()
    }

    /// Writes them to a file, also if there are none.
    pub(super) fn write_failures(&self, path: &Path) -> Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let text: String = self.failures.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, (passed, total)) in &self.files {
            writeln!(f, "{passed:>6}/{total:<6} {file}")?;
        }
        for line in &self.failures {
            writeln!(f, "{line}")?;
        }
        for name in &self.stale {
            writeln!(f, "{name} passes: take it off the list of explained failures")?;
        }
        let passed: usize = self.files.values().map(|(passed, _)| passed).sum();
        let total: usize = self.files.values().map(|(_, total)| total).sum();
        writeln!(f, "{passed:>6}/{total:<6} passed, {} failures explained", self.explained)
    }
}

/// Whether the test is known to fail.
pub(super) fn is_explained(case: &Case) -> bool {
    EXPLAINED.iter().any(|(generation, name, _)| (*generation, *name) == (case.generation, &case.name))
}

/// Runs `cases`, each of its stages on its own.
pub(super) fn all(cases: &[Case], engine: &dyn Engine) -> Report {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else { return failures };
            failures.extend(failure(case, engine).map(|line| (index, line)));
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut failures: Vec<(usize, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        // A panic of the engine is a finding too: let it be seen.
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    failures.sort();
    let mut report = Report::default();
    for case in cases {
        let (passed, total) = report.files.entry(case.file.clone()).or_default();
        *passed += 1;
        *total += 1;
    }
    report.explained = failures.iter().filter(|(index, _)| is_explained(&cases[*index])).count();
    let has_failed = |name: &str| failures.iter().any(|(index, _)| cases[*index].name == name);
    for (generation, name, _) in EXPLAINED {
        if cases.iter().any(|case| (case.generation, &*case.name) == (generation, name)) && !has_failed(name) {
            report.stale.push(name);
        }
    }
    for (index, line) in failures {
        if let Some((passed, _)) = report.files.get_mut(&cases[index].file) {
            *passed -= 1;
        }
        report.failures.push(line);
    }
    report
}

/// What is wrong with a test, if anything is.
fn failure(case: &Case, engine: &dyn Engine) -> Option<String> {
    let mut wrong = Vec::new();
    for (number, stage) in case.stages.iter().enumerate() {
        let log = match engine.inspect(&stage.request) {
            Ok(log) => log,
            Err(problem) => {
                wrong.push(problem);
                continue;
            }
        };
        let differences = stage.expected.differences(&log);
        if !differences.is_empty() {
            let mut found: Vec<u32> = log.iter().map(|Logged { rule, .. }| *rule).collect();
            found.dedup();
            let expected = (&stage.expected.ids, &stage.expected.absent);
            let stage = if case.stages.len() > 1 { format!("stage {}: ", number + 1) } else { String::new() };
            wrong.push(format!(
                "{stage}{}; expected {:?} and not {:?}, found {found:?}",
                differences.join(", "),
                expected.0,
                expected.1
            ));
        }
    }
    (!wrong.is_empty()).then(|| format!("{} {}: {}", case.file, case.name, wrong.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::super::case::{Expected, Generation, Stage};
    use super::super::request::Request;
    use super::*;

    /// Logs the number that the address is.
    struct Echo;

    impl Engine for Echo {
        fn inspect(&self, request: &Request) -> Result<Vec<Logged>, String> {
            let rule = std::str::from_utf8(&request.uri).unwrap().parse().unwrap();
            Ok(vec![Logged { rule, line: String::new() }])
        }
    }

    fn case(file: &str, expected: u32, sent: u32) -> Case {
        let request = Request { uri: sent.to_string().into_bytes(), ..Request::default() };
        let expected = Expected { ids: vec![expected], ..Expected::default() };
        let stages = vec![Stage { request, expected }];
        Case { generation: Generation::Four, file: file.to_owned(), name: format!("{sent}-1"), stages }
    }

    #[test]
    fn failures_are_counted_by_file_and_written() {
        let mut cases: Vec<Case> = (1..200).map(|id| case("A", id, id)).collect();
        cases.insert(70, case("B", 7, 8));
        cases.insert(20, case("A", 5, 6));
        let report = all(&cases, &Echo);
        assert_eq!(
            report.failures,
            [
                "A 6-1: misses 5; expected [5] and not [], found [6]",
                "B 8-1: misses 7; expected [7] and not [], found [8]"
            ]
        );
        let text = report.to_string();
        assert!(
            text.contains("   199/200    A\n")
                && text.contains("     0/1      B\n")
                && text.ends_with("   199/201    passed, 0 failures explained\n")
                && !report.is_good(),
            "{text}"
        );
        let path = std::env::temp_dir().join(format!("letterkeep-crs-{}/failures.txt", std::process::id()));
        report.write_failures(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn an_explained_failure_is_good_and_a_stale_explanation_is_not() {
        let (generation, name, _) = EXPLAINED[0];
        let of = |sent| Case { generation, name: name.to_owned(), ..case("A", 5, sent) };
        assert!(all(&[of(6)], &Echo).is_good());
        let stale = all(&[of(5)], &Echo);
        assert!(!stale.is_good() && stale.to_string().contains("take it off"), "{stale}");
        assert!(all(&[case("A", 5, 5)], &Echo).is_good(), "control");
    }
}
