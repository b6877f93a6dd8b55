//! Strict reading of HTTP/1 requests (RFC 9112): bytes in, requests and their bodies' extent out.
//!
//! Two readers of one connection that disagree where a request ends let a stranger's request ride in another's
//! (request smuggling). What could be read in two ways is therefore refused here, also where the RFC lets a server be
//! lenient: bare line feeds, folded lines, empty lines before a request, chunk extensions, trailers. What is accepted,
//! hyper reads in the same way; a property test and a fuzz target hold it to that.

mod chunks;
mod fields;
mod line;
mod refusal;

use std::sync::Arc;

use chunks::Chunks;
pub(crate) use fields::is_host;
pub use refusal::Refusal;

/// How long the head of a request may be.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// One line, in bytes without its end.
    pub line: usize,
    /// Header fields.
    pub fields: usize,
    /// The whole head, in bytes.
    pub bytes: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { line: 16 * 1024, fields: 100, bytes: 64 * 1024 }
    }
}

/// The head of a request as it was sent, for whoever must judge the bytes themselves.
///
/// Names are in their original case and order. White space around a value is no part of it (RFC 9112 §5.1) and is left
/// out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHead {
    /// The method.
    pub method: Vec<u8>,
    /// The target: path and query, `*`, or an absolute URL.
    pub target: Vec<u8>,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: Vec<u8>,
    /// Names and values.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl RawHead {
    /// The values of the fields with this name in lower case.
    fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let same = self.headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_slice())
    }

    fn is_http_1_0(&self) -> bool {
        self.version == b"HTTP/1.0"
    }
}

/// How much body follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many bytes; none without a field that says so.
    Bytes(u64),
    /// Chunks, until an empty one.
    Chunked,
}

/// The head of a request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its parts.
    pub raw: Arc<RawHead>,
    /// Its bytes, with the empty line at the end.
    pub wire: Vec<u8>,
    /// The body that follows.
    pub body: Length,
    /// Whether another protocol is asked for. Whoever agrees to it must read what follows himself.
    pub upgrade: bool,
}

/// What the bytes that were taken are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Part of a head that is not complete yet.
    More,
    /// The end of this head.
    Head(Head),
    /// Content of the body.
    Content,
    /// What stands around the chunks of the body.
    Framing,
}

enum State {
    Head,
    Fixed(u64),
    Chunked(Chunks),
}

/// Reads the requests of one connection.
pub struct Requests {
    limits: HeadLimits,
    state: State,
    /// What has come of the head that is not complete.
    wire: Vec<u8>,
    /// Where the line that is not complete begins in it.
    line: usize,
    raw: Option<RawHead>,
}

