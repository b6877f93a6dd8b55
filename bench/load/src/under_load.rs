//! The server as the one who loads it sees it: a process to start, to ask, and to measure.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::client::Client;
use crate::process;
use crate::server::{self, Without};

/// A running server. It ends with this value.
pub(crate) struct Server {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) pid: u32,
    pub(crate) client: Client,
    pub(crate) rules: String,
}

/// What a series of loads took.
pub(crate) struct Reloads {
    pub(crate) slowest: Duration,
    pub(crate) settled_kib: u64,
    pub(crate) last_kib: u64,
}

impl Server {
    pub(crate) async fn start(without: Without) -> Result<Self> {
        let mut command = Command::new(server::program()?);
        command.arg("server").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        if without.firewall {
            command.arg("--without-firewall");
        }
        if without.limits {
            command.arg("--without-limits");
        }
        let mut child = command.spawn().context("cannot start the server")?;
        let (input, output) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        let pid = child.id().context("the server has ended")?;
        let mut output = BufReader::new(output).lines();
        let greeting = output.next_line().await?.context("the server did not start")?;
        let [address, certificate, rules] = greeting.split('\t').collect::<Vec<_>>()[..] else {
            bail!("the server says {greeting:?}");
        };
        let client = Client::new(address.parse()?, certificate.as_ref())?;
        let rules = rules.to_owned();
        Ok(Self { _child: child, input, output, pid, client, rules })
    }

    async fn ask(&mut self, line: &str) -> Result<String> {
        self.input.write_all(format!("{line}\n").as_bytes()).await?;
        self.output.next_line().await?.context("the server has ended")
    }

    /// Connections that it holds.
    pub(crate) async fn open(&mut self) -> Result<usize> {
        Ok(self.ask("open").await?.parse()?)
    }

    /// Loads and uses the small or the whole set so many times.
    pub(crate) async fn reload(&mut self, set: &str, count: u32) -> Result<Reloads> {
        let answer = self.ask(&format!("{set} {count}")).await?;
        let numbers = answer.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        let [slowest, settled_kib, last_kib] = numbers[..] else { bail!("the server says {answer:?}") };
        Ok(Reloads { slowest: Duration::from_micros(slowest), settled_kib, last_kib })
    }

    pub(crate) fn resident(&self) -> Result<u64> {
        process::resident(self.pid)
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu(self.pid)
    }
}
