//! What the fields of a head mean together: how long the body is, and whether all of them agree.

use super::line::{is_token, trimmed};
use super::{Length, RawHead, Refusal};

/// Names that end or begin a request. Servers that turn `-` and `_` into each other would read them in other fields.
const FRAMING: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];

/// The body's length, and whether another protocol is asked for.
pub(super) fn check(raw: &RawHead) -> Result<(Length, bool), Refusal> {
    if raw.method == b"CONNECT" {
        return Err(Refusal::Connect);
    }
    for (name, _) in raw.headers.iter().filter(|(name, _)| name.contains(&b'_')) {
        let dashed: Vec<u8> =
            name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
        if FRAMING.contains(&dashed.as_slice()) {
            return Err(Refusal::AmbiguousName);
        }
    }
    check_target(raw)?;
    let length = length(raw)?;
    let options = connection(raw)?;
    if raw.values(b"expect").any(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    Ok((length, upgrade(raw, length, &options)?))
}

fn check_target(raw: &RawHead) -> Result<(), Refusal> {
    let mut hosts = raw.values(b"host");
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => Some(host),
        (None, _) if raw.is_http_1_0() => None,
        _ => return Err(Refusal::Host),
    };
    match raw.target.as_slice() {
        [b'/', ..] => Ok(()),
        b"*" if raw.method == b"OPTIONS" => Ok(()),
        target => {
            let scheme = [&b"https://"[..], b"http://"]
                .into_iter()
                .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
            let rest = &target[scheme.ok_or(Refusal::Target)?.len()..];
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
            let authority = &rest[..end];
            if !is_host(authority) {
                return Err(Refusal::Target);
            }
            let agrees = host.is_none_or(|host| host.eq_ignore_ascii_case(authority));
            if agrees { Ok(()) } else { Err(Refusal::OtherHost) }
        }
    }
}

/// A name or an address with or without a port, and no user (RFC 9110 §7.2).
pub(crate) fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let address = std::str::from_utf8(&rest[..end]).ok().map(str::parse::<std::net::Ipv6Addr>);
            if !matches!(address, Some(Ok(_))) {
                return false;
            }
            (&host[..end + 2], &rest[end + 1..])
        }
        _ => host.split_at(host.iter().position(|byte| *byte == b':').unwrap_or(host.len())),
    };
    let is_named = name.starts_with(b"[")
        || name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    (1..=255).contains(&name.len()) && is_named && is_port
}

/// RFC 9112 §6.3, with every case that is left to the server decided against the client.
fn length(raw: &RawHead) -> Result<Length, Refusal> {
    let lengths: Vec<&[u8]> = raw.values(b"content-length").collect();
    let encodings: Vec<&[u8]> = raw.values(b"transfer-encoding").collect();
    match (lengths.as_slice(), encodings.as_slice()) {
        ([], []) => Ok(Length::Bytes(0)),
        ([], [encoding]) if encoding.eq_ignore_ascii_case(b"chunked") && !raw.is_http_1_0() => Ok(Length::Chunked),
        ([], _) => Err(Refusal::TransferEncoding),
        ([length], []) => number(length).map(Length::Bytes),
        (_, []) => Err(Refusal::ContentLength),
        _ => Err(Refusal::TwoLengths),
    }
}

fn number(digits: &[u8]) -> Result<u64, Refusal> {
    // A leading zero is read as a sign of octal by some.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || (digits.len() > 1 && digits[0] == b'0') {
        return Err(Refusal::ContentLength);
    }
    if digits.len() > 18 {
        return Err(Refusal::BodyTooLong);
    }
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Refusal::ContentLength)
}

/// The options of the connection, in lower case. Others than these would ask a proxy to drop fields from the request
/// that it passes on (RFC 9110 §7.6.1), `Cookie` for example.
fn connection(raw: &RawHead) -> Result<Vec<Vec<u8>>, Refusal> {
    let known: [&[u8]; 4] = [b"close", b"keep-alive", b"upgrade", b"te"];
    let items = raw.values(b"connection").flat_map(|value| value.split(|byte| *byte == b','));
    let options: Vec<Vec<u8>> = items.map(|item| trimmed(item).to_ascii_lowercase()).collect();
    let sound = options.iter().all(|option| known.contains(&option.as_slice()));
    if sound { Ok(options) } else { Err(Refusal::Connection) }
}

