//! `@detectSQLi` and `@detectXSS` beside libinjection, the C library that libmodsecurity carries: over every value of
//! the rule set's tests, and over values made of them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;

use anyhow::Result;

use super::case::{Case, Generation};
use super::engine::Firewall;
use super::oracle::Oracle;
use super::request::Request;
use crate::tools;

/// What decides, in both engines.
const RULES: &str = r#"SecRuleEngine On
SecRequestBodyAccess On

SecRule ARGS:v "@detectSQLi" "id:1,phase:2,pass,log,t:none,msg:'SQL'"

SecRule ARGS:v "@detectXSS" "id:2,phase:2,pass,log,t:none,msg:'XSS'"
"#;

/// What a value is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    sql: bool,
    script: bool,
}

impl Verdict {
    /// By the rules that matched.
    fn of(rules: &[u32]) -> Self {
        Self { sql: rules.contains(&1), script: rules.contains(&2) }
    }
}

/// Of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdicts {
    ours: Verdict,
    theirs: Verdict,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    values: usize,
    /// How many are an injection into SQL, and into a page.
    sql: usize,
    script: usize,
    /// What is taken for something else, and nobody knows why.
    different: Vec<(Vec<u8>, Verdicts)>,
    /// How many differ for a known reason.
    explained: Vec<(&'static str, usize)>,
}

impl Comparison {
    /// Whether nothing differs, and both verdicts occur for both.
    pub(super) fn is_good(&self) -> bool {
        let some = |count: usize| count > 0 && count < self.values;
        self.different.is_empty() && some(self.sql) && some(self.script)
    }

    /// Takes out what differs for `reason`: `plain` are the values without it, and `verdicts` what these are taken for.
    fn explain(&mut self, reason: &Explained, plain: &[Vec<u8>], verdicts: &[Verdicts]) {
        let before = self.different.len();
        let mut plain = plain.iter().zip(verdicts);
        self.different.retain(|(value, with)| {
            let may = reason.of_sql || with.ours.sql == with.theirs.sql;
            let without = plain.next();
            !without.is_some_and(|(plain, then)| may && plain != value && then.ours == then.theirs)
        });
        self.explained.push((reason.reason, before - self.different.len()));
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} values, {} are SQL, {} are script", self.values, self.sql, self.script)?;
        for (reason, count) in self.explained.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "{count:>6} differ: {reason}")?;
        }
        self.different.iter().take(50).try_for_each(|(value, verdicts)| writeln!(f, "{}", told(value, *verdicts)))
    }
}

/// Compares over the values of `cases` and over `mutants` made of each.
pub(super) fn run(cases: &[Case], mutants: usize, oracle: &Oracle) -> Result<Comparison> {
    let place = tools::target().join("crs/injections");
    fs::create_dir_all(&place)?;
    let file = place.join("rules.conf");
    fs::write(&file, RULES)?;
    let files = [file];
    let ours = Firewall::new(Generation::Four, &[("rules.conf".to_owned(), RULES.to_owned())], &place)?;
    let values: Vec<Vec<u8>> = values(cases)?.into_iter().collect();
    let values: Vec<Vec<u8>> = with_mutants(&values, mutants);
    let both = Both { ours, files, place, oracle };
    let mut comparison = compare(&values, &both.decide(&values)?);
    for reason in &EXPLAINED {
        let plain: Vec<Vec<u8>> = comparison.different.iter().map(|(value, _)| (reason.without)(value)).collect();
        let verdicts = both.decide(&plain)?;
        comparison.explain(reason, &plain, &verdicts);
    }
    Ok(comparison)
}

/// A reason to differ: without it, the verdicts are the same.
struct Explained {
    without: fn(&[u8]) -> Vec<u8>,
    /// Whether it may explain a difference in what is taken for SQL.
    of_sql: bool,
    reason: &'static str,
}

const EXPLAINED: [Explained; 2] = [
    Explained {
        without: without_handlers,
        of_sql: false,
        reason: "libmodsecurity 3.0.9 has a libinjection that takes every attribute on… for a handler; ours, as the later \
                 ones, those that browsers have",
    },
    Explained {
        without: without_nulls,
        of_sql: true,
        reason: "in C, strchr finds NUL in every set of characters; the rule set takes NUL out before it asks",
    },
];

