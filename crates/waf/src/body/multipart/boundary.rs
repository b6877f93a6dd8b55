//! The boundary that a `Content-Type` names.

use super::Flags;

const TYPE: &[u8] = b"multipart/form-data";
const PARAMETER: &[u8] = b"boundary";
/// A longer header names no boundary.
const LONGEST_HEADER: usize = 1024;

/// What a `Content-Type` says of a form.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// Without the dashes before it; none if it cannot be told.
    pub(super) text: Option<Vec<u8>>,
    pub(super) flags: Flags,
    /// Why parsers might disagree about it.
    pub(super) error: Option<&'static str>,
}

/// Reads the header. One parameter is allowed, the boundary: whatever comes beside it is read differently elsewhere.
pub(super) fn read(content_type: &[u8]) -> Boundary {
    let mut found = Boundary::default();
    match find(content_type, &mut found) {
        Ok(text) => found.text = Some(text),
        Err(error) => {
            found.flags.error = true;
            found.error.get_or_insert(error);
        }
    }
    found
}

fn find(header: &[u8], found: &mut Boundary) -> Result<Vec<u8>, &'static str> {
    let header = header.trim_ascii();
    if header.len() > LONGEST_HEADER {
        return Err("the content type is too long");
    }
    let rest = strip(header, TYPE).ok_or("the content type is not multipart/form-data")?;
    if count(rest, PARAMETER) > 1 {
        return Err("the content type names a boundary twice");
    }
    let rest = rest.trim_ascii_start();
    let rest = match rest.strip_prefix(b";") {
        Some(rest) => rest.trim_ascii_start(),
        None if strip(rest, PARAMETER).is_some() => {
            found.flags.missing_semicolon = true;
            found.error = Some("no semicolon separates the content type and its boundary");
            rest
        }
        None => return Err("the content type names no boundary"),
    };
    let rest = strip(rest, PARAMETER).ok_or("the boundary is not the only parameter of the content type")?;
    let name_end = rest.trim_ascii_start();
    let value = name_end.strip_prefix(b"=").ok_or("the content type names no boundary")?;
    if name_end.len() < rest.len() || value.trim_ascii_start().len() < value.len() {
        found.flags.boundary_whitespace = true;
        found.error = Some("there are blanks around the boundary in the content type");
    }
    let value = value.trim_ascii_start();
    let text = match value {
        [b'"', text @ .., b'"'] => {
            found.flags.boundary_quoted = true;
            text
        }
        text => text,
    };
    if text.is_empty() || text.ends_with(b" ") || !text.iter().all(|byte| is_allowed(*byte)) {
        return Err("the boundary is empty or has a character that none may have");
    }
    if count(text, PARAMETER) > 0 && text.contains(&b'=') {
        return Err("the boundary looks like another boundary");
    }
    Ok(text.to_vec())
}

/// What follows `prefix`, whatever its case.
fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// How often `word` is named with an equals sign behind it.
fn count(text: &[u8], word: &[u8]) -> usize {
    let starts = (0..text.len()).filter(|at| strip(&text[*at..], word).is_some());
    starts.filter(|at| text[at + word.len()..].trim_ascii_start().starts_with(b"=")).count()
}

/// RFC 2046, section 5.1.1.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(header: &str) -> Option<String> {
        read(header.as_bytes()).text.map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn usual_headers_name_one() {
        for header in ["multipart/form-data; boundary=--x1", "Multipart/Form-Data;BOUNDARY=--x1 "] {
            assert_eq!(text(header).as_deref(), Some("--x1"), "{header}");
            assert_eq!((read(header.as_bytes()).error, read(header.as_bytes()).flags), (None, Flags::default()));
        }
        let quoted = read(b"multipart/form-data; boundary=\"a b\"");
        assert_eq!((quoted.text.as_deref(), quoted.error), (Some(&b"a b"[..]), None));
        assert!(quoted.flags.boundary_quoted);
        assert_eq!(text("multipart/form-data; boundary=boundary").as_deref(), Some("boundary"));
    }

    #[test]
    fn doubtful_headers_name_one_and_an_error() {
        for header in
            ["multipart/form-data boundary=x", "multipart/form-data; boundary =x", "multipart/form-data; boundary= x"]
        {
            let found = read(header.as_bytes());
            assert_eq!(found.text.as_deref(), Some(&b"x"[..]), "{header}");
            assert!(found.error.is_some() && found.flags.strict_error(), "{header}");
        }
    }

    #[test]
    fn other_headers_name_none() {
        let headers = [
            "multipart/form-data",
            "multipart/mixed; boundary=x",
            "multipart/form-data; charset=utf-8; boundary=x",
            "multipart/form-data; boundary=x; charset=utf-8",
            "multipart/form-data; boundary=x; boundary=y",
            "multipart/form-data; boundary=x;Boundary =y",
            "multipart/form-data; boundary=\"x",
            "multipart/form-data; boundary=x\"",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary*0=x",
            "multipart/form-data; boundary=xboundary=y",
        ];
        for header in headers {
            let found = read(header.as_bytes());
            assert!(found.text.is_none() && found.error.is_some() && found.flags.strict_error(), "{header}");
        }
    }
}
