//! An edge in proxy mode on loopback, and clients of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use letterkeep_model::{Clock as _, SystemClock, SystemEntropy};
use letterkeep_network::{
    Certificate, Edge, EdgeSettings, Firewall, Limits, Listener, Proxy, ProxySettings, TlsSource, Upstream,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) proxy: Proxy,
    roots: RootCertStore,
    _stop: oneshot::Sender<()>,
    _directory: tempfile::TempDir,
}

/// The defaults, with these upstreams.
pub(crate) fn before(upstreams: &[SocketAddr]) -> ProxySettings {
    let upstreams = upstreams.iter().map(|address| format!("http://{address}").parse::<Upstream>().unwrap());
    ProxySettings { upstreams: upstreams.collect(), ..ProxySettings::default() }
}

pub(crate) async fn start(settings: ProxySettings) -> Running {
    start_as(settings, EdgeSettings::default(), None).await
}

pub(crate) async fn start_as(settings: ProxySettings, edge: EdgeSettings, firewall: Option<Firewall>) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let certificate = Certificate::self_signed(directory.path(), &["localhost".into()], SystemClock.now()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.chain()[0].clone()).unwrap();
    let listener =
        Listener::bind("127.0.0.1:0".parse().unwrap(), TlsSource::Fixed(certificate), Limits::default()).await.unwrap();
    let address = listener.address().unwrap();
    let proxy = Proxy::new(settings).unwrap();
    let service = Edge::new(proxy.clone(), edge, firewall, Arc::new(SystemClock), Arc::new(SystemEntropy));
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(listener.serve(service, async {
        let _ = stopped.await;
    }));
    Running { address, proxy, roots, _stop: stop, _directory: directory }
}

impl Running {
    pub(crate) async fn connect(&self, alpn: &str) -> TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.into()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    /// Sends `wire` on a new HTTP/1 connection; what came back until the server closed it.
    pub(crate) async fn send(&self, wire: &str) -> String {
        let mut stream = self.connect("http/1.1").await;
        let _ = stream.write_all(wire.as_bytes()).await;
        let mut answer = Vec::new();
        // How the connection ends is not the subject here, only that it does.
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the connection ends");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks for a path and closes the connection.
    pub(crate) async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")).await
    }

    /// A connection of HTTP/2.
    pub(crate) async fn http2(&self) -> SendRequest<Full<Bytes>> {
        let stream = TokioIo::new(self.connect("h2").await);
        let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

/// A request of HTTP/2 to `shop.example`.
pub(crate) fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://shop.example{path}")).version(http::Version::HTTP_2)
}
