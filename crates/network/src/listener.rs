//! Accepting connections: places, limits, orderly end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use letterkeep_model::Network;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::certificate::CertificateError;
use crate::connection::Protocol;
use crate::places::{Place, Places};
use crate::tls::{Tls, TlsSource};

/// What clients may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at the same time; one place in twenty is only for `trusted` networks.
    pub connections: usize,
    /// Connections at the same time from one network: an IPv4 address, or 64 bits of an IPv6 address.
    pub connections_per_network: usize,
    /// Networks that may take every place, such as proxies that speak for many clients.
    pub trusted: Vec<Network>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its headers (slow-header attack).
    pub headers: Duration,
    /// One line of the headers in bytes.
    pub line_bytes: usize,
    /// Header fields of a request.
    pub header_count: usize,
    /// All request headers in bytes.
    pub header_bytes: usize,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// Bytes of a request's body in a second, at least (HTTP/1).
    pub body_rate: u32,
    /// For how long a body may be slower than that, or stand still.
    pub body_grace: Duration,
    /// For how long a client may leave an answer lying (slow-read attack).
    pub stall: Duration,
    /// Streams at the same time on one HTTP/2 connection.
    pub streams: u32,
    /// For open requests to end when the service stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_network: 200,
            trusted: Vec::new(),
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            line_bytes: 16 * 1024,
            header_count: 100,
            header_bytes: 64 * 1024,
            idle: Duration::from_secs(75),
            body_rate: 1024,
            body_grace: Duration::from_secs(20),
            stall: Duration::from_secs(30),
            streams: 64,
            drain: Duration::from_secs(10),
        }
    }
}

/// Why the service cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program listens there.
    #[error("{0} is in use by another program; stop it, or choose another address with --listen")]
    InUse(SocketAddr),
    /// The port needs a privilege.
    #[error("no permission to listen on {0}; ports below 1024 need a privilege: choose another with --listen")]
    Permission(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, std::io::Error),
    /// The public host is none.
    #[error("{0} is not a host to send browsers to; give a name or an address, with or without a port")]
    Host(String),
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A bound TLS listener.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Tls,
    limits: Limits,
    places: Arc<Places>,
    config: Arc<ServerConfig>,
}

/// The address of the client, put into each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Listener {
    /// Binds `address`.
    pub async fn bind(address: SocketAddr, source: TlsSource, limits: Limits) -> Result<Self, ListenError> {
        let tls = Tls::new(source)?;
        let config = tls.server_config()?;
        let tcp = bind(address).await?;
        let places = Places::new(limits.connections, limits.connections_per_network, limits.trusted.clone());
        Ok(Self { tcp, tls, limits, places: Arc::new(places), config })
    }

    /// The address that is listened on; tells the port where 0 was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The certificate: to look at, and to read again.
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// How many places are taken.
    pub fn places(&self) -> Arc<Places> {
        self.places.clone()
    }

    /// Serves until `stop` is done, then lets open requests end.
    ///
    /// A request of HTTP/1 carries its head as it was sent in its extensions, as `Arc<`[`RawHead`](crate::RawHead)`>`;
    /// every request carries its [`Peer`].
    pub async fn serve<S, B>(self, service: S, stop: impl Future<Output = ()>)
    where
        S: tower::Service<Request<Incoming>, Response = http::Response<B>, Error = std::convert::Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let protocol = Arc::new(Protocol::new(&self.limits));
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut reload = pin!(self.tls.clone().watch());
        let mut stop = pin!(stop);
        loop {
            let (stream, peer, place) = tokio::select! {
                () = &mut stop => break,
                () = &mut reload => continue,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&self.tcp, &self.places) => accepted,
            };
            let (protocol, service, stopped) = (protocol.clone(), service.clone(), stopped.clone());
            let tls = TlsAcceptor::from(self.config.clone());
            connections.spawn(async move {
                let _place = place;
                protocol.serve(stream, peer, tls, service, stopped).await;
            });
        }
        drop(self.tcp);
        let _ = stopping.send(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(self.limits.drain, all).await;
    }
}

/// Binds `address`.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => ListenError::InUse(address),
        std::io::ErrorKind::PermissionDenied => ListenError::Permission(address),
        _ => ListenError::Other(address, error),
    })
}

/// The next connection for which there is a place; others are closed. Never fails: an error of `accept` concerns one
/// client, or passes (too many open files).
pub(crate) async fn accept(tcp: &TcpListener, places: &Arc<Places>) -> (TcpStream, SocketAddr, Place) {
    loop {
        match tcp.accept().await {
            Ok((stream, peer)) => {
                if let Some(place) = places.take(peer.ip()) {
                    let _ = stream.set_nodelay(true);
                    return (stream, peer, place);
                }
                tracing::debug!("there is no place for a connection");
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