fn upgrade(raw: &RawHead, length: Length, options: &[Vec<u8>]) -> Result<bool, Refusal> {
    if raw.values(b"http2-settings").next().is_some() {
        return Err(Refusal::Upgrade);
    }
    let protocols: Vec<&[u8]> =
        raw.values(b"upgrade").flat_map(|value| value.split(|byte| *byte == b',')).map(trimmed).collect();
    if protocols.is_empty() {
        return Ok(false);
    }
    let is_http = |protocol: &&[u8]| {
        let name = protocol.to_ascii_lowercase();
        name.starts_with(b"h2") || name.starts_with(b"http") || name.starts_with(b"tls")
    };
    let is_sound = |protocol: &&[u8]| protocol.split(|byte| *byte == b'/').all(is_token);
    let permitted = !raw.is_http_1_0()
        && length == Length::Bytes(0)
        && options.iter().any(|option| option == b"upgrade")
        && protocols.iter().all(is_sound)
        && !protocols.iter().any(is_http);
    if permitted { Ok(true) } else { Err(Refusal::Upgrade) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: &str, target: &str, fields: &[(&str, &str)]) -> Result<(Length, bool), Refusal> {
        check(&RawHead {
            method: b"GET".to_vec(),
            target: target.into(),
            version: version.into(),
            headers: fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        })
    }

    #[test]
    fn a_body_has_one_length() {
        let read = |fields: &[(&str, &str)]| read("HTTP/1.1", "/", &[&[("Host", "a")], fields].concat());
        assert_eq!(read(&[]), Ok((Length::Bytes(0), false)));
        assert_eq!(read(&[("content-LENGTH", "17")]), Ok((Length::Bytes(17), false)));
        assert_eq!(read(&[("Transfer-Encoding", "Chunked")]), Ok((Length::Chunked, false)));
        for value in ["", "+1", "-1", "1,1", "1 1", "0x1", "01", "1.0", "\u{661}"] {
            assert_eq!(read(&[("Content-Length", value)]), Err(Refusal::ContentLength), "{value}");
        }
        assert_eq!(read(&[("Content-Length", "1000000000000000000")]), Err(Refusal::BodyTooLong));
        assert_eq!(read(&[("Content-Length", "1"), ("Content-Length", "1")]), Err(Refusal::ContentLength));
        assert_eq!(read(&[("Content-Length", "1"), ("Transfer-Encoding", "chunked")]), Err(Refusal::TwoLengths));
        for value in ["", "gzip", "gzip, chunked", "chunked, chunked", "chunked,", "\"chunked\"", "xchunked"] {
            assert_eq!(read(&[("Transfer-Encoding", value)]), Err(Refusal::TransferEncoding), "{value}");
        }
        assert_eq!(read(&[("Content_Length", "1")]), Err(Refusal::AmbiguousName));
        let old = tests::read("HTTP/1.0", "/", &[("Transfer-Encoding", "chunked")]);
        assert_eq!(old, Err(Refusal::TransferEncoding));
    }

    #[test]
    fn a_request_has_one_host() {
        assert_eq!(read("HTTP/1.1", "/", &[]), Err(Refusal::Host));
        assert!(read("HTTP/1.0", "/", &[]).is_ok());
        assert_eq!(read("HTTP/1.0", "/", &[("Host", "a"), ("Host", "a")]), Err(Refusal::Host));
        for host in ["a", "a.example:443", "127.0.0.1", "[::1]", "[::1]:8443", "my_host"] {
            assert!(read("HTTP/1.1", "/", &[("Host", host)]).is_ok(), "{host}");
        }
        for host in ["", "a b", "a@b", "a/b", "a:", "a:b", "a:123456", "[::1", "[a]", "[]", "a,b", ":1", "a?b"] {
            assert_eq!(read("HTTP/1.1", "/", &[("Host", host)]), Err(Refusal::Host), "{host}");
        }
        assert!(read("HTTP/1.1", "HTTPS://A.example/x", &[("Host", "a.Example")]).is_ok());
        assert_eq!(read("HTTP/1.1", "https://b/", &[("Host", "a")]), Err(Refusal::OtherHost));
        for target in ["x", "*", "a:443", "ftp://a/", "https://u@a/", "https:///"] {
            assert_eq!(read("HTTP/1.1", target, &[("Host", "a")]), Err(Refusal::Target), "{target}");
        }
    }

    #[test]
    fn upgrades_are_asked_for_in_full() {
        let read = |fields: &[(&str, &str)]| read("HTTP/1.1", "/", &[&[("Host", "a")], fields].concat());
        let asked = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket")];
        assert_eq!(read(&asked), Ok((Length::Bytes(0), true)));
        assert_eq!(read(&asked[1..]), Err(Refusal::Upgrade));
        assert_eq!(read(&[asked[0], asked[1], ("Content-Length", "1")]), Err(Refusal::Upgrade));
        for protocol in ["h2c", "websocket, h2c", "HTTP/2.0", "TLS/1.2", "", "a b"] {
            assert_eq!(read(&[asked[0], ("Upgrade", protocol)]), Err(Refusal::Upgrade), "{protocol}");
        }
        assert_eq!(read(&[("HTTP2-Settings", "AAMAAABk")]), Err(Refusal::Upgrade));
        assert_eq!(read(&[("Connection", "close, Cookie")]), Err(Refusal::Connection));
        assert_eq!(read(&[("Expect", "200-ok")]), Err(Refusal::Expectation));
    }
}
