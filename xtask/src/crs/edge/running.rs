//! The edge that the tests are sent through: its own listener with TLS, its firewall with the set of rules, and a service
//! behind it that answers as each test says.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use letterkeep_model::{Clock as _, SystemClock, SystemEntropy};
use letterkeep_network::rules::{self, Mode, Origin, Settings};
use letterkeep_network::{
    Certificate, Edge, EdgeBody, EdgeSettings, Firewall, FirewallLimits, Limits, Listener, Observer, Peer, Policy,
    Routes, TlsSource,
};
use letterkeep_waf::Record;
use rustls::pki_types::CertificateDer;
use tokio::sync::oneshot;

use super::super::case::Generation;
use super::super::engine::Logged;
use super::super::response::Response;

/// A running edge. It ends when this is dropped.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) certificate: CertificateDer<'static>,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
    _directory: tempfile::TempDir,
}

#[derive(Default)]
struct Shared {
    /// How requests of a connection are to be answered.
    answers: Mutex<HashMap<SocketAddr, Response>>,
    /// Connections whose request has come to the service.
    reached: Mutex<HashSet<SocketAddr>>,
    /// What was logged, by the ids of requests.
    logs: Mutex<HashMap<String, Vec<Logged>>>,
}

/// What was seen of a request.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether it came to the service behind the edge.
    pub(super) reached: bool,
    pub(super) log: Vec<Logged>,
}

impl Running {
    pub(super) async fn start(generation: Generation, set: &Path) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let shared = Arc::new(Shared::default());
        let certificate = Certificate::self_signed(directory.path(), &["localhost".into()], SystemClock.now())?;
        let shown = certificate.chain().first().context("the certificate is empty")?.clone();
        let set = rules::load(&Origin::Directory(set.to_owned()), &settings(generation))?;
        let limits = FirewallLimits {
            engine: letterkeep_waf::Limits { body: 16 << 20, arguments: 10_000, depth: 1024, ..Default::default() },
            // This is no measurement: a machine may be busy.
            budget: Duration::from_mins(1),
        };
        let clock = Arc::new(SystemClock);
        let firewall = Firewall::new(set, limits, clock.clone(), None)?;
        firewall.observe(shared.clone());
        let policy = Policy { inspects_answers: true, body_bytes: 16 << 20, ..Policy::default() };
        let settings = EdgeSettings {
            routes: Routes { routes: Vec::new(), default: policy },
            client_rate: None,
            health: None,
            ..EdgeSettings::default()
        };
        let service = shared.clone();
        let service = tower::service_fn(move |request| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.answer(request).await) }
        });
        let edge = Edge::new(service, settings, Some(firewall), clock, Arc::new(SystemEntropy));
        // Some tests promise more than they send.
        let short = Duration::from_secs(2);
        let limits = Limits { headers: short, idle: short, body_grace: short, ..Limits::default() };
        let listener = Listener::bind("127.0.0.1:0".parse()?, TlsSource::Fixed(certificate), limits).await?;
        let address = listener.address()?;
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(listener.serve(edge, async {
            let _: Result<(), _> = stopped.await;
        }));
        Ok(Self { address, certificate: shown, shared, _stop: stop, _directory: directory })
    }

    /// The service shall answer what comes from `client` like this.
    pub(super) fn expect(&self, client: SocketAddr, answer: Response) {
        lock(&self.shared.answers).insert(client, answer);
    }

    /// What was seen of the request from `client` that the edge called `id`. It is asked once.
    pub(super) fn seen(&self, client: SocketAddr, id: Option<&str>) -> Seen {
        lock(&self.shared.answers).remove(&client);
        Seen {
            reached: lock(&self.shared.reached).remove(&client),
            log: id.and_then(|id| lock(&self.shared.logs).remove(id)).unwrap_or_default(),
        }
    }
}

impl Shared {
    async fn answer(&self, request: http::Request<EdgeBody>) -> http::Response<Full<Bytes>> {
        let broken = |why: &str| {
            let mut response = http::Response::new(Full::from(why.to_owned()));
            *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
            response
        };
        let (parts, body) = request.into_parts();
        let Some(client) = parts.extensions.get::<Peer>().map(|peer| peer.0) else { return broken("no client") };
        if body.collect().await.is_err() {
            return broken("no body");
        }
        lock(&self.reached).insert(client);
        let Some(wish) = lock(&self.answers).get(&client).cloned() else { return broken("no answer") };
        let mut response = http::Response::builder().status(wish.status);
        for (name, value) in &wish.headers {
            response = response.header(&name[..], &value[..]);
        }
        response.body(Full::from(wish.body)).unwrap_or_else(|error| broken(&error.to_string()))
    }
}

impl Observer for Shared {
    fn observe(&self, id: &str, record: &Record) {
        let logged = record.matches.iter().map(|found| Logged {
            rule: found.rule,
            line: format!("[msg \"{}\"] [data \"{}\"]", found.message, found.data),
        });
        lock(&self.logs).entry(id.to_owned()).or_default().extend(logged);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Detection only at the highest level, with methods and types as the rule set has them by itself.
fn settings(generation: Generation) -> Settings {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let types = match generation {
        Generation::Three => {
            "application/x-www-form-urlencoded multipart/form-data multipart/related text/xml application/xml \
             application/soap+xml application/json application/cloudevents+json application/cloudevents-batch+json"
        }
        Generation::Four => {
            "application/x-www-form-urlencoded multipart/form-data text/xml application/xml application/soap+xml \
             application/json"
        }
    };
    Settings {
        paranoia_level: 4,
        mode: Mode::DetectionOnly,
        exclusions: generation.settings(4),
        allowed_methods: words("GET HEAD POST OPTIONS"),
        allowed_content_types: words(types),
        ..Settings::default()
    }
}
