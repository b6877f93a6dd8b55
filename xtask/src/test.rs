//! `cargo xtask test`: everything that CI runs, in one go and with one closing line.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::install::{self, Missing, Need};
use crate::{attack, crs, deny, postgres, tidy, tools};

/// Where tests find the interpreter that can import dkimpy.
const DKIMPY: &str = "LETTERKEEP_TEST_DKIMPY";

/// Where tests find the directories with the Core Rule Set's rules, as in `PATH`.
pub(crate) const CRS: &str = "LETTERKEEP_CRS";

/// How one step ended.
struct Step {
    name: &'static str,
    duration: Duration,
    failure: Option<String>,
}

/// What the test binaries said, added up.
#[derive(Default, Debug, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// `SKIPPED subject: reason`, each line once with how often it came.
    skipped: Vec<(String, usize)>,
    failures: Vec<String>,
}

impl Tally {
    /// Reads one line of what `cargo test` prints.
    fn read(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = |word: &str| {
                let field = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(word));
                field.and_then(|number| number.trim().parse::<usize>().ok()).unwrap_or(0)
            };
            self.passed += count("passed");
            self.failed += count("failed");
            self.ignored += count("ignored");
        } else if let Some(at) = line.find("SKIPPED ") {
            // Not only at the start: the runner's own `test name ... ` may stand before it on the same line.
            let text = line[at + "SKIPPED ".len()..].trim().to_owned();
            match self.skipped.iter_mut().find(|(known, _)| *known == text) {
                Some((_, count)) => *count += 1,
                None => self.skipped.push((text, 1)),
            }
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.failures.extend(other.failures);
        for (text, count) in other.skipped {
            match self.skipped.iter_mut().find(|(known, _)| *known == text) {
                Some((_, known)) => *known += count,
                None => self.skipped.push((text, count)),
            }
        }
    }

    fn skips(&self) -> usize {
        self.ignored + self.skipped.iter().map(|(_, count)| count).sum::<usize>()
    }
}

/// Runs every step, also after one has failed: a developer wants to know all that is wrong.
pub(crate) fn run() -> ExitCode {
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut steps = Vec::new();
    let mut missing: Vec<Missing> = Vec::new();
    let mut tally = Tally::default();

    step(&mut steps, "what tests need beyond Rust", || {
        let mut needs = vec![
            Need::Postgres,
            Need::Browser,
            Need::Dkimpy,
            Need::ModSecurity,
            Need::Testssl,
            Need::Pebble,
            Need::Nginx,
            Need::Gnupg,
        ];
        needs.extend(attack::NEEDS);
        missing = install::provide(&needs);
        for absent in &missing {
            println!("missing: {}: {}", absent.name, absent.reason);
        }
        Ok(())
    });
    step(&mut steps, "format", || succeed(cargo(strict).args(["fmt", "--all", "--check"])));
    step(&mut steps, "clippy", || {
        let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
        succeed(cargo(strict).args(lints))
    });
    step(&mut steps, "tidy", || tidy::check(tools::root()));
    // Tidy has judged licences and bans; who has cargo-deny gets its second opinion, also on other platforms' crates.
    if deny::is_there() {
        step(&mut steps, "deny", deny::offline_checks);
    }
    step(&mut steps, "the OWASP Core Rule Set's own tests", || crs::run(crs::MUTANTS));
    step(&mut steps, "tests on SQLite and PostgreSQL, in the browser", || {
        let server = postgres::programs().map(|programs| postgres::Server::start(&programs)).transpose()?;
        let mut command = cargo(strict);
        // One feature set and one profile for all test binaries: nothing is compiled twice.
        command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        match &server {
            Some(server) => command.env(postgres::VARIABLE, server.url()),
            None => command.env_remove(postgres::VARIABLE),
        };
        if let Some(python) = install::dkimpy_python() {
            command.env(DKIMPY, python);
        }
        // The step before has fetched them, or told why it cannot.
        command.env(CRS, std::env::join_paths(crs::rules())?);
        run_tests(&mut command, &mut tally)
    });
    summarise(&steps, &missing, &tally, strict)
}

fn cargo(strict: bool) -> Command {
    let mut command = tools::cargo();
    if strict {
        // Incremental state helps only whoever builds again.
        command.env("CARGO_INCREMENTAL", "0");
    }
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

fn step(steps: &mut Vec<Step>, name: &'static str, run: impl FnOnce() -> Result<()>) {
    println!("\n=== {name} ===");
    let started = Instant::now();
    let failure = run().err().map(|error| format!("{error:#}"));
    let duration = started.elapsed();
    if let Some(failure) = &failure {
        println!("{failure}");
    }
    println!("--- {name}: {} in {:.1} s", if failure.is_some() { "FAILED" } else { "ok" }, duration.as_secs_f64());
    steps.push(Step { name, duration, failure });
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot start cargo")?;
    anyhow::ensure!(status.success(), "it ended with {status}");
    Ok(())
}

fn run_tests(command: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stderr = child.stderr.take().context("no standard error")?;
    let stdout = child.stdout.take().context("no standard output")?;
    let errors = thread::spawn(move || pass_on(stderr));
    tally.add(pass_on(stdout));
    tally.add(errors.join().unwrap_or_default());
    let status = child.wait()?;
    anyhow::ensure!(tally.failed == 0, "{} tests failed", tally.failed);
    anyhow::ensure!(status.success(), "cargo test ended with {status} before all tests had run");
    anyhow::ensure!(tally.passed > 0, "no test ran");
    Ok(())
}

/// Prints every line as it comes and reads it.
fn pass_on(stream: impl Read) -> Tally {
    let mut tally = Tally::default();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        tally.read(&line);
        // Whoever reads along may have gone; the tally still counts.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    tally
}

fn summarise(steps: &[Step], missing: &[Missing], tally: &Tally, strict: bool) -> ExitCode {
    println!("\n=== summary ===");
    for step in steps {
        let end = step.failure.as_ref().map_or("ok", |_| "FAILED");
        println!("{:>8.1} s  {end:<6}  {}", step.duration.as_secs_f64(), step.name);
    }
    for name in &tally.failures {
        println!("failed: {name}");
    }
    for Missing { name, reason } in missing {
        println!("skipped: whatever needs {name}: {reason}");
    }
    for (text, count) in &tally.skipped {
        println!("skipped: {text} ({count} times)");
    }
    if tally.ignored > 0 {
        println!("skipped: {} tests that are marked as ignored", tally.ignored);
    }
    // A step that is no test counts as one failure, so that the closing line never looks better than the run.
    let failed_steps = steps.iter().filter(|step| step.failure.is_some()).count();
    let failed = if tally.failed > 0 { tally.failed + failed_steps - 1 } else { failed_steps };
    let incomplete = !missing.is_empty() || !tally.skipped.is_empty();
    if strict && incomplete {
        println!("failed: under CI=true nothing may be skipped");
    }
    println!("{} passed, {failed} failed, {} skipped", tally.passed, tally.skips());
    if failed > 0 || (strict && incomplete) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_what_cargo_says() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.21s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "test story::sends ... FAILED",
            "SKIPPED postgres: no server",
            "test story::reads ... SKIPPED postgres: no server",
        ] {
            tally.read(line);
        }
        let expected = Tally {
            passed: 15,
            failed: 2,
            ignored: 1,
            skipped: vec![("postgres: no server".into(), 2)],
            failures: vec!["story::sends".into()],
        };
        assert_eq!(tally, expected);
        assert_eq!(tally.skips(), 3);
    }
}
