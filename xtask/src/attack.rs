//! `cargo xtask attack`: sqlmap and wapiti against the running service, on loopback, for longer than `cargo xtask test` lets
//! them. The attack is a test of the binary (`crates/letterkeep/tests/attack`); here stands what it needs.

use anyhow::{Context as _, Result, ensure};

use crate::install::{self, Need};
use crate::test::CRS;
use crate::{crs, tools};

/// The tools that attack.
pub(crate) const NEEDS: [Need; 2] = [Need::Sqlmap, Need::Wapiti];

/// Runs the long attack. Fails if a tool is not there, finds something, or an attack gets past the firewall.
pub(crate) fn run() -> Result<()> {
    let missing = install::provide(&NEEDS);
    let missing: Vec<String> = missing.iter().map(|absent| format!("{}: {}", absent.name, absent.reason)).collect();
    ensure!(missing.is_empty(), "missing: {}", missing.join("; "));
    let mut command = tools::cargo();
    command.args(["test", "--package", "letterkeep", "--locked", "--test", "attack", "--", "--nocapture"]);
    command.env("LETTERKEEP_TEST_ATTACK", "long").env(CRS, std::env::join_paths(crs::rules())?);
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}
