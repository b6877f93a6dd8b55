//! Replies (RFC 5321 §4.2) and enhanced status codes (RFC 3463), read from bytes that a stranger sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A line may be this long, CRLF included; RFC 5321 §4.5.3.1.5 promises 512, servers exceed it.
const MAX_LINE: usize = 2048;
/// Lines in one reply.
const MAX_LINES: usize = 128;

/// Class, subject and detail, for example 5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// The enhanced code of the first line that has one and agrees with `code`.
    pub enhanced: Option<Enhanced>,
    /// The text of each line without codes; printable ASCII, everything else is a question mark.
    pub lines: Vec<String>,
}

impl Reply {
    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// The lines in one.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for line in &self.lines {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// The bytes are no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ReplyError {
    /// A line without a code in front.
    #[error("a line does not start with a reply code")]
    Code,
    /// The lines of one reply have different codes.
    #[error("the lines of a reply have different codes")]
    Mixed,
    /// A line is too long.
    #[error("a line is longer than {MAX_LINE} bytes")]
    LongLine,
    /// Too many lines.
    #[error("a reply has more than {MAX_LINES} lines")]
    ManyLines,
    /// A reply came that nobody had asked for.
    #[error("a reply came that no command had asked for")]
    Unasked,
}

/// What a buffer holds so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A whole reply, and how many bytes it took.
    Whole(Reply, usize),
    /// The reply does not end in the buffer yet.
    More,
}

/// Reads one reply from the front of `buffer`. Looks at no more than `MAX_LINE * MAX_LINES` bytes.
pub fn parse_reply(buffer: &[u8]) -> Result<Parsed, ReplyError> {
    let mut at = 0;
    let mut code = 0;
    let mut enhanced = None;
    let mut lines = Vec::new();
    loop {
        let window = &buffer[at..buffer.len().min(at + MAX_LINE)];
        let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
            return if window.len() == MAX_LINE { Err(ReplyError::LongLine) } else { Ok(Parsed::More) };
        };
        // A server that forgets the CR is understood: nothing after the line feed belongs to this line either way.
        let line = window[..end].strip_suffix(b"\r").unwrap_or(&window[..end]);
        at += end + 1;
        let number = line_code(line).ok_or(ReplyError::Code)?;
        let last = match line.get(3) {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return Err(ReplyError::Code),
        };
        if !lines.is_empty() && number != code {
            return Err(ReplyError::Mixed);
        }
        code = number;
        let mut text = line.get(4..).unwrap_or_default();
        if let Some((found, rest)) = enhanced_code(text, code) {
            enhanced = enhanced.or(Some(found));
            text = rest;
        }
        lines.push(text.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' }).collect());
        if last {
            return Ok(Parsed::Whole(Reply { code, enhanced, lines }, at));
        }
        if lines.len() == MAX_LINES {
            return Err(ReplyError::ManyLines);
        }
    }
}

fn line_code(line: &[u8]) -> Option<u16> {
    let digits: [u8; 3] = line.get(..3)?.try_into().ok()?;
    if !matches!(digits[0], b'2'..=b'5') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

/// `class.subject.detail` whose class is that of the reply, and what follows it.
fn enhanced_code(text: &[u8], code: u16) -> Option<(Enhanced, &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let mut parts = std::str::from_utf8(&text[..end]).ok()?.split('.');
    let mut number = || {
        let digits = parts.next()?;
        let sound = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if sound { digits.parse::<u16>().ok() } else { None }
    };
    let found = (number()?, number()?, number()?);
    if parts.next().is_some() || found.0 != code / 100 {
        return None;
    }
    Some((Enhanced(u8::try_from(found.0).ok()?, found.1, found.2), text[end..].trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> (Reply, usize) {
        match parse_reply(bytes).unwrap() {
            Parsed::Whole(reply, used) => (reply, used),
            Parsed::More => panic!("not whole"),
        }
    }

    #[test]
    fn reads_replies_of_one_and_many_lines() {
        let (reply, used) = whole(b"550 5.1.1 No such user\r\n250 next");
        assert_eq!((reply.code, reply.enhanced, used), (550, Some(Enhanced(5, 1, 1)), 24));
        assert_eq!(reply.text(), "No such user");
        let (reply, _) = whole(b"250-mail.example.org\r\n250-PIPELINING\r\n250 STARTTLS\r\n");
        assert_eq!(reply.lines, ["mail.example.org", "PIPELINING", "STARTTLS"]);
        assert_eq!(whole(b"354\r\n").0.code, 354);
        assert_eq!(whole(b"250 4.1.1 the class does not agree\n").0.enhanced, None);
        assert_eq!(whole(b"550 \x1b[31m\xc3\xbc\r\n").0.text(), "?[31m??");
        assert_eq!(parse_reply(b"250-half\r\n"), Ok(Parsed::More));
        assert_eq!(parse_reply(b"25"), Ok(Parsed::More));
    }

    #[test]
    fn refuses_what_is_no_reply() {
        assert_eq!(parse_reply(b"HTTP/1.1 400 Bad Request\r\n"), Err(ReplyError::Code));
        assert_eq!(parse_reply(b"650 x\r\n"), Err(ReplyError::Code));
        assert_eq!(parse_reply(b"250_x\r\n"), Err(ReplyError::Code));
        assert_eq!(parse_reply(b"250-a\r\n550 b\r\n"), Err(ReplyError::Mixed));
        assert_eq!(parse_reply(&[b'2'; 5000]), Err(ReplyError::LongLine));
        assert_eq!(parse_reply(&b"250-x\r\n".repeat(500)), Err(ReplyError::ManyLines));
    }

    proptest! {
        #[test]
        fn any_bytes_are_bounded_and_cut_in_two_say_the_same(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in 0usize..600) {
            let all = parse_reply(&bytes);
            if let Ok(Parsed::Whole(reply, used)) = &all {
                prop_assert!(*used <= bytes.len() && (200..600).contains(&reply.code));
                prop_assert!(reply.to_string().bytes().all(|byte| matches!(byte, b' '..=b'~')));
            }
            // What is known early does not change when more arrives.
            let early = parse_reply(&bytes[..cut.min(bytes.len())]);
            if early != Ok(Parsed::More) {
                prop_assert_eq!(early, all);
            }
        }

        #[test]
        fn likely_replies_survive(code in 200u16..600, lines in prop::collection::vec("[ -~]{0,80}", 1..6)) {
            let mut wire = String::new();
            for (number, line) in lines.iter().enumerate() {
                let mark = if number + 1 == lines.len() { ' ' } else { '-' };
                wire.extend([&code.to_string(), &String::from(mark), line, "\r\n"]);
            }
            let (reply, used) = whole(wire.as_bytes());
            prop_assert_eq!((reply.code, used, reply.lines.len()), (code, wire.len(), lines.len()));
        }
    }
}
