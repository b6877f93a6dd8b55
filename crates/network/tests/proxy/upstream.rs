//! A service of the test's own that keeps what it is sent byte by byte, and answers in ways that services have.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    name: String,
    requests: Mutex<Vec<String>>,
    /// `/events` goes on.
    released: Notify,
}

/// Bytes of `/large`.
pub(crate) const LARGE: usize = 48 << 20;

impl Upstream {
    /// Within a runtime.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_at(name, "127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn start_at(name: &str, address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        // A port that has just been left must not be waited for.
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { name: name.to_owned(), ..Shared::default() });
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Self { address, shared, serving }
    }

    /// What came since it was asked last, without health checks.
    pub(crate) fn requests(&self) -> Vec<String> {
        let mut requests = std::mem::take(&mut *self.shared.requests.lock().unwrap());
        requests.retain(|request| !request.contains("Letterkeep-Edge"));
        requests
    }

    pub(crate) fn release(&self) {
        self.shared.released.notify_one();
    }

    /// Stops; nobody can connect any more, and connections that were made are closed.
    pub(crate) async fn stop(self) -> SocketAddr {
        self.serving.abort();
        let _ = self.serving.await;
        self.address
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, shared.clone()));
    }
}

async fn converse(mut stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let length = loop {
            match complete(&bytes) {
                Some(length) => break length,
                None if stream.read_buf(&mut bytes).await? == 0 => return Ok(()),
                None => {}
            }
        };
        let request = String::from_utf8_lossy(&bytes[..length]).into_owned();
        bytes.drain(..length);
        shared.requests.lock().unwrap().push(request.clone());
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path {
            "/events" => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(format!("{head}c\r\ndata: first\n\r\n").as_bytes()).await?;
                shared.released.notified().await;
                stream.write_all(b"d\r\ndata: second\n\r\n0\r\n\r\n").await?;
            }
            "/large" => {
                stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes()).await?;
                let piece = vec![b'x'; 1 << 16];
                for _ in 0..LARGE / piece.len() {
                    stream.write_all(&piece).await?;
                }
            }
            "/silent" => std::future::pending::<()>().await,
            "/half" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").await?;
                std::future::pending::<()>().await;
            }
            "/garbage" => return stream.write_all(b"this is no answer\r\n\r\n").await,
            "/ill" => stream.write_all(b"HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n").await?,
            "/fields" => {
                let fields = "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nServer: Old/1.0\r\n\
                              X-Powered-By: PHP/5\r\nX-Kept: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0";
                stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").as_bytes()).await?;
            }
            "/socket" | "/unasked" | "/other" => {
                let protocol = if path == "/other" { "tls/1.0" } else { "websocket" };
                let fields = "Connection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
                let head = format!("HTTP/1.1 101 Switching\r\n{fields}\r\nUpgrade: {protocol}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await?;
                return Ok(());
            }
            _ if request.starts_with("HEAD ") => {
                let fields = "Content-Type: text/html\r\nContent-Length: 1234";
                stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").as_bytes()).await?;
            }
            _ => {
                let name = &shared.name;
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                stream.write_all(answer.as_bytes()).await?;
            }
        }
        if request.to_ascii_lowercase().contains("\r\nconnection: close\r\n") {
            return Ok(());
        }
    }
}

/// The length of the request that `bytes` begins with, if all of it is there.
fn complete(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if text.contains("\r\ntransfer-encoding: chunked\r\n") {
        let end = bytes[head..].windows(5).position(|five| five == b"0\r\n\r\n")?;
        return Some(head + end + 5);
    }
    let length = text.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.split('\r').next());
    let body: usize = length.map_or(0, |length| length.parse().unwrap());
    (bytes.len() >= head + body).then_some(head + body)
}
