//! The firewall beside libmodsecurity and Coraza: the same requests and rules, in the same run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{Figure, duration};
use crate::{crs, install, tools};

/// What ours may cost: this part of what libmodsecurity costs, by the beginning of the request's name.
const GOALS: [(&str, u32); 5] =
    [("small GET", 20), ("form", 10), ("JSON of 812 values", 15), ("JSON of one string", 6), ("multipart", 20)];

/// Seconds of CPU time for each kind of request.
const SECONDS: &str = "1.5";

/// What the bench of the firewall needs.
pub(super) struct Bench {
    rules: PathBuf,
    requests: PathBuf,
}

/// Another engine.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Engine {
    ModSecurity,
    Coraza,
}

/// What an engine said with the rules of each paranoia level, or why it is left out.
struct Contest {
    engine: Engine,
    said: Result<(Peer, Peer)>,
}

/// What a peer said.
#[derive(Debug, Default, PartialEq)]
struct Peer {
    lines: Vec<Line>,
    memory_kib: u64,
}

/// A kind of request.
#[derive(Debug, PartialEq)]
struct Line {
    name: String,
    microseconds: f64,
    blocked: u32,
    requests: u32,
}

impl Bench {
    /// Fetches the rules; none, with the reason told, if they cannot be had.
    pub(super) fn prepare() -> Result<Option<Self>> {
        let fetched = match crs::current_rules() {
            Ok(fetched) => fetched,
            Err(error) => {
                println!("the firewall is left out: the Core Rule Set cannot be fetched: {error:#}");
                return Ok(None);
            }
        };
        let place = tools::target().join("bench-waf");
        let rules = place.join("rules");
        crs::copy_rules(&fetched, &rules).with_context(|| format!("cannot copy {}", fetched.display()))?;
        let set_up = "@crs-setup.conf.example";
        fs::copy(fetched.with_file_name(set_up), rules.with_file_name(set_up))?;
        Ok(Some(Self { rules, requests: place.join("requests") }))
    }

    /// Tells the benches where the rules are, and where to put the requests for the peer.
    pub(super) fn tell(&self, command: &mut Command) {
        command.env("LETTERKEEP_CRS", &self.rules).env("LETTERKEEP_WAF_REQUESTS", &self.requests);
    }

    /// Runs the peer and prints both side by side.
    pub(super) fn report(&self, figures: &[Figure]) -> Result<()> {
        let mut figures: Vec<(&str, f64)> =
            figures.iter().filter_map(|figure| Some((figure.name.strip_prefix("waf/")?, figure.nanoseconds))).collect();
        if figures.is_empty() {
            return Ok(());
        }
        figures.sort_by_key(|(name, _)| {
            GOALS.iter().position(|(start, _)| name.starts_with(start)).unwrap_or(GOALS.len())
        });
        let contests = [Engine::ModSecurity, Engine::Coraza].map(|engine| self.contest(engine));
        for Contest { engine, said } in &contests {
            if let Err(error) = said {
                println!("\n{} is left out: {error:#}", engine.name());
            }
        }
        let [first, other] = contests.each_ref().map(|contest| contest.said.as_ref().ok());
        println!(
            "\nThe firewall, blocking, Core Rule Set, paranoia level 1; peers by CPU time, ours by the wall's clock:\n"
        );
        println!(
            "| request | ours | libmodsecurity | ratio | goal | Coraza | ratio |\n|---|---:|---:|---:|---|---:|---:|"
        );
        for (name, nanoseconds) in figures {
            println!("{}", row(name, nanoseconds, first.map(|(peer, _)| peer), other.map(|(peer, _)| peer)));
        }
        for Contest { engine, said } in &contests {
            let lines = said.iter().flat_map(|(peer, _)| &peer.lines);
            for line in lines.filter(|line| line.decides_otherwise()) {
                println!("\n{} blocked {} of {} requests: {}", engine.name(), line.blocked, line.requests, line.name);
            }
        }
        println!("\nResident memory of a process, paranoia level 2 (goal: 30 MB):\n");
        println!("| when | ours | libmodsecurity | Coraza |\n|---|---:|---:|---:|");
        let stages = self.memory()?;
        for (index, (when, kib)) in stages.iter().enumerate() {
            // Peers tell only what they have in the end.
            let is_last = index + 1 == stages.len();
            let peer = |said: Option<&(Peer, Peer)>| {
                said.filter(|_| is_last).map_or_else(String::new, |(_, peer)| megabytes(peer.memory_kib))
            };
            println!("| {when} | {} | {} | {} |", megabytes(*kib), peer(first), peer(other));
        }
        Ok(())
    }

    /// At the first paranoia level for its speed, at the second for its memory.
    fn contest(&self, engine: Engine) -> Contest {
        let said = self.build(engine).and_then(|program| {
            let level = tools::root().join("bench/peers/level-2.conf");
            let first = tools::quietly(Command::new(&program).arg(&self.requests).arg(SECONDS))?;
            let second = tools::quietly(Command::new(&program).arg(&self.requests).arg("0.2").arg(level))?;
            Ok((Peer::read(&first)?, Peer::read(&second)?))
        });
        Contest { engine, said }
    }

