//! Another service behind the edge: requests go on over HTTP/1.1 to one of its upstreams, answers and WebSockets come
//! back as they arrive.
//!
//! What reaches an upstream is written anew by hyper from what the edge has read and judged, never copied: one length,
//! one host, no fields of a connection. So a request that two servers could read differently does not get through,
//! whichever version of HTTP it came in.

mod connector;
mod fields;
mod health;
mod stream;
mod tunnel;
mod upstream;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::BoxError;

use crate::body::EdgeBody;
use crate::edge::RequestId;
use crate::edge::answer::refusal;

use connector::Connector;
use health::Members;
use stream::{Answering, Progress, Sending};
pub use upstream::{Upstream, UpstreamError};

/// How a service is reached.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Where it runs. Requests go to each of them in turn, as long as it answers.
    pub upstreams: Vec<Upstream>,
    /// Whether it sees the client's `Host`, or its own.
    pub keeps_host: bool,
    /// What is asked for to know whether it is well: below 500 is.
    pub health_path: String,
    /// How often.
    pub check_every: Duration,
    /// For a connection to it, TLS included.
    pub connect: Duration,
    /// For the head of an answer to begin, after the request has moved last.
    pub first_byte: Duration,
    /// For an answer, or either side of a WebSocket, to stand still.
    pub idle: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            keeps_host: true,
            health_path: "/".to_owned(),
            check_every: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            first_byte: Duration::from_mins(1),
            idle: Duration::from_mins(5),
        }
    }
}

/// A service elsewhere cannot be stood before.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// None was named.
    #[error("there is no upstream")]
    NoUpstream,
    /// What is asked for to know whether an upstream is well.
    #[error("the health check's path {0:?} is none; it begins with / and holds neither spaces nor #")]
    HealthPath(String),
    /// An upstream has `https://`, and there is nothing to check its certificate against.
    #[error("this system has no trusted certificates for https upstreams; install the package ca-certificates")]
    NoTrust,
}

/// Hands requests on. Cheap to clone.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    settings: ProxySettings,
    client: Client<Connector, Sending>,
    members: Members,
}

/// Why a request has no answer of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// No upstream is well.
    NoneWell,
    /// It cannot be connected to.
    Unreachable,
    /// It answered something that is no answer, or broke off.
    Broken,
    /// It took too long.
    Late,
}

