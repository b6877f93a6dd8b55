//! The steps of a run, in their order. Each adds rows to the report, and says what does not hold.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{Client, Connection};
use crate::process;
use crate::report::{Report, megabytes};
use crate::requests;
use crate::server::{SETTLED, Without};
use crate::traffic::{self, Plan, Tally};
use crate::under_load::Server;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) idle: u16,
    /// Clients whose head does not end.
    pub(crate) slow_writers: u16,
    /// Clients that do not take their answer.
    pub(crate) slow_readers: u16,
    pub(crate) rate: u32,
    pub(crate) seconds: u64,
    pub(crate) swaps: u32,
    pub(crate) reloads: u32,
    /// Whether speed and memory are measured and held to their goals; else only to wide bounds.
    pub(crate) measures: bool,
}

/// Clients that send requests; each stays below the limit of rate for one client.
const CLIENTS: u16 = 250;
/// Requests a second beside slow clients and reloads.
const BESIDE: u32 = 200;
/// By when slow clients have to be ended, on a busy machine too. Their limit is 3 s.
const ENDED: Duration = Duration::from_secs(20);

/// Between two looks at the server.
const GLANCE: Duration = Duration::from_millis(100);

/// Groups of addresses: no step takes of another's limits.
const BASELINE: u8 = 10;
const MOST: u8 = 20;
const IDLE: u8 = 30;
const WRITERS: u8 = 40;
const READERS: u8 = 50;
const HONEST: u8 = 60;
const MIXED: u8 = 70;
const RELOADS: u8 = 80;

/// The whole run. Whether everything holds.
pub(crate) async fn run(scale: Scale, without: Without) -> Result<bool> {
    let open_files = process::raise_open_files()?;
    let needed = u64::from(scale.idle) + u64::from(scale.slow_writers + scale.slow_readers) + 2000;
    anyhow::ensure!(open_files >= needed, "{needed} open files are needed, {open_files} are allowed");
    let mut report = Report::new();
    if scale.measures {
        let bare = Server::start(Without { firewall: true, limits: false }).await?;
        speed("no firewall", &bare, scale, &mut report).await?;
    }
    let mut server = Server::start(without).await?;
    report.row("rules", &server.rules);
    if scale.measures {
        speed("firewall", &server, scale, &mut report).await?;
    }
    let mut idle = idle(&mut server, scale, &mut report).await?;
    slow(&mut server, scale, &mut report).await?;
    mixed(&server, scale, &mut report).await?;
    reload(&mut server, scale, &mut report).await?;
    still_there(&mut idle, &mut report).await;
    Ok(report.close())
}

fn plan(rate: u32, seconds: u64, group: u8) -> Plan {
    Plan { rate: Some(rate), duration: Duration::from_secs(seconds), connections: CLIENTS, attacks: false, group }
}

fn expect_honest(tally: &Tally, when: &str, report: &mut Report) {
    report.expect(tally.failed == 0, || {
        let first = tally.first_failure.as_deref().unwrap_or_default();
        format!("{} honest requests failed {when}; the first: {first}", tally.failed)
    });
}

/// Processor time of server and clients during something, as shares of one core.
struct Shares {
    since: Instant,
    server: Duration,
    clients: Duration,
}

impl Shares {
    fn begin(server: &Server) -> Result<Self> {
        Ok(Self { since: Instant::now(), server: server.cpu()?, clients: process::cpu(std::process::id())? })
    }

    fn end(&self, server: &Server, requests: u64) -> Result<String> {
        let used = server.cpu()?.saturating_sub(self.server);
        let clients = process::cpu(std::process::id())?.saturating_sub(self.clients);
        let share = |used: Duration| 100.0 * used.as_secs_f64() / self.since.elapsed().as_secs_f64();
        let each = used.as_secs_f64() * 1e6 / requests.max(1) as f64;
        Ok(format!("{:.0} % / {:.0} %, {each:.0} µs a request", share(used), share(clients)))
    }
}

/// What the machine can do, with the firewall and without.
async fn speed(name: &str, server: &Server, scale: Scale, report: &mut Report) -> Result<()> {
    let shares = Shares::begin(server)?;
    let mut tally = traffic::send(&server.client, plan(scale.rate, 10, BASELINE)).await;
    let rate = scale.rate;
    report.row(&format!("{name}: honest requests at {rate}/s for 10 s, p50 / p95 / p99"), &tally.percentiles());
    report.row(&format!("{name}: of one core, server / clients"), &shares.end(server, tally.all())?);
    expect_honest(&tally, "before anything else", report);
    let most = Plan { rate: None, connections: 50, ..plan(0, 4, MOST) };
    let most = traffic::send(&server.client, most).await;
    report.row(&format!("{name}: as many as 50 connections can, for 4 s"), &format!("{}/s", most.all() / 4));
    Ok(())
}

