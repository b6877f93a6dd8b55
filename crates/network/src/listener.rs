//! Accepting connections: handshake, protocol, limits, orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{Certificate, CertificateError};

/// What a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time; further ones wait in the system's queue.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its headers (slow-header attack).
    pub headers: Duration,
    /// Request headers in bytes (HTTP/1).
    pub header_bytes: usize,
    /// Streams at the same time on one HTTP/2 connection.
    pub streams: u32,
    /// For open requests to end when the service stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            header_bytes: 64 * 1024,
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
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A bound TLS listener.
pub struct Listener {
    tcp: TcpListener,
    tls: TlsAcceptor,
    chain: Vec<CertificateDer<'static>>,
    limits: Limits,
}

/// The address of the client, put into each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Listener {
    /// Binds `address`.
    pub async fn bind(address: SocketAddr, certificate: Certificate, limits: Limits) -> Result<Self, ListenError> {
        let chain = certificate.chain().to_vec();
        let tls = TlsAcceptor::from(certificate.server_config()?);
        let tcp = TcpListener::bind(address).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ListenError::InUse(address),
            std::io::ErrorKind::PermissionDenied => ListenError::Permission(address),
            _ => ListenError::Other(address, error),
        })?;
        Ok(Self { tcp, tls, chain, limits })
    }

    /// The address that is listened on; tells the port where 0 was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The certificate chain that clients see.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Serves until `stop` is done, then lets open requests end.
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
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let graceful = GracefulShutdown::new();
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.headers)
            .max_buf_size(self.limits.header_bytes);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams)
            .max_header_list_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        let http = Arc::new(http);
        tokio::pin!(stop);
        loop {
            let (stream, peer, place) = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.tcp, &places) => accepted,
            };
            let (tls, http, service) = (self.tls.clone(), http.clone(), service.clone());
            let watcher = graceful.watcher();
            let handshake = self.limits.handshake;
            tokio::spawn(async move {
                let _place = place;
                let Ok(Ok(stream)) = tokio::time::timeout(handshake, tls.accept(stream)).await else {
                    tracing::debug!("a TLS handshake was not completed");
                    return;
                };
                let service = tower::ServiceExt::map_request(service, move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(Peer(peer));
                    request
                });
                let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
                if let Err(error) = watcher.watch(connection.into_owned()).await {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
        drop(self.tcp);
        let _ = tokio::time::timeout(self.limits.drain, graceful.shutdown()).await;
    }
}

/// The next connection, once there is a place for it. Never fails: an error of `accept` concerns one client, or passes
/// (too many open files).
async fn accept(
    tcp: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { std::future::pending().await };
        match tcp.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return (stream, peer, place);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
