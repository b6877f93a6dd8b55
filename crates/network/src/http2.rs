//! What hyper lets through on HTTP/2 although it could be read in two ways.
//!
//! By itself it refuses connection fields (`Connection`, `Transfer-Encoding`, `Upgrade`, `Keep-Alive`,
//! `Proxy-Connection`, `TE` but for `trailers`), upper case in names, line ends and NUL in values, paths that are none,
//! and bodies of another length than `Content-Length` says; `tests/http2.rs` holds it to that.

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};

use crate::head::{HeadLimits, Refusal, is_host};

/// Refuses what a stream of HTTP/2 must not carry (RFC 9113 §8), as strictly as HTTP/1 is read. Other versions pass.
pub fn check_http2(request: &Parts) -> Result<(), Refusal> {
    if request.version != http::Version::HTTP_2 {
        return Ok(());
    }
    if request.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    // §8.3.1: a server gets `:authority`, `Host`, or both with the same value.
    let authority = request.uri.authority().map(http::uri::Authority::as_str);
    let host = one(&request.headers, &HOST).map_err(|()| Refusal::Host)?;
    match (authority.map(str::as_bytes), host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => return Err(Refusal::OtherHost),
        (Some(host), _) | (None, Some(host)) if is_host(host) => {}
        _ => return Err(Refusal::Host),
    }
    if request.uri.path().is_empty() || (request.uri.path() == "*" && request.method != Method::OPTIONS) {
        return Err(Refusal::Target);
    }
    let length = one(&request.headers, &CONTENT_LENGTH).map_err(|()| Refusal::ContentLength)?;
    if length.is_some_and(|digits| digits.is_empty() || !digits.iter().all(u8::is_ascii_digit)) {
        return Err(Refusal::ContentLength);
    }
    if request.headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    if request.headers.contains_key("http2-settings") {
        return Err(Refusal::Upgrade);
    }
    // §8.2.3: browsers send each cookie in a field of its own.
    let fields = request.headers.len() - request.headers.get_all(COOKIE).iter().count();
    if fields > HeadLimits::default().fields {
        return Err(Refusal::TooManyFields);
    }
    for name in request.headers.keys().filter(|name| name.as_str().contains('_')) {
        if ["content_length", "transfer_encoding", "host"].contains(&name.as_str().replace('-', "_").as_str()) {
            return Err(Refusal::AmbiguousName);
        }
    }
    // §8.2.1; turned into HTTP/1 the white space would vanish and the value be another.
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let mut values = request.headers.values().map(http::HeaderValue::as_bytes);
    if values.any(|value| is_space(value.first()) || is_space(value.last())) {
        return Err(Refusal::FieldValue);
    }
    Ok(())
}

/// The only value of this field, if it is there.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, ()> {
    let mut values = headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Result<(), Refusal> {
        let request = http::Request::builder().version(http::Version::HTTP_2).uri("https://a.example/x");
        check_http2(&build(request).body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_stream_is_read_as_strictly_as_a_line() {
        assert_eq!(check(|request| request), Ok(()));
        assert_eq!(check(|request| request.header("host", "A.example").header("content-length", "3")), Ok(()));
        assert_eq!(check(|request| request.method("OPTIONS").uri("/x").header("host", "a")), Ok(()));
        let field = |name: &str, value: &[u8]| check(|request| request.header(name, value));
        for (name, value, refusal) in [
            ("host", &b"b.example"[..], Refusal::OtherHost),
            ("content-length", b"3, 3", Refusal::ContentLength),
            ("content-length", b"+3", Refusal::ContentLength),
            ("content_length", b"3", Refusal::AmbiguousName),
            ("transfer_encoding", b"chunked", Refusal::AmbiguousName),
            ("expect", b"200-ok", Refusal::Expectation),
            ("http2-settings", b"AAMAAABk", Refusal::Upgrade),
            ("x", b" a", Refusal::FieldValue),
            ("x", b"a\t", Refusal::FieldValue),
        ] {
            assert_eq!(field(name, value), Err(refusal), "{name}");
        }
        let many =
            |name: &'static str, count| check(|request| (0..count).fold(request, |all, _| all.header(name, "a=b")));
        assert_eq!((many("x", 100), many("x", 101)), (Ok(()), Err(Refusal::TooManyFields)));
        assert_eq!(many("cookie", 300), Ok(()), "a browser sends one field for each");
        let twice = |name: &str| check(|request| request.header(name, "1").header(name, "1"));
        assert_eq!(twice("content-length"), Err(Refusal::ContentLength));
        assert_eq!(twice("host"), Err(Refusal::Host));
        assert_eq!(check(|request| request.uri("/x")), Err(Refusal::Host));
        assert_eq!(check(|request| request.uri("https://u@a.example/")), Err(Refusal::Host));
        assert_eq!(check(|request| request.method("CONNECT")), Err(Refusal::Connect));
        assert_eq!(check(|request| request.uri("*").header("host", "a")), Err(Refusal::Target));
    }

    #[test]
    fn http_1_is_somebody_elses() {
        assert_eq!(check(|request| request.version(http::Version::HTTP_11).uri("/x")), Ok(()));
    }
}
