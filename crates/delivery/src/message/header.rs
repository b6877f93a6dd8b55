//! Header fields: encoded words (RFC 2047) and folding (RFC 5322 §2.2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Lines are folded before they grow longer, where there is a space to fold at.
const FOLD: usize = 76;

/// The bytes of UTF-8 that one encoded word of at most 75 characters can carry in base64: (75 - 12) / 4 * 3.
const WORD_BYTES: usize = 45;

/// Writes one field, folded at its spaces. The value is printable ASCII by then.
pub(super) fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for (number, word) in value.split(' ').enumerate() {
        // A line of nothing but white space would be an obsolete fold (RFC 5322 §4.2): empty words never start a line.
        if number > 0 && column + 1 + word.len() > FOLD && !word.is_empty() {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    out.extend_from_slice(b"\r\n");
}

/// A text for Subject and the like.
pub(super) fn unstructured(text: &str) -> String {
    let text = flat(text);
    if is_plain(&text) { text } else { encoded_words(&text) }
}

/// A display name: as it is, quoted, or in encoded words.
pub(super) fn phrase(text: &str) -> String {
    let text = flat(text);
    if !is_plain(&text) {
        return encoded_words(&text);
    }
    let needs_quotes = |byte: u8| !(byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~ ".contains(&byte));
    if text.bytes().any(needs_quotes) || text.contains("  ") {
        return format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    text
}

/// One line without control characters, without spaces at its ends.
fn flat(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// Whether it can stand in a field without encoding: ASCII, nothing that reads as an encoded word, every run between
/// spaces short enough to fold, no double spaces that folding could eat.
fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.contains("=?") && !text.contains("  ") && text.split(' ').all(|word| word.len() <= 200)
}

fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(WORD_BYTES);
        // A word holds whole characters (RFC 2047 §5).
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(&rest[..end])));
        rest = &rest[end..];
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_take_the_simplest_form_that_holds_them() {
        assert_eq!(unstructured("Hello"), "Hello");
        assert_eq!(unstructured("a\r\nBcc: x@y.de"), unstructured("a  Bcc: x@y.de"));
        assert!(unstructured("a\r\nBcc: x@y.de").starts_with("=?utf-8?B?"));
        assert!(unstructured("=?utf-8?B?eA==?=").starts_with("=?utf-8?B?PT91"));
        assert_eq!(phrase("Letter Keep"), "Letter Keep");
        assert_eq!(phrase("Keep, Letter"), "\"Keep, Letter\"");
        assert_eq!(phrase("a\"b\\c"), "\"a\\\"b\\\\c\"");
        assert!(encoded_words(&"ß".repeat(100)).split(' ').all(|word| word.len() <= 75));
    }
}
