//! What stands between a tool and what it attacks: plain HTTP on loopback for the tool, which is handed on as it is (over
//! TLS, to the edge), and a record of every request with the status that it was answered with.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::SET_COOKIE;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

/// Nobody gets there: it would end the session that is to be attacked. (Debian's wapiti cannot leave out a page itself.)
const WAY_OUT: &str = "/log-out";

/// A request of a tool.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// Method, target and body, as they came.
    pub(crate) request: String,
    /// How it was answered.
    pub(crate) status: u16,
    /// What the edge calls it.
    pub(crate) id: String,
}

/// A running recorder.
pub(crate) struct Recorder {
    base: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    port: u16,
    connector: TlsConnector,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Recorder {
    /// In front of what listens on `port` of this machine and shows `certificate`.
    pub(crate) async fn start(port: u16, certificate: CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let shared = Arc::new(Shared { port, connector, exchanges: Mutex::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let router = Router::new().fallback(pass_on).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, shared, task }
    }

    /// `http://localhost:PORT`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for a page itself, unrecorded; yields the status.
    pub(crate) async fn look(&self, path: &str, cookie: &str) -> u16 {
        let request = http::Request::get(path).header("host", "localhost").header("cookie", cookie);
        ask(&self.shared, request.body(Full::default()).unwrap()).await.unwrap().status().as_u16()
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == WAY_OUT {
        return http::StatusCode::NO_CONTENT.into_response();
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let text = format!("{} {target}\n{}", parts.method, String::from_utf8_lossy(&body));
    let response = ask(&shared, http::Request::from_parts(parts, Full::new(body))).await;
    // Whatever else the edge does with a request that it does not want, it may also end the connection.
    let response = response.unwrap_or_else(|| http::StatusCode::BAD_REQUEST.into_response());
    let id = response.headers().get("x-request-id").map_or("", |id| id.to_str().unwrap()).to_owned();
    shared.exchanges.lock().unwrap().push(Exchange { request: text, status: response.status().as_u16(), id });
    response
}

async fn ask(shared: &Shared, request: http::Request<Full<Bytes>>) -> Option<Response> {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, shared.port))).await.ok()?;
    let stream = shared.connector.connect("localhost".try_into().ok()?, stream).await.ok()?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.ok()?;
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    parts.headers.remove(http::header::TRANSFER_ENCODING);
    // The tool speaks plain HTTP, and would not send a secure cookie back.
    let cookies: Vec<String> = parts.headers.get_all(SET_COOKIE).iter().filter_map(insecure).collect();
    parts.headers.remove(SET_COOKIE);
    for cookie in cookies {
        parts.headers.append(SET_COOKIE, cookie.parse().ok()?);
    }
    Some(Response::from_parts(parts, Body::from(body)))
}

fn insecure(cookie: &HeaderValue) -> Option<String> {
    Some(cookie.to_str().ok()?.split(';').filter(|part| part.trim() != "Secure").collect::<Vec<_>>().join(";"))
}
