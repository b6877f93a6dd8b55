//! Reads the pieces of markup: attributes, marks, the end of an element whose content is no markup.

use super::op::{Op, literal};
use super::tag::{CLOSE, OPEN};

/// An attribute as written: its name in lower case, its value with entities.
pub(super) struct Attribute<'a> {
    pub(super) name: String,
    pub(super) value: Option<&'a str>,
}

/// The number of the tag whose mark stands at the beginning, and the mark's length.
pub(super) fn mark_at(text: &str) -> Option<(usize, usize)> {
    let rest = text.strip_prefix(OPEN)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[digits..].strip_prefix(CLOSE)?;
    Some((rest[..digits].parse().ok()?, OPEN.len_utf8() + digits + CLOSE.len_utf8()))
}

/// Fixed text of an attribute: entities stay as they are, what could end the value does not.
pub(super) fn quoted(ops: &mut Vec<Op>, text: &str) {
    literal(ops, &text.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"));
}

/// Where the end tag of an element begins whose content is no markup.
pub(super) fn find_end(text: &str, name: &str) -> usize {
    text.match_indices("</")
        .map(|(at, _)| at)
        .find(|at| {
            text.as_bytes().get(at + 2..at + 2 + name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
        })
        .unwrap_or(text.len())
}

/// The attributes up to and with `>`; the length read; whether it ended with `/>`. `None` if it cannot be read, or
/// if a mark stands anywhere but in a value.
pub(super) fn attributes(text: &str) -> Option<(Vec<Attribute<'_>>, usize, bool)> {
    let mut found: Vec<Attribute<'_>> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            return Some((found, text.len() - after.len(), true));
        }
        if let Some(after) = rest.strip_prefix('>') {
            return Some((found, text.len() - after.len(), false));
        }
        if let Some(after) = rest.strip_prefix('/') {
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/' | '<' | OPEN | '"' | '\''))?;
        if end == 0 || end > 64 || found.len() > 100 {
            return None;
        }
        let name = rest[..end].to_ascii_lowercase();
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte)) {
            return None;
        }
        rest = rest[end..].trim_start();
        let mut value = None;
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next()?;
            let (text, left) = if quote == '"' || quote == '\'' {
                let end = after[1..].find(quote)?;
                (&after[1..=end], &after[end + 2..])
            } else {
                let end = after.find(|c: char| c.is_whitespace() || c == '>')?;
                (&after[..end], &after[end..])
            };
            value = Some(text);
            rest = left;
        }
        // Browsers take the first of two attributes with one name.
        if !found.iter().any(|attribute| attribute.name == name) {
            found.push(Attribute { name, value });
        }
    }
}
