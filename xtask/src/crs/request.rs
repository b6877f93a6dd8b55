//! Requests as the rule set's runner sends them and a server reads them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use anyhow::{Context as _, Result};

use super::response::Response;

/// A request and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Request {
    pub(super) method: Vec<u8>,
    pub(super) uri: Vec<u8>,
    pub(super) version: Vec<u8>,
    /// In their order, and as often as they were sent.
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Without the framing of chunks.
    pub(super) body: Vec<u8>,
    /// All of it as it goes over the wire.
    pub(super) wire: Vec<u8>,
    pub(super) response: Response,
}

/// What a test says of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) version: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: Vec<u8>,
    /// Whether what a client usually sends is added.
    pub(super) complete: bool,
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Draft {
    /// Adds what the runner adds and reads it as a server does.
    pub(super) fn build(mut self) -> Request {
        if !self.data.is_empty() && self.complete {
            if self.header("content-type").next().is_none() {
                self.headers.push(("Content-Type".to_owned(), FORM.to_owned()));
            }
            if self.header("content-type").any(|value| value.eq_ignore_ascii_case(FORM)) && !is_encoded(&self.data) {
                self.data = encode(&self.data);
            }
        }
        if self.header("content-type").any(|value| value.to_ascii_lowercase().contains("multipart/form-data;")) {
            self.data = with_crlf(&self.data);
        }
        if self.complete {
            if self.header("connection").next().is_none() {
                self.headers.push(("Connection".to_owned(), "close".to_owned()));
            }
            // The runner's own pattern is this loose.
            let method = &self.method;
            let sends_body = method.starts_with("POST")
                || method.contains("PUT")
                || method.contains("PATCH")
                || method.ends_with("DELETE");
            if self.header("content-length").next().is_none() && (sends_body || !self.data.is_empty()) {
                self.headers.push(("Content-Length".to_owned(), self.data.len().to_string()));
            }
        }
        let lines: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
        let head = format!("{} {} {}\r\n{lines}\r\n", self.method, self.uri, self.version);
        Request {
            wire: [head.as_bytes(), &self.data].concat(),
            method: self.method.into_bytes(),
            uri: self.uri.into_bytes(),
            version: self.version.into_bytes(),
            headers: lines.as_bytes().split(|byte| *byte == b'\n').filter_map(header).collect(),
            body: self.data,
            response: Response::default(),
        }
        .received()
    }

    fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let wanted =
            move |(known, value): &'a (String, String)| known.eq_ignore_ascii_case(name).then_some(value.as_str());
        self.headers.iter().filter_map(wanted)
    }
}

impl Request {
    /// A request as it goes over the wire.
    pub(super) fn from_wire(wire: &[u8]) -> Self {
        let mut request = Self { wire: wire.to_vec(), ..Self::default() };
        let (line, mut rest) = split_line(wire);
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let mut word = || words.next().unwrap_or_default().to_vec();
        (request.method, request.uri, request.version) = (word(), word(), word());
        loop {
            let (line, after) = split_line(rest);
            rest = after;
            if line.is_empty() {
                break;
            }
            request.headers.extend(header(line));
        }
        request.body = rest.to_vec();
        request.received()
    }

    /// From base64, which may be broken into lines.
    pub(super) fn from_base64(text: &str) -> Result<Self> {
        Ok(Self::from_wire(&decode_base64(text)?))
    }

    /// The first value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.as_slice())
    }

    /// The body that a server takes from the connection, and its answer.
    fn received(mut self) -> Self {
        let is_chunked = self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"));
        if is_chunked {
            if let Some(body) = unchunk(&self.body) {
                self.body = body;
            }
        } else if let Some(length) = self.header("content-length") {
            let length = std::str::from_utf8(length).ok().and_then(|text| text.trim().parse().ok());
            self.body.truncate(length.unwrap_or(self.body.len()));
        } else {
            self.body.clear();
        }
        self.response = Response::to(&self);
        self
    }
}

/// Base64 without its white space.
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let compact: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(&compact).or_else(|_| STANDARD_NO_PAD.decode(&compact)).context("this is not base64")
}

fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n');
    let (line, rest) = end.map_or((text, &[][..]), |at| (&text[..at], &text[at + 1..]));
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// Name and value, without the blanks around the value.
fn header(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return None;
    }
    let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let value = line.get(at + 1..).unwrap_or_default();
    let start = value.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let end = value.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some((line[..at].to_vec(), value.get(start..value.len() - end).unwrap_or_default().to_vec()))
}

/// The content of chunks; none if they are not chunks.
fn unchunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let (line, rest) = split_line(body);
        let size = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(content);
        }
        content.extend_from_slice(rest.get(..size)?);
        body = rest.get(size..)?;
        body = body.strip_prefix(b"\r\n").or(body.strip_prefix(b"\n"))?;
    }
}

