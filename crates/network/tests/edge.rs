//! The edge around a service, over real connections: what reaches the service, what the client is told, what is kept.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use letterkeep_model::{Clock, Entropy, SystemEntropy, Timestamp};
use letterkeep_network::rules::{self, Mode, Origin, Settings};
use letterkeep_network::{
    Certificate, ClientAddress, Edge, EdgeBody, EdgeSettings, Exclusion, Field, Firewall, FirewallLimits, ForAccount,
    Limits, Listener, Outcome, Pattern, Policy, Rate, Route, Routes, Rules, TlsSource, to_rules,
};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

const ATTACK: &str = "/search?q=1%27%20UNION%20SELECT%20password%20FROM%20users--";

/// Time stands still until a test moves it.
struct Standing(Mutex<Timestamp>);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// What the service behind the edge has got, and how it answers.
#[derive(Default)]
struct Behind {
    calls: AtomicUsize,
    bodies: Mutex<Vec<Bytes>>,
    broken: AtomicUsize,
    clients: Mutex<Vec<String>>,
}

struct Running {
    address: SocketAddr,
    roots: RootCertStore,
    behind: Arc<Behind>,
    clock: Arc<Standing>,
    firewall: Firewall,
    directory: tempfile::TempDir,
    /// Answers to `/wait` are given when this has permits.
    gate: Arc<tokio::sync::Semaphore>,
}

fn route(path: &str, policy: Policy) -> Route {
    Route { method: None, pattern: Pattern::new(path).unwrap(), policy }
}

fn firewall(settings: &Settings, limits: FirewallLimits, clock: &Arc<Standing>, path: &std::path::Path) -> Firewall {
    let set = rules::load(&Origin::BuiltIn, settings).unwrap();
    Firewall::new(set, limits, clock.clone(), Some(&path.join("firewall.jsonl"))).unwrap()
}

impl Running {
    async fn start(settings: EdgeSettings) -> Self {
        Self::with(settings, &Settings::default(), FirewallLimits::default()).await
    }

    async fn with(settings: EdgeSettings, rules: &Settings, limits: FirewallLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(Standing(Mutex::new(Timestamp::from_seconds(1_790_000_000))));
        let firewall = firewall(rules, limits, &clock, directory.path());
        let now = letterkeep_model::SystemClock.now();
        let certificate = Certificate::self_signed(directory.path(), &["localhost".into()], now).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate.chain()[0].to_vec())).unwrap();
        let loopback = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(loopback, TlsSource::Fixed(certificate), Limits::default()).await.unwrap();
        let address = listener.address().unwrap();
        let (behind, gate) = (Arc::new(Behind::default()), Arc::new(tokio::sync::Semaphore::new(0)));
        let service = tower::service_fn({
            let (behind, gate) = (behind.clone(), gate.clone());
            move |request| answer(behind.clone(), gate.clone(), request)
        });
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let edge = Edge::new(service, settings, Some(firewall.clone()), clock.clone(), entropy);
        tokio::spawn(listener.serve(edge, std::future::pending()));
        Self { address, roots, behind, clock, firewall, directory, gate }
    }

    async fn connect(&self) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(self.roots.clone()).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    /// One request on a connection of its own: status, headers in lower case, body.
    async fn ask(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{USUAL}{headers}{length}\r\n");
        self.send(&[head.as_bytes(), body].concat()).await
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", b"").await
    }

    async fn send(&self, wire: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        // The edge may answer and close before everything is written.
        let _ = stream.write_all(wire).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Answer(String::from_utf8_lossy(&answer).into_owned())
    }

    fn calls(&self) -> usize {
        self.behind.calls.load(Ordering::SeqCst)
    }
}

const USUAL: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\nConnection: close\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

struct Answer(String);

