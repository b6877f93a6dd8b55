//! A request and its answer on their way through the rules.
//!
//! Calls come in the order in which the bytes arrive: [`request_line`](Transaction::request_line),
//! [`request_header`](Transaction::request_header) …, [`end_request_headers`](Transaction::end_request_headers),
//! [`request_body`](Transaction::request_body) …, [`end_request_body`](Transaction::end_request_body), the same for the
//! answer if it is to be looked at, and [`finish`](Transaction::finish).

mod effects;
mod feed;
mod gathered;
mod run;
mod state;

use std::net::IpAddr;
use std::sync::Arc;

use crate::body::multipart::Multipart;
use crate::collections::Collections;
use crate::record::{Match, Record};
use crate::ruleset::Ruleset;
use crate::seclang::action::{EngineMode, Phase};
use crate::values::Values;
use crate::variable::Variable;
use gathered::Gathered;
use state::State;

/// Bounds of what a transaction takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body that are looked at; of a multipart body, without the contents of its files.
    pub body: usize,
    /// Arguments in the address and the body together.
    pub arguments: usize,
    /// How deep JSON and XML may be nested.
    pub depth: usize,
    /// Bytes of an answer that are looked at; what follows is not.
    pub response_body: usize,
    /// Bytes of all values and of what transformations made of them.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 1 << 20, arguments: 1000, depth: 32, response_body: 512 << 10, memory: 64 << 20 }
    }
}

/// Where a request comes from and goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The client's address.
    pub client: IpAddr,
    /// The client's port.
    pub client_port: u16,
    /// The address that it was received on.
    pub server: IpAddr,
    /// The port that it was received on.
    pub server_port: u16,
}

/// The request must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Interruption {
    /// What to answer with.
    pub status: u16,
    /// The rule that decided; 0 where the engine itself did.
    pub rule: u32,
    /// Why.
    pub cause: Cause,
}

/// Why a request must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A rule refused it.
    Rule,
    /// A body or a list of arguments is larger than the limits.
    TooLarge,
    /// The time or memory for a request ran out before every rule had seen it.
    OverBudget,
}

/// A request and its answer, as far as they have arrived.
pub struct Transaction {
    rules: Arc<Ruleset>,
    limits: Limits,
    /// Whether the time for this request is used up; asked again and again while rules run.
    budget: Option<Box<dyn FnMut() -> bool + Send>>,
    collections: Option<(Arc<Collections>, u64)>,
    values: Values,
    gathered: Gathered,
    state: State,
    mode: EngineMode,
    body: Body,
    matches: Vec<Match>,
    interruption: Option<Interruption>,
    /// Rules that `allow` has switched off, up to and with this phase.
    allowed: Option<Phase>,
    /// Bytes that operators have looked at since the budget was asked.
    unbudgeted: usize,
    /// A pattern took more steps than it may: what it would have said is not known.
    gave_up: bool,
    /// Naive: no gate is asked. For tests that compare both ways.
    gates: bool,
}

/// A body that is arriving.
#[derive(Default)]
struct Body {
    processor: Option<Processor>,
    forced: bool,
    ignored: bool,
    bytes: Vec<u8>,
    length: u64,
    multipart: Option<Box<Multipart>>,
    content_type: Vec<u8>,
    is_too_large: bool,
    arguments: usize,
    response: Vec<u8>,
}

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Processor {
    Urlencoded,
    Multipart,
    Json,
    Xml,
}

impl Processor {
    const fn name(self) -> &'static str {
        match self {
            Self::Urlencoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Urlencoded, Self::Multipart, Self::Json, Self::Xml].into_iter().find(|known| known.name() == name)
    }

    /// What a `Content-Type` asks for.
    fn of(content_type: &[u8]) -> Option<Self> {
        let lower = content_type.to_ascii_lowercase();
        let media = lower.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if media == b"application/x-www-form-urlencoded" {
            Some(Self::Urlencoded)
        } else if media.starts_with(b"multipart/form-data") {
            Some(Self::Multipart)
        } else if media.starts_with(b"application/json")
            || (media.starts_with(b"application/") && media.ends_with(b"+json"))
        {
            Some(Self::Json)
        } else if [&b"text/xml"[..], b"application/xml"].iter().any(|xml| media.starts_with(xml))
            || media.ends_with(b"+xml")
        {
            Some(Self::Xml)
        } else {
            None
        }
    }
}

impl Transaction {
    /// Begins a transaction. `id` is what the host calls it.
    pub fn new(rules: &Arc<Ruleset>, connection: &Connection, id: &str, limits: Limits) -> Self {
        let mut values = Values::new(rules.chains.len());
        values.set(Variable::RemoteAddr, connection.client.to_string().as_bytes());
        values.set(Variable::RemotePort, connection.client_port.to_string().as_bytes());
        values.set(Variable::ServerAddr, connection.server.to_string().as_bytes());
        values.set(Variable::ServerPort, connection.server_port.to_string().as_bytes());
        values.set(Variable::UniqueId, id.as_bytes());
        // Known to be none: a rule that asks for anything but the known ones must match a body without a type.
        values.set(Variable::ReqbodyProcessor, b"");
        for variable in feed::FLAGS {
            values.set(variable, b"0");
        }
        Self {
            rules: rules.clone(),
            limits,
            budget: None,
            collections: None,
            values,
            gathered: Gathered::new(&rules.groups),
            state: State::new(&rules.names),
            mode: rules.mode,
            body: Body::default(),
            matches: Vec::new(),
            interruption: None,
            allowed: None,
            unbudgeted: 0,
            gave_up: false,
            gates: true,
        }
    }

    /// Ends rules when `budget` says that the time is used up.
    #[must_use]
    pub fn with_budget(mut self, budget: impl FnMut() -> bool + Send + 'static) -> Self {
        self.budget = Some(Box::new(budget));
        self
    }

    /// Keeps what `initcol` opens in `collections` at the second `now`. Without this, such collections end with the
    /// transaction.
    #[must_use]
    pub fn with_collections(mut self, collections: Arc<Collections>, now: u64) -> Self {
        self.collections = Some((collections, now));
        self
    }

    /// Runs every rule on every value, without asking first whether it can match. The verdicts are the same, only later:
    /// a test compares both ways.
    #[must_use]
    pub fn without_gates(mut self) -> Self {
        self.gates = false;
        self
    }

    /// What was decided so far.
    pub fn interruption(&self) -> Option<Interruption> {
        self.interruption
    }

    /// A `TX` value, for hosts that show scores.
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        self.state.get(&self.rules.names, Variable::Tx, name.to_ascii_lowercase().as_bytes())
    }

    /// Runs the last phase and tells what happened.
    pub fn finish(mut self) -> Record {
        self.run(Phase::Logging);
        Record { matches: self.matches, interruption: self.interruption, mode: self.mode }
    }
}
