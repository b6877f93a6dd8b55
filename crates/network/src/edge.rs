//! The edge as a service around another: who asks, how often, how much, what the firewall says, and what every answer
//! carries.

pub(crate) mod answer;
mod gate;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Incoming};
use letterkeep_model::{Clock, Entropy, Network};
use letterkeep_waf::Interruption;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::BoxError;

use crate::body::{BodyRefused, EdgeBody, Fate};
use crate::client;
use crate::firewall::{self, Firewall};
use crate::head::RawHead;
use crate::inspection::{Head, Inspection};
use crate::listener::Peer;
use crate::rate::Rate;
use crate::route::{Policy, Routes};

pub use answer::ResponseHeaders;
use gate::Gate;

/// The name under which a request is known everywhere: in the answer's `X-Request-Id`, in decisions and in logs. 100
/// random bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The client's address, after trusted proxies were believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// In an answer's extensions: the account that the request was for, so that its limit of rate can be counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForAccount(pub String);

/// What the edge holds a service to.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// What holds for which path.
    pub routes: Routes,
    /// Proxies in front of this edge whose word about the client counts.
    pub trusted: Vec<Network>,
    /// Requests of one client (IPv4 address or IPv6 /64).
    pub client_rate: Option<Rate>,
    /// Requests of one session.
    pub session_rate: Option<Rate>,
    /// Requests for one account, from whomever.
    pub account_rate: Option<Rate>,
    /// The cookie that holds the session.
    pub session_cookie: Option<String>,
    /// Requests that are worked on at the same time. More are answered 503.
    pub in_flight: usize,
    /// The same for one client. More are answered 429.
    pub in_flight_per_client: usize,
    /// Bytes of all bodies together that are kept until they are complete. What finds no room is answered 503.
    pub body_memory: usize,
    /// What answers carry if the service says nothing else.
    pub headers: ResponseHeaders,
    /// The path that answers "ok" before every limit.
    pub health: Option<String>,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            routes: Routes::default(),
            trusted: Vec::new(),
            client_rate: Some(Rate { requests: 600, per: Duration::from_secs(30) }),
            session_rate: Some(Rate { requests: 600, per: Duration::from_mins(1) }),
            account_rate: Some(Rate { requests: 3000, per: Duration::from_mins(1) }),
            session_cookie: None,
            in_flight: 1024,
            in_flight_per_client: 128,
            body_memory: 256 << 20,
            headers: ResponseHeaders::default(),
            health: Some("/health".to_owned()),
        }
    }
}

/// The edge around a service. Cheap to clone.
#[derive(Clone)]
pub struct Edge<S> {
    service: S,
    shared: Arc<Shared>,
}

struct Shared {
    settings: EdgeSettings,
    firewall: Option<Firewall>,
    gate: Gate,
    /// Room for bodies, in KiB.
    bodies: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Bodies from this size on are looked at on a thread of their own, so that others do not wait behind them.
const HEAVY: usize = 16 << 10;
/// Answers that are looked at are at most this large.
const ANSWER_BYTES: usize = 512 << 10;
/// Where the service stands, as far as rules are concerned.
const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 443);

impl<S> Edge<S> {
    /// Puts `service` behind the limits in `settings` and behind `firewall`, if there is one.
    pub fn new(
        service: S,
        settings: EdgeSettings,
        firewall: Option<Firewall>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let gate = Gate::new(&settings);
        let bodies = Arc::new(Semaphore::new(settings.body_memory >> 10));
        Self { service, shared: Arc::new(Shared { settings, firewall, gate, bodies, clock, entropy }) }
    }
}

impl<S, B> tower::Service<Request<Incoming>> for Edge<S>
where
    S: tower::Service<Request<EdgeBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let (service, shared) = (self.service.clone(), self.shared.clone());
        Box::pin(async move { Ok(shared.answer(request, service).await) })
    }
}

/// A request that is let through has its body and the inspection that goes on with the answer.
struct Passed {
    request: Request<EdgeBody>,
    fate: Fate,
}

