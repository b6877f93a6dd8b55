//! What the tests are run with.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use letterkeep_waf::{Connection, Files, Interruption, Limits, Match, Ruleset, Source, Transaction};

use super::case::Generation;
use super::request::Request;

/// A firewall under test. It only detects; it blocks nothing.
pub(super) trait Engine: Sync {
    /// All rules that logged a match for `request` and its response; or what is wrong with the engine itself.
    fn inspect(&self, request: &Request) -> Result<Vec<Logged>, String>;
}

/// What an engine decides of a request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Decision {
    /// None where both are let through.
    pub(super) refused: Option<Refusal>,
    /// The rules that logged a match, in the order in which they ran.
    pub(super) rules: Vec<u32>,
    /// The message of the last one.
    pub(super) message: String,
}

/// A request or its answer must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The phase that decided, 1 to 4.
    pub(super) phase: u8,
    pub(super) status: u16,
    /// The rule that decided; 0 where the engine itself did.
    pub(super) rule: u32,
}

/// One logged match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    /// The rule.
    pub(super) rule: u32,
    /// The message and data of the match, as a log would have them: `[msg "…"] [data "…"]`. A few tests look into it.
    pub(super) line: String,
}

impl Logged {
    /// The whole line of the log.
    pub(super) fn text(&self) -> String {
        format!("[id \"{}\"] {}", self.rule, self.line)
    }
}

/// The engine with the rules in `directory`, set to detection only and the highest paranoia level.
pub(super) fn load(generation: Generation, directory: &Path) -> Result<Firewall> {
    let setup = generation.setup(directory);
    let setup = fs::read_to_string(&setup).with_context(|| setup.display().to_string())?;
    let own = format!("SecRuleEngine DetectionOnly\n{}", generation.settings(4));
    let mut texts = vec![("setup".to_owned(), setup), ("own".to_owned(), own)];
    for file in rule_files(directory)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        texts.push((name, fs::read_to_string(&file)?));
    }
    Firewall::new(generation, &texts, directory)
}

/// The files of rules in `directory`, in the order in which they are read.
pub(super) fn rule_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = files.iter().map(fs::DirEntry::path).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "conf"));
    files.sort();
    Ok(files)
}

/// The lists that rules name stand beside them.
struct Beside(PathBuf);

impl Files for Beside {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.0.join(name)).map_err(|error| error.to_string())
    }
}

/// Our own engine.
pub(super) struct Firewall(Arc<Ruleset>);

impl Engine for Firewall {
    fn inspect(&self, request: &Request) -> Result<Vec<Logged>, String> {
        let matches = self.matches(request, true);
        if matches != self.matches(request, false) {
            return Err("the gates change what is found".to_owned());
        }
        let logged = |found: Match| Logged {
            rule: found.rule,
            line: format!("[msg \"{}\"] [data \"{}\"]", found.message, found.data),
        };
        Ok(matches.into_iter().map(logged).collect())
    }
}

impl Firewall {
    /// With the rules of `texts`, each with its name; the lists that they name stand in `lists`.
    pub(super) fn new(generation: Generation, texts: &[(String, String)], lists: &Path) -> Result<Self> {
        let sources = texts.iter().map(|(name, text)| Source { name, text }).collect::<Vec<_>>();
        let rules = Ruleset::load_without(&sources, &Beside(lists.to_owned()), generation.left_out())?;
        Ok(Self(Arc::new(rules)))
    }

    fn begin(&self) -> Transaction {
        let localhost = IpAddr::from([127, 0, 0, 1]);
        let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 80 };
        let limits = Limits { body: 16 << 20, arguments: 10_000, depth: 1024, ..Limits::default() };
        Transaction::new(&self.0, &connection, "test", limits)
    }

    /// With its gates, or the slow way.
    fn matches(&self, request: &Request, gates: bool) -> Vec<Match> {
        let transaction = self.begin();
        let mut transaction = if gates { transaction } else { transaction.without_gates() };
        pass(&mut transaction, request);
        transaction.finish().matches
    }

    /// The values of `request` that rules match.
    pub(super) fn values(&self, request: &Request) -> Vec<Vec<u8>> {
        let findings = self.matches(request, true).into_iter().flat_map(|found| found.findings);
        findings.map(|finding| finding.value).collect()
    }

    /// What is decided of `request` and its answer.
    pub(super) fn decide(&self, request: &Request) -> Decision {
        let mut transaction = self.begin();
        let refused = pass(&mut transaction, request);
        let record = transaction.finish();
        Decision {
            refused: refused.map(|(phase, stop)| Refusal { phase, status: stop.status, rule: stop.rule }),
            rules: record.matches.iter().map(|found| found.rule).collect(),
            message: record.matches.last().map(|found| found.message.clone()).unwrap_or_default(),
        }
    }
}

/// Sends a request and its answer; what is refused goes no further. The phase of the refusal, and the refusal.
fn pass(transaction: &mut Transaction, request: &Request) -> Option<(u8, Interruption)> {
    transaction.request_line(&request.method, &request.uri, &request.version);
    for (name, value) in &request.headers {
        transaction.request_header(name, value);
    }
    if let Some(stop) = transaction.end_request_headers() {
        return Some((1, stop));
    }
    transaction.request_body(&request.body);
    if let Some(stop) = transaction.end_request_body() {
        return Some((2, stop));
    }
    transaction.response_status(request.response.status, b"HTTP/1.1");
    for (name, value) in &request.response.headers {
        transaction.response_header(name, value);
    }
    if let Some(stop) = transaction.end_response_headers() {
        return Some((3, stop));
    }
    transaction.response_body(&request.response.body);
    transaction.end_response_body().map(|stop| (4, stop))
}
