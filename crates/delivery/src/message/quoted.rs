//! Quoted-printable (RFC 2045 §6.7), such that the result needs no dot-stuffing and no mbox quoting.

/// Characters of a line before the soft line break.
const WIDTH: usize = 75;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text` encoded; `\n`, `\r\n` and `\r` become CRLF.
pub(super) fn quoted_printable(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut column = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'\n' || byte == b'\r' {
            at += if byte == b'\r' && bytes.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
            out.extend_from_slice(b"\r\n");
            column = 0;
            continue;
        }
        let ends_line = || matches!(bytes.get(at + 1), None | Some(b'\n' | b'\r'));
        let literal = match byte {
            b' ' | b'\t' => !ends_line(),
            b'=' => false,
            // A dot would have to be doubled on the wire; "From " would be changed by mailbox files.
            b'.' | b'F' => column > 0,
            33..=126 => true,
            _ => false,
        };
        let width = if literal { 1 } else { 3 };
        if column + width > WIDTH {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            // What follows stands at the start of a line now: look at it again.
            continue;
        }
        if literal {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        column += width;
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        let mut out = Vec::new();
        quoted_printable(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn encodes_what_must_be_and_leaves_the_rest() {
        assert_eq!(encoded("Grüße = 1"), "Gr=C3=BC=C3=9Fe =3D 1");
        assert_eq!(encoded("a \nb\t\r\n.c\rFrom"), "a=20\r\nb=09\r\n=2Ec\r\n=46rom");
        let long = encoded(&"x".repeat(200));
        assert!(long.split("\r\n").all(|line| line.len() <= 76), "{long}");
        // A dot that a soft break puts at the start of a line is encoded there.
        assert!(encoded(&format!("{}.x", "y".repeat(75))).contains("=\r\n=2Ex"));
    }
}
