//! German and English say the same things: equal keys, equal variables, no key without use.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree, line_at};

const FOLDERS: [&str; 2] = ["crates/web/locales/de", "crates/web/locales/en"];

/// A message of a Fluent file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    path: String,
    line: usize,
    variables: BTreeSet<String>,
    /// Other messages and terms that it refers to.
    references: BTreeSet<String>,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let [german, english] = FOLDERS.map(|folder| read(tree, folder, &mut findings));
    for (here, there, folder) in [(&german, &english, FOLDERS[1]), (&english, &german, FOLDERS[0])] {
        for (key, message) in here {
            match there.get(key) {
                None => {
                    let text = format!("`{key}` is missing under {folder}");
                    findings.push(Finding::new(&message.path, message.line, text));
                }
                Some(other) if other.variables != message.variables => {
                    let text = format!("`{key}` has other variables at {}:{}", other.path, other.line);
                    findings.push(Finding::new(&message.path, message.line, text));
                }
                Some(_) => {}
            }
        }
    }
    for (path, line, key) in calls(tree, "t!(").into_iter().filter(|(_, _, key)| !english.contains_key(*key)) {
        let text = format!("`{key}` is not defined: add it under {} and {}", FOLDERS[0], FOLDERS[1]);
        findings.push(Finding::new(path, line, text));
    }
    let mut used = literals(tree);
    for opening in ["named(", "named_if_known(", "told_if_known("] {
        used.starts.extend(calls(tree, opening).into_iter().map(|(_, _, prefix)| format!("{prefix}-")));
    }
    let referred: BTreeSet<&String> = german.values().chain(english.values()).flat_map(|m| &m.references).collect();
    for (key, message) in &english {
        let id = key.split('.').next().unwrap_or(key);
        let in_code = used.whole.contains(id) || used.starts.iter().any(|start| id.starts_with(start.as_str()));
        if !in_code && !referred.contains(&id.to_owned()) {
            let text = format!("nobody uses `{key}`: remove it from both languages");
            findings.push(Finding::new(&message.path, message.line, text));
        }
    }
    findings
}

fn read(tree: &Tree, folder: &str, findings: &mut Vec<Finding>) -> BTreeMap<String, Message> {
    let mut messages: BTreeMap<String, Message> = BTreeMap::new();
    for (path, text) in tree.texts(".ftl").filter(|(path, _)| path.starts_with(&format!("{folder}/"))) {
        let mut id = String::new();
        let mut key = String::new();
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let start = line.split_once('=').map(|(start, _)| start.trim_end());
            if !line.starts_with([' ', '\t', '}', '[', '*', '.']) {
                let Some(start) = start else {
                    findings.push(Finding::new(
                        path,
                        number + 1,
                        "a message is `key = text`; indent what continues it",
                    ));
                    continue;
                };
                start.clone_into(&mut id);
                key.clone_from(&id);
            } else if let Some(attribute) = start.and_then(|start| start.trim_start().strip_prefix('.')) {
                key = format!("{id}.{attribute}");
            }
            let is_new =
                line.split('=').next().is_some_and(|start| key.ends_with(start.trim().trim_start_matches('.')));
            if is_new && !messages.contains_key(&key) {
                messages.insert(key.clone(), Message { path: path.into(), line: number + 1, ..Message::default() });
            } else if is_new && start.is_some() && !line.starts_with(' ') {
                findings.push(Finding::new(path, number + 1, format!("`{key}` is defined twice")));
            }
            if let Some(message) = messages.get_mut(&key) {
                collect(line, message);
            }
        }
    }
    messages
}

/// Variables `$name` and references `{ key }`, `{ -term }` of one line.
fn collect(line: &str, message: &mut Message) {
    for (at, _) in line.match_indices('$') {
        message
            .variables
            .insert(line[at + 1..].chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect());
    }
    for part in line.split('{').skip(1) {
        let name = part.split(['}', '.', '(']).next().unwrap_or_default().trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !name.is_empty() && name.chars().all(plain) {
            message.references.insert(name.to_owned());
        }
    }
}

