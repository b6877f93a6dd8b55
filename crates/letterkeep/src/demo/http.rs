//! What recipients do: requests to the service over HTTPS, from outside, trusting only its own certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One connection to the service.
pub(crate) struct Visitor {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// What the service answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
}

impl Visitor {
    /// Connects to `address` and checks that it shows `chain` for `host`.
    pub(crate) async fn connect(
        address: SocketAddr,
        host: &str,
        chain: &[CertificateDer<'static>],
    ) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in chain {
            roots.add(certificate.clone())?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
        let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name)?, stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: host.to_owned() })
    }

    /// Sends a request without a cookie; a body makes it a POST of a form.
    pub(crate) async fn request(&mut self, path: &str, form: Option<&'static str>) -> anyhow::Result<Answer> {
        // What mailboxes fetch with names itself too; rules take note of what does not.
        let agent = concat!("Letterkeep-demo/", env!("CARGO_PKG_VERSION"));
        let request = http::Request::builder().uri(path).header("host", &self.host);
        let mut request = request.header("user-agent", agent).header("accept", "*/*");
        if form.is_some() {
            request = request.method("POST").header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(Full::new(Bytes::from_static(form.unwrap_or_default().as_bytes())))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        Limited::new(answer.into_body(), 1 << 20).collect().await.map_err(|error| anyhow::anyhow!(error))?;
        Ok(Answer { status, location })
    }
}
