//! `cargo xtask bench`: the criterion benches in one table, beside what this machine can do at all.

mod waf;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::tools;

/// What a group of benches is measured against: the yardstick's name.
const AGAINST: [(&str, &str); 5] = [
    ("sealing", AES),
    ("signing/RSA", RSA_SIGN),
    ("signing/Ed25519", ED25519_SIGN),
    ("message/render", MEMORY),
    ("message", RSA_SIGN),
];

const RSA_SIGN: &str = "openssl rsa2048 sign";
const ED25519_SIGN: &str = "openssl ed25519 sign";
const AES: &str = "openssl aes-256-gcm, 256-byte blocks";
const SHA: &str = "openssl sha256, 256-byte blocks";
const MEMORY: &str = "memory copy";
const DISK: &str = "write 4 KiB and wait for the disk";

/// What the machine did in one second.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rate {
    Bytes(f64),
    Operations(f64),
}

impl Rate {
    fn text(self) -> String {
        match self {
            Self::Bytes(rate) => format!("{:.1} MB/s", rate / 1e6),
            Self::Operations(rate) if rate < 100.0 => format!("{rate:.1} /s"),
            Self::Operations(rate) => format!("{rate:.0} /s"),
        }
    }

    /// This rate as a share of `other`, if both count the same thing.
    fn share(self, other: Self) -> Option<f64> {
        match (self, other) {
            (Self::Bytes(mine), Self::Bytes(theirs)) | (Self::Operations(mine), Self::Operations(theirs)) => {
                Some(mine / theirs)
            }
            _ => None,
        }
    }
}

/// One bench as criterion left it.
struct Figure {
    name: String,
    nanoseconds: f64,
    rate: Rate,
}

pub(crate) fn run(filter: Option<&str>) -> Result<ExitCode> {
    let results = tools::target().join("criterion");
    // Figures of benches that no longer exist, or of another day, do not belong into this table.
    let _ = fs::remove_dir_all(&results);
    let mut command = tools::cargo();
    command.args(["bench", "--locked", "--package", "letterkeep-bench", "--benches", "--"]).args(filter);
    let firewall = if filter.is_none_or(|filter| filter.contains("waf")) { waf::Bench::prepare()? } else { None };
    if let Some(firewall) = &firewall {
        firewall.tell(&mut command);
    }
    ensure!(command.status().context("cannot start cargo")?.success(), "the benches failed");
    let mut figures = Vec::new();
    collect(&results, &mut figures)?;
    figures.sort_by(|left, right| left.name.cmp(&right.name));
    let yardsticks = yardsticks()?;

    println!("\nThis machine, in the same run ({}):\n", machine());
    println!("| yardstick | rate |\n|---|---:|");
    for (name, rate) in &yardsticks {
        println!("| {name} | {} |", rate.text());
    }
    println!("\n| bench | time | rate | share of the yardstick |\n|---|---:|---:|---|");
    for figure in &figures {
        let against = AGAINST.iter().find(|(start, _)| figure.name.starts_with(start)).map(|(_, name)| *name);
        let share = against.and_then(|name| Some((name, figure.rate.share(*yardsticks.get(name)?)?)));
        let share = share.map_or_else(String::new, |(name, share)| format!("{:.0} % of {name}", share * 100.0));
        println!("| {} | {} | {} | {share} |", figure.name, duration(figure.nanoseconds), figure.rate.text());
    }
    if let Some(firewall) = &firewall {
        firewall.report(&figures)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Reads every `new/` that criterion wrote below `directory`.
fn collect(directory: &Path, figures: &mut Vec<Figure>) -> Result<()> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.ends_with("new") {
            let benchmark: Benchmark = serde_json::from_slice(&fs::read(path.join("benchmark.json"))?)?;
            let estimates: Estimates = serde_json::from_slice(&fs::read(path.join("estimates.json"))?)?;
            figures.push(figure(&benchmark, &estimates));
        } else if path.is_dir() {
            collect(&path, figures)?;
        }
    }
    Ok(())
}