/// Opens connections that stay: half of them have never said anything, half have made a request.
async fn idle(server: &mut Server, scale: Scale, report: &mut Report) -> Result<Vec<Connection>> {
    let mut all = Vec::new();
    for (used, name) in [(false, "silent"), (true, "after a request")] {
        let (before, count) = (server.resident()?, scale.idle / 2);
        let started = Instant::now();
        let first = u16::from(used) * count;
        let mut opening = JoinSet::new();
        for number in first..first + count {
            while opening.len() >= 64 {
                all.extend(opened(opening.join_next().await)?);
            }
            opening.spawn(open(server.client.clone(), number, used));
        }
        while !opening.is_empty() {
            all.extend(opened(opening.join_next().await)?);
        }
        let took = started.elapsed();
        let each = (server.resident()?.saturating_sub(before)) as f64 / f64::from(count.max(1));
        let figure = format!("{each:.1} KiB each, {:.0} opened/s", f64::from(count) / took.as_secs_f64());
        report.row(&format!("{count} idle connections, {name}"), &figure);
    }
    let open = server.open().await?;
    report.expect(open >= usize::from(scale.idle / 2 * 2), || format!("only {open} idle connections are held"));
    report.row("server with its idle connections", &megabytes(server.resident()?));
    Ok(all)
}

async fn open(client: Client, number: u16, used: bool) -> Result<Connection> {
    let mut connection = client.connect(IDLE, number, None).await?;
    if used {
        let answer = connection.ask(&requests::honest()[0]).await?;
        anyhow::ensure!(answer.status == 200, "an idle client is answered {}", answer.status);
    }
    Ok(connection)
}

fn opened(done: Option<Result<Result<Connection>, tokio::task::JoinError>>) -> Result<Option<Connection>> {
    Ok(match done {
        Some(done) => Some(done?.context("an idle connection cannot be opened")?),
        None => None,
    })
}

/// Slow clients are ended, and nobody else notices them.
async fn slow(server: &mut Server, scale: Scale, report: &mut Report) -> Result<()> {
    let (before, memory) = (server.open().await?, server.resident()?);
    let honest = tokio::spawn({
        let client = server.client.clone();
        async move { traffic::send(&client, plan(BESIDE, 15, HONEST)).await }
    });
    let with_honest = before + usize::from(CLIENTS);
    while server.open().await? < with_honest {
        sleep(GLANCE).await;
    }
    let mut slow = JoinSet::new();
    let all = usize::from(scale.slow_writers + scale.slow_readers);
    let stand = std::sync::Arc::new(tokio::sync::Barrier::new(all + 1));
    for number in 0..scale.slow_writers {
        let (client, stand) = (server.client.clone(), stand.clone());
        slow.spawn(async move {
            let connection = client.connect(WRITERS, number, None).await;
            stand.wait().await;
            write_slowly(connection?).await
        });
    }
    for number in 0..scale.slow_readers {
        let (client, stand) = (server.client.clone(), stand.clone());
        slow.spawn(async move {
            let connection = client.connect(READERS, number, Some(16 << 10)).await;
            stand.wait().await;
            read_slowly(connection?).await
        });
    }
    stand.wait().await;
    let (started, mut most, mut ended) = (Instant::now(), 0, None);
    while started.elapsed() < ENDED && !(ended.is_some() && honest.is_finished()) {
        sleep(GLANCE).await;
        most = most.max(server.resident()?);
        // Asked before it is counted: honest clients may leave in between.
        let others = if honest.is_finished() { before } else { with_honest };
        if ended.is_none() && server.open().await? <= others {
            ended = Some(started.elapsed());
        }
    }
    let mut tally = honest.await?;
    let left = server.open().await?.saturating_sub(before);
    expect_honest(&tally, "beside slow clients", report);
    report.expect(ended.is_some() && left == 0, || format!("{left} of {all} slow clients were not ended"));
    let ended = ended.filter(|_| left == 0);
    let when = ended.map_or_else(|| "never".to_owned(), |ended| format!("{:.1} s", ended.as_secs_f64()));
    let name =
        format!("{} slow writers and {} slow readers ended after (limit 3 s)", scale.slow_writers, scale.slow_readers);
    report.row(&name, &when);
    let more = megabytes(most.saturating_sub(memory));
    report.row("most memory that they took", &more);
    report.row(&format!("{} honest requests beside them, p50 / p95 / p99", tally.answered()), &tally.percentiles());
    Ok(())
}

/// A byte of a header now and then, until the server does not want any more.
async fn write_slowly(mut connection: Connection) -> std::io::Result<()> {
    connection.stream.write_all(requests::BEGUN).await?;
    loop {
        connection.stream.flush().await?;
        sleep(Duration::from_millis(700)).await;
        connection.stream.write_all(b"a").await?;
    }
}

/// A few bytes of a long answer now and then.
async fn read_slowly(mut connection: Connection) -> std::io::Result<()> {
    connection.stream.write_all(&requests::large()).await?;
    connection.stream.flush().await?;
    let mut few = [0; 512];
    while connection.stream.read(&mut few).await? > 0 {
        sleep(Duration::from_millis(700)).await;
    }
    Ok(())
}

