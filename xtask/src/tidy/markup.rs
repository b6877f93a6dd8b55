//! Pages hold under a strict Content-Security-Policy: no script, handler or style inside them.

use super::{Finding, Tree};

/// As maud and HTML write it.
const INLINE: [(&str, &str); 12] = [
    (" style=", "give it a class"),
    (" onclick=", "use a form, a link or htmx"),
    (" onchange=", "use a form or htmx"),
    (" oninput=", "use htmx"),
    (" onsubmit=", "use a form or htmx"),
    (" onload=", "put it into assets/js"),
    (" onkeydown=", "put it into assets/js"),
    (" hx-on", "put it into assets/js"),
    ("script {", "put it into assets/js"),
    ("style {", "put it into assets/css"),
    ("<script>", "put it into assets/js"),
    ("javascript:", "use a form or a link"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let pages = tree.texts(".rs").filter(|(path, _)| path.starts_with("crates/web/src/"));
    for (path, text) in pages {
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            if line.contains("#[cfg(test)]") {
                // What a test quotes is not a page; tests stand last.
                break;
            }
            for (pattern, instead) in INLINE {
                if let Some(at) = line.find(pattern) {
                    // `font-style {`, `transcript {`: the word must be whole.
                    let before = line[..at].chars().next_back();
                    let whole =
                        pattern.starts_with([' ', '<']) || !before.is_some_and(|c| c.is_alphanumeric() || c == '-');
                    if whole {
                        let message =
                            format!("`{}`: the policy refuses what stands in the page; {instead}", pattern.trim());
                        findings.push(Finding::new(path, number + 1, message));
                    }
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn names_what_the_policy_would_refuse() {
        let page = "html! {\n  p style=\"color: red\" {}\n  button onclick=\"go()\" {}\n  script { \"x\" }\n  style { \"a\" }\n  \
                    script src=\"/a.js\" {}\n  p class=\"transcript\" {}\n}\n";
        let findings = check(&Tree::with(&[("crates/web/src/page.rs", page), ("crates/campaign/src/mail.rs", page)]));
        for line in 2..=5 {
            assert!(found(&findings, &format!("crates/web/src/page.rs:{line}"), "policy"), "{line}: {findings:?}");
        }
        assert_eq!(findings.len(), 4, "a script from a file is fine, and letters need inline styles: {findings:?}");
    }
}