/// The first string literal among the arguments of each call of `opening` in the pages, with its place.
fn calls<'a>(tree: &'a Tree, opening: &str) -> Vec<(&'a str, usize, &'a str)> {
    let mut found = Vec::new();
    for (path, text) in tree.texts(".rs").filter(|(path, _)| path.starts_with("crates/web/src/")) {
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (at, _) in product.match_indices(opening) {
            let line_start = product[..at].rfind('\n').map_or(0, |end| end + 1);
            let is_whole = !product[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if !is_whole || product[line_start..at].trim_start().starts_with("//") {
                continue;
            }
            let arguments = &product[at + opening.len()..];
            // The language comes first and is no literal; what is computed is tried where it is computed.
            let Some((language, rest)) = arguments.split_once(',') else { continue };
            let literal = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            if let Some(literal) = literal.filter(|_| !language.contains([')', '"'])) {
                found.push((path, line_at(text, at), literal));
            }
        }
    }
    found
}

/// String literals of the code that may be keys.
#[derive(Default)]
struct Literals {
    whole: BTreeSet<String>,
    /// What stands before the `{` of `"state-{name}"`: every key that starts so counts as used.
    starts: BTreeSet<String>,
}

fn literals(tree: &Tree) -> Literals {
    let mut literals = Literals::default();
    let in_rooms = |path: &str| path.starts_with("crates/") && path.contains("/src/");
    for (_, text) in tree.texts(".rs").filter(|(path, _)| in_rooms(path)) {
        for piece in text.split('"') {
            let (start, rest) = piece.split_once('{').map_or((piece, None), |(start, rest)| (start, Some(rest)));
            let key_like = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            if start.is_empty() || start.len() > 80 || !start.chars().all(key_like) {
                continue;
            }
            if rest.is_none() {
                literals.whole.insert(start.to_owned());
            } else if start.ends_with('-') {
                literals.starts.insert(start.to_owned());
            }
        }
    }
    literals
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    const CODE: &str = r#"page(t("title"), t("hello"), t(&format!("state-{name}")), t("both"))"#;

    #[test]
    fn names_missing_unequal_and_unused_keys() {
        let findings = check(&Tree::with(&[
            ("crates/web/src/page.rs", CODE),
            (
                "crates/web/locales/de/a.ftl",
                "title = Titel\nhello = Guten Tag, { $name }\nboth = { -brand }\n-brand = L\n",
            ),
            (
                "crates/web/locales/en/a.ftl",
                "# note\ntitle = Title\nhello = Hello\n  to you\nstate-open = Open\nold = Old\nboth = { -brand }\n-brand = L\n",
            ),
        ]));
        assert!(found(&findings, "crates/web/locales/de/a.ftl:2", "variables"), "{findings:?}");
        assert!(found(&findings, "crates/web/locales/en/a.ftl:5", "`state-open` is missing"), "{findings:?}");
        assert!(found(&findings, "crates/web/locales/en/a.ftl:6", "nobody uses `old`"), "{findings:?}");
        assert!(
            !findings.iter().any(|f| f.to_string().contains("title") || f.to_string().contains("brand")),
            "{findings:?}"
        );
    }

    #[test]
    fn names_a_key_that_the_pages_use_and_nobody_defined() {
        let code =
            "h1 { (t!(frame, \"title\")) }\n(t!(\n    frame,\n    \"absent\", n = 1))\nnamed(frame, \"role\", role)";
        let texts = "title = T\nrole-owner = O\nrole-viewer = V\n";
        let findings = check(&Tree::with(&[
            ("crates/web/src/page.rs", code),
            ("crates/web/locales/de/a.ftl", texts),
            ("crates/web/locales/en/a.ftl", texts),
        ]));
        assert!(found(&findings, "crates/web/src/page.rs:2", "`absent` is not defined"), "{findings:?}");
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn names_a_key_that_stands_twice_and_reads_attributes() {
        let german = "title = Titel\n    .hint = Hinweis\ntitle = Noch einer\n";
        let english = "title = Title\n    .hint = Hint { $x ->\n        [one] A\n       *[other] B\n    }\n";
        let findings = check(&Tree::with(&[
            ("crates/web/src/page.rs", CODE),
            ("crates/web/locales/de/a.ftl", german),
            ("crates/web/locales/en/a.ftl", english),
        ]));
        assert!(found(&findings, "crates/web/locales/de/a.ftl:3", "twice"), "{findings:?}");
        assert!(found(&findings, "crates/web/locales/en/a.ftl:2", "`title.hint` has other variables"), "{findings:?}");
    }
}
