//! Answers as the rule set's own test server gives them.

use serde_json::Value;

use super::request::{Request, decode_base64};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// `POST /reflect` answers as its JSON body says; anything else gets an empty page.
    pub(super) fn to(request: &Request) -> Self {
        let path = request.uri.split(|byte| *byte == b'?').next().unwrap_or_default();
        let reflects = request.method == b"POST" && (path == b"/reflect" || path.starts_with(b"/reflect/"));
        if reflects { reflect(&request.body) } else { Self::new(200, Vec::new(), Vec::new()) }
    }

    /// With the headers that the server adds.
    pub(super) fn new(status: u16, headers: Vec<(Vec<u8>, Vec<u8>)>, body: Vec<u8>) -> Self {
        let mut response = Self { status, headers, body };
        if !response.body.is_empty() && !response.has("content-type") {
            let kind = content_type(&response.body);
            response.headers.push((b"Content-Type".to_vec(), kind.into()));
        }
        if !response.has("content-length") {
            response.headers.push((b"Content-Length".to_vec(), response.body.len().to_string().into_bytes()));
        }
        response
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
    }
}

fn reflect(wish: &[u8]) -> Response {
    let refuse = |why: &str| Response::new(400, Vec::new(), why.into());
    let Ok(Value::Object(wish)) = serde_json::from_slice(wish) else { return refuse("Invalid JSON in request body") };
    // Its fields are found whatever their case.
    let field = |name: &str| wish.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let status = field("status").and_then(Value::as_u64).unwrap_or(0);
    let status = match u16::try_from(status) {
        Ok(0) => 200,
        Ok(status @ 100..600) => status,
        _ => return refuse("Invalid status code"),
    };
    let text = |name: &str| field(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let body = match (text("body"), text("encodedBody")) {
        (Some(body), _) => body.into(),
        (None, Some(encoded)) => match decode_base64(encoded) {
            Ok(body) => body,
            Err(_) => return refuse("invalid base64 encoding of response body"),
        },
        (None, None) => Vec::new(),
    };
    let headers = field("headers").and_then(Value::as_object).into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| Some((name.clone().into_bytes(), value.as_str()?.into())));
    Response::new(status, headers.collect(), body)
}

/// What the server takes a body for that says nothing of itself.
fn content_type(body: &[u8]) -> &'static str {
    let start = body.trim_ascii_start();
    let is_tag = |tag: &&str| {
        let (head, rest) = start.split_at_checked(tag.len()).unwrap_or_default();
        head.eq_ignore_ascii_case(tag.as_bytes()) && rest.first().is_some_and(|byte| matches!(byte, b' ' | b'>'))
    };
    let tags = [
        "<!doctype html",
        "<html",
        "<head",
        "<script",
        "<iframe",
        "<h1",
        "<div",
        "<font",
        "<table",
        "<a",
        "<style",
        "<title",
        "<b",
        "<body",
        "<br",
        "<p",
        "<!--",
    ];
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if tags.iter().any(is_tag) {
        "text/html; charset=utf-8"
    } else if start.starts_with(b"<?xml") {
        "text/xml; charset=utf-8"
    } else if body.starts_with(b"\x1f\x8b\x08") {
        "application/x-gzip"
    } else if body.iter().take(512).any(is_binary) {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(uri: &str, body: &str) -> Response {
        let wire = format!("POST {uri} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        Request::from_wire(wire.as_bytes()).response
    }

    #[test]
    fn a_wish_is_answered() {
        let found = answer("/reflect?x", r#"{"status":503,"headers":{"X-A":"b","Content-Type":"text/x"},"body":"ö"}"#);
        let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let headers = vec![pair("Content-Type", "text/x"), pair("X-A", "b"), pair("Content-Length", "2")];
        assert_eq!(found, Response { status: 503, headers, body: "ö".into() });
        assert_eq!(answer("/reflect/", r#"{"encodedBody":"AAE="}"#).body, [0, 1]);
    }

    #[test]
    fn bad_wishes_are_refused_and_others_get_nothing() {
        assert_eq!(answer("/reflect", "{").status, 400);
        assert_eq!(answer("/reflect", r#"{"status":700}"#).status, 400);
        assert_eq!(answer("/reflect", r#"{"encodedBody":"*"}"#).status, 400);
        let other = answer("/reflection", r#"{"body":"x"}"#);
        assert_eq!((other.status, other.body.len()), (200, 0));
    }

    #[test]
    fn the_type_is_told_from_the_content() {
        for (body, kind) in [
            ("text", "text/plain; charset=utf-8"),
            ("  <HTML><body>", "text/html; charset=utf-8"),
            ("<htmlx>", "text/plain; charset=utf-8"),
            ("<?xml version=", "text/xml; charset=utf-8"),
            ("a\0b", "application/octet-stream"),
        ] {
            assert_eq!(content_type(body.as_bytes()), kind, "{body}");
        }
    }
}