/// Honest requests and attacks together.
async fn mixed(server: &Server, scale: Scale, report: &mut Report) -> Result<()> {
    let shares = Shares::begin(server)?;
    let started = Instant::now();
    let sending = tokio::spawn({
        let (client, plan) = (server.client.clone(), Plan { attacks: true, ..plan(scale.rate, scale.seconds, MIXED) });
        async move { traffic::send(&client, plan).await }
    });
    let mut memory = vec![(0, server.resident()?)];
    for second in [10, 30, 60].into_iter().filter(|second| *second < scale.seconds).chain([scale.seconds]) {
        sleep_until(started + Duration::from_secs(second)).await;
        memory.push((second, server.resident()?));
    }
    let mut tally = sending.await?;
    expect_honest(&tally, "among attacks", report);
    report.expect(tally.let_through == 0, || format!("{} attacks were let through", tally.let_through));
    report.expect(tally.refused > 0, || "no attack was refused".to_owned());
    let reached = tally.all() as f64 / tally.took.as_secs_f64();
    let name = format!("{} requests/s for {} s, 10 % attacks: reached", scale.rate, scale.seconds);
    report.row(&name, &format!("{reached:.0}/s"));
    report.row("honest requests answered 200 / failed", &format!("{} / {}", tally.answered(), tally.failed));
    report.row("attacks answered 403 / let through", &format!("{} / {}", tally.refused, tally.let_through));
    report.row("honest requests, p50 / p95 / p99", &tally.percentiles());
    report.row("of one core, server / clients", &shares.end(server, tally.all())?);
    for (second, kib) in &memory {
        report.row(&format!("memory after {second} s"), &megabytes(*kib));
    }
    let settled = memory.iter().find(|(second, _)| *second >= 10).or(memory.first()).map_or(0, |(_, kib)| *kib);
    let last = memory.last().map_or(0, |(_, kib)| *kib);
    report.row("growth after 10 s", &format!("{:.1} %", growth(settled, last)));
    expect_flat(settled, last, "among attacks", scale, report);
    Ok(())
}

fn growth(before: u64, after: u64) -> f64 {
    100.0 * (after as f64 / before.max(1) as f64 - 1.0)
}

/// Less than 5 % more where it is measured; where it is not, only what no leak would stay below.
fn expect_flat(before: u64, after: u64, when: &str, scale: Scale, report: &mut Report) {
    let most = if scale.measures { before + before / 20 } else { before * 2 + (64 << 10) };
    report.expect(after <= most, || format!("memory grew {when}: {} to {}", megabytes(before), megabytes(after)));
}

/// New rules while requests go on.
async fn reload(server: &mut Server, scale: Scale, report: &mut Report) -> Result<()> {
    for (set, name, count) in [("swap", "a small set", scale.swaps), ("reload", "the whole set", scale.reloads)] {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let sending = tokio::spawn({
            let client = server.client.clone();
            async move { until(&client, stopped).await }
        });
        let started = Instant::now();
        let reloads = server.reload(set, count).await?;
        let took = started.elapsed();
        let _ = stop.send(());
        let mut tally = sending.await?;
        expect_honest(&tally, "beside reloads", report);
        report.expect(tally.answered() > 0, || "no request went on beside reloads".to_owned());
        let each = took.as_secs_f64() * 1e3 / f64::from(count.max(1));
        let slowest = reloads.slowest;
        let figure = format!("{each:.2} ms each, slowest {:.2} ms", slowest.as_secs_f64() * 1e3);
        report.row(&format!("{count} loads of {name}"), &figure);
        let of = |kib| megabytes(kib);
        let figure = format!("{} / {}", of(reloads.settled_kib), of(reloads.last_kib));
        report.row(&format!("memory after load {} / {count}", SETTLED.min(count)), &figure);
        let figure = format!("{}, {} failed", tally.percentiles(), tally.failed);
        report.row(&format!("{} requests beside them, p50 / p95 / p99", tally.all()), &figure);
        expect_flat(reloads.settled_kib, reloads.last_kib, "over reloads", scale, report);
        if scale.measures {
            report.expect(slowest < Duration::from_secs(1), || format!("loading {name} took {slowest:?}"));
        }
    }
    Ok(())
}

/// Requests second by second until `stopped`.
async fn until(client: &Client, mut stopped: tokio::sync::oneshot::Receiver<()>) -> Tally {
    let mut all = Tally::default();
    let mut group = RELOADS;
    loop {
        all.add(traffic::send(client, plan(BESIDE, 2, group)).await);
        // Other clients come, as in life.
        group = if group < 120 { group + 1 } else { RELOADS };
        if !matches!(stopped.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Empty)) {
            return all;
        }
    }
}

/// Whoever was idle all the time is answered in the end.
async fn still_there(idle: &mut [Connection], report: &mut Report) {
    let (wire, count, mut answered) = (requests::honest().swap_remove(0), idle.len(), 0_usize);
    for connection in idle {
        answered += usize::from(connection.ask(&wire).await.is_ok_and(|answer| answer.status == 200));
    }
    report.row("idle connections that are answered in the end", &format!("{answered} of {count}"));
    report.expect(answered == count, || format!("only {answered} of {count} idle connections are answered"));
}
