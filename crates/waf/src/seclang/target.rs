//! What a rule looks at: `ARGS|!ARGS:password|&TX:/^score_/`.

use regex::bytes::{Regex, RegexBuilder};

use crate::variable::Variable;

/// Which values of a collection.
#[derive(Debug, Clone)]
pub(crate) enum Selector {
    All,
    /// The one with this name, in lower case: names are compared without regard to ASCII case.
    Named(Vec<u8>),
    /// Those whose names match.
    Matching(Regex),
}

impl Selector {
    pub(crate) fn selects(&self, name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Named(wanted) => wanted.eq_ignore_ascii_case(name),
            Self::Matching(pattern) => pattern.is_match(name),
        }
    }
}

/// A part of a rule's list of targets.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) variable: Variable,
    pub(crate) selector: Selector,
    pub(crate) kind: TargetKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKind {
    /// The values.
    Values,
    /// How many there are.
    Count,
    /// These are left out of the others.
    Exclusion,
}

/// Reads a list of targets.
pub(crate) fn parse(text: &str) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    let mut rest = text;
    loop {
        let (target, after) = one(rest)?;
        targets.push(target);
        match after.strip_prefix(['|', ',']) {
            Some(next) => rest = next,
            None if after.trim().is_empty() => return Ok(targets),
            None => return Err(format!("{after:?} follows a target")),
        }
    }
}

fn one(text: &str) -> Result<(Target, &str), String> {
    let text = text.trim_start();
    let (kind, text) = match text.as_bytes().first() {
        Some(b'!') => (TargetKind::Exclusion, &text[1..]),
        Some(b'&') => (TargetKind::Count, &text[1..]),
        _ => (TargetKind::Values, text),
    };
    let end = text.find([':', '|', ',', ' ']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let variable = Variable::named(name).ok_or_else(|| format!("there is no variable {name:?}"))?;
    let Some(key) = rest.strip_prefix(':') else {
        return Ok((Target { variable, selector: Selector::All, kind }, rest));
    };
    if variable == Variable::XmlText {
        let end = key.find(['|', ',']).unwrap_or(key.len());
        let variable = match &key[..end] {
            "/*" => Variable::XmlText,
            "//@*" => Variable::XmlAttributes,
            other => return Err(format!("XML:{other} is not supported: only XML:/* and XML://@*")),
        };
        return Ok((Target { variable, selector: Selector::All, kind }, &key[end..]));
    }
    let (selector, rest) = selector(key)?;
    Ok((Target { variable, selector, kind }, rest))
}

/// A name, `/a pattern/`, or either in single quotes.
fn selector(text: &str) -> Result<(Selector, &str), String> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let end = quoted.find('\'').ok_or("a quote is never closed")?;
        let inner = &quoted[..end];
        let pattern = inner.strip_prefix('/').and_then(|inner| inner.strip_suffix('/'));
        let selector = match pattern {
            Some(pattern) => matching(pattern)?,
            None => Selector::Named(inner.to_ascii_lowercase().into_bytes()),
        };
        return Ok((selector, &quoted[end + 1..]));
    }
    if let Some(pattern) = text.strip_prefix('/') {
        let mut escaped = false;
        let end = pattern.find(|char| {
            let closes = char == '/' && !escaped;
            escaped = char == '\\' && !escaped;
            closes
        });
        let end = end.ok_or("a pattern between slashes is never closed")?;
        return Ok((matching(&pattern[..end].replace("\\/", "/"))?, &pattern[end + 1..]));
    }
    let end = text.find(['|', ',']).unwrap_or(text.len());
    if end == 0 {
        return Err("a name is missing after the colon".into());
    }
    Ok((Selector::Named(text[..end].to_ascii_lowercase().into_bytes()), &text[end..]))
}

fn matching(pattern: &str) -> Result<Selector, String> {
    let built = RegexBuilder::new(pattern).unicode(false).case_insensitive(true).build();
    built.map(Selector::Matching).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let text = "ARGS|&REQUEST_HEADERS:Host|!ARGS:/^_ga(?:_\\w+|x)?$/|TX:'/WEB|ATTACK/'|XML:/*|XML://@*";
        let targets = parse(text).unwrap();
        let shapes = targets.iter().map(|target| (target.variable, target.kind)).collect::<Vec<_>>();
        assert_eq!(
            shapes,
            [
                (Variable::Args, TargetKind::Values),
                (Variable::RequestHeaders, TargetKind::Count),
                (Variable::Args, TargetKind::Exclusion),
                (Variable::Tx, TargetKind::Values),
                (Variable::XmlText, TargetKind::Values),
                (Variable::XmlAttributes, TargetKind::Values),
            ]
        );
        assert!(targets[1].selector.selects(b"HOST") && !targets[1].selector.selects(b"hos"));
        assert!(targets[2].selector.selects(b"_GA_1") && targets[2].selector.selects(b"_gax"));
        assert!(targets[3].selector.selects(b"some-attack"));
    }

    #[test]
    fn what_is_unknown_or_broken_is_refused() {
        for text in ["NOBODY", "ARGS:", "ARGS:/(/", "ARGS:/x", "TX:'x", "XML:/a/b", "ARGS| "] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
