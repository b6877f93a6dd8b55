//! An SMTP server that keeps nothing: it hands each message to a callback. For the demonstration and for tests.
//!
//! It listens on loopback addresses alone, so that it can never become an open relay, and bounds what one connection
//! may hold in memory. It can be told to refuse recipients or to close the connection at an awkward moment.

mod session;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::rustls::ServerConfig;

use session::session;

/// Connections at the same time; more wait.
const CONNECTIONS: usize = 256;

/// What the sink does with a sender or a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Takes the message.
    Accept,
    /// Answers MAIL with this line, for example `550 5.7.1 quota`.
    AnswerSender(String),
    /// Answers RCPT with this line, for example `550 5.1.1 unknown`.
    AnswerRecipient(String),
    /// Answers the message with this line.
    AnswerMessage(String),
    /// Closes the connection at RCPT.
    CloseAtRecipient,
    /// Closes the connection in the middle of the message.
    CloseInMessage,
    /// Takes the whole message, keeps it, and closes the connection without an answer.
    CloseAfterMessage,
}

/// A message that the sink has taken.
pub struct Taken {
    /// The envelope sender.
    pub from: String,
    /// The recipients that were accepted.
    pub to: Vec<String>,
    /// The message as its sender wrote it: CRLF line ends, dots undoubled.
    pub message: Vec<u8>,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// Whether the sender had logged in.
    pub logged_in: bool,
}

/// How the sink behaves.
#[derive(Clone)]
pub struct Behaviour {
    /// Called for each sender: [`Reaction::Accept`] or [`Reaction::AnswerSender`].
    pub react_to_sender: Arc<dyn Fn(&str) -> Reaction + Send + Sync>,
    /// Called for each recipient.
    pub react: Arc<dyn Fn(&str) -> Reaction + Send + Sync>,
    /// Called for each message taken.
    pub take: Arc<dyn Fn(Taken) + Send + Sync>,
    /// Offers STARTTLS with this certificate, or speaks TLS from the first byte.
    pub tls: Option<(SinkTls, Arc<ServerConfig>)>,
    /// Demands a log-in with this user name and password.
    pub login: Option<(String, String)>,
    /// Whether it offers PIPELINING.
    pub pipelining: bool,
    /// The largest message in bytes.
    pub max_message: usize,
}

/// When the sink speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkTls {
    /// From the first byte.
    Implicit,
    /// After STARTTLS.
    StartTls,
}

impl Behaviour {
    /// Takes everything, in the clear, and hands it to `take`.
    pub fn accept_all(take: impl Fn(Taken) + Send + Sync + 'static) -> Self {
        Self {
            react_to_sender: Arc::new(|_| Reaction::Accept),
            react: Arc::new(|_| Reaction::Accept),
            take: Arc::new(take),
            tls: None,
            login: None,
            pipelining: true,
            max_message: 4 * 1024 * 1024,
        }
    }
}

/// Why the sink does not start.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Not a loopback address.
    #[error("the sink listens on this machine only (127.0.0.1 or ::1); {0} would be reachable from elsewhere")]
    NotLoopback(SocketAddr),
    /// The address is in use or not there.
    #[error("the sink cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// A running sink; it ends when this is dropped.
pub struct Sink {
    address: SocketAddr,
    task: AbortHandle,
}

impl Sink {
    /// Listens on `address` (port 0: any free port).
    pub async fn start(address: SocketAddr, behaviour: Behaviour) -> Result<Self, SinkError> {
        if !address.ip().is_loopback() {
            return Err(SinkError::NotLoopback(address));
        }
        let listen = |error| SinkError::Listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let task = tokio::spawn(accept(listener, behaviour)).abort_handle();
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, behaviour: Behaviour) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut sessions = JoinSet::new();
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        // A connection that ended before it was accepted is no reason to stop.
        let Ok((socket, _)) = listener.accept().await else { continue };
        let behaviour = behaviour.clone();
        sessions.spawn(async move {
            // Whatever ends a session concerns its client alone.
            let _ = session(socket, &behaviour).await;
            drop(slot);
        });
        while sessions.try_join_next().is_some() {}
    }
}
