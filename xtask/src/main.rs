//! Everything that a developer or CI runs, as one Rust program: `cargo xtask --help`.
//!
//! It needs Rust and nothing else; what a verb wants beyond that it looks for, installs where it may, and otherwise
//! names with the line to type. A rule of the repository is a function in `tidy/` with a planted violation as its test;
//! that is also the most common change here.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

mod attack;
mod bench;
mod crs;
mod deny;
mod example_contacts;
mod fuzz;
mod install;
mod load;
mod postgres;
mod test;
mod tidy;
mod tools;
mod vendor;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "What a developer of Letterkeep runs", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run everything that CI runs: format, clippy, tidy, and all tests on both databases and in the browser
    Test,
    /// Check the rules of the repository
    Tidy,
    /// Fetch the vendored files anew from npm
    Vendor {
        /// Only re-hash what is committed, offline
        #[arg(long)]
        check: bool,
    },
    /// Run the benches and print one table, with the machine's own yardsticks beside the figures
    Bench {
        /// Only benches whose name contains this
        filter: Option<String>,
    },
    /// Put the edge under load for some minutes and print what it takes: idle and slow clients, attacks, new rules
    Load,
    /// Feed the parsers of foreign input with random bytes (needs a nightly Rust and cargo-fuzz)
    Fuzz {
        /// One target of `fuzz/`; all of them, one after the other, if left out
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Run the tests of the OWASP Core Rule Set, of the current generation and of Debian's
    Crs {
        /// How many values are made of each value of the tests, to compare with libinjection
        #[arg(long, default_value_t = crs::MUTANTS)]
        mutants: usize,
    },
    /// Attack the running service with sqlmap and wapiti, for longer than the tests do
    Attack,
    /// Check licences, bans, sources and known vulnerabilities of all dependencies (needs cargo-deny)
    Deny,
    /// Write the example files of contacts anew
    ExampleContacts,
    /// Run a private PostgreSQL for tests until Ctrl-C and print the line to export
    Postgres,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &Verb) -> Result<ExitCode> {
    match verb {
        Verb::Test => Ok(test::run()),
        Verb::Tidy => tidy::check(tools::root()).map(|()| ExitCode::SUCCESS),
        Verb::Vendor { check } => vendor::run(*check),
        Verb::Bench { filter } => bench::run(filter.as_deref()),
        Verb::Load => load::run(),
        Verb::Fuzz { target, seconds } => fuzz::run(target.as_deref(), *seconds),
        Verb::Crs { mutants } => crs::run(*mutants).map(|()| ExitCode::SUCCESS),
        Verb::Attack => attack::run().map(|()| ExitCode::SUCCESS),
        Verb::Deny => deny::run(),
        Verb::ExampleContacts => example_contacts::run(tools::root()),
        Verb::Postgres => postgres::foreground(),
    }
}
