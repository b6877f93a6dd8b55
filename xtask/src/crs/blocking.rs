//! Blocking mode beside libmodsecurity: both engines read the same files and get every request of the rule set's tests,
//! and must refuse the same ones, in the same phase and by the same rule, after the same rules have matched.
//!
//! Scores are counted, but not demanded: they depend on how often a rule matches, not on whether it does.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};

use super::case::{Case, Generation};
use super::differences::{self, EXPLAINED, Explained};
use super::engine::{self, Decision, Firewall};
use super::oracle::Oracle;
use super::request::Request;
use crate::tools;

/// The paranoia levels that are compared: the default, and all rules.
pub(super) const LEVELS: [u8; 2] = [1, 4];

/// A request, by its test and the number of its stage: `942100-1`, `942100-1/2`.
struct Sent<'a> {
    name: String,
    request: &'a Request,
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    requests: usize,
    refused: usize,
    same_score: usize,
    /// Differences with their reason, and how many have it.
    explained: Vec<(&'static str, usize)>,
    /// Differences without a reason.
    found: Vec<String>,
    /// Listed as different, and the same.
    stale: Vec<&'static str>,
}

impl Comparison {
    /// Whether every difference is explained, and both decisions occur: engines that refuse all or nothing agree, too.
    pub(super) fn is_good(&self) -> bool {
        self.found.is_empty() && self.stale.is_empty() && self.refused > 0 && self.refused < self.requests
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.requests - self.refused;
        let differences = self.explained.iter().map(|(_, count)| count).sum::<usize>() + self.found.len();
        let (agreed, scores) = (self.requests - differences, self.same_score);
        writeln!(f, "{} refused, {passed} passed; agree on {agreed}, and on {scores} scores", self.refused)?;
        for (reason, count) in &self.explained {
            writeln!(f, "{count:>6} differ: {reason}")?;
        }
        for line in &self.found {
            writeln!(f, "{line}")?;
        }
        for name in &self.stale {
            writeln!(f, "{name} agrees: take it off the list of explained differences")?;
        }
        Ok(())
    }
}

/// Sends the requests of `cases` through both engines.
pub(super) fn run(
    generation: Generation,
    level: u8,
    cases: &[Case],
    directory: &Path,
    oracle: &Oracle,
) -> Result<Comparison> {
    let place = tools::target().join(format!("crs/blocking-{generation}-{level}"));
    fs::create_dir_all(&place)?;
    let lists = place.join("rules");
    let files = files(generation, level, directory, &place, &lists)?;
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let texts = files.iter().map(|path| Ok((name(path), fs::read_to_string(path)?))).collect::<Result<Vec<_>>>()?;
    let ours = Firewall::new(generation, &texts, &lists)?;

    let sent: Vec<Sent<'_>> = cases.iter().flat_map(sent).collect();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let decide = |number: usize, sent: &[Sent<'_>]| -> Result<Vec<(Decision, Decision)>> {
        let requests: Vec<&Request> = sent.iter().map(|sent| sent.request).collect();
        // The other process works while ours does.
        let running = oracle.start(&files, &requests, &place.join(format!("requests-{number}")))?;
        let ours: Vec<Decision> = requests.iter().map(|request| ours.decide(request)).collect();
        Ok(ours.into_iter().zip(running.finish()?).collect())
    };
    let chunks = sent.chunks(sent.len().div_ceil(cores).max(1)).enumerate();
    let decide = &decide;
    let decisions: Vec<Vec<(Decision, Decision)>> = thread::scope(|scope| {
        let threads: Vec<_> = chunks.map(|(number, sent)| scope.spawn(move || decide(number, sent))).collect();
        let done = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.collect::<Result<_>>()
    })?;
    let names = sent.iter().map(|sent| sent.name.as_str());
    let decided: Vec<_> = names.zip(decisions.concat()).collect();
    Ok(compare(&decided, |explained| explained.is_of(generation, level)))
}

fn sent(case: &Case) -> impl Iterator<Item = Sent<'_>> {
    let several = case.stages.len() > 1;
    case.stages.iter().enumerate().map(move |(number, stage)| {
        let name = if several { format!("{}/{}", case.name, number + 1) } else { case.name.clone() };
        Sent { name, request: &stage.request }
    })
}

