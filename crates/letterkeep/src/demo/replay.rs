//! What recipients do after delivery: some open, some click, a few unsubscribe with one click (RFC 8058).

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use rustls::pki_types::CertificateDer;

use super::http::Visitor;
use super::mailbox::Visits;
use super::progress::Progress;

/// Of those kept: every how many opens, clicks, unsubscribes.
const OPEN_EVERY: usize = 2;
const CLICK_EVERY: usize = 5;
const UNSUBSCRIBE_EVERY: usize = 60;

/// How many recipients did what.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Replayed {
    pub(crate) opens: i64,
    pub(crate) clicks: i64,
    pub(crate) unsubscribes: i64,
}

pub(crate) async fn run(
    visits: &[Visits],
    address: SocketAddr,
    public_url: &str,
    chain: &[CertificateDer<'static>],
) -> anyhow::Result<Replayed> {
    let host = public_url.trim_start_matches("https://");
    let mut visitor = Visitor::connect(address, host, chain).await?;
    let mut progress = Progress::start("recipients", "visits", visits.len() as u64);
    let total = visits.len() as u64;
    let mut replayed = Replayed::default();
    for (number, visits) in visits.iter().enumerate() {
        progress.at(number as u64, total);
        if number % OPEN_EVERY == 0
            && let Some(open) = &visits.open
        {
            let answer = visitor.request(path(open, public_url)?, None).await?;
            ensure!(answer.status == 200, "the tracking pixel answered {}", answer.status);
            replayed.opens += 1;
        }
        if number % CLICK_EVERY == 0
            && let Some(click) = &visits.click
        {
            let answer = visitor.request(path(click, public_url)?, None).await?;
            ensure!((300..400).contains(&answer.status), "a link answered {}", answer.status);
            ensure!(answer.location.is_some(), "a link leads nowhere");
            replayed.clicks += 1;
        }
        if number % UNSUBSCRIBE_EVERY == 7
            && let Some(unsubscribe) = &visits.unsubscribe
        {
            let path = path(unsubscribe, public_url)?;
            let answer = visitor.request(path, Some("List-Unsubscribe=One-Click")).await?;
            ensure!(answer.status == 200, "the one-click unsubscribe answered {}", answer.status);
            replayed.unsubscribes += 1;
        }
    }
    progress.finish((replayed.opens + replayed.clicks + replayed.unsubscribes) as u64);
    Ok(replayed)
}

fn path<'a>(address: &'a str, public_url: &str) -> anyhow::Result<&'a str> {
    address.strip_prefix(public_url).with_context(|| "a message holds a link that is not ours".to_owned())
}
