//! Sets of rules for the firewall: found, read, composed and compiled.
//!
//! A set comes from this program itself, from a directory (the Core Rule Set as it is released, or as its Go module
//! carries it), or from Debian's package. Whatever the layout, the rules run in this order: the set's own set-up, ours
//! ([`Settings`]), the exclusions, then the set's files by name.
//!
//! Ids 100 to 999 are those of the set-up, 1,000 to 9,999 those of our own rules (`crates/network/rules`); exclusions
//! take 10,000 to 99,999. The most common change is a rule of our own: write it into the file of its subject there, and
//! the request that it is about into `tests/rules/`.

mod archive;
mod built_in;
mod current;
mod fetch;
mod install;
mod layout;
mod self_test;
mod setup;
mod tree;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use letterkeep_model::Timestamp;
use letterkeep_vault::Sha256;
use letterkeep_waf::{EngineMode, Files, LoadError, Ruleset, Source, Transaction};

pub use current::{Current, watch_token};
pub use fetch::{FetchError, fetch, fetch_believing};
pub use install::{InstallError, Installed, MAX_PACKAGE, Package, install, installed, rollback};
pub use self_test::{SelfTest, SelfTestError, self_test};
pub use setup::{Mode, Settings};
pub use verify::{Verification, VerifyError};

use layout::Parts;
use setup::Family;
use tree::Tree;

/// Where a set comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This program.
    BuiltIn,
    /// A directory: a release, or what the Go module carries.
    Directory(PathBuf),
    /// Debian's package `modsecurity-crs`, installed below this root (`/`).
    Debian(PathBuf),
}

/// When a set was made, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// The newest date that is known.
    pub at: Timestamp,
    /// Whether the set says it itself; else it is the time of its newest file.
    pub stated: bool,
}

/// A set of rules, compiled.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// What it calls itself: `Letterkeep base`, `OWASP CRS`.
    pub name: String,
    /// Its version, as it says it; empty if it says none.
    pub version: String,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was made.
    pub released: Option<Released>,
    /// The rules, for transactions.
    pub rules: Arc<Ruleset>,
    /// SHA-256 over the names and contents of its files, in hexadecimal digits. [`Settings`] do not change it.
    pub digest: String,
    /// Its rules that are not loaded, by id: those that ask a name server or a geographical database for each request,
    /// and those of [`Settings::without`].
    pub left_out: Vec<u32>,
    family: Family,
    inbound_threshold: u32,
    paranoia_level: u8,
    mode: Mode,
}

/// A set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A setting that is none.
    #[error("the settings of the firewall cannot be used: {0}")]
    Settings(String),
    /// A file or directory that cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(PathBuf, std::io::Error),
    /// The files are not those of a set of rules.
    #[error("this is no set of rules: {0}")]
    Layout(String),
    /// A rule that the engine does not know, or that is wrong.
    #[error("the rules do not load: {0}")]
    Load(#[from] LoadError),
}

/// The set that a service uses: one that was installed below `data`, else Debian's package below `root` (`/`), else
/// the rules of this program.
///
/// # Errors
/// The pointer to the installed set cannot be read, or is damaged: then no other set is taken in its place.
pub fn find(data: &Path, root: &Path) -> Result<Origin, RulesError> {
    let current = Current::read(data).map_err(|error| RulesError::Read(current::directory(data), error))?;
    Ok(current.origin(data, root))
}

impl Current {
    fn origin(&self, data: &Path, root: &Path) -> Origin {
        match &self.now {
            Some(name) => Origin::Directory(current::directory(data).join(name)),
            None if layout::is_debian(root) => Origin::Debian(root.to_owned()),
            None => Origin::BuiltIn,
        }
    }
}

/// Reads and compiles a set. It is not tested yet.
///
/// # Errors
/// A file cannot be read, the files are no set, a setting is none, or a rule does not load.
pub fn load(origin: &Origin, settings: &Settings) -> Result<RuleSet, RulesError> {
    let parts = match origin {
        Origin::BuiltIn => built_in::parts(),
        Origin::Directory(path) => Parts::of(&Tree::read(path)?)?,
        Origin::Debian(root) => layout::debian(root)?,
    };
    compile(origin.clone(), &parts, settings)
}

fn compile(origin: Origin, parts: &Parts, settings: &Settings) -> Result<RuleSet, RulesError> {
    if parts.rules.is_empty() {
        return Err(RulesError::Layout("it has no file of rules".to_owned()));
    }
    let digest = parts.digest();
    let (family, name, version) = Family::of(&parts.rules);
    let set_up = setup::text(family, settings)?;
    let mut left_out: Vec<u32> = family.needs_look_ups().to_vec();
    left_out.extend(&settings.without);
    left_out.retain(|id| parts.rules.iter().any(|(_, text)| has_rule(text, *id)));
    let mut sources = Vec::new();
    sources.extend(parts.setup.as_ref().map(|(name, text)| Source { name, text }));
    sources.push(Source { name: "settings of Letterkeep", text: &set_up });
    sources.push(Source { name: "exclusions of Letterkeep", text: &settings.exclusions });
    sources.extend(parts.rules.iter().map(|(name, text)| Source { name, text }));
    let rules = Ruleset::load_without(&sources, parts, &left_out)?;
    if rules.is_empty() {
        return Err(RulesError::Layout("it has no rule".to_owned()));
    }
    let mode = match settings.mode {
        Mode::Blocking => EngineMode::On,
        Mode::DetectionOnly => EngineMode::DetectionOnly,
    };
    Ok(RuleSet {
        name,
        version,
        origin,
        released: parts.released,
        rules: Arc::new(rules.with_mode(mode)),
        digest,
        left_out,
        family,
        inbound_threshold: settings.inbound_threshold,
        paranoia_level: settings.paranoia_level,
        mode: settings.mode,
    })
}

/// Whether a file has a rule of this id.
fn has_rule(text: &str, id: u32) -> bool {
    let wanted = format!("id:{id}");
    let ends = |rest: &str| !rest.starts_with(|char: char| char.is_ascii_digit());
    text.match_indices(&wanted).any(|(at, found)| ends(&text[at + found.len()..]))
}

impl RuleSet {
    /// How many rules there are; a chain is one.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none. A set that was loaded has some.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How old the set is, if that is known.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.released.map(|released| now.since(released.at))
    }

    /// The anomaly score that a request has so far; none if the set keeps none.
    pub fn score(&self, transaction: &Transaction) -> Option<i64> {
        let value = transaction.variable(self.family.score()?)?;
        std::str::from_utf8(value).ok()?.parse().ok()
    }

    /// Whether it refuses anything.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The score from which a request is refused.
    pub fn threshold(&self) -> u32 {
        self.inbound_threshold
    }
}

impl Files for Parts {
    /// A list stands beside the rules that name it: no name leads anywhere else.
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self.lists.get(name).cloned().ok_or_else(|| "it is not among the files of the set".to_owned())
    }
}

impl Parts {
    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let texts = self.setup.iter().chain(&self.rules).map(|(name, text)| (name, text.as_bytes()));
        let lists = self.lists.iter().map(|(name, bytes)| (name, &bytes[..]));
        for (name, bytes) in texts.chain(lists) {
            // With their lengths, so that nothing can move from a name to a content or on to the next file.
            for piece in [name.as_bytes(), bytes] {
                digest.update(&(piece.len() as u64).to_be_bytes());
                digest.update(piece);
            }
        }
        hexadecimal(&digest.finish())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