    fn build(&self, engine: Engine) -> Result<PathBuf> {
        if let Some(missing) = install::provide(&[engine.need()]).first() {
            bail!("{}: {}", missing.name, missing.reason);
        }
        let peers = tools::root().join("bench/peers");
        let mut build;
        let program = match engine {
            Engine::ModSecurity => {
                let program = self.requests.with_file_name("modsecurity");
                build = Command::new(tools::find(&["cc", "gcc", "clang"]).context("there is no C compiler")?);
                build.args(["-std=c11", "-O2", "-o"]).arg(&program);
                build.arg(peers.join("modsecurity/bench.c")).arg("-lmodsecurity");
                program
            }
            Engine::Coraza => {
                let program = self.requests.with_file_name("coraza");
                build = Command::new(tools::find(&["go"]).context("Go is not installed")?);
                build.current_dir(peers.join("coraza")).args(["build", "-mod=readonly", "-modcacherw", "-o"]);
                build.arg(&program).arg(".");
                build.env("GOMODCACHE", crs::go_cache()).env("GOTOOLCHAIN", "local").env("GOWORK", "off");
                program
            }
        };
        tools::quietly(&mut build)?;
        Ok(program)
    }

    /// The memory of our own process, in KiB, and when.
    fn memory(&self) -> Result<Vec<(String, u64)>> {
        let mut command = tools::cargo();
        command.args(["run", "--quiet", "--release", "--locked", "--package", "letterkeep-bench"]);
        let text = tools::quietly(command.args(["--bin", "waf_memory"]).env("LETTERKEEP_CRS", &self.rules))?;
        let stage = |line: &str| {
            let (when, kib) = line.split_once('\t').context("no tab")?;
            Ok((when.to_owned(), kib.parse().with_context(|| line.to_owned())?))
        };
        text.lines().map(stage).collect()
    }
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::ModSecurity => "libmodsecurity",
            Self::Coraza => "Coraza",
        }
    }

    const fn need(self) -> install::Need {
        match self {
            Self::ModSecurity => install::Need::ModSecurity,
            Self::Coraza => install::Need::Go,
        }
    }
}

impl Line {
    /// The bench itself makes sure that we block every attack and nothing else.
    fn decides_otherwise(&self) -> bool {
        self.blocked != if self.name.starts_with("attacks") { self.requests } else { 0 }
    }
}

impl Peer {
    fn nanoseconds(&self, name: &str) -> Option<f64> {
        Some(self.lines.iter().find(|line| line.name == name)?.microseconds * 1e3)
    }

    /// What `bench/peers/modsecurity/bench.c` prints, and the others as it.
    fn read(text: &str) -> Result<Self> {
        let mut peer = Self::default();
        for line in text.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["memory", kib] => peer.memory_kib = kib.parse()?,
                [name, time, blocked, requests] => peer.lines.push(Line {
                    name: name.to_owned(),
                    microseconds: time.parse()?,
                    blocked: blocked.parse()?,
                    requests: requests.parse()?,
                }),
                _ => bail!("the peer says {line:?}"),
            }
        }
        Ok(peer)
    }
}

/// `first` is the peer that the goals are about.
fn row(name: &str, nanoseconds: f64, first: Option<&Peer>, other: Option<&Peer>) -> String {
    let time = |peer: Option<&Peer>| peer.and_then(|peer| peer.nanoseconds(name));
    let ratio = |peer: Option<f64>| peer.map_or_else(String::new, |peer| format!("1/{:.1}", peer / nanoseconds));
    let text = |peer: Option<f64>| peer.map_or_else(|| "not measured".to_owned(), duration);
    let (first, other) = (time(first), time(other));
    let goal = GOALS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, part)| *part);
    let goal = match (goal, first) {
        (None, _) => String::new(),
        (Some(part), None) => format!("1/{part}"),
        (Some(part), Some(peer)) if nanoseconds * f64::from(part) <= peer => format!("1/{part} reached"),
        (Some(part), Some(_)) => format!("1/{part} missed"),
    };
    let ours = duration(nanoseconds);
    format!("| {name} | {ours} | {} | {} | {goal} | {} | {} |", text(first), ratio(first), text(other), ratio(other))
}

fn megabytes(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "small GET, 1.0 KB\t3000.50\t0\t4\nattacks, 10\t100.00\t9\t10\nmemory\t2000\n";

    #[test]
    fn reads_what_the_peer_prints() {
        let peer = Peer::read(PRINTED).unwrap();
        let decides: Vec<bool> = peer.lines.iter().map(Line::decides_otherwise).collect();
        assert_eq!(decides, [false, true], "an attack got through there");
        assert_eq!((peer.lines[0].microseconds, peer.memory_kib), (3000.5, 2000));
        assert!(Peer::read("small GET\t1\n").is_err());
    }

    #[test]
    fn a_goal_is_reached_or_missed() {
        let peer = Peer::read(PRINTED).unwrap();
        let (name, attacks) = ("small GET, 1.0 KB", "attacks, 10");
        assert_eq!(
            row(name, 150_025.0, Some(&peer), None),
            "| small GET, 1.0 KB | 150.03 µs | 3.00 ms | 1/20.0 | 1/20 reached | not measured |  |"
        );
        assert_eq!(
            row(name, 150_026.0, Some(&peer), Some(&peer)),
            "| small GET, 1.0 KB | 150.03 µs | 3.00 ms | 1/20.0 | 1/20 missed | 3.00 ms | 1/20.0 |"
        );
        assert_eq!(
            row(name, 1e6, None, Some(&peer)),
            "| small GET, 1.0 KB | 1.00 ms | not measured |  | 1/20 | 3.00 ms | 1/3.0 |"
        );
        assert_eq!(
            row(attacks, 1e4, Some(&peer), None),
            "| attacks, 10 | 10.00 µs | 100.00 µs | 1/10.0 |  | not measured |  |"
        );
    }
}
