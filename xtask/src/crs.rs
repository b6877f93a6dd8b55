//! `cargo xtask crs`: the OWASP Core Rule Set's own tests, of the current generation and of Debian's.
//!
//! Rules and tests are fetched into `target/` as they were published; nothing of them is in this repository. A request
//! is built as the rule set's own runner builds it, and answered as its own test server answers. In blocking mode every
//! decision is compared with libmodsecurity's. Then all goes once more through the running edge.

mod blocking;
mod case;
mod differences;
mod edge;
mod engine;
mod fetch;
mod injections;
mod oracle;
mod request;
mod response;
mod run;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::tools;
use blocking::LEVELS;
use case::{Case, Generation};
pub(crate) use fetch::go_cache;
use oracle::Oracle;

/// How many values are made of each value of the tests, where nobody asks for more.
pub(crate) const MUTANTS: usize = 3;

/// Fetches both generations and runs their tests; of each value of them, `mutants` more are tried for injections. What cannot be fetched is skipped with a reason; where `CI` is true
/// that is a failure.
pub(crate) fn run(mutants: usize) -> Result<()> {
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut failed = Vec::new();
    let oracle = match Oracle::build(&tools::target().join("crs")) {
        Ok(oracle) => Some(oracle),
        Err(error) => {
            println!("SKIPPED crs beside libmodsecurity: {error:#}");
            if strict {
                failed.push("there is no libmodsecurity to compare with".to_owned());
            }
            None
        }
    };
    for generation in [Generation::Four, Generation::Three] {
        match fetch::fetch(generation) {
            Ok(directory) if run_generation(generation, &directory, oracle.as_ref(), mutants)? => {}
            Ok(_) => failed.push(format!("tests of generation {generation} fail")),
            Err(error) => {
                println!("SKIPPED crs {generation}: {error:#}");
                if strict {
                    failed.push(format!("generation {generation} cannot be fetched"));
                }
            }
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// The directory with the rules of the current generation, fetched if they are not there.
pub(crate) fn current_rules() -> Result<PathBuf> {
    Ok(fetch::fetch(Generation::Four)?.join(Generation::Four.rules()))
}

/// The directories with the rules of every generation that can be had.
pub(crate) fn rules() -> Vec<PathBuf> {
    let generations = [Generation::Four, Generation::Three].into_iter();
    generations.filter_map(|generation| Some(fetch::fetch(generation).ok()?.join(generation.rules()))).collect()
}

/// Copies rules and the lists that they name. libmodsecurity wants an empty line after a rule without actions, and the Go
/// module has lost its empty lines: engines that are compared read the copies, which have them again.
pub(crate) fn copy_rules(from: &Path, to: &Path) -> Result<()> {
    // What an older release had is not part of this one.
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let mut bytes = fs::read(entry.path())?;
        if entry.path().extension().is_some_and(|ending| ending == "conf") {
            bytes = with_empty_lines(&String::from_utf8(bytes)?).into_bytes();
        }
        fs::write(to.join(entry.file_name()), bytes)?;
    }
    Ok(())
}

/// An empty line before each directive.
fn with_empty_lines(rules: &str) -> String {
    rules.replace("\nSec", "\n\nSec")
}

fn run_generation(generation: Generation, directory: &Path, oracle: Option<&Oracle>, mutants: usize) -> Result<bool> {
    let cases = yaml::read_directory(generation, &directory.join(generation.tests()))?;
    let rules = directory.join(generation.rules());
    let is_good_at_edge = run_through_edge(generation, &rules, &cases)?;
    let (needing, cases): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.needs_server().is_some());
    println!("crs {generation}: {} tests, and {} that need a server", cases.len(), needing.len());
    let engine = engine::load(generation, &rules)?;
    let report = run::all(&cases, &engine);
    print!("{report}");
    let list = tools::target().join(format!("crs/failures-{generation}.txt"));
    report.write_failures(&list)?;
    let mut is_good = report.is_good() && is_good_at_edge;
    for (oracle, level) in oracle.iter().flat_map(|oracle| LEVELS.map(|level| (oracle, level))) {
        let comparison = blocking::run(generation, level, &cases, &rules, oracle)?;
        print!("crs {generation}, blocking at level {level}, beside libmodsecurity: {comparison}");
        is_good &= comparison.is_good();
    }
    if let Some(oracle) = oracle {
        let comparison = injections::run(&cases, mutants, oracle)?;
        print!("crs {generation}, injections beside libinjection: {comparison}");
        is_good &= comparison.is_good();
    }
    Ok(is_good)
}

fn run_through_edge(generation: Generation, rules: &Path, cases: &[Case]) -> Result<bool> {
    let set = rules.parent().context("the rules stand in no directory")?;
    let began = Instant::now();
    let report = edge::run(generation, set, cases)?;
    println!("crs {generation}, through the edge in {:.0} s:", began.elapsed().as_secs_f64());
    print!("{report}");
    report.write(&tools::target().join("crs"), generation)?;
    Ok(report.is_good())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_chains_stay_with_their_rule() {
        let rules = "SecRule A b \"chain\"\n    SecRule C d\nSecRule E f \"id:1\"\n";
        assert_eq!(with_empty_lines(rules), "SecRule A b \"chain\"\n    SecRule C d\n\nSecRule E f \"id:1\"\n");
    }
}
