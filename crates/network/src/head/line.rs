//! The lines of a head, one by one.

use super::{RawHead, Refusal};

/// A character of a token (RFC 9110 §5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let sound = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(sound)
}

/// The first line (RFC 9112 §3).
pub(super) fn request(line: &[u8]) -> Result<RawHead, Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::RequestLine);
    };
    if !is_token(method) {
        return Err(Refusal::Method);
    }
    if version != b"HTTP/1.1" && version != b"HTTP/1.0" {
        let is_other = matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit());
        return Err(if is_other { Refusal::Version } else { Refusal::RequestLine });
    }
    // What stands behind a # is never sent (RFC 9110 §4.1), and is dropped without a word by those who read URLs.
    if target.is_empty() || !target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#') {
        return Err(Refusal::Target);
    }
    Ok(RawHead { method: method.into(), target: target.into(), version: version.into(), headers: Vec::new() })
}

/// A header line (RFC 9112 §5).
pub(super) fn field(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Refusal> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Refusal::Folded);
    }
    let colon = memchr::memchr(b':', line).ok_or(Refusal::FieldName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err(Refusal::FieldName);
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Refusal::FieldValue);
    }
    Ok((name.into(), trimmed(value).into()))
}

/// Without the optional white space around it: spaces and tabs, nothing else.
pub(super) fn trimmed(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |at| at + 1);
    &value[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_read_strictly() {
        assert!(request(b"GET / HTTP/1.1").is_ok() && request(b"M-SEARCH * HTTP/1.0").is_ok());
        for (line, refusal) in [
            (&b""[..], Refusal::RequestLine),
            (b"GET /", Refusal::RequestLine),
            (b"GET  / HTTP/1.1", Refusal::RequestLine),
            (b"GET / HTTP/1.1 ", Refusal::RequestLine),
            (b" GET / HTTP/1.1", Refusal::RequestLine),
            (b"GET\t/ HTTP/1.1", Refusal::RequestLine),
            (b"GET / http/1.1", Refusal::RequestLine),
            (b"GET / HTTP/1.10", Refusal::RequestLine),
            (b"GET / HTTP/2.0", Refusal::Version),
            (b"GET / HTTP/0.9", Refusal::Version),
            (b"G(T / HTTP/1.1", Refusal::Method),
            (b"GET /\x01 HTTP/1.1", Refusal::Target),
            (b"GET /\xc3\xa4 HTTP/1.1", Refusal::Target),
            (b"GET /a#b HTTP/1.1", Refusal::Target),
            (b"GET /\r HTTP/1.1", Refusal::Target),
        ] {
            assert_eq!(request(line).err(), Some(refusal), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn fields_are_read_strictly() {
        assert_eq!(field(b"A:\t b c\xe4 \t"), Ok((b"A".to_vec(), b"b c\xe4".to_vec())));
        assert_eq!(field(b"A:"), Ok((b"A".to_vec(), vec![])));
        for (line, refusal) in [
            (&b" A: b"[..], Refusal::Folded),
            (b"\tA: b", Refusal::Folded),
            (b"A : b", Refusal::FieldName),
            (b"A\t: b", Refusal::FieldName),
            (b"A", Refusal::FieldName),
            (b": b", Refusal::FieldName),
            (b"A\xe4: b", Refusal::FieldName),
            (b"A: b\rC: d", Refusal::FieldValue),
            (b"A: \0", Refusal::FieldValue),
            (b"A: \x0bb", Refusal::FieldValue),
            (b"A: \x7f", Refusal::FieldValue),
        ] {
            assert_eq!(field(line), Err(refusal), "{}", line.escape_ascii());
        }
    }
}
