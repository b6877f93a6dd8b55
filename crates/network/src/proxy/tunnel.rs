//! WebSockets: after both sides have agreed, bytes go through in both directions and nobody reads them.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::BoxError;

use super::fields;
use crate::body::EdgeBody;
use crate::edge::answer;

/// The client wants to leave HTTP for a WebSocket.
pub(super) struct Asked(OnUpgrade);

/// Whether a request asks for a WebSocket, and nothing else. What other protocol it asks for is not heard, as RFC 9110
/// (§7.8) lets a server do.
pub(super) fn asked(request: &mut Request<EdgeBody>) -> Option<Asked> {
    let asks = request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && fields::is_websocket(request.headers());
    asks.then(|| Asked(hyper::upgrade::on(request)))
}

impl Asked {
    /// The answer that tells the client so, and a task that carries the bytes until one side ends, or both are silent
    /// for `idle`. None if the upstream has agreed to something else.
    pub(super) fn open(
        self,
        response: &mut Response<Incoming>,
        idle: Duration,
    ) -> Option<Response<UnsyncBoxBody<Bytes, BoxError>>> {
        if !fields::is_websocket(response.headers()) {
            return None;
        }
        let upstream = hyper::upgrade::on(&mut *response);
        let client = self.0;
        tokio::spawn(async move {
            // One of them has gone before it began.
            let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else { return };
            carry(TokioIo::new(client), TokioIo::new(upstream), idle).await;
        });
        let mut headers = std::mem::take(response.headers_mut());
        fields::to_client(&mut headers);
        fields::switch(&mut headers);
        let mut switched = Response::new(answer::body(Bytes::new()));
        *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *switched.headers_mut() = headers;
        Some(switched)
    }
}

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

async fn carry(
    client: impl tokio::io::AsyncRead + tokio::io::AsyncWrite,
    upstream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite,
    idle: Duration,
) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_upstream, mut to_upstream) = tokio::io::split(upstream);
    let (mut up, mut down) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let moved = tokio::select! {
            read = from_client.read(&mut up) => match read {
                Ok(length @ 1..) => tokio::time::timeout(idle, to_upstream.write_all(&up[..length])).await,
                _ => break,
            },
            read = from_upstream.read(&mut down) => match read {
                Ok(length @ 1..) => tokio::time::timeout(idle, to_client.write_all(&down[..length])).await,
                _ => break,
            },
            () = tokio::time::sleep(idle) => break,
        };
        if !matches!(moved, Ok(Ok(()))) {
            break;
        }
    }
    let _ = tokio::time::timeout(idle, async { tokio::join!(to_client.shutdown(), to_upstream.shutdown()) }).await;
}
