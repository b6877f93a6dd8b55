//! `cargo xtask deny`: cargo-deny over the whole dependency graph, also of other platforms.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

use crate::tools;

pub(crate) fn is_there() -> bool {
    tools::quietly(cargo_deny().arg("--version")).is_ok()
}

/// Licences, bans and sources; and known vulnerabilities, if their database can be fetched.
pub(crate) fn run() -> Result<ExitCode> {
    ensure!(is_there(), "cargo-deny is needed; type: cargo install cargo-deny --locked");
    offline_checks()?;
    if tools::quietly(cargo_deny().args(["fetch", "db"])).is_err() {
        println!("not checked: known vulnerabilities, because the RustSec database cannot be fetched from here");
        return Ok(ExitCode::SUCCESS);
    }
    check(&["advisories"])?;
    Ok(ExitCode::SUCCESS)
}

/// What needs no database.
pub(crate) fn offline_checks() -> Result<()> {
    check(&["licenses", "bans", "sources"])
}

fn check(which: &[&str]) -> Result<()> {
    // Two versions of a crate are no failure, and a page of warnings hides one; `cargo deny check bans` shows them.
    let status = cargo_deny().args(["check", "--allow=duplicate"]).args(which).status();
    ensure!(status.context("cannot start cargo deny")?.success(), "cargo deny has findings");
    Ok(())
}

fn cargo_deny() -> Command {
    let mut command = tools::cargo();
    command.arg("deny");
    command
}
