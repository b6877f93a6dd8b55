//! White space, comments and the shell's ways to write a command.

use super::is_space;
use std::borrow::Cow;

/// Any white space becomes one space.
pub(super) fn compress_whitespace(value: &[u8]) -> Cow<'_, [u8]> {
    let space = |byte: u8| is_space(byte) || byte == 0xA0;
    let mut before = false;
    let first = value.iter().position(|&byte| {
        let changes = space(byte) && (before || byte != b' ');
        before = space(byte);
        changes
    });
    let Some(first) = first else { return value.into() };
    let mut out = Vec::with_capacity(value.len());
    out.extend_from_slice(&value[..first]);
    let mut before = first > 0 && space(value[first - 1]);
    for &byte in &value[first..] {
        if !space(byte) {
            out.push(byte);
        } else if !before {
            out.push(b' ');
        }
        before = space(byte);
    }
    out.into()
}

/// What a shell would not see either is taken out: quotes, carets, backslashes, doubled white space, case of letters.
pub(super) fn command_line(value: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::with_capacity(value.len());
    let mut space = false;
    for &byte in value {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !space {
                    out.push(b' ');
                }
                space = true;
            }
            b'/' | b'(' => {
                if space {
                    out.pop();
                }
                out.push(byte);
                space = false;
            }
            _ => {
                out.push(byte.to_ascii_lowercase());
                space = false;
            }
        }
    }
    out.into()
}

/// Each `/* */` becomes one space, also one that does not end.
pub(super) fn replace_comments(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(start) = memchr::memmem::find(rest, b"/*") {
        out.extend_from_slice(&rest[..start]);
        out.push(b' ');
        let comment = &rest[start + 2..];
        rest = memchr::memmem::find(comment, b"*/").map_or(&[], |end| &comment[end + 2..]);
    }
    out.extend_from_slice(rest);
}

/// Comments of C and HTML vanish, and all that stands behind a comment of SQL or the shell. The byte after a comment is
/// not looked at, as in ModSecurity.
pub(super) fn remove_comments(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, behind @ ..] = rest {
        let opened = [b"/*".as_slice(), b"<!--"].into_iter().find_map(|mark| rest.strip_prefix(mark));
        if let Some(comment) = opened {
            let end = (0..comment.len()).find_map(|at| {
                let close = [b"*/".as_slice(), b"-->"].into_iter().find(|mark| comment[at..].starts_with(mark))?;
                Some(at + close.len())
            });
            let Some(end) = end else {
                out.push(b' ');
                return out;
            };
            out.extend(comment.get(end));
            rest = comment.get(end + 1..).unwrap_or_default();
        } else if rest.starts_with(b"--") || *first == b'#' {
            break;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}

/// Only the marks of comments vanish.
pub(super) fn remove_comment_marks(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, behind @ ..] = rest {
        // `-->` before `--`, which begins it.
        let marks = [b"/*".as_slice(), b"*/", b"<!--", b"-->", b"--", b"#"];
        if let Some(shorter) = marks.into_iter().find_map(|mark| rest.strip_prefix(mark)) {
            rest = shorter;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}
