//! The Core Rule Set as the bench of the firewall loads it, and the way of a request through it.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use letterkeep_waf::{Connection, Files, Limits, Record, Ruleset, Source, Transaction};

use crate::waf_requests::Request;

/// What the rule set's own files are read after; its peers read the same files.
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/settings.conf");
const SECOND_LEVEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/level-2.conf");

/// The directory of rules in `LETTERKEEP_CRS`, if it is set.
pub fn directory() -> Option<PathBuf> {
    std::env::var_os("LETTERKEEP_CRS").map(PathBuf::from)
}

/// The files to load, in their order: our settings, the rule set's example of a set-up, its rules.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let beside = directory.parent().expect("the rules stand in a directory");
    // The Go module that carries the rule set marks with `@` what is not the user's.
    let set_up = ["@crs-setup.conf.example", "crs-setup.conf.example"].map(|name| beside.join(name));
    let set_up = set_up.into_iter().find(|path| path.is_file()).expect("the example of a set-up beside the rules");
    let entries = fs::read_dir(directory).expect("the directory of rules");
    let mut rules: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    rules.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
    rules.sort();
    [vec![SETTINGS.into(), set_up], rules].concat()
}

/// The rules of the first paranoia level, blocking.
pub fn load(directory: &Path) -> Arc<Ruleset> {
    load_files(directory, &files(directory))
}

/// The rules of the second paranoia level.
pub fn load_second_level(directory: &Path) -> Arc<Ruleset> {
    load_files(directory, &[vec![SECOND_LEVEL.into()], files(directory)].concat())
}

fn load_files(directory: &Path, files: &[PathBuf]) -> Arc<Ruleset> {
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.display().to_string(), text)
    };
    let texts: Vec<(String, String)> = files.iter().map(read).collect();
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let rules = Ruleset::load(&sources, &Beside(directory.to_owned()));
    Arc::new(rules.unwrap_or_else(|error| panic!("{error}")))
}

/// The lists that rules name stand beside them.
struct Beside(PathBuf);

impl Files for Beside {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.0.join(name)).map_err(|error| error.to_string())
    }
}

/// The whole way of a request, as a host goes it: what is blocked goes no further, but is logged. No answer is looked
/// at.
pub fn inspect(rules: &Arc<Ruleset>, request: &Request) -> Record {
    let (client, server) = (IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 1]));
    let connection = Connection { client, client_port: 40_711, server, server_port: 443 };
    // Nothing is refused for its size.
    let limits = Limits { arguments: 2000, ..Limits::default() };
    let mut transaction = Transaction::new(rules, &connection, "bench", limits);
    transaction.request_line(request.method.as_bytes(), request.target.as_bytes(), request.version.as_bytes());
    for (name, value) in &request.headers {
        transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    if transaction.end_request_headers().is_none() && transaction.request_body(&request.body).is_none() {
        transaction.end_request_body();
    }
    transaction.finish()
}
