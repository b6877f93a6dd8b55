//! The firewall as the edge and its page see it: the rule set in use, what it decided, and what may be excluded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use letterkeep_model::{Clock, Timestamp};
use letterkeep_waf::{Collections, Limits, Record};

use crate::decision::{Decision, Decisions, Outcome, RuleCount, Subject};
use crate::inspection::Inspection;
use crate::rules::RuleSet;

/// Bounds of what one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirewallLimits {
    /// Bytes, arguments, depth and memory.
    pub engine: Limits,
    /// Processor time for the rules of one request. What takes longer is refused with 503.
    pub budget: Duration,
}

impl Default for FirewallLimits {
    fn default() -> Self {
        Self { engine: Limits { body: 2 << 20, ..Limits::default() }, budget: Duration::from_millis(50) }
    }
}

/// The firewall. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Firewall(Arc<Inner>);

struct Inner {
    current: RwLock<Arc<Loaded>>,
    limits: FirewallLimits,
    collections: Arc<Collections>,
    clock: Arc<dyn Clock>,
    decisions: Decisions,
    candidates: Mutex<HashMap<CandidateKey, Tally>>,
    observer: OnceLock<Arc<dyn Observer>>,
}

/// Whoever wants to know all that was found, also where nothing of it counts. A [`Decision`] leaves out what may be
/// personal; a record holds bytes of the request.
pub trait Observer: Send + Sync {
    /// Of the request with this id.
    fn observe(&self, id: &str, record: &Record);
}

/// The rule set in use.
pub struct Loaded {
    /// The set.
    pub set: RuleSet,
    /// Since when it is used.
    pub since: Timestamp,
}

/// A rule that often finds something in the same field of the same route: perhaps a false alarm. Never excluded by
/// itself; somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The method.
    pub method: String,
    /// The route.
    pub route: String,
    /// The field, as rules name it.
    pub field: String,
    /// The rule.
    pub rule: u32,
    /// What it says of itself.
    pub message: String,
    /// Requests in which it matched.
    pub requests: u64,
    /// How many networks of clients these came from, at most [`CLIENTS`].
    pub clients: usize,
    /// The last time.
    pub last: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct CandidateKey {
    method: String,
    route: String,
    field: String,
    rule: u32,
}

struct Tally {
    message: String,
    requests: u64,
    clients: Vec<String>,
    last: Timestamp,
}

/// Networks of clients that are told apart for one candidate.
pub const CLIENTS: usize = 16;
/// Candidates that are remembered.
const CANDIDATES: usize = 512;
/// Keys of collections that outlive a request.
const COLLECTIONS: usize = 10_000;

impl Firewall {
    /// With `set` in use. Decisions are kept in `file` too, if one is given.
    pub fn new(
        set: RuleSet,
        limits: FirewallLimits,
        clock: Arc<dyn Clock>,
        file: Option<&Path>,
    ) -> std::io::Result<Self> {
        let current = RwLock::new(Arc::new(Loaded { set, since: clock.now() }));
        let collections = Arc::new(Collections::new(COLLECTIONS));
        let (decisions, candidates) = (Decisions::open(file)?, Mutex::default());
        let observer = OnceLock::new();
        Ok(Self(Arc::new(Inner { current, limits, collections, clock, decisions, candidates, observer })))
    }

    /// Hands every record to `observer`. The first one stays.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        let _ = self.0.observer.set(observer);
    }

    /// The rule set in use.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses `set` for every request that begins from now on; those under way end with the rules that they began with.
    pub fn swap(&self, set: RuleSet) {
        let loaded = Arc::new(Loaded { set, since: self.0.clock.now() });
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// The newest decisions first.
    pub fn recent(&self, count: usize) -> Vec<Decision> {
        self.0.decisions.recent(count)
    }

    /// The decision that the client was told this id of.
    pub fn explain(&self, id: &str) -> Option<Decision> {
        self.0.decisions.find(id)
    }

    /// The rules that matched in most of the recent decisions.
    pub fn top_rules(&self, count: usize) -> Vec<RuleCount> {
        self.0.decisions.top_rules(count)
    }

    /// What might be excluded, most frequent first.
    pub fn candidates(&self) -> Vec<Candidate> {
        let candidates = self.0.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Candidate> = candidates
            .iter()
            .map(|(key, tally)| Candidate {
                method: key.method.clone(),
                route: key.route.clone(),
                field: key.field.clone(),
                rule: key.rule,
                message: tally.message.clone(),
                requests: tally.requests,
                clients: tally.clients.len(),
                last: tally.last,
            })
            .collect();
        all.sort_by(|a, b| b.requests.cmp(&a.requests).then(b.last.cmp(&a.last)));
        all
    }

    /// Begins to look at a request of `client` that came in at `server`.
    pub(crate) fn begin(&self, id: &str, client: std::net::SocketAddr, server: std::net::SocketAddr) -> Inspection {
        let loaded = self.loaded();
        let now = u64::try_from(self.0.clock.now().seconds()).unwrap_or(0);
        let FirewallLimits { engine, budget } = self.0.limits;
        Inspection::new(&loaded.set.rules, id, client, server, engine, budget)
            .with_collections(self.0.collections.clone(), now)
    }

    /// Keeps what was decided.
    pub(crate) fn record(&self, record: &Record, request: &Request<'_>, cpu_us: u64) {
        if let Some(observer) = self.0.observer.get() {
            observer.observe(request.id, record);
        }
        let loaded = self.loaded();
        let rules = format!("{} {}", loaded.set.name, loaded.set.version);
        let subject = Subject {
            id: request.id,
            at: self.0.clock.now(),
            method: request.method,
            route: request.route.clone(),
            client: request.client,
            rules: &rules,
            cpu_us,
        };
        let Some(decision) = Decision::of(record, &subject) else { return };
        match decision.outcome {
            Outcome::Refused | Outcome::TooLarge => {
                tracing::info!(
                    request = decision.id,
                    rule = decision.rule,
                    score = decision.score,
                    "a request was refused"
                );
            }
            Outcome::OverBudget => {
                tracing::warn!(request = decision.id, cpu_us, "a request was refused because its rules took too long");
            }
            Outcome::Detected => tracing::debug!(request = decision.id, score = decision.score, "rules matched"),
        }
        self.learn(&decision);
        self.0.decisions.add(decision);
    }

    fn learn(&self, decision: &Decision) {
        let mut candidates = self.0.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        for found in decision.matches.iter().filter(|found| found.score > 0) {
            for place in &found.findings {
                let key = CandidateKey {
                    method: decision.method.clone(),
                    route: decision.route.clone(),
                    field: place.variable.clone(),
                    rule: found.rule,
                };
                if candidates.len() >= CANDIDATES && !candidates.contains_key(&key) {
                    // An attacker can make as many as he likes; what real people meet comes again and again.
                    candidates.retain(|_, tally| tally.requests > 1);
                    if candidates.len() >= CANDIDATES {
                        continue;
                    }
                }
                let none =
                    || Tally { message: found.message.clone(), requests: 0, clients: Vec::new(), last: decision.at() };
                let tally = candidates.entry(key).or_insert_with(none);
                tally.requests += 1;
                tally.last = decision.at();
                if tally.clients.len() < CLIENTS && !tally.clients.contains(&decision.client) {
                    tally.clients.push(decision.client.clone());
                }
            }
        }
    }
}

/// What a record is about.
pub(crate) struct Request<'a> {
    pub(crate) id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) route: String,
    pub(crate) client: IpAddr,
}
