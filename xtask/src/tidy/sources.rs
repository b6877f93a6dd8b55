//! Names, lengths and habits of the sources.

use super::{Finding, Tree};

/// A file longer than this is split by subject.
const HARD_LIMIT: usize = 700;
/// A file longer than this is worth a look.
const SOFT_LIMIT: usize = 400;

/// Words that say nothing about what a thing is.
const EMPTY_WORDS: [&str; 6] = ["manager", "helper", "helpers", "util", "utils", "common"];

/// What may not stand in a Rust source, written in two halves so that this file does not contain it.
const FORBIDDEN: [(&str, &str, &str); 5] = [
    ("#[", "allow(", "use `#[expect(…, reason = \"…\")]`, which complains once it is no longer needed"),
    ("#![", "allow(", "use `#![expect(…, reason = \"…\")]`, which complains once it is no longer needed"),
    ("fn ", "get_", "name what it returns; a look-up needs no verb"),
    ("thread::", "sleep(Duration::from_secs", "wait for what you wait for, with a limit; not for time to pass"),
    ("todo", "!(", "what is not there is absent, not announced"),
];

/// Paths of somebody's machine.
const MACHINE_PATHS: [(&str, &str); 4] = [("/ho", "me/"), ("/Us", "ers/"), ("/ro", "ot/"), ("/wo", "rk/")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in tree.paths() {
        let Some(text) = tree.text(path) else { continue };
        if is_vendored(path) {
            continue;
        }
        if is_source(path) && text.lines().count() > HARD_LIMIT {
            let message = format!("{} lines: split it by subject, {HARD_LIMIT} is the limit", text.lines().count());
            findings.push(Finding::new(path, 0, message));
        }
        for (number, line) in text.lines().enumerate() {
            for (first, second) in MACHINE_PATHS {
                if line.contains(&format!("{first}{second}")) {
                    findings.push(Finding::new(path, number + 1, "a path of somebody's machine: make it relative"));
                }
            }
        }
        if ending(path) == "rs" {
            check_rust(path, text, &mut findings);
        }
    }
    findings
}

fn check_rust(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let parts = path.trim_end_matches(".rs").split(['/', '_']);
    if let Some(word) = parts.clone().find(|part| EMPTY_WORDS.contains(part)) {
        findings.push(Finding::new(path, 0, format!("`{word}` says nothing: name the subject")));
    }
    let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    let head: String = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    if is_root && head.trim().len() < 60 {
        let message = "say at the head (`//!`) what this crate owns, and how its most common change is made";
        findings.push(Finding::new(path, 1, message));
    }
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        for (first, second, instead) in FORBIDDEN {
            if code.contains(&format!("{first}{second}")) {
                findings.push(Finding::new(path, number + 1, format!("`{first}{second}`: {instead}")));
            }
        }
        let item = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
        if item.starts_with("type ") {
            findings.push(Finding::new(path, number + 1, "no type alias: write the type, or make a new one"));
        }
        let declared = ["struct ", "enum ", "trait ", "mod "].iter().find_map(|keyword| item.strip_prefix(keyword));
        let name: String =
            declared.unwrap_or_default().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if let Some(word) = words(&name).into_iter().find(|word| EMPTY_WORDS.contains(&word.as_str())) {
            findings.push(Finding::new(path, number + 1, format!("`{name}`: `{word}` says nothing: name the subject")));
        }
    }
}

/// The words of a name in either case, in lower case: `SessionStore` and `session_store` are `session`, `store`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for character in name.chars() {
        if character == '_' || character.is_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        if let (Some(word), true) = (words.last_mut(), character != '_') {
            word.extend(character.to_lowercase());
        }
    }
    words
}

/// Files beyond the soft limit.
pub(super) fn notes(tree: &Tree) -> Vec<String> {
    let sources = tree.paths().filter(|path| is_source(path) && !is_vendored(path));
    let lengths = sources.filter_map(|path| Some((path, tree.text(path)?.lines().count())));
    let long = lengths.filter(|(_, length)| (SOFT_LIMIT + 1..=HARD_LIMIT).contains(length));
    long.map(|(path, length)| format!("{path} has {length} lines")).collect()
}

fn is_source(path: &str) -> bool {
    ["rs", "css", "js", "py", "sh"].contains(&ending(path))
}

fn ending(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

fn is_vendored(path: &str) -> bool {
    path.starts_with("assets/vendor/") || path.starts_with("crates/testkit/vendor/")
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    const HEAD: &str = "//! Owns contacts. The most common change is another field: add it to the list below.\n";

    #[test]
    fn names_every_planted_habit() {
        let bad = [
            HEAD,
            concat!("#[", "allow(dead_code)]\n"),
            concat!("pub fn ", "get_name() {}\n"),
            "pub type Name = String;\n",
            "pub struct SessionManager;\n",
            concat!("const HOME: &str = \"/ho", "me/somebody\";\n"),
        ]
        .concat();
        let findings = check(&Tree::with(&[("crates/a/src/lib.rs", &bad)]));
        let expected = [(2, "expect"), (3, "verb"), (4, "alias"), (5, "SessionManager"), (6, "machine")];
        for (line, word) in expected {
            assert!(found(&findings, &format!("crates/a/src/lib.rs:{line}"), word), "{word}: {findings:?}");
        }
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
    }

    #[test]
    fn leaves_what_is_allowed_alone() {
        let good =
            format!("{HEAD}impl A for B {{\n    type Row = i64;\n}}\n// fn {}\nenum Role {{ Manager }}\n", "get_x");
        assert_eq!(check(&Tree::with(&[("crates/a/src/lib.rs", &good)])), []);
    }

    #[test]
    fn names_empty_names_missing_heads_and_long_files() {
        let long = "// line\n".repeat(HARD_LIMIT + 1);
        let tree = Tree::with(&[
            ("crates/a/src/date_util.rs", ""),
            ("crates/a/src/helpers/mod.rs", ""),
            ("crates/b/src/lib.rs", "//! .\n"),
            ("crates/c/src/long.rs", &long),
            ("crates/c/src/longish.rs", &long[..long.len() / 2 + 8 * 60]),
        ]);
        let findings = check(&tree);
        assert!(found(&findings, "crates/a/src/date_util.rs", "util"), "{findings:?}");
        assert!(found(&findings, "crates/a/src/helpers/mod.rs", "helpers"), "{findings:?}");
        assert!(found(&findings, "crates/b/src/lib.rs:1", "head"), "{findings:?}");
        assert!(found(&findings, "crates/c/src/long.rs", "701 lines"), "{findings:?}");
        assert_eq!(findings.len(), 4, "{findings:?}");
        assert_eq!(notes(&tree).len(), 1);
    }
}
