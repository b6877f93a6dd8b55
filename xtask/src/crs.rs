//! `cargo xtask crs`: the OWASP Core Rule Set's own tests, of the current generation and of Debian's.
//!
//! Rules and tests are fetched into `target/` as they were published; nothing of them is in this repository. A request
//! is built as the rule set's own runner builds it, and answered as its own test server answers.

mod case;
mod engine;
mod fetch;
mod request;
mod response;
mod run;
mod yaml;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::tools;
use case::Generation;

/// Fetches both generations and runs their tests. What cannot be fetched is skipped with a reason; where `CI` is true
/// that is a failure.
pub(crate) fn run() -> Result<()> {
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut failed = Vec::new();
    for generation in [Generation::Four, Generation::Three] {
        match fetch::fetch(generation) {
            Ok(directory) if run_generation(generation, &directory)? => {}
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

fn run_generation(generation: Generation, directory: &Path) -> Result<bool> {
    let cases = yaml::read_directory(generation, &directory.join(generation.tests()))?;
    let (needing, cases): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.needs_server().is_some());
    println!("crs {generation}: {} tests, and {} that need a server", cases.len(), needing.len());
    let engine = engine::load(generation, &directory.join(generation.rules()))?;
    let report = run::all(&cases, engine.as_ref());
    print!("{report}");
    let list = tools::target().join(format!("crs/failures-{generation}.txt"));
    report.write_failures(&list)?;
    Ok(report.is_good())
}
