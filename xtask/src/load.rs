//! `cargo xtask load`: the edge with the current Core Rule Set under load, in the release profile.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::{bench, crs, tools};

pub(crate) fn run() -> Result<ExitCode> {
    let mut command = tools::cargo();
    command.args(["run", "--quiet", "--release", "--locked", "--package", "letterkeep-load", "--", "full"]);
    match crs::current_rules() {
        Ok(rules) => {
            command.env("LETTERKEEP_CRS", rules);
        }
        Err(error) => {
            println!("with the rules of this program: the Core Rule Set cannot be fetched: {error:#}");
            command.env_remove("LETTERKEEP_CRS");
        }
    }
    // Building is over before the load of the machine is told.
    let mut build = tools::cargo();
    build.args(["build", "--quiet", "--release", "--locked", "--package", "letterkeep-load"]);
    anyhow::ensure!(build.status().context("cannot start cargo")?.success(), "the program does not build");
    println!("{}; load {}\n", bench::machine(), fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    Ok(if command.status().context("cannot start cargo")?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
