//! `@rx`: regular expressions, compiled when the rules are loaded.

use super::{Captures, OperatorError, Requirement, pcre};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_syntax::hir::{Hir, HirKind, Look};

/// The compiled size of one pattern; the largest of CRS needs about a tenth.
const SIZE: usize = 10 << 20;
/// Steps of the backtracking engine for one value. Beyond it, [`Captures::gave_up`] tells.
const STEPS: usize = 200_000;

/// A pattern. `linear` matches wherever the pattern does, and is the pattern itself where `exact` is not asked.
pub(crate) struct Rx {
    linear: Regex,
    exact: Option<Box<fancy_regex::Regex>>,
    /// Only values that end with a newline need the exact engine.
    exact_for_newline: bool,
}

impl Rx {
    /// Also tells what a value must have for the pattern to match it.
    pub(super) fn compile(pattern: &[u8]) -> Result<(Self, Requirement), OperatorError> {
        let refused = |reason: String| OperatorError::Pattern { pattern: pattern.escape_ascii().to_string(), reason };
        let translation = pcre::translate(pattern).map_err(|error| refused(error.to_string()))?;
        let parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = { parser }.parse(&translation.linear).map_err(|error| refused(error.to_string()))?;
        // Built from the parsed form, it keeps no copy of the text, which is far longer than that of the rule.
        let config = Regex::config().utf8_empty(false).nfa_size_limit(Some(SIZE)).onepass(false).dfa(false);
        let linear = Regex::builder().configure(config).build_from_hir(&hir);
        let linear = linear.map_err(|error| refused(error.to_string()))?;
        let exact_for_newline = !translation.widened;
        let needed = translation.widened || line_at_the_end(&hir, true);
        let exact = needed.then(|| {
            fancy_regex::RegexBuilder::new(&translation.exact).backtrack_limit(STEPS).delegate_size_limit(SIZE).build()
        });
        let exact = exact.transpose().map_err(|error| refused(error.to_string()))?;
        Ok((Self { linear, exact: exact.map(Box::new), exact_for_newline }, Requirement::of_pattern(&hir)))
    }

    pub(super) fn find(&self, value: &[u8], captures: &mut Captures) -> bool {
        let asked = |_: &&_| !self.exact_for_newline || value.ends_with(b"\n");
        let Some(exact) = self.exact.as_ref().filter(asked) else { return self.find_linear(value, captures) };
        if !self.linear.is_match(value) {
            return false;
        }
        // The backtracking engine takes text only: each byte becomes the character of its number.
        let text: String = value.iter().map(|&byte| char::from(byte)).collect();
        match exact.captures(&text) {
            Err(_) => {
                captures.give_up();
                false
            }
            Ok(None) => false,
            Ok(Some(found)) => {
                let byte = |offset: usize| text[..offset].chars().count();
                for (group, part) in found.iter().take(Captures::GROUPS).enumerate() {
                    captures.set(group, part.map(|part| (byte(part.start()), byte(part.end()))));
                }
                true
            }
        }
    }

    fn find_linear(&self, value: &[u8], captures: &mut Captures) -> bool {
        let Some(found) = self.linear.find(value) else { return false };
        captures.set(0, Some((found.start(), found.end())));
        if captures.wants_groups() && self.linear.captures_len() > 1 {
            let mut groups = self.linear.create_captures();
            self.linear.captures(Input::new(value).span(found.start()..value.len()), &mut groups);
            for (group, part) in groups.iter().take(Captures::GROUPS).enumerate().skip(1) {
                captures.set(group, part.map(|part| (part.start, part.end)));
            }
        }
        true
    }
}

/// Whether a `^` may hold at the end of a value: if what follows it may be empty.
fn line_at_the_end(hir: &Hir, mut rest_may_be_empty: bool) -> bool {
    match hir.kind() {
        HirKind::Look(look) => *look == Look::StartLF && rest_may_be_empty,
        HirKind::Capture(capture) => line_at_the_end(&capture.sub, rest_may_be_empty),
        HirKind::Repetition(repetition) => line_at_the_end(&repetition.sub, rest_may_be_empty),
        HirKind::Alternation(parts) => parts.iter().any(|part| line_at_the_end(part, rest_may_be_empty)),
        HirKind::Concat(parts) => parts.iter().rev().any(|part| {
            let found = line_at_the_end(part, rest_may_be_empty);
            rest_may_be_empty &= part.properties().minimum_len() == Some(0);
            found
        }),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => false,
    }
}