/// Both engines.
struct Both<'a> {
    ours: Firewall,
    files: [PathBuf; 1],
    place: PathBuf,
    oracle: &'a Oracle,
}

impl Both<'_> {
    fn decide(&self, values: &[Vec<u8>]) -> Result<Vec<Verdicts>> {
        let decide = |number: usize, values: &[Vec<u8>]| -> Result<Vec<Verdicts>> {
            let requests: Vec<Request> = values.iter().map(|value| carrier(value)).collect();
            let requests: Vec<&Request> = requests.iter().collect();
            let scratch = self.place.join(format!("requests-{number}"));
            let running = self.oracle.start(&self.files, &requests, &scratch)?;
            let ours: Vec<_> = requests.iter().map(|request| Verdict::of(&self.ours.decide(request).rules)).collect();
            let theirs = running.finish()?.into_iter().map(|theirs| Verdict::of(&theirs.rules));
            Ok(ours.into_iter().zip(theirs).map(|(ours, theirs)| Verdicts { ours, theirs }).collect())
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let chunks = values.chunks(values.len().div_ceil(cores).max(1)).enumerate();
        let decide = &decide;
        let decided: Vec<Vec<Verdicts>> = thread::scope(|scope| {
            let threads: Vec<_> = chunks.map(|(number, chunk)| scope.spawn(move || decide(number, chunk))).collect();
            let done = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            done.collect::<Result<_>>()
        })?;
        Ok(decided.concat())
    }
}

/// Compares, value by value.
fn compare(values: &[Vec<u8>], verdicts: &[Verdicts]) -> Comparison {
    let mut comparison = Comparison { values: values.len(), ..Comparison::default() };
    for (value, verdicts) in values.iter().zip(verdicts) {
        comparison.sql += usize::from(verdicts.ours.sql);
        comparison.script += usize::from(verdicts.ours.script);
        if verdicts.ours != verdicts.theirs {
            comparison.different.push((value.clone(), *verdicts));
        }
    }
    comparison
}

fn told(value: &[u8], verdicts: Verdicts) -> String {
    format!("ours {:?}, libinjection {:?}: {}", verdicts.ours, verdicts.theirs, value.escape_ascii())
}

/// No attribute begins with `on` any more.
fn without_handlers(value: &[u8]) -> Vec<u8> {
    let mut quiet = value.to_vec();
    for at in 1..quiet.len() {
        if quiet[at - 1..=at].eq_ignore_ascii_case(b"on") {
            quiet[at - 1] = b'x';
        }
    }
    quiet
}

fn without_nulls(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|byte| *byte != 0).collect()
}

/// Every value that a rule would see of the requests.
fn values(cases: &[Case]) -> Result<BTreeSet<Vec<u8>>> {
    let rules = "SecRuleEngine On\n\
                 SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS|REQUEST_FILENAME|XML:/* \"@unconditionalMatch\" \
                 \"id:1,phase:2,pass,log\"\n";
    let all = Firewall::new(Generation::Four, &[("all.conf".to_owned(), rules.to_owned())], &PathBuf::new())?;
    let requests = cases.iter().flat_map(|case| &case.stages).map(|stage| &stage.request);
    let mut values: BTreeSet<Vec<u8>> = requests.flat_map(|request| all.values(request)).collect();
    values.retain(|value| value.len() <= 4096);
    Ok(values)
}

/// A request that brings a value.
fn carrier(value: &[u8]) -> Request {
    let mut body = b"v=".to_vec();
    body.extend(value.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes()));
    let header = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Request {
        method: b"POST".to_vec(),
        uri: b"/".to_vec(),
        version: b"HTTP/1.1".to_vec(),
        headers: vec![
            header("Content-Type", "application/x-www-form-urlencoded"),
            header("Content-Length", &body.len().to_string()),
        ],
        body,
        ..Request::default()
    }
}

