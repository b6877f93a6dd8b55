//! `cargo xtask fuzz`: builds the targets of `fuzz/` with libFuzzer and runs each for a bounded time.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::tools;

/// How the targets are built. One unit of code for each crate, the usual way, takes twice as long on few cores.
const BUILD: [&str; 2] = ["--features=libfuzzer", "--codegen-units=16"];
/// The largest input, in bytes.
const LENGTH: u32 = 64 * 1024;
/// More than any parser may take from an input of that length, in MB; the sanitizer's own share is in it.
const MEMORY: u32 = 2048;
/// The longest that one input may take, in seconds.
const PATIENCE: u32 = 10;

/// How one target ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    executions: u64,
    per_second: u64,
    peak_mb: u64,
    /// What was found, in the words of libFuzzer.
    finding: Option<String>,
}

pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<ExitCode> {
    let nightly = tools::quietly(cargo().arg("--version"));
    ensure!(nightly.is_ok(), "a nightly Rust is needed for its sanitizers; type: rustup toolchain install nightly");
    let fuzzer = tools::quietly(cargo().args(["fuzz", "--version"]));
    ensure!(fuzzer.is_ok(), "cargo-fuzz is needed; type: cargo install cargo-fuzz");
    let known = targets()?;
    let wanted = match target {
        None => known,
        Some(target) if known.iter().any(|name| name == target) => vec![target.to_owned()],
        Some(target) => bail!("there is no target `{target}`; there are: {}", known.join(", ")),
    };
    let mut runs = Vec::new();
    for name in wanted {
        println!("\n=== {name}: building ===");
        let built = cargo().args(["fuzz", "build"]).args(BUILD).arg(&name).status();
        ensure!(built.context("cannot start cargo fuzz")?.success(), "{name} does not build");
        println!("=== {name}: {seconds} s ===");
        runs.push((fuzz(&name, seconds)?, name));
    }
    println!("\n{}", table(&runs, seconds));
    let found = runs.iter().filter(|(run, _)| run.finding.is_some()).map(|(_, name)| name.as_str()).collect::<Vec<_>>();
    ensure!(found.is_empty(), "found by {}; the inputs are in fuzz/artifacts", found.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The nightly cargo. `cargo run` names its own toolchain to this program; that must not win.
fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(tools::root());
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    // The instrumented build gains nothing from link-time optimisation and takes twice as long with it.
    command.env("CARGO_PROFILE_RELEASE_LTO", "off");
    command
}

/// Runs one target. What it learns stays in `fuzz/corpus`, so that the next run goes on from there.
fn fuzz(name: &str, seconds: u32) -> Result<Run> {
    let corpus = format!("fuzz/corpus/{name}");
    fs::create_dir_all(tools::root().join(&corpus)).context("cannot make the folder for the corpus")?;
    let mut command = cargo();
    command.args(["fuzz", "run"]).args(BUILD).args([name, &corpus, &format!("fuzz/seeds/{name}"), "--"]);
    command.args([format!("-max_total_time={seconds}"), format!("-max_len={LENGTH}")]);
    command.args([format!("-rss_limit_mb={MEMORY}"), format!("-timeout={PATIENCE}"), "-print_final_stats=1".into()]);
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start cargo fuzz")?;
    let mut run = read(child.stderr.take().context("no standard error")?);
    if !child.wait()?.success() {
        run.finding.get_or_insert_with(|| "it ended without a word".into());
    }
    Ok(run)
}

/// Passes on what libFuzzer says and picks out the figures.
fn read(stream: impl Read) -> Run {
    let mut run = Run::default();
    let mut panicked = None;
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        let figure = |name: &str| line.strip_prefix("stat::")?.strip_prefix(name)?.trim().parse().ok();
        run.executions = figure("number_of_executed_units:").unwrap_or(run.executions);
        run.per_second = figure("average_exec_per_sec:").unwrap_or(run.per_second);
        run.peak_mb = figure("peak_rss_mb:").unwrap_or(run.peak_mb);
        // A panic says more than the signal that follows it. Without a signal, the product has caught it.
        if line.contains("panicked at") {
            panicked = Some(line.trim().to_owned());
        } else if let Some((_, stopped)) = line.split_once("ERROR: ") {
            run.finding.get_or_insert_with(|| panicked.take().unwrap_or_else(|| stopped.to_owned()));
        }
    }
    run
}

fn table(runs: &[(Run, String)], seconds: u32) -> String {
    let head = format!("| target, {seconds} s | executions | a second | peak, MB | found |\n|---|---:|---:|---:|---|");
    let row = |(run, name): &(Run, String)| {
        let found = run.finding.as_deref().unwrap_or("nothing");
        format!("| {name} | {} | {} | {} | {found} |", run.executions, run.per_second, run.peak_mb)
    };
    [head].into_iter().chain(runs.iter().map(row)).collect::<Vec<_>>().join("\n")
}

/// The binaries of `fuzz/Cargo.toml`.
fn targets() -> Result<Vec<String>> {
    let text = fs::read_to_string(tools::root().join("fuzz/Cargo.toml")).context("fuzz/Cargo.toml")?;
    let manifest: toml::Table = text.parse()?;
    let binaries = manifest.get("bin").and_then(toml::Value::as_array).context("fuzz/Cargo.toml has no targets")?;
    let name = |binary: &toml::Value| binary.get("name").and_then(toml::Value::as_str).map(str::to_owned);
    Ok(binaries.iter().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_libfuzzer_says() {
        let quiet = "#2 INITED cov: 20\nDone 52 runs in 2 second(s)\nstat::number_of_executed_units: 52\n\
                     stat::average_exec_per_sec:     26\nstat::peak_rss_mb:              40\n";
        assert_eq!(read(quiet.as_bytes()), Run { executions: 52, per_second: 26, peak_mb: 40, finding: None });
        let loud = "thread '<unnamed>' panicked at fuzz/src/email.rs:9:5:\n==7== ERROR: libFuzzer: deadly signal\n";
        let found = read(loud.as_bytes()).finding;
        assert_eq!(found.as_deref(), Some("thread '<unnamed>' panicked at fuzz/src/email.rs:9:5:"));
        let caught = "panicked at parser.rs:9:5:\nDone 52 runs in 2 second(s)\n";
        assert_eq!(read(caught.as_bytes()).finding, None);
        let slow = read("==7== ERROR: libFuzzer: timeout after 10 seconds\n".as_bytes());
        assert!(
            table(&[(slow, "csv".into())], 60).contains("| csv | 0 | 0 | 0 | libFuzzer: timeout after 10 seconds |")
        );
    }

    #[test]
    fn the_targets_are_those_of_the_manifest() {
        assert!(targets().is_ok_and(|names| names.contains(&"smtp_reply".to_owned())));
    }
}