impl Shared {
    async fn answer<S, B>(&self, mut request: Request<Incoming>, service: S) -> Response<UnsyncBoxBody<Bytes, BoxError>>
    where
        S: tower::Service<Request<EdgeBody>, Response = Response<B>, Error = Infallible>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let id = RequestId(answer::new_id(&*self.entropy));
        let peer = request.extensions().get::<Peer>().map_or(HERE, |peer| peer.0);
        let client =
            SocketAddr::new(client::address(peer.ip(), request.headers(), &self.settings.trusted), peer.port());
        let policy = self.settings.routes.policy(request.method(), request.uri().path()).clone();
        if self.settings.health.as_deref() == Some(request.uri().path()) {
            return self.dress(answer::plain(StatusCode::OK, "ok\n"), &id);
        }
        let session = gate::session_of(request.headers(), self.settings.session_cookie.as_deref());
        let now = self.clock.now();
        let (standing, place) = match self.gate.enter(client.ip(), session, now, &policy) {
            Ok(entered) => entered,
            Err(refused) => return self.dress(refused.answer(&id.0), &id),
        };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let subject = || firewall::Request {
            id: &id.0,
            method: method.as_str(),
            route: self.settings.routes.label(&method, &path),
            client: client.ip(),
        };
        for name in client::OF_PROXIES {
            request.headers_mut().remove(name);
        }
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(ClientAddress(client.ip()));
        let mut response = match self.inspect(request, &policy, &id, client).await {
            Ok(Passed { request, fate }) => {
                let response = match tower::ServiceExt::oneshot(service, request).await {
                    Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
                };
                match fate.refused() {
                    Some(status) => {
                        self.keep(fate.take(), &subject());
                        answer::refusal(status, &id.0)
                    }
                    None => self.look_at_answer(response, fate.take(), &policy, &id, &subject()).await,
                }
            }
            Err((status, inspection)) => {
                self.keep(inspection, &subject());
                answer::refusal(status, &id.0)
            }
        };
        drop(place);
        if let Some(account) = response.extensions().get::<ForAccount>()
            && let Some(session) = session
        {
            self.gate.belongs(session, account.clone());
        }
        if let Some(standing) = standing {
            answer::tell(&mut response, &standing);
        }
        self.dress(response, &id)
    }

    /// Looks at the head and the body.
    async fn inspect(
        &self,
        request: Request<Incoming>,
        policy: &Policy,
        id: &RequestId,
        client: SocketAddr,
    ) -> Result<Passed, (StatusCode, Option<Inspection>)> {
        let (mut parts, incoming) = request.into_parts();
        if parts.version == http::Version::HTTP_2 {
            if crate::http2::check_http2(&parts).is_err() {
                return Err((StatusCode::BAD_REQUEST, None));
            }
            join_cookies(&mut parts.headers);
        }
        // Two types of one body (RFC 9110 §5.3 allows one): rules might read it as the one, the service as the other.
        if parts.headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() {
            return Err((StatusCode::BAD_REQUEST, None));
        }
        let firewall = self.firewall.as_ref().filter(|_| policy.inspects);
        let mut inspection = firewall.map(|firewall| firewall.begin(&id.0, client, HERE));
        if let Some(inspected) = &mut inspection
            && let Some(interruption) = look_at_head(inspected, &parts)
        {
            return Err((status_of(interruption), inspection));
        }
        if incoming.size_hint().lower() > policy.body_bytes {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, inspection));
        }
        if policy.streams {
            let fate = Fate::of(inspection);
            let body = EdgeBody::streamed(incoming, policy.body_bytes, fate.clone());
            return Ok(Passed { request: Request::from_parts(parts, body), fate });
        }
        let arrived = collect(incoming, policy.body_bytes, Some(&self.bodies));
        let (body, room) = match tokio::time::timeout(policy.body_time, arrived).await {
            Ok(Ok(arrived)) => arrived,
            Ok(Err(BodyRefused::NoRoom)) => return Err((StatusCode::SERVICE_UNAVAILABLE, inspection)),
            Ok(Err(BodyRefused::TooLarge)) => return Err((StatusCode::PAYLOAD_TOO_LARGE, inspection)),
            Ok(Err(_)) => return Err((StatusCode::BAD_REQUEST, inspection)),
            Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, inspection)),
        };
        if let Some(inspected) = inspection.take() {
            let (inspected, interruption) = look_at_body(inspected, body.clone()).await;
            inspection = inspected;
            if let Some(interruption) = interruption {
                return Err((status_of(interruption), inspection));
            }
        }
        // The body is complete: it goes on with its length, however it came.
        if parts.headers.remove(TRANSFER_ENCODING).is_some() {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let request = Request::from_parts(parts, EdgeBody::whole(body, room));
        Ok(Passed { request, fate: Fate::of(inspection) })
    }

    async fn look_at_answer(
        &self,
        response: Response<UnsyncBoxBody<Bytes, BoxError>>,
        inspection: Option<Inspection>,
        policy: &Policy,
        id: &RequestId,
        subject: &firewall::Request<'_>,
    ) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        let Some(mut inspection) = inspection else { return response };
        if !policy.inspects_answers || !answer::can_be_looked_at(&response) {
            self.keep(Some(inspection), subject);
            return response;
        }
        let (mut parts, body) = response.into_parts();
        if inspection.answer(parts.status.as_u16(), &parts.headers).is_some() {
            self.keep(Some(inspection), subject);
            return answer::refusal(StatusCode::FORBIDDEN, &id.0);
        }
        let Ok((body, _)) = collect(body, ANSWER_BYTES as u64, None).await else {
            self.keep(Some(inspection), subject);
            return answer::refusal(StatusCode::BAD_GATEWAY, &id.0);
        };
        let refused = inspection.answer_body(&body).is_some();
        self.keep(Some(inspection), subject);
        if refused {
            return answer::refusal(StatusCode::FORBIDDEN, &id.0);
        }
        parts.headers.remove(TRANSFER_ENCODING);
        // Without a body the length may be that of another answer: HEAD, 304 (RFC 9110 §8.6).
        if !body.is_empty() {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Response::from_parts(parts, answer::body(body))
    }

    fn keep(&self, inspection: Option<Inspection>, subject: &firewall::Request<'_>) {
        if let (Some(firewall), Some(inspection)) = (&self.firewall, inspection) {
            let (record, cpu_us) = inspection.finish();
            firewall.record(&record, subject, cpu_us);
        }
    }

    fn dress(
        &self,
        mut response: Response<UnsyncBoxBody<Bytes, BoxError>>,
        id: &RequestId,
    ) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        self.settings.headers.dress(response.headers_mut());
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
        }
        response
    }
}