/// The files of rules for both engines, in their order.
fn files(generation: Generation, level: u8, from: &Path, place: &Path, lists: &Path) -> Result<Vec<PathBuf>> {
    super::copy_rules(from, lists)?;
    let setup = generation.setup(from);
    let setup = fs::read_to_string(&setup).with_context(|| setup.display().to_string())?;
    let left_out = generation.left_out().iter().map(|id| format!("SecRuleRemoveById {id}\n")).collect::<Vec<_>>();
    let [inbound, outbound] = generation.scores();
    // The last message of every log, also of a request that passes.
    let scores = format!("SecAction \"id:3,phase:5,pass,log,msg:'%{{{inbound}}}, %{{{outbound}}}'\"\n");
    let write = |name: &str, text: String| -> Result<PathBuf> {
        let path = place.join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let mut files = vec![
        tools::root().join("xtask/oracle/modsecurity/settings.conf"),
        write("set-up.conf", setup)?,
        write("level.conf", generation.settings(level))?,
    ];
    files.extend(engine::rule_files(lists)?);
    files.push(write("end.conf", left_out.concat() + &scores)?);
    Ok(files)
}

/// Compares decisions, ours and theirs, by the names of their requests.
fn compare(decided: &[(&str, (Decision, Decision))], applies: impl Fn(&Explained) -> bool) -> Comparison {
    let mut comparison = Comparison { requests: decided.len(), ..Comparison::default() };
    let mut different = BTreeSet::new();
    for (name, (ours, theirs)) in decided {
        comparison.refused += usize::from(ours.refused.is_some());
        comparison.same_score += usize::from(ours.message == theirs.message);
        let Some(difference) = difference(ours, theirs) else { continue };
        different.insert(*name);
        match differences::reason(name, &applies) {
            None => comparison.found.push(format!("{name}: {difference}")),
            Some(reason) => match comparison.explained.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => comparison.explained.push((reason, 1)),
            },
        }
    }
    let listed = EXPLAINED.iter().filter(|explained| applies(explained)).flat_map(Explained::names);
    comparison.stale = listed.filter(|name| !different.contains(name)).collect();
    comparison
}

/// What is decided differently.
fn difference(ours: &Decision, theirs: &Decision) -> Option<String> {
    let (ours_matched, theirs_matched) = (matched(ours), matched(theirs));
    if ours.refused == theirs.refused && ours_matched == theirs_matched {
        return None;
    }
    let only =
        |left: &BTreeSet<u32>, right: &BTreeSet<u32>| format!("{:?}", left.difference(right).collect::<Vec<_>>());
    let told = |decision: &Decision| match decision.refused {
        None => "passes".to_owned(),
        Some(stop) => format!("refused in phase {} with {} by {}", stop.phase, stop.status, stop.rule),
    };
    Some(format!(
        "ours {}, only there {}; libmodsecurity {}, only there {}",
        told(ours),
        only(&ours_matched, &theirs_matched),
        told(theirs),
        only(&theirs_matched, &ours_matched)
    ))
}

/// The rules that look at the request or its answer. Those that add up the scores and refuse are compared by what they
/// decide: libmodsecurity tells nobody that they match.
fn matched(decision: &Decision) -> BTreeSet<u32> {
    let adds_up = |rule: u32| matches!(rule / 1000, 949 | 959 | 980);
    decision.rules.iter().copied().filter(|rule| !adds_up(*rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::engine::Refusal;
    use super::*;

    const LISTED: &str = "922110-5";

    fn refused(rule: u32) -> Decision {
        let refused = Some(Refusal { phase: 2, status: 403, rule: 949_110 });
        Decision { refused, rules: vec![rule, 949_110], message: "5, 0".to_owned() }
    }

    fn passed() -> Decision {
        Decision { message: "0, 0".to_owned(), ..Decision::default() }
    }

    /// Two that agree, of each decision one, and one more.
    fn with(name: &'static str, ours: Decision, theirs: Decision) -> Comparison {
        let twice = |decision: Decision| (decision.clone(), decision);
        let decided = [("1-1", twice(refused(1))), ("1-2", twice(passed())), (name, (ours, theirs))];
        let one = |explained: &Explained| explained.names().any(|listed| listed == LISTED);
        let mut comparison = compare(&decided, |explained| one(explained) && explained.is_of(Generation::Four, 1));
        comparison.stale.retain(|stale| *stale == LISTED);
        comparison
    }

    #[test]
    fn a_wrong_decision_is_found() {
        assert!(with(LISTED, passed(), refused(7)).is_good(), "control: it is explained");
        for (ours, theirs) in [
            (passed(), refused(7)),
            (refused(7), passed()),
            (refused(7), refused(8)),
            (Decision { refused: None, ..refused(7) }, refused(7)),
            (Decision { refused: Some(Refusal { phase: 1, status: 403, rule: 949_110 }), ..refused(7) }, refused(7)),
        ] {
            let found = with("1-3", ours, theirs);
            assert!(!found.is_good() && found.to_string().contains("1-3: ours"), "{found}");
        }
    }

    #[test]
    fn an_explained_difference_that_is_none_is_found() {
        let stale = with(LISTED, passed(), passed());
        assert!(!stale.is_good() && stale.to_string().contains("922110-5 agrees"), "{stale}");
    }

    #[test]
    fn engines_that_refuse_all_or_nothing_prove_nothing() {
        for decision in [refused(1), passed()] {
            let all = [("1-1", (decision.clone(), decision))];
            let comparison = compare(&all, |_| false);
            assert!(!comparison.is_good() && comparison.found.is_empty(), "{comparison}");
        }
    }
}
