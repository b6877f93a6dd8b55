//! Clients of the edge: from an address of their own, over TLS, with one connection for many requests.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes connections. All of them share one store of TLS sessions.
#[derive(Clone)]
pub(crate) struct Client {
    server: SocketAddr,
    tls: TlsConnector,
}

/// A connection that waits for its next request.
pub(crate) struct Connection {
    pub(crate) stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The server closes this connection.
    pub(crate) closes: bool,
}

impl Client {
    pub(crate) fn new(server: SocketAddr, certificate: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(std::fs::read(certificate)?))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { server, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// From the client with this number in this group, with room for so many bytes that it has not read.
    pub(crate) async fn connect(&self, group: u8, number: u16, room: Option<u32>) -> io::Result<Connection> {
        let [high, low] = number.to_be_bytes();
        let socket = TcpSocket::new_v4()?;
        if let Some(room) = room {
            socket.set_recv_buffer_size(room)?;
        }
        // The whole of 127.0.0.0/8 is this machine; the last part is never 0 or 255.
        let from = Ipv4Addr::new(127, group, high.wrapping_mul(2).wrapping_add(low / 128), low % 128 + 1);
        socket.bind(SocketAddr::new(from.into(), 0))?;
        let stream = socket.connect(self.server).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        Ok(Connection { stream: self.tls.connect(name, stream).await?, buffer: Vec::new() })
    }
}

impl Connection {
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.answer().await
    }

    /// Reads one whole answer.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length: usize = field("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0);
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("the answer has no status"))?;
        let closes = field("connection:") == Some("close");
        while self.buffer.len() < end + length {
            self.read().await?;
        }
        self.buffer.drain(..end + length);
        Ok(Answer { status, closes })
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
