//! One connection from its handshake to its end: HTTP/1 through the guard, HTTP/2 under a watch.

mod watch;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use crate::acme;
use crate::guard::{Guarded, Times, Turn};
use crate::head::HeadLimits;
use crate::listener::{Limits, Peer};
use crate::pace::Paced;
use watch::Watch;

/// For a client of HTTP/2 to leave when it was told to and nothing is open.
const LEAVE: Duration = Duration::from_secs(2);

/// What every connection of a listener shares.
pub(crate) struct Protocol {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    head: HeadLimits,
    times: Times,
    handshake: Duration,
    stall: Duration,
}

impl Protocol {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        // The guard has bounded lengths and times before hyper sees a byte.
        http1.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.header_bytes.max(8 * 1024));
        if limits.header_count > 100 {
            http1.max_headers(limits.header_count);
        }
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        Self {
            http1,
            http2,
            head: HeadLimits {
                line: limits.line_bytes.min(limits.header_bytes),
                fields: limits.header_count,
                bytes: limits.header_bytes,
            },
            times: Times {
                idle: limits.idle,
                head: limits.headers,
                body_grace: limits.body_grace,
                body_rate: limits.body_rate,
            },
            handshake: limits.handshake,
            stall: limits.stall,
        }
    }

    /// Serves a client until one of both is done; after `stop` turns true, until what is open has ended.
    pub(crate) async fn serve<S, B>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: TlsAcceptor,
        service: S,
        mut stop: Receiver<bool>,
    ) where
        S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Ok(Ok(mut stream)) = timeout(self.handshake, tls.accept(Paced::new(stream, self.stall))).await else {
            tracing::debug!("a TLS handshake was not completed");
            return;
        };
        // Its proof is the handshake (RFC 8737 §3).
        if stream.get_ref().1.alpn_protocol() == Some(acme::PROTOCOL) {
            let _ = timeout(self.handshake, stream.shutdown()).await;
            return;
        }
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        // A client that has not said anything costs no more than its TLS.
        let is_there = tokio::select! {
            first = timeout(self.times.idle, stream.fill_buf()) => matches!(first, Ok(Ok([_, ..]))),
            _ = stop.wait_for(|stop| *stop) => false,
        };
        // Boxed: a client that has not said anything does not hold their memory either.
        let ended = match (is_there, is_http2) {
            (false, _) => timeout(self.handshake, stream.shutdown()).await.unwrap_or(Ok(())).map_err(Box::from),
            (true, false) => Box::pin(self.serve_http1(stream, peer, service, stop)).await.map_err(Box::from),
            (true, true) => Box::pin(self.serve_http2(stream, peer, service, stop)).await,
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        }
    }

    async fn serve_http1<S, B>(
        &self,
        stream: TlsStream<Paced<TcpStream>>,
        peer: SocketAddr,
        service: S,
        mut stop: Receiver<bool>,
    ) -> hyper::Result<()>
    where
        S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let turn = Turn::default();
        let guarded = Guarded::new(stream, self.head, self.times, turn.clone());
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            let (service, taken) = (service.clone(), turn.take());
            async move {
                // Cannot be: hyper is handed one head at a time. If it were, nothing may be judged by another's head.
                let (raw, open) = taken
                    .filter(|(raw, _)| raw.method == request.method().as_str().as_bytes())
                    .ok_or_else(|| io::Error::other("request and head are out of step"))?;
                request.extensions_mut().insert(Peer(peer));
                request.extensions_mut().insert(raw);
                let Ok(response) = service.oneshot(request).await;
                open.answer(response.status());
                // Open until the body is dropped.
                Ok::<_, io::Error>(response.map(|body| {
                    body.map_err(move |error| {
                        let _ = &open;
                        error
                    })
                }))
            }
        });
        let connection = self.http1.serve_connection(TokioIo::new(guarded), TowerToHyperService::new(service));
        let mut connection = pin!(connection.with_upgrades());
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    async fn serve_http2<S, B>(
        &self,
        stream: TlsStream<Paced<TcpStream>>,
        peer: SocketAddr,
        service: S,
        mut stop: Receiver<bool>,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let watch = Arc::new(Watch::default());
        let watched = watch.clone();
        let service = service.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let service = tower::service_fn(move |request| {
            let (service, stream) = (service.clone(), watched.open());
            async move {
                let Ok(response) = service.oneshot(request).await;
                Ok::<_, Infallible>(response.map(|body| stream.watch(body)))
            }
        });
        let mut connection = pin!(self.http2.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = watch.idle(self.times.idle) => {}
            () = watch.stalled(self.stall) => return Err("the client does not read".into()),
            _ = stop.wait_for(|stop| *stop) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection.as_mut() => Ok(ended?),
            () = watch.stalled(self.stall) => Err("the client does not read".into()),
            () = async {
                tokio::time::sleep(LEAVE).await;
                watch.idle(LEAVE).await;
            } => Err("the client does not leave".into()),
        }
    }
}