/// The values, and what becomes of them with a byte changed, a piece cut out, or a piece of another put in. Always the
/// same.
fn with_mutants(values: &[Vec<u8>], mutants: usize) -> Vec<Vec<u8>> {
    const BYTES: &[u8] = b"'\"`\\/*-#;()=<>@!|&%+,.[]{}$:?^~ \t\n\r\x0b\x0c\0\xa0\xff01axuXnN_";
    let mut all = values.to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |limit: usize| {
        // Xorshift: any spread will do, if it is the same tomorrow.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % limit.max(1)
    };
    for value in values {
        for _ in 0..mutants {
            let mut mutant = value.clone();
            for _ in 0..=below(3) {
                let at = below(mutant.len() + 1);
                match below(4) {
                    0 => mutant.insert(at, BYTES[below(BYTES.len())]),
                    1 if at < mutant.len() => mutant[at] = BYTES[below(BYTES.len())],
                    2 => drop(mutant.drain(at..(at + below(8)).min(mutant.len()))),
                    _ => {
                        let other = &values[below(values.len())];
                        let from = below(other.len() + 1);
                        let piece = other[from..(from + below(24)).min(other.len())].to_vec();
                        drop(mutant.splice(at..at, piece));
                    }
                }
            }
            all.push(mutant);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: Verdict = Verdict { sql: true, script: false };
    const SCRIPT: Verdict = Verdict { sql: false, script: true };
    const NONE: Verdict = Verdict { sql: false, script: false };

    fn with(ours: Verdict, theirs: Verdict) -> Comparison {
        let values: Vec<Vec<u8>> = [&b"a"[..], b"b", b"c", b"d"].map(<[u8]>::to_vec).into();
        let alike = |both| Verdicts { ours: both, theirs: both };
        compare(&values, &[alike(SQL), alike(SCRIPT), alike(NONE), Verdicts { ours, theirs }])
    }

    #[test]
    fn a_wrong_verdict_is_found() {
        assert!(with(SQL, SQL).is_good(), "control");
        for (ours, theirs) in [(NONE, SQL), (SQL, NONE), (SCRIPT, NONE), (SQL, SCRIPT)] {
            let wrong = with(ours, theirs);
            assert!(!wrong.is_good() && wrong.to_string().contains(": d"), "{wrong}");
        }
        let alike = Verdicts { ours: NONE, theirs: NONE };
        assert!(!compare(&[b"a".to_vec()], &[alike]).is_good(), "no injection at all proves nothing");
    }

    #[test]
    fn a_difference_is_explained_if_it_goes_with_its_reason() {
        let [handlers, nulls] = &EXPLAINED;
        let explained = |reason: &Explained, plain: &[u8], then: Verdicts| {
            let mut comparison = with(NONE, SCRIPT);
            comparison.explain(reason, &[plain.to_vec()], &[then]);
            comparison.is_good()
        };
        let mut sql = with(NONE, SQL);
        sql.explain(handlers, &[b"x".to_vec()], &[Verdicts { ours: NONE, theirs: NONE }]);
        assert!(!sql.is_good(), "a handler is no SQL");
        let (alike, still) = (Verdicts { ours: NONE, theirs: NONE }, Verdicts { ours: NONE, theirs: SCRIPT });
        assert!(explained(handlers, b"x", alike));
        assert!(!explained(handlers, b"x", still), "it is script without a handler");
        assert!(!explained(nulls, b"d", alike), "the reason does not occur in it");
        assert_eq!((handlers.without)(b"<a OnX=on>"), b"<a xnX=xn>");
        assert_eq!((nulls.without)(b"a\0b"), b"ab");
    }

    #[test]
    fn mutants_are_many_and_the_same_tomorrow() {
        let values = [b"1' or '1'='1".to_vec(), b"<script>".to_vec(), Vec::new()];
        let mutants = with_mutants(&values, 100);
        assert_eq!((mutants.len(), &mutants), (303, &with_mutants(&values, 100)));
        assert!(mutants.iter().collect::<BTreeSet<_>>().len() > 150);
    }
}
