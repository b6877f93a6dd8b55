//! From text to directives: lines joined, comments dropped, words unquoted.

/// A directive with its words, as written at `line`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) line: usize,
    pub(super) words: Vec<String>,
}

/// Splits a file into directives. A line that ends with a backslash goes on in the next one.
///
/// # Errors
/// The line of a quote that is never closed, or of a section in angle brackets.
pub(super) fn directives(text: &str) -> Result<Vec<Words>, (usize, &'static str)> {
    let mut directives = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mut joined = line.trim().to_owned();
        if joined.is_empty() || joined.starts_with('#') {
            continue;
        }
        while joined.ends_with('\\') {
            joined.pop();
            let Some((_, next)) = lines.next() else { break };
            joined.push_str(next.trim());
        }
        if joined.starts_with('<') {
            return Err((index + 1, "sections in angle brackets are not supported"));
        }
        let words = words(&joined).ok_or((index + 1, "a quote is never closed"))?;
        directives.push(Words { line: index + 1, words });
    }
    Ok(directives)
}

/// Words are separated by white space; one in quotes may hold any, and a backslash before the quote keeps it.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => quoted(&rest[1..], first)?,
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some((_, next)) if next == quote => word.push(quote),
                Some((_, next)) => word.extend(['\\', next]),
                None => return None,
            },
            _ if char == quote => return Some((word, &text[at + 1..])),
            _ => word.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Vec<String> {
        let mut directives = directives(text).unwrap();
        assert_eq!(directives.len(), 1);
        directives.remove(0).words
    }

    #[test]
    fn lines_are_joined_and_comments_dropped() {
        let text = "# a comment\n\n  SecRule ARGS \\\n    \"@rx a\" \\\n    \"id:1,\\\n    deny\"\nSecMarker END\n";
        let found = directives(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].line, &found[0].words[..]),
            (3, &["SecRule", "ARGS", "@rx a", "id:1,deny"].map(String::from)[..])
        );
        assert_eq!((found[1].line, &found[1].words[..]), (7, &["SecMarker", "END"].map(String::from)[..]));
    }

    #[test]
    fn only_the_quote_itself_is_unescaped() {
        assert_eq!(only(r#"SecRule A "@rx \"x\" \d \\ 'y'""#)[2], r#"@rx "x" \d \\ 'y'"#);
        assert_eq!(only(r"SecMarker 'a b'")[1], "a b");
    }

    #[test]
    fn an_open_quote_and_a_section_are_errors_with_their_line() {
        assert_eq!(directives("SecMarker a\nSecRule \"x").unwrap_err().0, 2);
        assert_eq!(directives("<Location /x>").unwrap_err().0, 1);
    }
}
