//! The sink's side: takes the messages, has their signatures verified, and keeps what a few recipients will do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use letterkeep_delivery::sink::{Behaviour, Sink, Taken};
use letterkeep_delivery::{CLICK_PATH, OPEN_PATH};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::verify::Verifier;

/// Every how many messages a recipient is kept to act later.
const VISITOR_EVERY: usize = 7;

/// The addresses in one message that its recipient may visit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visits {
    pub(crate) open: Option<String>,
    pub(crate) click: Option<String>,
    pub(crate) unsubscribe: Option<String>,
}

/// What arrived.
pub(crate) struct Received {
    pub(crate) messages: i64,
    pub(crate) signatures: i64,
    pub(crate) held: i64,
    pub(crate) visits: Vec<Visits>,
}

/// A running sink with its verifier. It takes mail until it is dropped.
pub(crate) struct Mailbox {
    sink: Sink,
    taken: Arc<Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>>,
    records: Arc<OnceLock<Vec<(String, String)>>>,
    verifying: JoinHandle<anyhow::Result<Received>>,
}

impl Mailbox {
    /// Listens on a free port of this machine.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel::<Vec<u8>>();
        let taken = Arc::new(Mutex::new(Some(sender)));
        let records: Arc<OnceLock<Vec<(String, String)>>> = Arc::default();
        let take = {
            let taken = taken.clone();
            move |message: Taken| {
                if let Some(sender) = &*taken.lock().unwrap_or_else(PoisonError::into_inner) {
                    let _ = sender.send(message.message);
                }
            }
        };
        let sink = Sink::start(SocketAddr::from(([127, 0, 0, 1], 0)), Behaviour::accept_all(take)).await?;
        let verifying = tokio::spawn(verify(receiver, records.clone()));
        Ok(Self { sink, taken, records, verifying })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.sink.address()
    }

    /// The DKIM records that the signatures are verified against.
    pub(crate) fn publish(&self, records: Vec<(String, String)>) {
        let _ = self.records.set(records);
    }

    /// Waits until everything that arrived is verified. What arrives from now on is taken and thrown away.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<Received> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        (&mut self.verifying).await.context("the verifier ended abnormally")?
    }
}

async fn verify(
    mut receiver: mpsc::UnboundedReceiver<Vec<u8>>,
    records: Arc<OnceLock<Vec<(String, String)>>>,
) -> anyhow::Result<Received> {
    let mut received = Received { messages: 0, signatures: 0, held: 0, visits: Vec::new() };
    let mut verifier = None;
    while let Some(message) = receiver.recv().await {
        let verifier = match &verifier {
            Some(verifier) => verifier,
            None => verifier.insert(Verifier::new(records.get().map_or(&[], Vec::as_slice))?),
        };
        let (signatures, held) = verifier.signatures(&message).await;
        received.signatures += i64::try_from(signatures)?;
        received.held += i64::try_from(held)?;
        if received.messages % VISITOR_EVERY as i64 == 0 {
            received.visits.push(visits(&message));
        }
        received.messages += 1;
    }
    Ok(received)
}

/// Finds the addresses in a message as a mail program would.
fn visits(message: &[u8]) -> Visits {
    let Some(message) = mail_parser::MessageParser::default().parse(message) else { return Visits::default() };
    let html = message.body_html(0).unwrap_or_default();
    let unsubscribe = message
        .header_raw("List-Unsubscribe")
        .and_then(|header| {
            header.split('<').find_map(|part| part.split('>').next().filter(|a| a.starts_with("https:")))
        })
        .map(ToOwned::to_owned);
    Visits { open: address(&html, "src=\"", OPEN_PATH), click: address(&html, "href=\"", CLICK_PATH), unsubscribe }
}

/// The first address after `before` that leads to `place`.
fn address(html: &str, before: &str, place: &str) -> Option<String> {
    html.split(before)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|text| text.replace("&amp;", "&"))
        .find(|address| address.contains(place))
}
