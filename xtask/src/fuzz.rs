//! `cargo xtask fuzz`: runs the targets of `fuzz/`, where the tools for it are there.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};

use crate::tools;

pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<ExitCode> {
    let nightly = tools::quietly(Command::new("cargo").args(["+nightly", "--version"]));
    ensure!(nightly.is_ok(), "a nightly Rust is needed for its sanitizers; type: rustup toolchain install nightly");
    let fuzzer = tools::quietly(Command::new("cargo").args(["+nightly", "fuzz", "--version"]));
    ensure!(fuzzer.is_ok(), "cargo-fuzz is needed; type: cargo install cargo-fuzz");
    let known = targets()?;
    let wanted = match target {
        None => known,
        Some(target) if known.iter().any(|name| name == target) => vec![target.to_owned()],
        Some(target) => bail!("there is no target `{target}`; there are: {}", known.join(", ")),
    };
    let mut failed = Vec::new();
    for name in &wanted {
        println!("\n=== {name}, {seconds} s ===");
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz", "run", name, "--", &format!("-max_total_time={seconds}"), "-max_len=65536"]);
        // 2 GB is more than any parser may take from 64 KiB.
        command.args(["-rss_limit_mb=2048", "-timeout=10"]).current_dir(tools::root());
        // `cargo run` names its own toolchain; the nightly one must win.
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
        if !command.status().context("cannot start cargo fuzz")?.success() {
            failed.push(name.as_str());
        }
    }
    ensure!(failed.is_empty(), "found by {}: see fuzz/artifacts", failed.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The binaries of `fuzz/Cargo.toml`.
fn targets() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(tools::root().join("fuzz/Cargo.toml")).context("fuzz/Cargo.toml")?;
    let manifest: toml::Table = text.parse()?;
    let binaries = manifest.get("bin").and_then(toml::Value::as_array).context("fuzz/Cargo.toml has no targets")?;
    let name = |binary: &toml::Value| binary.get("name").and_then(toml::Value::as_str).map(str::to_owned);
    Ok(binaries.iter().filter_map(name).collect())
}
