//! The files of a set, in memory: read once, bounded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::Path;

use letterkeep_model::Timestamp;

use super::RulesError;

/// Files and directories that are looked at.
const MAX_ENTRIES: usize = 20_000;
/// How deep directories may be nested.
const MAX_DEPTH: usize = 8;
/// Bytes of the files that are kept.
pub(super) const MAX_BYTES: usize = 32 << 20;

/// A file.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) modified: Option<Timestamp>,
}

/// Files by their path below the root, with `/` between names.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Kept>,
    bytes: usize,
}

impl Tree {
    /// What a set of rules can need of a directory.
    pub(super) fn read(root: &Path) -> Result<Self, RulesError> {
        let mut tree = Self::default();
        let mut entries = 0;
        tree.walk(root, "", 0, &mut entries)?;
        Ok(tree)
    }

    fn walk(&mut self, directory: &Path, prefix: &str, depth: usize, entries: &mut usize) -> Result<(), RulesError> {
        let unreadable = |error| RulesError::Read(directory.to_owned(), error);
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            *entries += 1;
            if *entries > MAX_ENTRIES || depth > MAX_DEPTH {
                return Err(RulesError::Layout(format!("{} holds too much", directory.display())));
            }
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let kind = entry.file_type().map_err(unreadable)?;
            let below = format!("{prefix}{name}");
            if kind.is_dir() {
                if !name.starts_with('.') {
                    self.walk(&path, &format!("{below}/"), depth + 1, entries)?;
                }
            } else if is_needed(&name) {
                // Left out silently, rules behind a link would be missed by nobody.
                if !kind.is_file() {
                    return Err(RulesError::Layout(format!("{} is not a plain file", path.display())));
                }
                self.add_file(below, &path)?;
            }
        }
        Ok(())
    }

    /// Reads a file; it is called `name` here.
    pub(super) fn add_file(&mut self, name: String, path: &Path) -> Result<(), RulesError> {
        let unreadable = |error| RulesError::Read(path.to_owned(), error);
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.len() > MAX_BYTES as u64 {
            return Err(too_large());
        }
        let modified = metadata.modified().ok().and_then(timestamp);
        self.add(name, Kept { bytes: fs::read(path).map_err(unreadable)?, modified })
    }

    /// Adds a file, within the bounds.
    pub(super) fn add(&mut self, name: String, file: Kept) -> Result<(), RulesError> {
        self.bytes += file.bytes.len();
        if self.bytes > MAX_BYTES {
            return Err(too_large());
        }
        match self.files.entry(name) {
            Entry::Occupied(known) => Err(RulesError::Layout(format!("it has {} twice", known.key()))),
            Entry::Vacant(place) => {
                place.insert(file);
                Ok(())
            }
        }
    }

    /// All files, in the order of their paths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &Kept)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The list of changes, which tells the day of a release: name and content. The one that is nearest to the root.
    pub(super) fn changes(&self) -> Option<(&str, &[u8])> {
        let names = self.files().filter_map(|(path, file)| {
            let name = path.rsplit('/').next().filter(|name| name.starts_with("CHANGES"))?;
            Some((path.matches('/').count(), name, &file.bytes[..]))
        });
        names.min_by_key(|(depth, ..)| *depth).map(|(_, name, bytes)| (name, bytes))
    }
}

fn too_large() -> RulesError {
    RulesError::Layout(format!("its files have more than {} MB", MAX_BYTES >> 20))
}

fn timestamp(time: std::time::SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_seconds(i64::try_from(since.as_secs()).ok()?))
}

/// Whether a set of rules can need a file of this name.
pub(super) fn is_needed(name: &str) -> bool {
    let ends = |ending: &str| name.len() > ending.len() && name.ends_with(ending);
    ends(".conf") || ends(".conf.example") || ends(".data") || matches!(name, "CHANGES" | "CHANGES.md")
}
