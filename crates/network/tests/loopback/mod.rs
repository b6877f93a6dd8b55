//! A listener on loopback, and a client that sends bytes as they are.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(dead_code, reason = "each test file uses a part of it")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use letterkeep_model::{Clock as _, SystemClock};
use letterkeep_network::{Certificate, Limits, Listener, Places, RawHead, TlsSource, check_http2};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A request as the service saw it, with its whole body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
    pub(crate) raw: Option<Arc<RawHead>>,
}

/// What came to the service: heads that began to be answered, and requests that were read to their end.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) begun: Mutex<Vec<String>>,
    pub(crate) seen: Mutex<Vec<Seen>>,
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) roots: RootCertStore,
    pub(crate) log: Arc<Log>,
    pub(crate) places: Arc<Places>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) served: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

/// Answers `/large` with 8 MiB, `/switch` with another protocol that repeats what it is sent, everything else with the
/// length of the body.
async fn answer(log: Arc<Log>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let plain = |status: StatusCode, body: String| {
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        response
    };
    log.begun.lock().unwrap().push(request.uri().to_string());
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    if let Err(refusal) = check_http2(&parts) {
        return plain(refusal.status(), refusal.to_string());
    }
    let Ok(body) = body.collect().await else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "the service saw half a body".into());
    };
    let body = body.to_bytes().to_vec();
    let raw = parts.extensions.get::<Arc<RawHead>>().cloned();
    let target = parts.uri.path().to_owned();
    let answer = format!("{} {target} {}", parts.method, body.len());
    log.seen.lock().unwrap().push(Seen { method: parts.method.to_string(), target: target.clone(), body, raw });
    match target.as_str() {
        "/large" => Response::new(Full::from(vec![b'x'; 8 << 20])),
        "/switch" => {
            tokio::spawn(async move {
                let mut io = hyper_util::rt::TokioIo::new(on_upgrade.await.unwrap());
                let mut bytes = [0; 256];
                while let Ok(length @ 1..) = io.read(&mut bytes).await {
                    io.write_all(&bytes[..length]).await.unwrap();
                }
            });
            let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, String::new());
            response.headers_mut().insert("connection", "upgrade".parse().unwrap());
            response.headers_mut().insert("upgrade", "echo".parse().unwrap());
            response
        }
        _ => plain(StatusCode::OK, answer),
    }
}

pub(crate) async fn start(limits: Limits) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::self_signed(dir.path(), &["localhost".into()], SystemClock.now()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.chain()[0].clone()).unwrap();
    let source = TlsSource::Fixed(certificate);
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), source, limits).await.unwrap();
    let address = listener.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let log = Arc::new(Log::default());
    let places = listener.places();
    let to = log.clone();
    let service = tower::service_fn(move |request| {
        let to = to.clone();
        async move { Ok::<_, Infallible>(answer(to, request).await) }
    });
    let served = tokio::spawn(listener.serve(service, async {
        let _ = stopped.await;
    }));
    Running { address, roots, log, places, stop, served, _dir: dir }
}

impl Running {
    pub(crate) async fn connect(&self, alpn: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.into()];
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
    }

    /// Sends `wire` on a new connection; what came back until the server closed it.
    pub(crate) async fn send(&self, wire: &[u8]) -> String {
        let mut stream = self.connect("http/1.1").await.unwrap();
        // The server may have said all it has to say before everything is written.
        let _ = stream.write_all(wire).await;
        let _ = stream.flush().await;
        read_all(&mut stream).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.log.seen.lock().unwrap())
    }
}

/// Everything until the server closes the connection, which it must do in time.
pub(crate) async fn read_all(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer))
        .await
        .expect("the server closes the connection")
        .expect("the server closes in order");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Says what `cargo xtask test` counts: on standard error itself, which the test runner does not swallow.
pub(crate) fn skipped(subject: &str, reason: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "SKIPPED {subject}: {reason}");
}

/// The first program of these names on the search path.
pub(crate) fn program(names: &[&str]) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).flat_map(|place| names.iter().map(move |name| place.join(name)));
    { found }.find(|program| program.is_file())
}
