//! A client that sends bytes as they are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Until an answer is given up.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Client {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// A new connection.
pub(super) struct Connection {
    /// Where it comes from.
    pub(super) from: SocketAddr,
    stream: TlsStream<TcpStream>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The edge's name for the request; none if it did not come so far.
    pub(super) id: Option<String>,
    /// The content, as far as it was read.
    pub(super) text: String,
}

impl Client {
    pub(super) fn new(address: SocketAddr, certificate: &CertificateDer<'static>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { address, name: ServerName::try_from("localhost")?, tls: TlsConnector::from(Arc::new(config)) })
    }

    pub(super) async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await.context("cannot connect to the edge")?;
        stream.set_nodelay(true)?;
        let from = stream.local_addr()?;
        let stream = self.tls.connect(self.name.clone(), stream).await.context("no TLS with the edge")?;
        Ok(Connection { from, stream })
    }
}

impl Connection {
    /// The answer to `wire`, as far as it says something; none if the connection was closed without.
    pub(super) async fn ask(mut self, wire: &[u8]) -> Option<Answer> {
        // The edge may have said all that it has to say before everything is written.
        let _ = self.stream.write_all(wire).await;
        let _ = self.stream.flush().await;
        timeout(PATIENCE, self.read()).await.ok().flatten()
    }

    async fn read(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let (status, id, head) = loop {
            match read_head(&bytes) {
                // What the server says meanwhile is no answer.
                Some((100..200, _, length)) => drop(bytes.drain(..length)),
                Some(head) => break head,
                None if self.stream.read_buf(&mut bytes).await.ok()? == 0 => return None,
                None => {}
            }
        };
        if id.is_none() {
            // Refused: the connection ends behind the reason.
            let _ = self.stream.read_to_end(&mut bytes).await;
        }
        let text = String::from_utf8_lossy(&bytes[head..]).into_owned();
        Some(Answer { status, id, text })
    }
}

/// Status, id and length of the head of an answer; none if it has not ended yet.
fn read_head(bytes: &[u8]) -> Option<(u16, Option<String>, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let mut ids = fields.filter(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
    let id = ids.next().map(|(_, value)| value.trim().to_owned());
    Some((status, id, end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let wire = b"HTTP/1.1 403 Forbidden\r\nX-Request-Id: abc\r\nA: b\r\n\r\ntext";
        assert_eq!(read_head(wire), Some((403, Some("abc".to_owned()), wire.len() - 4)));
        assert_eq!(read_head(b"HTTP/1.1 400 Bad\r\n\r\n"), Some((400, None, 20)));
        assert_eq!(read_head(&wire[..40]), None);
    }
}
