//! `@pm` and `@pmFromFile`: many texts at once, whatever the case of ASCII letters.

use super::OperatorError;
use aho_corasick::{AhoCorasick, AhoCorasickKind};

pub(crate) struct Words {
    search: AhoCorasick,
}

impl Words {
    pub(super) fn new(texts: &[Vec<u8>]) -> Result<Self, OperatorError> {
        if texts.is_empty() {
            return Err(OperatorError::Argument { reason: "it lists nothing to look for".to_owned() });
        }
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            // A full table would be several times as large, and no faster on short values: it does not fit the cache.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(texts)
            .map_err(|error| OperatorError::Argument { reason: error.to_string() })?;
        Ok(Self { search })
    }

    /// The span of the text that ends first.
    pub(super) fn find(&self, value: &[u8]) -> Option<(usize, usize)> {
        self.search.find(value).map(|found| (found.start(), found.end()))
    }
}

/// The words of an argument, in which `|41 42|` stands for the bytes with these numbers.
pub(super) fn of_argument(argument: &str) -> Vec<Vec<u8>> {
    let argument = argument.trim();
    let plain = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(argument);
    let bytes = numbered(plain).unwrap_or_else(|| plain.as_bytes().to_vec());
    bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
}

/// `None` if there are no numbers between bars: a bar may also be a text to look for.
fn numbered(argument: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut parts = argument.split('|');
    out.extend_from_slice(parts.next()?.as_bytes());
    while let Some(numbers) = parts.next() {
        let digits: String = numbers.split_ascii_whitespace().collect();
        if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
            return None;
        }
        for at in (0..digits.len()).step_by(2) {
            out.push(u8::from_str_radix(&digits[at..at + 2], 16).ok()?);
        }
        out.extend_from_slice(parts.next()?.as_bytes());
    }
    Some(out)
}

/// The lines of a file, but for empty ones and comments.
pub(super) fn of_file(content: &[u8]) -> Vec<Vec<u8>> {
    lines(content).map(<[u8]>::to_vec).collect()
}

pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !matches!(line.trim_ascii_start(), [] | [b'#', ..]))
}
