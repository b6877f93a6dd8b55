//! The edge under load, for `cargo xtask load`: one process serves ([`server`]), one is all the clients ([`steps`]), so
//! that memory and processor time are each process's own.
//!
//! `letterkeep-load full` measures and holds the figures to their goals; `short` asserts only what is right or wrong,
//! and `tiny` is for the proof that the checks notice what is missing (`--without-limits`, `--without-firewall`).
//! Addresses of clients are those of 127.0.0.0/8, so this runs on Linux. The most common change is a step in
//! `steps.rs`.

mod client;
mod process;
mod report;
mod requests;
mod server;
mod steps;
mod traffic;
mod under_load;

use std::process::ExitCode;

use anyhow::{Result, bail};

use server::Without;
use steps::Scale;

const FULL: Scale = Scale {
    idle: 10_000,
    slow_writers: 500,
    slow_readers: 200,
    rate: 2000,
    seconds: 60,
    swaps: 10_000,
    reloads: 100,
    measures: true,
};
const SHORT: Scale = Scale {
    idle: 500,
    slow_writers: 35,
    slow_readers: 15,
    rate: 500,
    seconds: 5,
    swaps: 200,
    reloads: 3,
    measures: false,
};
const TINY: Scale =
    Scale { idle: 10, slow_writers: 3, slow_readers: 2, rate: 100, seconds: 1, swaps: 5, reloads: 1, ..SHORT };

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|known| known == word);
    let without = Without { firewall: has("--without-firewall"), limits: has("--without-limits") };
    let scale = match words.first().map(String::as_str) {
        Some("server") => return server::serve(without).await.map(|()| ExitCode::SUCCESS),
        Some("full") => FULL,
        Some("short") => SHORT,
        Some("tiny") => TINY,
        _ => bail!("say full, short or tiny"),
    };
    Ok(if steps::run(scale, without).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
