//! A web application firewall engine: SecLang rules in, verdicts out.
//!
//! It reads the rule language of ModSecurity as the OWASP Core Rule Set uses it, strictly: what it does not know is an
//! error when rules are loaded, with file and line. It does no I/O, knows no clock, and has no unsafe code; the host
//! hands in bytes as they arrive and does what the verdict says.
//!
//! ```
//! use std::sync::Arc;
//! use letterkeep_waf::{Connection, Limits, NoFiles, Ruleset, Source, Transaction};
//!
//! let text = r#"SecRule ARGS "@contains <script" "id:1,phase:2,t:lowercase,deny,status:403,msg:'Script in %{MATCHED_VAR_NAME}'""#;
//! let rules = Arc::new(Ruleset::load(&[Source { name: "own.conf", text }], &NoFiles)?);
//! let localhost = std::net::IpAddr::from([127, 0, 0, 1]);
//! let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 443 };
//! let mut transaction = Transaction::new(&rules, &connection, "request-1", Limits::default());
//! transaction.request_line(b"GET", b"/search?q=%3CSCRIPT%3E", b"HTTP/1.1");
//! transaction.request_header(b"Host", b"example.org");
//! assert!(transaction.end_request_headers().is_none());
//! let interruption = transaction.end_request_body().expect("the rule matches");
//! assert_eq!((interruption.status, interruption.rule), (403, 1));
//! assert_eq!(transaction.finish().matches[0].message, "Script in ARGS:q");
//! # Ok::<(), letterkeep_waf::LoadError>(())
//! ```
//!
//! # How it is built
//! `seclang` turns text into directives, `ruleset` compiles them, `transaction` takes a request in and runs the rules of
//! each phase. `body`, `transform` and `operator` are functions on bytes. `values` keeps every value of a transaction in
//! one arena, with the set of bytes that occur in it, and does each transformation of a value once.
//!
//! It is fast by not working: a transformation whose trigger bytes do not occur in a value is skipped, and an operator
//! whose requirements (length, bytes, literals) a value cannot meet is not asked. Such a gate may only ever say "cannot
//! match"; [`Transaction::without_gates`] runs everything, and tests compare both ways.
//! Links that look at the same values share one selection of them; what cannot match is told by the list of a phase
//! (`ruleset::step`), without a look at the rule.
//!
//! The most common change is another operator or transformation: add it to the enum in its module, with its name and
//! its cases.

mod body;
mod byte_set;
mod collections;
mod operator;
mod record;
mod ruleset;
mod seclang;
mod text;
mod transaction;
mod transform;
mod values;
mod variable;

pub use collections::Collections;
pub use operator::{Files, NoFiles};
pub use record::{Finding, Match, Record};
pub use ruleset::{LoadError, Ruleset, Source};
pub use seclang::action::{EngineMode, Phase, Severity};
pub use transaction::{Cause, Connection, Interruption, Limits, Transaction};