impl Answer {
    fn status(&self) -> u16 {
        self.0.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {:?}", self.0))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        head.lines().filter_map(|line| line.split_once(": ")).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

async fn answer(
    behind: Arc<Behind>,
    gate: Arc<tokio::sync::Semaphore>,
    request: Request<EdgeBody>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    behind.calls.fetch_add(1, Ordering::SeqCst);
    let client = request.extensions().get::<ClientAddress>().unwrap().0;
    let forwarded = request.headers().contains_key("x-forwarded-for");
    behind.clients.lock().unwrap().push(format!("{client}{}", if forwarded { " and a header" } else { "" }));
    let path = request.uri().path().to_owned();
    if path == "/wait" {
        gate.acquire().await.unwrap().forget();
    }
    match request.into_body().collect().await {
        Ok(body) => behind.bodies.lock().unwrap().push(body.to_bytes()),
        Err(_) => {
            behind.broken.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
    response.headers_mut().insert("server", "Secret/1.0".parse().unwrap());
    response.headers_mut().insert("referrer-policy", "no-referrer".parse().unwrap());
    if path == "/leak" {
        response.headers_mut().insert("content-type", "text/html".parse().unwrap());
        *response.body_mut() = Full::new(Bytes::from_static(b"You have an error in your SQL syntax; check the manual"));
    }
    response.extensions_mut().insert(ForAccount("account".into()));
    Ok(response)
}

#[tokio::test]
async fn an_attack_does_not_reach_the_service_and_its_id_explains_it() {
    let running = Running::start(EdgeSettings::default()).await;
    assert_eq!(running.get("/search?q=hello").await.status(), 200);
    let refused = running.get(ATTACK).await;
    assert_eq!((refused.status(), running.calls()), (403, 1));
    let id = refused.header("x-request-id").unwrap();
    assert_eq!(refused.body(), format!("403 Forbidden\n{id}\n"), "the id, and nothing else");
    let decision = running.firewall.explain(id).unwrap();
    assert_eq!((decision.outcome, decision.status, decision.route.as_str()), (Outcome::Refused, 403, "/search"));
    assert!(decision.score >= 5 && decision.client == "127.0.0.0/24", "{decision:?}");
    let found = decision.matches.iter().flat_map(|found| &found.findings).any(|place| place.variable == "ARGS:q");
    assert!(found, "{decision:?}");
    let line = std::fs::read_to_string(running.directory.path().join("firewall.jsonl")).unwrap();
    assert!(line.contains(id) && !line.contains("password"), "no value is kept: {line}");
    assert_eq!(running.firewall.explain("nothing"), None);
}

#[tokio::test]
async fn bodies_are_looked_at_and_handed_on_as_they_were() {
    let running = Running::start(EdgeSettings::default()).await;
    let body = b"name=M%C3%BCller+%26+S%C3%B6hne&text=5+%3C+6";
    assert_eq!(running.ask("POST", "/form", FORM, body).await.status(), 200);
    assert_eq!(running.behind.bodies.lock().unwrap()[0], &body[..]);
    let chunked = format!("POST /form HTTP/1.1\r\nHost: localhost\r\n{USUAL}{FORM}Transfer-Encoding: chunked\r\n\r\n");
    let wire = [chunked.as_bytes(), b"4\r\na=hi\r\n5\r\n&b=ho\r\n0\r\n\r\n"].concat();
    assert_eq!(running.send(&wire).await.status(), 200);
    assert_eq!(running.behind.bodies.lock().unwrap()[1], &b"a=hi&b=ho"[..]);
    let attack = b"name=%3Cscript%3Ealert(document.cookie)%3C/script%3E";
    assert_eq!(running.ask("POST", "/form", FORM, attack).await.status(), 403);
    let json = "Content-Type: application/json\r\n";
    assert_eq!(running.ask("POST", "/form", json, br#"{"a": {"b": 1}"#).await.status(), 400, "no reader agrees on it");
    assert_eq!(running.calls(), 2);
}

#[tokio::test]
async fn a_body_that_streams_is_never_complete_before_the_verdict() {
    let streams = Policy { streams: true, body_bytes: 4 << 20, ..Policy::default() };
    let routes = Routes { routes: vec![route("/upload", streams)], default: Policy::default() };
    let running = Running::start(EdgeSettings { routes, ..EdgeSettings::default() }).await;
    let kind = "Content-Type: multipart/form-data; boundary=part\r\n";
    let part = |name: &str, content: &[u8]| {
        let head = format!("--part\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.csv\"\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let file = part("file", &b"name,email\r\nAnna,anna@example.org\r\n".repeat(40_000));
    let end: &[u8] = b"--part--\r\n";
    let good = [&file[..], end].concat();
    assert_eq!(running.ask("POST", "/upload", kind, &good).await.status(), 200);
    assert_eq!(running.behind.bodies.lock().unwrap()[0], good);
    let field: &[u8] =
        b"--part\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n1' UNION SELECT password FROM users--\r\n";
    let bad = [&file[..], field, end].concat();
    assert_eq!(running.ask("POST", "/upload", kind, &bad).await.status(), 403);
    assert_eq!((running.behind.broken.load(Ordering::SeqCst), running.behind.bodies.lock().unwrap().len()), (1, 1));
    let large = [&part("file", &vec![b'a'; 5 << 20])[..], end].concat();
    assert_eq!(running.ask("POST", "/upload", kind, &large).await.status(), 413);
}

#[tokio::test]
async fn more_than_a_route_takes_is_refused() {
    let small = Policy { body_bytes: 10, ..Policy::default() };
    let routes = Routes { routes: vec![route("/small", small)], default: Policy::default() };
    let running = Running::start(EdgeSettings { routes, ..EdgeSettings::default() }).await;
    assert_eq!(running.ask("POST", "/small", FORM, b"a=12345678").await.status(), 200);
    assert_eq!(running.ask("POST", "/small", FORM, b"a=123456789").await.status(), 413);
    let chunked = format!("POST /small HTTP/1.1\r\nHost: localhost\r\n{USUAL}{FORM}Transfer-Encoding: chunked\r\n\r\n");
    let wire = [chunked.as_bytes(), b"6\r\na=1234\r\n6\r\n567890\r\n0\r\n\r\n"].concat();
    assert_eq!(running.send(&wire).await.status(), 413);
}

#[tokio::test]
async fn who_asks_too_often_waits_and_is_told_how_long() {
    let rate = |requests| Some(Rate { requests, per: Duration::from_secs(30) });
    let shared = Policy { shared_addresses: true, ..Policy::default() };
    let settings = EdgeSettings {
        routes: Routes { routes: vec![route("/pixel", shared)], default: Policy::default() },
        client_rate: rate(5),
        session_rate: rate(3),
        account_rate: None,
        session_cookie: Some("sid".into()),
        trusted: vec!["127.0.0.1".parse().unwrap()],
        ..EdgeSettings::default()
    };
    let running = Running::start(settings).await;
    let of = |client: &str, cookie: &str| format!("X-Forwarded-For: {client}\r\nCookie: sid={cookie}\r\n");
    for left in ["2", "1", "0"] {
        let answer = running.ask("GET", "/", &of("192.0.2.1", "a"), b"").await;
        let told = (answer.status(), answer.header("ratelimit-remaining"), answer.header("ratelimit-limit"));
        assert_eq!(told, (200, Some(left), Some("3")), "the tighter limit is told");
    }
    let refused = running.ask("GET", "/", &of("192.0.2.1", "a"), b"").await;
    let told = (refused.status(), refused.header("retry-after"), refused.header("ratelimit-remaining"));
    assert_eq!(told, (429, Some("10"), Some("0")));
    assert_eq!(running.ask("GET", "/", &of("192.0.2.1", "b"), b"").await.status(), 200, "another session");
    assert_eq!(running.ask("GET", "/", &of("192.0.2.1", "c"), b"").await.status(), 429, "the client's own limit");
    assert_eq!(running.ask("GET", "/", &of("192.0.2.2", "d"), b"").await.status(), 200, "another client");
    let proxy = "X-Forwarded-For: 192.0.2.1\r\n";
    assert_eq!(running.ask("GET", "/pixel", proxy, b"").await.status(), 200, "many people, one address");
    assert_eq!(running.ask("GET", "/", proxy, b"").await.status(), 429);
    *running.clock.0.lock().unwrap() = running.clock.now().plus(Duration::from_secs(10));
    assert_eq!(running.ask("GET", "/", &of("192.0.2.3", "a"), b"").await.status(), 200);
    let clients = running.behind.clients.lock().unwrap();
    assert_eq!(clients[0], "192.0.2.1", "the service sees the client, and no header that anybody can write");
}

#[tokio::test]
async fn an_account_has_a_limit_of_its_own_over_all_sessions() {
    let settings = EdgeSettings {
        account_rate: Some(Rate { requests: 2, per: Duration::from_secs(30) }),
        session_cookie: Some("sid".into()),
        ..EdgeSettings::default()
    };
    let running = Running::start(settings).await;
    // The first request of a session tells whose it is.
    for cookie in ["a", "b"] {
        assert_eq!(running.ask("GET", "/", &format!("Cookie: sid={cookie}\r\n"), b"").await.status(), 200);
    }
    for (cookie, status) in [("a", 200), ("b", 200), ("a", 429), ("b", 429), ("c", 200)] {
        let answer = running.ask("GET", "/", &format!("Cookie: x=y; sid={cookie}\r\n"), b"").await;
        assert_eq!(answer.status(), status, "{cookie}");
    }
}

#[tokio::test]
async fn under_overload_only_health_is_answered() {
    let settings = EdgeSettings { in_flight: 2, in_flight_per_client: 100, ..EdgeSettings::default() };
    let running = Arc::new(Running::start(settings).await);
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let running = running.clone();
            tokio::spawn(async move { running.get("/wait").await.status() })
        })
        .collect();
    while running.calls() < 2 {
        tokio::task::yield_now().await;
    }
    let refused = running.get("/").await;
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("2")));
    let health = running.get("/health").await;
    assert_eq!((health.status(), health.body()), (200, "ok\n"));
    running.gate.add_permits(2);
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(running.get("/").await.status(), 200, "places are free again");
}

#[tokio::test]
async fn bodies_take_no_more_memory_together_than_they_may() {
    let settings = EdgeSettings { body_memory: 64 << 10, ..EdgeSettings::default() };
    let running = Arc::new(Running::start(settings).await);
    let form = format!("text={}", "lorem+ipsum+".repeat(3500));
    let (other, body) = (running.clone(), form.clone());
    let waiting = tokio::spawn(async move { other.ask("POST", "/wait", FORM, body.as_bytes()).await.status() });
    while running.calls() < 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.ask("POST", "/form", FORM, form.as_bytes()).await.status(), 503);
    assert_eq!(running.ask("POST", "/form", FORM, b"text=small").await.status(), 200);
    running.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap(), 200);
    assert_eq!(running.ask("POST", "/form", FORM, form.as_bytes()).await.status(), 200, "there is room again");
}

#[tokio::test]
async fn answers_carry_what_protects_browsers_and_hide_what_answers() {
    let settings = EdgeSettings::default();
    let headers = settings.headers.clone().with_transport_security();
    let running = Running::start(EdgeSettings { headers, ..settings }).await;
    for answer in [running.get("/").await, running.get(ATTACK).await] {
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("strict-transport-security").unwrap().starts_with("max-age=63072000"));
        assert_eq!(answer.header("x-request-id").map(str::len), Some(20));
    }
    assert_eq!(running.get("/").await.header("referrer-policy"), Some("no-referrer"), "the service's own word stays");
}

#[tokio::test]
async fn rules_that_only_tell_let_through_and_name_candidates() {
    let rules = Settings { mode: Mode::DetectionOnly, ..Settings::default() };
    let running = Running::with(EdgeSettings::default(), &rules, FirewallLimits::default()).await;
    for _ in 0..3 {
        assert_eq!(running.get(ATTACK).await.status(), 200);
    }
    assert_eq!(running.get("/search?q=hello").await.status(), 200);
    let recent = running.firewall.recent(10);
    assert_eq!(recent.len(), 3);
    assert!(recent.iter().all(|decision| decision.outcome == Outcome::Detected && decision.status == 0));
    let candidates = running.firewall.candidates();
    let first = candidates.iter().find(|candidate| candidate.field == "ARGS:q").unwrap();
    assert_eq!((first.requests, first.clients, first.route.as_str(), first.method.as_str()), (3, 1, "/search", "GET"));
    // Somebody approves it: from then on this field of this route is not looked at, and nothing else changes.
    let exclusion = Exclusion {
        method: None,
        route: Pattern::new("/search").unwrap(),
        fields: vec![Field::new("ARGS:q").unwrap()],
        rules: vec![Rules::new("1-9999999").unwrap()],
        reason: "a search engine for SQL".into(),
    };
    let settings = Settings { exclusions: to_rules(&[exclusion]), ..Settings::default() };
    running.firewall.swap(rules::load(&Origin::BuiltIn, &settings).unwrap());
    assert_eq!(running.get(ATTACK).await.status(), 200);
    assert_eq!(running.get(&ATTACK.replace("search", "other")).await.status(), 403);
    assert_eq!(running.get(&ATTACK.replace("?q=", "?p=")).await.status(), 403);
}

#[tokio::test]
async fn rules_that_take_too_long_refuse() {
    let limits = FirewallLimits { budget: Duration::ZERO, ..FirewallLimits::default() };
    let running = Running::with(EdgeSettings::default(), &Settings::default(), limits).await;
    let long = format!("text={}", "lorem+ipsum+".repeat(2000));
    let refused = running.ask("POST", "/form", FORM, long.as_bytes()).await;
    assert_eq!((refused.status(), running.calls()), (503, 0));
    assert_eq!(running.firewall.recent(1)[0].outcome, Outcome::OverBudget);
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn rules_are_swapped_under_load_and_no_request_is_lost() {
    let running = Arc::new(Running::start(EdgeSettings { client_rate: None, ..EdgeSettings::default() }).await);
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let running = running.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    assert_eq!(running.get("/search?q=hello").await.status(), 200);
                    assert_eq!(running.get(ATTACK).await.status(), 403);
                }
            })
        })
        .collect();
    for _ in 0..5 {
        running.firewall.swap(rules::load(&Origin::BuiltIn, &Settings::default()).unwrap());
        tokio::task::yield_now().await;
    }
    for asked in asking {
        asked.await.unwrap();
    }
    assert_eq!(running.calls(), 100);
}

#[tokio::test]
async fn answers_are_looked_at_where_the_route_asks_for_it() {
    let inspects = Policy { inspects_answers: true, ..Policy::default() };
    let text = r#"SecRuleEngine On
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecRule RESPONSE_BODY "@contains error in your SQL syntax" "id:1,phase:4,deny,status:403,severity:ERROR,msg:'A database speaks'"
"#;
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("rules")).unwrap();
    std::fs::write(directory.path().join("rules/own.conf"), text).unwrap();
    let routes = Routes { routes: vec![route("/leak", inspects)], default: Policy::default() };
    let running = Running::start(EdgeSettings { routes, ..EdgeSettings::default() }).await;
    running.firewall.swap(rules::load(&Origin::Directory(directory.path().to_owned()), &Settings::default()).unwrap());
    let leak = running.get("/leak").await;
    assert_eq!((leak.status(), leak.body().contains("SQL")), (403, false));
    let status: StatusCode = running.get("/other").await.status().try_into().unwrap();
    assert_eq!(status, StatusCode::OK);
}
