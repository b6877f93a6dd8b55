//! Requests at a fixed rate: each has its instant, whether or not those before it were answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::{Client, Connection};
use crate::requests;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Requests a second; none for as many as the connections can.
    pub(crate) rate: Option<u32>,
    pub(crate) duration: Duration,
    /// Each is a client of its own.
    pub(crate) connections: u16,
    /// Whether every tenth request is an attack.
    pub(crate) attacks: bool,
    /// The group of addresses that the clients come from.
    pub(crate) group: u8,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// From the instant that a request was due to the end of its answer, in microseconds, for honest requests.
    latencies: Vec<u32>,
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) refused: u64,
    pub(crate) let_through: u64,
    /// From the first instant to the last answer, at least as long as the plan says.
    pub(crate) took: Duration,
}

impl Tally {
    pub(crate) fn answered(&self) -> usize {
        self.latencies.len()
    }

    /// Requests of both kinds that were answered.
    pub(crate) fn all(&self) -> u64 {
        self.latencies.len() as u64 + self.failed + self.refused + self.let_through
    }

    /// "p50 / p95 / p99" in milliseconds.
    pub(crate) fn percentiles(&mut self) -> String {
        self.latencies.sort_unstable();
        let at = |share: usize| {
            let index = (self.latencies.len() * share / 100).min(self.latencies.len().saturating_sub(1));
            f64::from(self.latencies.get(index).copied().unwrap_or_default()) / 1e3
        };
        format!("{:.2} / {:.2} / {:.2} ms", at(50), at(95), at(99))
    }

    fn fail(&mut self, why: impl FnOnce() -> String) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(why);
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.failed += other.failed;
        self.refused += other.refused;
        self.let_through += other.let_through;
        self.took = self.took.max(other.took);
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

/// Sends what `plan` says, and waits for the last answer.
pub(crate) async fn send(client: &Client, plan: Plan) -> Tally {
    let wires = Arc::new((requests::honest(), requests::attacks()));
    let mut clients = JoinSet::new();
    // Every connection stands before the first request is due.
    let ready = Arc::new(tokio::sync::Barrier::new(usize::from(plan.connections)));
    for number in 0..plan.connections {
        let (client, wires, ready) = (client.clone(), wires.clone(), ready.clone());
        clients.spawn(async move { one(&client, plan, number, &wires, &ready).await });
    }
    let mut tally = Tally::default();
    while let Some(done) = clients.join_next().await {
        match done {
            Ok(done) => tally.add(done),
            Err(error) => tally.fail(|| error.to_string()),
        }
    }
    tally
}

async fn one(
    client: &Client,
    plan: Plan,
    number: u16,
    (honest, attacks): &(Vec<Vec<u8>>, Vec<Vec<u8>>),
    ready: &tokio::sync::Barrier,
) -> Tally {
    let mut tally = Tally::default();
    let mut connection = client.connect(plan.group, number, None).await.ok();
    ready.wait().await;
    let started = Instant::now();
    for turn in 0_u64.. {
        let index = usize::from(number) + turn as usize * usize::from(plan.connections);
        let due = match plan.rate {
            Some(rate) => started + Duration::from_secs_f64(index as f64 / f64::from(rate)),
            None => Instant::now(),
        };
        if due >= started + plan.duration {
            break;
        }
        sleep_until(due).await;
        // By turn and number, so that every client sends every kind.
        let kind = turn as usize + usize::from(number);
        let is_attack = plan.attacks && kind % 10 == 9;
        let wires = if is_attack { attacks } else { honest };
        let wire = &wires[(kind / if is_attack { 10 } else { 1 }) % wires.len()];
        let answer = ask(client, plan.group, number, &mut connection, wire).await;
        match (is_attack, answer) {
            (false, Ok(200)) => {
                tally.latencies.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            (true, Ok(403)) => tally.refused += 1,
            (true, Ok(_)) => tally.let_through += 1,
            (_, Ok(status)) => tally.fail(|| format!("status {status}")),
            (_, Err(error)) => tally.fail(|| error.to_string()),
        }
    }
    tally.took = started.elapsed().max(plan.duration);
    tally
}

async fn ask(
    client: &Client,
    group: u8,
    number: u16,
    connection: &mut Option<Connection>,
    wire: &[u8],
) -> io::Result<u16> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => client.connect(group, number, None).await?,
    };
    let answer = open.ask(wire).await?;
    if !answer.closes {
        *connection = Some(open);
    }
    Ok(answer.status)
}