impl Requests {
    /// Before the first request.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Head, wire: Vec::new(), line: 0, raw: None }
    }

    /// Whether the next byte begins a request.
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Head) && self.wire.is_empty()
    }

    /// Whether the next byte belongs to a body.
    pub fn is_in_body(&self) -> bool {
        !matches!(self.state, State::Head)
    }

    /// Takes bytes from the front of `bytes`, at least one if there is one, and says how many and what they are.
    ///
    /// After a refusal nothing more may be read: where the next request would begin is unknown.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(usize, Step), Refusal> {
        match &mut self.state {
            State::Head => self.read_head(bytes),
            State::Fixed(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Head;
                }
                Ok((taken, Step::Content))
            }
            State::Chunked(chunks) => {
                let (taken, step) = chunks.read(bytes)?;
                if chunks.is_complete() {
                    self.state = State::Head;
                }
                Ok((taken, step))
            }
        }
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<(usize, Step), Refusal> {
        let mut taken = 0;
        while let rest = &bytes[taken..]
            && !rest.is_empty()
        {
            let end = memchr::memchr(b'\n', rest);
            let piece = &rest[..end.map_or(rest.len(), |at| at + 1)];
            self.wire.extend_from_slice(piece);
            taken += piece.len();
            self.check_length()?;
            if end.is_some() && self.end_line()? {
                return Ok((taken, Step::Head(self.end_head()?)));
            }
        }
        Ok((taken, Step::More))
    }

    /// Refuses a line that is too long, in the same way whether its end has come or not.
    fn check_length(&self) -> Result<(), Refusal> {
        let is_first = self.raw.is_none();
        // The end of the line (two bytes, if it has come) does not count.
        if self.wire.len() - self.line > self.limits.line + 2 {
            return Err(if is_first { Refusal::TargetTooLong } else { Refusal::FieldTooLong });
        }
        if self.wire.len() > self.limits.bytes { Err(Refusal::HeadTooLong) } else { Ok(()) }
    }

    /// Reads the line that has just ended; says whether it was the empty one that ends the head.
    fn end_line(&mut self) -> Result<bool, Refusal> {
        let line = self.wire[self.line..].strip_suffix(b"\r\n").ok_or(Refusal::BareLineFeed)?;
        match &mut self.raw {
            None => self.raw = Some(line::request(line)?),
            Some(_) if line.is_empty() => return Ok(true),
            Some(raw) if raw.headers.len() >= self.limits.fields => return Err(Refusal::TooManyFields),
            Some(raw) => raw.headers.push(line::field(line)?),
        }
        self.line = self.wire.len();
        Ok(false)
    }

    fn end_head(&mut self) -> Result<Head, Refusal> {
        let raw = self.raw.take().ok_or(Refusal::RequestLine)?;
        let (body, upgrade) = fields::check(&raw)?;
        self.state = match body {
            Length::Bytes(0) => State::Head,
            Length::Bytes(length) => State::Fixed(length),
            Length::Chunked => State::Chunked(Chunks::default()),
        };
        self.line = 0;
        Ok(Head { raw: Arc::new(raw), wire: std::mem::take(&mut self.wire), body, upgrade })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(wire: &[u8]) -> Result<(usize, Step), Refusal> {
        Requests::new(HeadLimits { line: 40, fields: 3, bytes: 100 }).read(wire)
    }

    #[test]
    fn a_head_is_kept_as_it_was_sent() {
        let wire = b"GET /a?b=c HTTP/1.1\r\nhOST: a\r\nX-One:  1 \t\r\n\r\n";
        let (taken, Step::Head(head)) = first(&[wire.as_slice(), b"GET"].concat()).unwrap() else { panic!("no head") };
        assert_eq!((taken, head.wire.as_slice()), (wire.len(), wire.as_slice()));
        assert_eq!((head.body, head.upgrade), (Length::Bytes(0), false));
        assert_eq!((head.raw.method.as_slice(), head.raw.target.as_slice()), (&b"GET"[..], &b"/a?b=c"[..]));
        let fields = [("hOST", "a"), ("X-One", "1")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(head.raw.headers, fields);
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let target = |length: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(length - 14));
        assert!(first(target(40).as_bytes()).is_ok());
        assert_eq!(first(target(41).as_bytes()), Err(Refusal::TargetTooLong));
        // Also before the line has ended.
        assert_eq!(first(&[b'a'; 43]), Err(Refusal::TargetTooLong));
        let fields = |count: usize, length: usize| {
            format!("GET / HTTP/1.0\r\n{}\r\n", format!("a:{}\r\n", "b".repeat(length - 2)).repeat(count))
        };
        assert!(first(fields(1, 40).as_bytes()).is_ok());
        assert_eq!(first(fields(1, 41).as_bytes()), Err(Refusal::FieldTooLong));
        assert!(first(fields(3, 5).as_bytes()).is_ok());
        assert_eq!(first(fields(4, 5).as_bytes()), Err(Refusal::TooManyFields));
        assert_eq!(fields(2, 39).len(), 100);
        assert!(first(fields(2, 39).as_bytes()).is_ok());
        assert_eq!(first(fields(2, 40).as_bytes()), Err(Refusal::HeadTooLong));
    }
}
