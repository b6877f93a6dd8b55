//! Where a service runs.

use std::fmt;
use std::str::FromStr;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

/// `http://host[:port]` or `https://host[:port]`, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
}

/// The text is no upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no upstream; write http://127.0.0.1:3000, without a path")]
pub struct UpstreamError(String);

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let refuse = || UpstreamError(text.to_owned());
        let parts = text.parse::<Uri>().map_err(|_| refuse())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(refuse()) };
        let is_known = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        let has_path = parts.path_and_query.is_some_and(|path| path != "/");
        // A port that is not 0 to 65535 is no port, but a part of the text all the same.
        let behind = authority.as_str().rsplit(']').next().unwrap_or_default();
        let has_bad_port = authority.port_u16().is_none() && behind.contains(':');
        let is_plain = !authority.as_str().contains('@') && !authority.host().is_empty();
        if !is_known || has_path || has_bad_port || !is_plain {
            return Err(refuse());
        }
        Ok(Self { scheme, authority })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl Upstream {
    /// Whether it speaks TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// What its own `Host` is.
    pub(super) fn host(&self) -> HeaderValue {
        HeaderValue::from_str(self.authority.as_str()).unwrap_or_else(|_| HeaderValue::from_static("localhost"))
    }

    /// A target on it. What is no target is its root.
    pub(super) fn uri(&self, target: &str) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target.parse().unwrap_or_else(|_| PathAndQuery::from_static("/")));
        Uri::from_parts(parts).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_scheme_and_place() {
        let upstream: Upstream = "http://127.0.0.1:3000".parse().unwrap();
        assert_eq!(upstream.to_string(), "http://127.0.0.1:3000");
        assert_eq!(upstream.uri("/a?b=c").to_string(), "http://127.0.0.1:3000/a?b=c");
        assert_eq!((upstream.host(), upstream.is_https()), (HeaderValue::from_static("127.0.0.1:3000"), false));
        assert!("https://[::1]:8443/".parse::<Upstream>().unwrap().is_https());
        assert!("http://app.internal".parse::<Upstream>().is_ok());
        for text in [
            "",
            "127.0.0.1:3000",
            "/a",
            "ftp://a",
            "http://a/b",
            "http://a?b",
            "http://u:p@a",
            "http://",
            "http://:80",
            "http://a:99999",
            "http://a b",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }
}
