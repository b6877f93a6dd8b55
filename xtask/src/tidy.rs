//! `cargo xtask tidy`: the rules of the repository, read from its manifests and sources.
//!
//! A rule is a function from the [`Tree`] to [`Finding`]s, and has a test with a planted violation: a rule that finds
//! nothing in a tree that breaks it is worse than none.

mod arrows;
mod licences;
mod locales;
mod markup;
mod migrations;
mod sources;
mod statements;
mod vendored;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Files above this size are data, not sources.
const LARGEST_FILE: u64 = 4 << 20;

/// The files of the repository by their path from its root, with `/` between the parts.
#[derive(Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// Reads the repository at `root`, leaving out what is built or belongs to a tool.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_directory(root, "")?;
        Ok(tree)
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { bail!("{prefix} holds a name that is not UTF-8") };
            let path = format!("{prefix}{name}");
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                let hidden = name.starts_with('.') && !matches!(name.as_str(), ".ci" | ".cargo");
                let built = matches!(path.as_str(), "fuzz/corpus" | "fuzz/artifacts" | "letterkeep-data")
                    || name == "target"
                    || entry.path().join("CACHEDIR.TAG").is_file();
                if !hidden && !built {
                    self.read_directory(&entry.path(), &format!("{path}/"))?;
                }
            } else if name != ".git" && metadata.is_file() && metadata.len() <= LARGEST_FILE {
                self.files.insert(path, fs::read(entry.path())?);
            }
        }
        Ok(())
    }

    /// A file's bytes.
    fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// A file's text, if it is text.
    fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(path)?).ok()
    }

    /// The paths of all files.
    fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Path and text of the text files whose path ends in `suffix`.
    fn texts<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.paths().filter(move |path| path.ends_with(suffix)).filter_map(|path| Some((path, self.text(path)?)))
    }

    /// The names of the files directly in `directory`.
    fn names_in<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = &'a str> {
        self.paths()
            .filter_map(move |path| path.strip_prefix(directory)?.strip_prefix('/'))
            .filter(|n| !n.contains('/'))
    }
}

/// A violation: where it is, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    /// `line` counts from 1; 0 means the whole file.
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Fails with every violation; prints what is only worth a look.
pub(crate) fn check(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    for rule in [arrows::check, sources::check, statements::check, migrations::check, locales::check, markup::check] {
        findings.extend(rule(&tree));
    }
    findings.extend(vendored::check(&tree));
    findings.extend(licences::check(root)?);
    findings.sort();
    findings.dedup();
    for note in sources::notes(&tree) {
        println!("note: {note}");
    }
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} violations", findings.len());
    }
    println!("{} files, no violation", tree.files.len());
    Ok(())
}

/// The violations among vendored files alone.
pub(crate) fn vendored_files(root: &Path) -> Result<Vec<Finding>> {
    Ok(vendored::check(&Tree::read(root)?))
}

/// The line, counted from 1, on which the byte `offset` of `text` stands.
fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Tree {
        /// A tree with planted files.
        pub(super) fn with(files: &[(&str, &str)]) -> Self {
            Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect() }
        }
    }

    /// Whether one of `findings` is at `place` (`path:line`) and says `word`.
    pub(super) fn found(findings: &[Finding], place: &str, word: &str) -> bool {
        findings.iter().any(|finding| {
            let text = finding.to_string();
            text.strip_prefix(place).is_some_and(|rest| rest.starts_with(": ") && rest.contains(word))
        })
    }

    #[test]
    fn this_repository_is_read_without_what_is_built() {
        let tree = Tree::read(crate::tools::root()).unwrap();
        assert!(tree.text("xtask/src/tidy.rs").is_some());
        assert!(!tree.paths().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
    }
}