/// Whether decoding would change it, or is impossible.
fn is_encoded(data: &[u8]) -> bool {
    data.iter().any(|byte| matches!(byte, b'+' | b'%'))
}

/// Names and values are encoded, `=` and `&` between them are not.
fn encode(data: &[u8]) -> Vec<u8> {
    let pairs = data.split(|byte| *byte == b'&').map(|pair| {
        let words: Vec<Vec<u8>> = pair.splitn(2, |byte| *byte == b'=').map(encode_word).collect();
        words.join(&b'=')
    });
    let mut encoded = pairs.collect::<Vec<_>>();
    // The runner forgets an empty pair at the end.
    if encoded.len() > 1 && encoded.last().is_some_and(Vec::is_empty) {
        encoded.pop();
    }
    encoded.join(&b'&')
}

fn encode_word(word: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(word.len());
    for byte in word {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(*byte),
            b' ' => encoded.push(b'+'),
            _ => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    encoded
}

/// Every line ends in CRLF.
fn with_crlf(data: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(data.len());
    for byte in data {
        if *byte == b'\n' && lines.last() != Some(&b'\r') {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(method: &str, headers: &[(&str, &str)], data: &str) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (uri, version) = ("/post".to_owned(), "HTTP/1.1".to_owned());
        Draft { method: method.to_owned(), uri, version, headers, data: data.into(), complete: true }.build()
    }

    fn headers(request: &Request) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        request.headers.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
    }

    #[test]
    fn what_a_client_sends_is_added() {
        let request = draft("POST", &[("Host", "localhost")], "a=<b>&c d=e=f&g");
        assert_eq!(request.body, b"a=%3Cb%3E&c+d=e%3Df&g");
        let expected = ["Host: localhost", &format!("Content-Type: {FORM}"), "Connection: close", "Content-Length: 21"];
        assert_eq!(headers(&request), expected);
        let wire = format!("POST /post HTTP/1.1\r\n{}\r\n\r\na=%3Cb%3E&c+d=e%3Df&g", expected.join("\r\n"));
        assert_eq!(String::from_utf8(request.wire).unwrap(), wire);
        assert_eq!(headers(&draft("GET", &[], "")), ["Connection: close"]);
        assert_eq!(headers(&draft("PUT", &[], "")), ["Connection: close", "Content-Length: 0"]);
        assert_eq!(headers(&draft("GET", &[("connection", "x")], "")), ["connection: x"]);
    }

    #[test]
    fn what_is_encoded_or_no_form_stays() {
        assert_eq!(draft("POST", &[], "a=%3C&b=<").body, b"a=%3C&b=<");
        assert_eq!(draft("POST", &[], "a=b+<").body, b"a=b+<");
        assert_eq!(draft("POST", &[("Content-Type", "text/xml")], "<a>").body, b"<a>");
        let headers = vec![("Content-Length".to_owned(), "3".to_owned())];
        let plain = Draft { method: "POST".into(), headers, data: b"a=<".to_vec(), ..Draft::default() };
        assert_eq!(plain.build().body, b"a=<", "nothing is added to what asks for nothing");
    }

    #[test]
    fn forms_of_parts_have_crlf() {
        let request = draft("POST", &[("Content-Type", "Multipart/form-data; boundary=x")], "--x\na\r\n--x--\n");
        assert_eq!(request.body, b"--x\r\na\r\n--x--\r\n");
        assert_eq!(headers(&request)[2], "Content-Length: 15");
    }

    #[test]
    fn raw_requests_are_read_as_a_server_does() {
        let request = Request::from_base64("R0VUIC8gSFRUUC8xLjANCkhvc3Q6\nDQoNCg==").unwrap();
        assert_eq!(
            (request.method.as_slice(), request.uri.as_slice(), request.version.as_slice()),
            (&b"GET"[..], &b"/"[..], &b"HTTP/1.0"[..])
        );
        assert_eq!(headers(&request), ["Host: "]);
        let cut = Request::from_wire(b"POST /a b HTTP/1.1\r\nContent-Length: 2\r\nA:  x \r\n\r\nabc");
        assert_eq!((cut.body.as_slice(), cut.header("a")), (&b"ab"[..], Some(&b"x"[..])));
        let chunks =
            Request::from_wire(b"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\r\nHi \r\n3;x=y\r\nCRS\r\n0\r\n\r\n");
        assert_eq!(chunks.body, b"Hi CRS");
        let broken = Request::from_wire(b"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n9\r\nHi");
        assert_eq!(broken.body, b"9\r\nHi");
        let endless = Request::from_wire(b"POST / HTTP/1.1\n\nabc");
        assert_eq!(endless.body, b"", "without a length there is no body");
    }

    #[test]
    fn an_injected_header_is_one_more() {
        assert_eq!(
            headers(&draft("GET", &[("A", "b\r\nC: d"), ("E", "f\rG: h")], ""))[..3],
            ["A: b", "C: d", "E: f\rG: h"]
        );
    }
}
