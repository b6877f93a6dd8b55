//! The rule sets as published, where they are at hand: `LETTERKEEP_CRS` names directories (as `PATH` does).

use super::requirements::admits;
use super::*;
use std::io::Write as _;
use std::path::{Path, PathBuf};

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(name)).map_err(|error| error.to_string())
    }
}

fn rule_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a directory of rules").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            rule_files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "conf") {
            found.push(entry);
        }
    }
}

/// The operators of a file: `"@name argument"`, with or without `!`.
fn operators(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((_, rest)) = line.split_once(" \"!@").or_else(|| line.split_once(" \"@")) else { continue };
        let mut escaped = false;
        let end = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let operator = rest[..end.expect("a closing quote")].replace("\\\"", "\"");
        let (name, argument) = operator.split_once(' ').unwrap_or((&operator, ""));
        found.push((name.to_owned(), argument.to_owned()));
    }
    found
}

#[test]
fn every_operator_of_the_rule_sets_loads_and_its_gates_tell_the_truth() {
    let Some(folders) = std::env::var_os("LETTERKEEP_CRS").filter(|folders| !folders.is_empty()) else {
        // Past the harness, which shows what a test prints only when it fails.
        let _ = writeln!(std::io::stderr(), "SKIPPED the operators of the rule sets: LETTERKEEP_CRS is not set");
        return;
    };
    let mut files = Vec::new();
    std::env::split_paths(&folders).for_each(|folder| rule_files(&folder, &mut files));
    let (mut patterns, mut with_literals, mut with_masks, mut stopped, mut tried) = (0, 0, 0, 0, 0);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file of rules");
        let folder = Folder(file.parent().expect("a folder").to_owned());
        for (name, argument) in operators(&text) {
            let kind = match parse(&name, &argument, &folder) {
                Ok(kind) => kind,
                // 3.3 names these in rules that are off by default.
                Err(OperatorError::Unsupported { name: "rbl" | "geoLookup", .. }) => continue,
                Err(error) => panic!("{}: @{name} {argument}: {error}", file.display()),
            };
            if kind.takes_macro() {
                continue;
            }
            let requirement = kind.requirement();
            if name == "rx" {
                patterns += 1;
                with_literals += usize::from(requirement.literals.is_some());
                with_masks += usize::from(!requirement.masks.is_empty());
            }
            for value in near(&requirement) {
                tried += 1;
                if !admits(&requirement, &value) {
                    stopped += 1;
                    let matched = kind.evaluate(&value, b"", &mut Captures::default());
                    assert!(!matched, "{}: @{name} {argument} on {}", file.display(), value.escape_ascii());
                }
            }
        }
    }
    println!(
        "{patterns} patterns, {with_literals} with literals, {with_masks} with masks; {stopped} of {tried} stopped"
    );
    assert!(patterns > 200 && with_literals > patterns / 2 && stopped > 0);
}

/// Values out of the literals of a requirement, whole, cut, and between other things.
fn near(requirement: &Requirement) -> Vec<Vec<u8>> {
    let around: [(&[u8], &[u8]); 8] = [
        (b"", b""),
        (b" ", b"("),
        (b"'; ", b" --"),
        (b"<", b" x=1>"),
        (b"/", b"/../"),
        (b"\xFF", b"\xE4"),
        (b"1", b"=1"),
        (b"${", b"}"),
    ];
    let texts = requirement.literals.iter().flatten().take(12).cloned().chain([b"select".to_vec(), b"id=1".to_vec()]);
    let cut = |text: Vec<u8>| {
        let (upper, half) = (text.to_ascii_uppercase(), text[..text.len() / 2].to_vec());
        [text, upper, half]
    };
    let parts = texts.flat_map(cut);
    parts.flat_map(|text| around.map(|(before, behind)| [before, &text, behind].concat())).collect()
}