impl Failure {
    fn status(self) -> StatusCode {
        match self {
            Self::NoneWell => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable | Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Late => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl Proxy {
    /// Stands before the upstreams in `settings`, all of which are taken to be well until it shows that they are not.
    pub fn new(settings: ProxySettings) -> Result<Self, ProxyError> {
        if settings.upstreams.is_empty() {
            return Err(ProxyError::NoUpstream);
        }
        let path = &settings.health_path;
        if !path.starts_with('/') || path.contains('#') || path.parse::<http::uri::PathAndQuery>().is_err() {
            return Err(ProxyError::HealthPath(path.clone()));
        }
        let connector = Connector::new(&settings)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(64)
            .build(connector);
        let members = Members::new(settings.upstreams.clone());
        Ok(Self(Arc::new(Inner { settings, client, members })))
    }

    /// Asks every upstream how it is, again and again. Runs until it is dropped.
    pub async fn watch(&self) {
        loop {
            self.check().await;
            tokio::time::sleep(self.0.settings.check_every).await;
        }
    }

    /// Asks every upstream once how it is.
    pub async fn check(&self) {
        let mut asked = tokio::task::JoinSet::new();
        for number in 0..self.0.settings.upstreams.len() {
            let inner = self.0.clone();
            asked.spawn(async move {
                let is_well = inner.is_well(number).await;
                inner.members.mark(number, is_well);
            });
        }
        while asked.join_next().await.is_some() {}
    }

    /// The upstreams that get requests now.
    pub fn well(&self) -> Vec<Upstream> {
        self.0.members.well()
    }
}

impl tower::Service<Request<EdgeBody>> for Proxy {
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<EdgeBody>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}

impl Inner {
    async fn answer(&self, request: Request<EdgeBody>) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        match self.forward(request).await {
            Ok(response) => response,
            Err(failure) => {
                tracing::warn!(request = id, ?failure, "the service behind the edge gave no answer");
                refusal(failure.status(), &id)
            }
        }
    }

    async fn forward(
        &self,
        mut request: Request<EdgeBody>,
    ) -> Result<Response<UnsyncBoxBody<Bytes, BoxError>>, Failure> {
        let tunnel = tunnel::asked(&mut request);
        let (parts, body) = request.into_parts();
        let mut headers = fields::to_upstream(&parts, tunnel.is_some());
        let progress = Progress::default();
        // Without a body nothing is lost when a connection cannot be made: no upstream has seen the request.
        let again = body.is_end_stream();
        if !body.is_end_stream() && !has_content(&parts.method) {
            // Some servers do not read a body that they do not expect, and would take it for the next request.
            fields::ends_connection(&mut headers);
        }
        let mut body = Some(Sending::new(body, progress.clone()));
        let mut tried = None;
        let response = loop {
            let number = self.members.next(tried).ok_or(tried.map_or(Failure::NoneWell, |_| Failure::Unreachable))?;
            let body = body.take().unwrap_or_default();
            let request = self.request(number, &parts, headers.clone(), body);
            let answer = self.client.request(request);
            match progress.wait(answer, self.settings.first_byte).await {
                Some(Ok(response)) => break response,
                Some(Err(error)) if error.is_connect() => {
                    self.members.mark(number, false);
                    tell(&self.settings.upstreams[number], &error);
                    if !again || tried.replace(number).is_some() {
                        return Err(Failure::Unreachable);
                    }
                }
                Some(Err(error)) => {
                    tell(&self.settings.upstreams[number], &error);
                    return Err(Failure::Broken);
                }
                None => return Err(Failure::Late),
            }
        };
        self.back(response, tunnel)
    }

    fn request(
        &self,
        number: usize,
        parts: &http::request::Parts,
        mut headers: HeaderMap,
        body: Sending,
    ) -> Request<Sending> {
        let upstream = &self.settings.upstreams[number];
        let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        if !self.settings.keeps_host || !headers.contains_key(http::header::HOST) {
            headers.insert(http::header::HOST, upstream.host());
        }
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = upstream.uri(target);
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        request
    }

    /// What the client gets.
    fn back(
        &self,
        mut response: Response<Incoming>,
        tunnel: Option<tunnel::Asked>,
    ) -> Result<Response<UnsyncBoxBody<Bytes, BoxError>>, Failure> {
        let idle = self.settings.idle;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return tunnel.and_then(|asked| asked.open(&mut response, idle)).ok_or(Failure::Broken);
        }
        fields::to_client(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        Ok(response.map(|body| Answering::new(body, idle).boxed_unsync()))
    }

    async fn is_well(&self, number: usize) -> bool {
        let upstream = &self.settings.upstreams[number];
        let mut request = Request::new(Sending::default());
        *request.uri_mut() = upstream.uri(&self.settings.health_path);
        let agent = http::HeaderValue::from_static("Letterkeep-Edge");
        request.headers_mut().insert(http::header::USER_AGENT, agent);
        let answer = tokio::time::timeout(self.settings.connect, self.client.request(request)).await;
        matches!(answer, Ok(Ok(response)) if !response.status().is_server_error())
    }
}

/// Methods whose requests have content by their meaning (RFC 9110 §9.3).
fn has_content(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS, Method::TRACE].contains(method)
}

fn tell(upstream: &Upstream, error: &Error) {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = cause.to_string();
        source = cause.source();
    }
    tracing::debug!(%upstream, reason, "an upstream failed");
}
