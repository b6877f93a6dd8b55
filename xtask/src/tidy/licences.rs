//! Licences and bans over the whole dependency graph, from `cargo tree`: the part of `deny.toml` that must hold
//! on every run, without building cargo-deny.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::Finding;
use crate::tools;

/// Permissive, or (MPL, OFL) binding only the file itself. `deny.toml` holds the same list, but for the fonts' OFL.
const ALLOWED: [&str; 16] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OFL-1.1",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that may not be in the tree, with the reason.
const BANNED: [(&str, &str); 7] = [
    ("ring", "one TLS provider: aws-lc-rs; set `default-features = false` on who brings it"),
    ("openssl", "one TLS provider: aws-lc-rs"),
    ("openssl-sys", "one TLS provider: aws-lc-rs"),
    ("native-tls", "one TLS provider: aws-lc-rs"),
    ("rsa", "its timing leaks the key (RUSTSEC-2023-0071); use aws-lc-rs"),
    ("yara-x", "more than 300 CPU seconds of build"),
    ("chromiumoxide", "86 CPU seconds of build; fantoccini speaks the standard"),
];

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    // `cargo metadata` would also list what no feature switches on.
    let arguments =
        ["tree", "--workspace", "--locked", "--prefix=none", "--edges=normal,build,dev", "--format={p}|{l}"];
    Ok(judge(&tools::quietly(tools::cargo().current_dir(root).args(arguments))?))
}

/// Reads lines of `name vVERSION (source)|LICENCE`.
fn judge(tree: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in tree.lines().collect::<BTreeSet<_>>() {
        let Some((package, licence)) = line.split_once('|') else { continue };
        let name = package.split(' ').next().unwrap_or_default();
        let licence = licence.trim_end_matches("(*)").trim();
        if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            let message = format!("`{package}` is in the tree: {reason} (`cargo tree -i {name}` says who)");
            findings.push(Finding::new("Cargo.lock", 0, message));
        }
        if licence.is_empty() {
            findings.push(Finding::new("Cargo.lock", 0, format!("`{package}` names no licence")));
        } else if !is_allowed(licence) {
            findings.push(Finding::new("Cargo.lock", 0, format!("`{package}` comes under {licence}, not on the list")));
        }
    }
    findings
}

/// Whether an SPDX expression can be met with allowed licences alone. `/` is how crates wrote `OR` once.
pub(super) fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let verdict = either(&words, &mut at);
    verdict && at == words.len()
}

fn either(words: &[&str], at: &mut usize) -> bool {
    let mut verdict = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        // Read before it is judged: the words must be passed over in any case.
        let other = both(words, at);
        verdict = verdict || other;
    }
    verdict
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut verdict = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        let other = one(words, at);
        verdict = verdict && other;
    }
    verdict
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else {
        // Past the end, so that the whole expression counts as malformed.
        *at = words.len() + 1;
        return false;
    };
    *at += 1;
    if *word == "(" {
        let verdict = either(words, at);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return verdict && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return ALLOWED.contains(&format!("{word} WITH {exception}").as_str()) || ALLOWED.contains(word);
    }
    ALLOWED.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_expressions() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR GPL-3.0",
            "ISC AND (Apache-2.0 OR ISC) AND MIT",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in
            ["", "GPL-3.0", "AGPL-3.0-only", "MIT AND GPL-2.0", "(MIT", "MIT OR", "ISC AND (GPL-2.0 OR LGPL-3.0)"]
        {
            assert!(!is_allowed(bad), "{bad}");
        }
    }

    /// Fonts are vendored files, which `vendored.rs` judges by the same list; no crate comes under their licence.
    const FONTS: &str = "OFL-1.1";

    #[test]
    fn deny_toml_holds_the_same_lists() {
        let text = std::fs::read_to_string(tools::root().join("deny.toml")).unwrap_or_default();
        let deny: toml::Table = text.parse().unwrap_or_default();
        let texts = |section: &str, list: &str, key: Option<&str>| {
            let list = deny[section][list].as_array().into_iter().flatten();
            let text = |entry: &toml::Value| key.map_or(entry, |key| &entry[key]).as_str().map(str::to_owned);
            list.filter_map(text).collect::<BTreeSet<_>>()
        };
        let own = ALLOWED.iter().filter(|licence| **licence != FONTS).map(|licence| (*licence).to_owned());
        assert_eq!(texts("licenses", "allow", None), own.collect());
        assert_eq!(texts("bans", "deny", Some("crate")), BANNED.map(|(name, _)| name.to_owned()).into());
    }

    #[test]
    fn names_a_banned_crate_and_a_licence() {
        let tree = "ring v0.17.0|ISC\ncopyleft v1.0.0|GPL-3.0\nsilent v1.0.0|\nserde v1.0.0|MIT OR Apache-2.0 (*)\n";
        let messages: Vec<_> = judge(tree).iter().map(ToString::to_string).collect();
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(messages[1].contains("ring v0.17.0"), "{messages:?}");
        assert!(messages[0].contains("GPL-3.0"), "{messages:?}");
        assert!(messages[2].contains("no licence"), "{messages:?}");
    }
}
