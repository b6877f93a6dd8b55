//! What the tests are run with.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use letterkeep_waf::{Connection, Files, Limits, Match, Ruleset, Source, Transaction};

use super::case::Generation;
use super::request::Request;

/// A firewall under test. It only detects; it blocks nothing.
pub(super) trait Engine: Sync {
    /// All rules that logged a match for `request` and its response; or what is wrong with the engine itself.
    fn inspect(&self, request: &Request) -> Result<Vec<Logged>, String>;
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
pub(super) fn load(generation: Generation, directory: &Path) -> Result<Box<dyn Engine>> {
    let beside = directory.parent().context("the rules stand in no directory")?;
    let (setup, level, left_out) = match generation {
        Generation::Four => (beside.join("@crs-setup.conf.example"), "tx.blocking_paranoia_level", &[][..]),
        Generation::Three => (beside.join("crs-setup.conf.example"), "tx.paranoia_level", LEFT_OUT),
    };
    // What the rule set's own runner sets before its tests.
    let own = format!(
        "SecRuleEngine DetectionOnly\n\
         SecAction \"id:1,phase:1,nolog,pass,setvar:{level}=4,setvar:tx.crs_validate_utf8_encoding=1,\
         setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,\
         setvar:tx.max_num_args=255,setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535\"\n"
    );
    let mut texts = vec![
        ("setup".to_owned(), fs::read_to_string(&setup).with_context(|| setup.display().to_string())?),
        ("own".to_owned(), own),
    ];
    let mut files = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files.iter().map(fs::DirEntry::path).filter(|path| path.extension().is_some_and(|end| end == "conf")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        texts.push((name, fs::read_to_string(&file)?));
    }
    let sources = texts.iter().map(|(name, text)| Source { name, text }).collect::<Vec<_>>();
    let rules = Ruleset::load_without(&sources, &Beside(directory.to_owned()), left_out)?;
    Ok(Box::new(Firewall(Arc::new(rules))))
}

/// Rules of 3.3.4 that would ask a name server or a geographical database for every request.
const LEFT_OUT: &[u32] = &[910_100, 910_120, 910_140, 910_150, 910_160, 910_170, 910_180];

/// The lists that rules name stand beside them.
struct Beside(PathBuf);

impl Files for Beside {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.0.join(name)).map_err(|error| error.to_string())
    }
}

struct Firewall(Arc<Ruleset>);

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
    /// With its gates, or the slow way.
    fn matches(&self, request: &Request, gates: bool) -> Vec<Match> {
        let localhost = IpAddr::from([127, 0, 0, 1]);
        let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 80 };
        let limits = Limits { body: 16 << 20, arguments: 10_000, depth: 1024, ..Limits::default() };
        let transaction = Transaction::new(&self.0, &connection, "test", limits);
        let mut transaction = if gates { transaction } else { transaction.without_gates() };
        transaction.request_line(&request.method, &request.uri, &request.version);
        for (name, value) in &request.headers {
            transaction.request_header(name, value);
        }
        transaction.end_request_headers();
        transaction.request_body(&request.body);
        transaction.end_request_body();
        transaction.response_status(request.response.status, b"HTTP/1.1");
        for (name, value) in &request.response.headers {
            transaction.response_header(name, value);
        }
        transaction.end_response_headers();
        transaction.response_body(&request.response.body);
        transaction.end_response_body();
        transaction.finish().matches
    }
}