fn figure(benchmark: &Benchmark, estimates: &Estimates) -> Figure {
    let nanoseconds = estimates.median.point_estimate;
    let per_second = 1e9 / nanoseconds;
    let counted = |kind: &str| benchmark.throughput.as_ref().and_then(|throughput| throughput.get(kind)).copied();
    let rate = match counted("Bytes") {
        Some(bytes) => Rate::Bytes(bytes * per_second),
        None => Rate::Operations(counted("Elements").unwrap_or(1.0) * per_second),
    };
    Figure { name: benchmark.full_id.clone(), nanoseconds, rate }
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

pub(crate) fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}

fn yardsticks() -> Result<BTreeMap<&'static str, Rate>> {
    let mut rates = BTreeMap::new();
    if tools::find(&["openssl"]).is_some() {
        let speed = |arguments: &[&str]| {
            let mut command = Command::new("openssl");
            // By the wall's clock, as criterion measures: on a busy machine both then suffer alike.
            tools::quietly(command.args(["speed", "-elapsed", "-mr", "-seconds", "2"]).args(arguments))
                .unwrap_or_default()
        };
        let found = [
            (RSA_SIGN, signs(&speed(&["rsa2048"]), "+F2:")),
            (ED25519_SIGN, signs(&speed(&["ed25519"]), "+F6:")),
            (AES, bytes(&speed(&["-bytes", "256", "-evp", "aes-256-gcm"]))),
            (SHA, bytes(&speed(&["-bytes", "256", "-evp", "sha256"]))),
        ];
        rates.extend(found.into_iter().filter_map(|(name, rate)| Some((name, rate?))));
    } else {
        println!("openssl is not installed: its yardsticks are left out");
    }
    rates.insert(MEMORY, memory());
    rates.insert(DISK, disk(&tools::target())?);
    Ok(rates)
}

/// `+F2:index:bits:SIGNATURES-PER-SECOND:VERIFICATIONS-PER-SECOND`; Ed25519 has its name before the rates.
fn signs(text: &str, start: &str) -> Option<Rate> {
    let line = text.lines().find_map(|line| line.strip_prefix(start))?;
    let fields: Vec<&str> = line.split(':').collect();
    fields.get(fields.len().checked_sub(2)?)?.parse().ok().map(Rate::Operations)
}

/// `+F:index:name:BYTES-PER-SECOND`.
fn bytes(text: &str) -> Option<Rate> {
    let line = text.lines().find_map(|line| line.strip_prefix("+F:"))?;
    line.split(':').next_back()?.parse().ok().map(Rate::Bytes)
}

fn memory() -> Rate {
    const SIZE: usize = 64 << 20;
    let (from, mut to) = (vec![1_u8; SIZE], vec![0_u8; SIZE]);
    let (started, mut rounds) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_millis(500) {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
        rounds += 1;
    }
    Rate::Bytes(f64::from(rounds) * SIZE as f64 / started.elapsed().as_secs_f64())
}

fn disk(directory: &Path) -> Result<Rate> {
    let path = directory.join("bench-disk");
    let mut file = File::create(&path)?;
    let (started, mut rounds) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        rounds += 1;
    }
    let rate = Rate::Operations(f64::from(rounds) / started.elapsed().as_secs_f64());
    fs::remove_file(path)?;
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_openssl_prints() {
        assert_eq!(
            signs("+DTP:2048:private:rsa:1\n+F2:2:2048:2000.0:53637.68\n", "+F2:"),
            Some(Rate::Operations(2000.0))
        );
        assert_eq!(signs("+F6:0:253:Ed25519:25000.0:9000.0\n", "+F6:"), Some(Rate::Operations(25_000.0)));
        assert_eq!(bytes("+H:256\n+F:22:AES-256-GCM:2500000000.00\n"), Some(Rate::Bytes(2.5e9)));
        assert_eq!(bytes("speed: unknown"), None);
    }

    #[test]
    fn compares_only_what_counts_the_same() {
        assert_eq!(Rate::Bytes(1.0).share(Rate::Bytes(4.0)), Some(0.25));
        assert_eq!(Rate::Bytes(1.0).share(Rate::Operations(4.0)), None);
    }
}
