//! The process under load: an edge with TLS and the firewall around a small service, as the product composes them.
//!
//! It prints where it listens and where its certificate is, then answers lines on its standard input: `open`,
//! `swap COUNT` (a small set) and `reload COUNT` (the whole set).

use std::convert::Infallible;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use letterkeep_model::{Clock, Entropy, SystemClock, SystemEntropy};
use letterkeep_network::rules::{self, Origin, Settings};
use letterkeep_network::{
    Certificate, Edge, EdgeBody, EdgeSettings, Firewall, FirewallLimits, Limits, Listener, TlsSource,
};

use crate::process;

/// After this a slow client is ended; an idle one stays for the whole run.
const SLOW: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_hours(1);
/// Larger than what the kernel takes from a service whose client does not read.
const LARGE: usize = 32 << 20;
/// Memory is noted after so many loads: the first ones fill what stays.
pub(crate) const SETTLED: u32 = 20;

/// A set as small as one of an operator's own exceptions.
const SMALL: &str = "SecRuleEngine On\nSecRequestBodyAccess On\n\
    SecRule ARGS \"@rx (?i)<script\" \"id:1001,phase:2,deny,status:403,t:urlDecodeUni\"\n\
    SecRule ARGS \"@pm union select xp_cmdshell\" \"id:1002,phase:2,pass,nolog,t:lowercase\"\n\
    SecRule REQUEST_HEADERS:User-Agent \"@rx ^$\" \"id:1003,phase:1,deny,status:403\"\n";

/// What the server goes without, to prove that the checks notice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Without {
    pub(crate) firewall: bool,
    pub(crate) limits: bool,
}

/// Serves until its standard input ends.
pub(crate) async fn serve(without: Without) -> Result<()> {
    process::raise_open_files()?;
    let directory = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let certificate = Certificate::self_signed(directory.path(), &["localhost".into()], clock.now())?;
    let proof = directory.path().join("certificate.der");
    std::fs::write(&proof, &certificate.chain()[0])?;
    let slow = if without.limits { LONG } else { SLOW };
    let limits = Limits { idle: LONG, headers: slow, body_grace: slow, stall: slow, ..Limits::default() };
    let listener = Listener::bind("127.0.0.1:0".parse()?, TlsSource::Fixed(certificate), limits).await?;
    let (address, places) = (listener.address()?, listener.places());
    let set = rules::load(&whole_set(), &Settings::default())?;
    let (name, count) = (format!("{} {}", set.name, set.version), set.len());
    let file = directory.path().join("firewall.jsonl");
    let firewall = Firewall::new(set, FirewallLimits::default(), clock.clone(), Some(&file))?;
    let guard = (!without.firewall).then(|| firewall.clone());
    let large = Bytes::from(vec![b'a'; LARGE]);
    let service = tower::service_fn(move |request| answer(large.clone(), request));
    let edge = Edge::new(service, EdgeSettings::default(), guard, clock, entropy);
    let serving = tokio::spawn(listener.serve(edge, std::future::pending()));
    say(&format!("{address}\t{}\t{name}, {count} rules", proof.display()))?;

    let small = directory.path().join("small");
    std::fs::create_dir(&small)?;
    std::fs::write(small.join("small.conf"), SMALL)?;
    // A thread may wait for input as long as it likes; it has nothing else to do.
    while let Some(line) = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await? {
        let line = line?;
        match line.split_once(' ') {
            None if line == "open" => say(&places.open().to_string())?,
            Some(("swap", count)) => say(&reload(&firewall, Origin::Directory(small.clone()), count.parse()?).await?)?,
            Some(("reload", count)) => say(&reload(&firewall, whole_set(), count.parse()?).await?)?,
            _ => bail!("{line:?} is no command"),
        }
    }
    serving.abort();
    Ok(())
}

/// The Core Rule Set, if there is one; else the rules of the program.
fn whole_set() -> Origin {
    let first = std::env::var_os("LETTERKEEP_CRS").and_then(|paths| std::env::split_paths(&paths).next());
    // The set-up stands beside the directory of rules.
    first
        .as_deref()
        .and_then(std::path::Path::parent)
        .map_or(Origin::BuiltIn, |beside| Origin::Directory(beside.into()))
}

/// Loads and uses a set so many times. Tells the slowest load in microseconds and the memory in KiB after
/// [`SETTLED`] loads and after the last.
async fn reload(firewall: &Firewall, origin: Origin, count: u32) -> Result<String> {
    let firewall = firewall.clone();
    tokio::task::spawn_blocking(move || {
        let (mut slowest, mut settled, pid) = (Duration::ZERO, 0, std::process::id());
        for index in 1..=count {
            let started = Instant::now();
            let set = rules::load(&origin, &Settings::default())?;
            slowest = slowest.max(started.elapsed());
            firewall.swap(set);
            if index == SETTLED.min(count) {
                settled = process::resident(pid)?;
            }
        }
        Ok(format!("{} {settled} {}", slowest.as_micros(), process::resident(pid)?))
    })
    .await?
}

async fn answer(large: Bytes, request: Request<EdgeBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_large = request.uri().path() == "/large";
    let _ = request.into_body().collect().await;
    let body =
        if is_large { large } else { Bytes::from_static(b"<!doctype html><title>Campaigns</title><p>None yet.") };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("nobody listens")
}

/// The program itself, to start as a server.
pub(crate) fn program() -> Result<PathBuf> {
    std::env::current_exe().context("this program does not know where it is")
}