fn status_of(interruption: Interruption) -> StatusCode {
    StatusCode::from_u16(interruption.status).unwrap_or(StatusCode::FORBIDDEN)
}

/// Hands in what was sent: the bytes of HTTP/1, or what HTTP/2 says in its place.
fn look_at_head(inspection: &mut Inspection, parts: &http::request::Parts) -> Option<Interruption> {
    if let Some(raw) = parts.extensions.get::<Arc<RawHead>>() {
        let headers = raw.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        return inspection.head(&Head { method: &raw.method, target: &raw.target, version: &raw.version, headers });
    }
    let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers: Vec<(&[u8], &[u8])> = Vec::with_capacity(parts.headers.len() + 1);
    if !parts.headers.contains_key(HOST)
        && let Some(authority) = parts.uri.authority()
    {
        headers.push((b"host", authority.as_str().as_bytes()));
    }
    headers.extend(parts.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())));
    let version: &[u8] = match parts.version {
        http::Version::HTTP_2 => b"HTTP/2.0",
        http::Version::HTTP_10 => b"HTTP/1.0",
        _ => b"HTTP/1.1",
    };
    inspection.head(&Head { method: parts.method.as_str().as_bytes(), target: target.as_bytes(), version, headers })
}

/// HTTP/2 may cut cookies into several fields; whoever reads them next shall see the one of HTTP/1 (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut http::HeaderMap) {
    let pieces: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Looks at a complete body; at a large one on a thread of its own. Without an inspection the thread has died, which
/// counts as refused.
async fn look_at_body(mut inspection: Inspection, body: Bytes) -> (Option<Inspection>, Option<Interruption>) {
    let is_heavy = body.len() >= HEAVY;
    let look = move || {
        let interruption = inspection.body(&body).or_else(|| inspection.end_body());
        (Some(inspection), interruption)
    };
    if !is_heavy {
        return look();
    }
    let died = Interruption { status: 503, rule: 0, cause: letterkeep_waf::Cause::OverBudget };
    tokio::task::spawn_blocking(look).await.unwrap_or((None, Some(died)))
}

/// Reads a body of at most `limit` bytes, as long as there is room in `memory`, which is taken as it arrives. Trailers are
/// left out: nobody has looked at them.
async fn collect(
    mut incoming: impl Body<Data = Bytes> + Unpin,
    limit: u64,
    memory: Option<&Arc<Semaphore>>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), BodyRefused> {
    let mut room: Option<OwnedSemaphorePermit> = None;
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = incoming.frame().await {
        let Ok(piece) = frame.map_err(|_| BodyRefused::Broken)?.into_data() else { continue };
        length += piece.len() as u64;
        if length > limit {
            return Err(BodyRefused::TooLarge);
        }
        if let Some(memory) = memory {
            let kilobytes = u32::try_from(piece.len().div_ceil(1024)).unwrap_or(u32::MAX);
            let more = memory.clone().try_acquire_many_owned(kilobytes).map_err(|_| BodyRefused::NoRoom)?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
        }
        // Most bodies come in one piece and are not copied.
        match first.take() {
            None if all.is_empty() => first = Some(piece),
            None => all.extend_from_slice(&piece),
            Some(before) => {
                all.extend_from_slice(&before);
                all.extend_from_slice(&piece);
            }
        }
    }
    Ok((first.unwrap_or_else(|| all.freeze()), room))
}
