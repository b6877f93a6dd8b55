//! What a client sends on an HTTP/1 connection.

use std::ops::Range;

use letterkeep_network::{Head, HeadLimits, Length, Refusal, Requests, Step};

/// A request and where its body stands in the input, with and without its framing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) head: Head,
    pub(crate) body: Range<usize>,
    pub(crate) content: Vec<u8>,
}

/// What was read of a connection: requests, the last one perhaps without its whole body, and why no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) found: Vec<Found>,
    pub(crate) in_body: bool,
    pub(crate) end: Option<Refusal>,
}

const LIMITS: HeadLimits = HeadLimits { line: 256, fields: 16, bytes: 1024 };

/// What is accepted, httparse reads in the same way and from the same bytes, with one length; where the bytes are cut
/// makes no difference.
pub fn check(bytes: &[u8]) {
    holds(bytes, &read);
}

/// The check of any reader of connections in pieces of so many bytes.
pub(crate) fn holds(bytes: &[u8], read: &dyn Fn(&[u8], usize) -> Reading) {
    let whole = read(bytes, usize::MAX);
    for piece in [1, 2, 7] {
        assert_eq!(read(bytes, piece), whole, "in pieces of {piece}");
    }
    let mut at = 0;
    let last = whole.found.len().wrapping_sub(1);
    for (n, found) in whole.found.iter().enumerate() {
        let head = &found.head;
        assert!(bytes[at..].starts_with(&head.wire), "the head is another than was sent");
        assert!(head.wire.len() <= LIMITS.bytes && head.raw.headers.len() <= LIMITS.fields);
        let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
        let mut request = httparse::Request::new(&mut fields);
        assert_eq!(
            request.parse(&bytes[at..]),
            Ok(httparse::Status::Complete(head.wire.len())),
            "a head of another length"
        );
        let version = if request.version == Some(1) { &b"HTTP/1.1"[..] } else { b"HTTP/1.0" };
        assert_eq!(request.method.map(str::as_bytes), Some(head.raw.method.as_slice()));
        assert_eq!(request.path.map(str::as_bytes), Some(head.raw.target.as_slice()));
        assert_eq!(head.raw.version, version);
        let same = head.raw.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        assert!(request.headers.iter().map(|field| (field.name.as_bytes(), field.value)).eq(same), "other fields");
        at += head.wire.len();
        assert_eq!(found.body.start, at, "the body does not follow the head");
        let is_whole = n != last || !whole.in_body && whole.end.is_none();
        check_body(request.headers, found, &bytes[found.body.clone()], is_whole);
        at = found.body.end;
    }
    assert!(at <= bytes.len());
}

/// The body is as long as the fields say, in the only way that they say it.
fn check_body(fields: &[httparse::Header<'_>], found: &Found, wire: &[u8], is_whole: bool) {
    let values = |name: &str| -> Vec<&[u8]> {
        let same = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        same.map(|field| field.value).collect()
    };
    let (lengths, encodings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + encodings.len() <= 1, "two lengths");
    if let [encoding] = encodings.as_slice() {
        assert!(encoding.eq_ignore_ascii_case(b"chunked"));
        assert_eq!(found.head.body, Length::Chunked);
        if is_whole {
            assert_eq!(chunks(wire), found.content, "another content");
        }
        return;
    }
    let digits = lengths.first().map_or("0", |digits| std::str::from_utf8(digits).expect("a number"));
    let length: u64 = digits.parse().expect("a number");
    assert_eq!(found.head.body, Length::Bytes(length));
    assert_eq!(wire, found.content);
    assert!(if is_whole { wire.len() as u64 == length } else { wire.len() as u64 <= length });
}

/// The content of a whole body in chunks, by httparse.
fn chunks(mut wire: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(wire) else {
            panic!("no size: {}", wire.escape_ascii());
        };
        let end = start + usize::try_from(size).expect("a small size");
        content.extend_from_slice(&wire[start..end]);
        wire = wire[end..].strip_prefix(b"\r\n").expect("a chunk ends with its line");
        if size == 0 {
            assert!(wire.is_empty(), "something follows the last chunk");
            return content;
        }
    }
}

/// Reads a connection as the edge does.
pub(crate) fn read(bytes: &[u8], piece: usize) -> Reading {
    let (mut requests, mut found) = (Requests::new(LIMITS), Vec::<Found>::new());
    let (mut at, mut content_end) = (0, 0);
    while at < bytes.len() {
        let end = bytes.len().min(at.saturating_add(piece));
        let (taken, step) = match requests.read(&bytes[at..end]) {
            Ok(read) => read,
            Err(refusal) => {
                // How much framing was taken before what is refused depends on the pieces.
                if let Some(last) = found.last_mut().filter(|_| requests.is_in_body()) {
                    last.body.end = content_end.max(last.body.start);
                }
                return Reading { found, in_body: requests.is_in_body(), end: Some(refusal) };
            }
        };
        assert!(taken > 0 && taken <= end - at);
        match (step, found.last_mut()) {
            (Step::More, _) => {}
            (Step::Head(head), _) => {
                found.push(Found { head, body: at + taken..at + taken, content: Vec::new() });
            }
            (step, Some(last)) => {
                last.body.end += taken;
                if step == Step::Content {
                    last.content.extend_from_slice(&bytes[at..at + taken]);
                    content_end = at + taken;
                }
            }
            (_, None) => panic!("a body without a head"),
        }
        at += taken;
    }
    Reading { found, in_body: requests.is_in_body(), end: None }
}
