//! Connections to upstreams, plain or with TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ProxyError, ProxySettings};

/// Connects to upstreams. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Option<TlsConnector>,
    time: Duration,
}

impl Connector {
    /// Certificates are those that the system trusts, read if an upstream needs them.
    pub(super) fn new(settings: &ProxySettings) -> Result<Self, ProxyError> {
        let needs_tls = settings.upstreams.iter().any(super::Upstream::is_https);
        let tls = if needs_tls { Some(TlsConnector::from(Arc::new(trust()?))) } else { None };
        Ok(Self { tls, time: settings.connect })
    }

    async fn connect(self, uri: Uri) -> io::Result<Link> {
        let unusable = || io::Error::from(io::ErrorKind::InvalidInput);
        let host = uri.host().ok_or_else(unusable)?.trim_matches(['[', ']']).to_owned();
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        stream.set_nodelay(true)?;
        match self.tls.filter(|_| is_https) {
            None if is_https => Err(unusable()),
            None => Ok(Link::Plain(TokioIo::new(stream))),
            Some(tls) => {
                let name = ServerName::try_from(host).map_err(|_| unusable())?;
                Ok(Link::Tls(TokioIo::new(Box::new(tls.connect(name, stream).await?))))
            }
        }
    }
}

fn trust() -> Result<ClientConfig, ProxyError> {
    let mut roots = RootCertStore::empty();
    // Stores often hold a few certificates that cannot be read; they only shrink what is trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(ProxyError::NoTrust);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|_| ProxyError::NoTrust)?.with_root_certificates(roots).with_no_client_auth())
}

impl tower::Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let time = connector.time;
            match tokio::time::timeout(time, connector.connect(uri)).await {
                Ok(connected) => connected,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }
}

/// A connection to an upstream.
pub(super) enum Link {
    Plain(TokioIo<TcpStream>),
    Tls(TokioIo<Box<TlsStream<TcpStream>>>),
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Link {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl Write for Link {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
