//! Which files of a tree are the set-up, the rules and the lists.

use std::collections::BTreeMap;
use std::path::Path;

use letterkeep_model::Timestamp;

use super::tree::Tree;
use super::{Released, RulesError};

/// Where Debian's package has its rules, below the root.
const DEBIAN_RULES: &str = "usr/share/modsecurity-crs/rules";
/// Where it has what an administrator may change.
const DEBIAN_SETTINGS: &str = "etc/modsecurity/crs";
/// Names of the set-up, the best first: one that somebody has made their own wins over the example.
const SET_UPS: [&str; 3] = ["crs-setup.conf", "crs-setup.conf.example", "@crs-setup.conf.example"];

/// The files of a set, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Name and text of the set's own set-up.
    pub(super) setup: Option<(String, String)>,
    /// Names and texts of the rules, in their order.
    pub(super) rules: Vec<(String, String)>,
    /// Lists that rules name.
    pub(super) lists: BTreeMap<String, Vec<u8>>,
    pub(super) released: Option<Released>,
}

impl Parts {
    /// Finds the parts in a tree: a release (`crs-setup.conf.example`, `rules/`), what the Go module carries
    /// (`@crs-setup.conf.example`, `@owasp_crs/`), or one directory of rules.
    pub(super) fn of(tree: &Tree) -> Result<Self, RulesError> {
        let setup = set_up(tree)?;
        let directory = match &setup {
            Some(path) => {
                let beside = directory_of(path);
                let candidates = [format!("{beside}rules/"), format!("{beside}@owasp_crs/"), beside.to_owned()];
                let holds_rules = |candidate: &String| rules_in(tree, candidate, setup.as_deref()).next().is_some();
                candidates.into_iter().find(holds_rules)
            }
            None => only_directory(tree)?,
        };
        let Some(directory) = directory else {
            return Err(RulesError::Layout("no file of rules (*.conf) is in it".to_owned()));
        };
        let mut parts = Self::default();
        for (path, file) in tree.files() {
            let (above, name) = (directory_of(path), name_of(path));
            let is_setup = setup.as_deref() == Some(path);
            if is_setup {
                parts.setup = Some((name.to_owned(), text(path, &file.bytes)?));
            } else if above == directory && has_ending(name, "conf") {
                parts.rules.push((name.to_owned(), text(path, &file.bytes)?));
            } else if above == directory && has_ending(name, "data") {
                parts.lists.insert(name.to_owned(), file.bytes.clone());
            } else {
                continue;
            }
            let newest = parts.released.map_or(file.modified, |known| file.modified.max(Some(known.at)));
            parts.released = newest.map(|at| Released { at, stated: false });
        }
        if let Some(at) = stated_date(tree) {
            parts.released = Some(Released { at, stated: true });
        }
        Ok(parts)
    }
}

/// Whether Debian's package is installed below `root`.
pub(super) fn is_debian(root: &Path) -> bool {
    root.join(DEBIAN_RULES).is_dir() && root.join(DEBIAN_SETTINGS).join(SET_UPS[0]).is_file()
}

/// Debian's package: what may be changed stands apart from the rules, and both run in the order of their names.
pub(super) fn debian(root: &Path) -> Result<Parts, RulesError> {
    let mut tree = Tree::default();
    for directory in [DEBIAN_RULES, DEBIAN_SETTINGS] {
        let path = root.join(directory);
        for entry in std::fs::read_dir(&path).map_err(|error| RulesError::Read(path.clone(), error))? {
            let entry = entry.map_err(|error| RulesError::Read(path.clone(), error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if has_ending(&name, "conf") || has_ending(&name, "data") {
                tree.add_file(name, &entry.path())?;
            }
        }
    }
    Parts::of(&tree)
}

/// The set-up that is nearest to the root.
fn set_up(tree: &Tree) -> Result<Option<String>, RulesError> {
    let depth = |path: &str| path.matches('/').count();
    let rank = |path: &str| SET_UPS.iter().position(|known| *known == name_of(path));
    let mut found: Vec<&str> = tree.files().map(|(path, _)| path).filter(|path| rank(path).is_some()).collect();
    found.sort_by_key(|path| (depth(path), rank(path)));
    let Some(best) = found.first() else { return Ok(None) };
    let rival = found.iter().find(|path| depth(path) == depth(best) && directory_of(path) != directory_of(best));
    match rival {
        Some(rival) => Err(RulesError::Layout(format!("it holds two: {best} and {rival}"))),
        None => Ok(Some((*best).to_owned())),
    }
}

/// The directory that holds rules, where no set-up says which.
fn only_directory(tree: &Tree) -> Result<Option<String>, RulesError> {
    let mut found: Vec<&str> =
        tree.files().map(|(path, _)| path).filter(|path| has_ending(path, "conf")).map(directory_of).collect();
    found.dedup();
    match found[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.to_owned())),
        _ => Err(RulesError::Layout(
            "several of its directories hold rules, and no crs-setup.conf says which".to_owned(),
        )),
    }
}

fn rules_in<'a>(tree: &'a Tree, directory: &'a str, setup: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let paths = tree.files().map(|(path, _)| path);
    paths.filter(move |path| directory_of(path) == directory && has_ending(path, "conf") && Some(*path) != setup)
}

/// The newest date of the list of changes: `## Version 4.25.0 - 2026-03-28`.
fn stated_date(tree: &Tree) -> Option<Timestamp> {
    let (_, changes) = tree.changes()?;
    let text = String::from_utf8_lossy(changes);
    let dates = text.lines().filter(|line| line.contains("ersion")).filter_map(|line| {
        let (_, after) = line.split_once(" - ")?;
        date(after.get(..10)?)
    });
    dates.max()
}

/// Midnight of a day (UTC), from `2026-03-28`.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_seconds(midnight.as_second()))
}

fn text(path: &str, bytes: &[u8]) -> Result<String, RulesError> {
    let decoded = String::from_utf8(bytes.to_vec());
    decoded.map_err(|_| RulesError::Layout(format!("{path} is not UTF-8")))
}

fn directory_of(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

fn name_of(path: &str) -> &str {
    path.rfind('/').map_or(path, |at| &path[at + 1..])
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}
