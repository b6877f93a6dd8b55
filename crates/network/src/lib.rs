//! The edge of the service: TLS, limits, and a firewall that looks at every request before the service sees it.
//!
//! # The way of a request
//! [`Listener`] accepts a connection within its [`Limits`], in all and for each client network, and speaks TLS 1.2 or 1.3
//! (rustls with aws-lc-rs). Between TLS and hyper stands a guard that reads every HTTP/1 request itself ([`Requests`]),
//! refuses what two readers could take apart differently, and keeps the head as it was sent ([`RawHead`]); HTTP/2 is
//! checked by hyper, and by [`check_http2`] for what hyper lets through. What is too slow, in either direction, is ended.
//! Then [`Edge`], a service around the real one:
//! 1. finds the client, also behind proxies that the operator trusts (`client`), and gives the request an id;
//! 2. asks the gate for a place and counts limits of rate (`edge/gate.rs`); what is [vital](Policy::vital) always comes in;
//! 3. finds what holds for the route ([`Routes`], [`Policy`]): bytes, time, whether the body streams;
//! 4. hands head and body to the [`Firewall`] within a budget of processor time (`inspection`). The service gets the
//!    bytes that were looked at: a complete body, or one whose last piece waits for the verdict ([`EdgeBody`]);
//! 5. looks at the answer where the route asks for it, adds headers, and keeps the [`Decision`].
//!
//! The service is ours, or any other that [`Proxy`] hands requests on to.
//!
//! A refused client gets a status and the request's id, nothing else; the id leads to the decision, which names rules and
//! fields, but no value and no whole address.
//!
//! # Rules
//! [`rules`] finds, tests and loads a set: an installed release of the OWASP Core Rule Set, Debian's, or our own. What may
//! not be looked at is an [`Exclusion`] for one field of one route with a reason; [`Firewall::candidates`] lists what could
//! be one, and a person decides.
//!
//! The most common change is a new limit: put it into [`Policy`] or [`EdgeSettings`] and enforce it in `edge.rs`, or
//! into [`Limits`] and enforce it in `guard.rs` (HTTP/1), `connection.rs` (HTTP/2) or `pace.rs` (both); give it a test that
//! crosses it on a real socket. A new reason to refuse a request is a variant of [`Refusal`] and a case in
//! `tests/smuggling.rs`.

mod acme;
mod body;
mod certificate;
mod client;
mod connection;
mod decision;
mod edge;
mod exclusion;
mod firewall;
mod guard;
mod head;
mod http2;
mod inspection;
mod listener;
mod pace;
mod places;
mod proxy;
mod rate;
mod redirect;
mod route;
pub mod rules;
mod tls;

pub use acme::{AcmeSettings, AcmeState, Challenges};
pub use body::{BodyRefused, EdgeBody};
pub use certificate::{Certificate, CertificateDetails, CertificateError};
pub use decision::{Decision, Matched, Outcome, Place, RuleCount};
pub use edge::{ClientAddress, Edge, EdgeSettings, ForAccount, RequestId, ResponseHeaders};
pub use exclusion::{Exclusion, ExclusionError, Field, Rules, to_rules};
pub use firewall::{CLIENTS, Candidate, Firewall, FirewallLimits, Loaded, Observer};
pub use head::{Head, HeadLimits, Length, RawHead, Refusal, Requests, Step};
pub use http2::check_http2;
pub use listener::{Limits, ListenError, Listener, Peer};
pub use places::Places;
pub use proxy::{Proxy, ProxyError, ProxySettings, Upstream, UpstreamError};
pub use rate::Rate;
pub use redirect::Redirect;
pub use route::{Pattern, PatternError, Policy, Route, Routes};
pub use tls::{Tls, TlsSource};
