//! Which header fields go on, and which belong to one connection only.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::edge::{ClientAddress, RequestId};

/// Fields of a connection, also where `Connection` does not name them (RFC 9110 §7.6.1), and those between a client and
/// its own proxy.
const OF_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// The fields that an upstream gets. What proxies before this one said of the client was taken away by the edge, which
/// has believed of it what it may; the client is named anew.
pub(super) fn to_upstream(parts: &Parts, opens_tunnel: bool) -> HeaderMap {
    let mut headers = parts.headers.clone();
    drop_connection(&mut headers);
    // The length is written anew with the body, and the edge has already said that the client may go on.
    headers.remove(CONTENT_LENGTH);
    headers.remove(EXPECT);
    let host = headers.get(HOST).cloned();
    let host = host.or_else(|| HeaderValue::from_str(parts.uri.authority()?.as_str()).ok());
    if let Some(host) = host {
        headers.insert(HOST, host.clone());
        headers.insert(HeaderName::from_static("x-forwarded-host"), host);
    }
    headers.insert(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static("https"));
    let client = parts.extensions.get::<ClientAddress>().map(|client| client.0.to_string());
    let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
    for (name, text) in [("x-forwarded-for", client), ("x-request-id", id)] {
        headers.remove(name);
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if opens_tunnel {
        switch(&mut headers);
    }
    headers
}

/// The fields of an answer that the client gets.
pub(super) fn to_client(headers: &mut HeaderMap) {
    drop_connection(headers);
}

/// The connection changes to the WebSocket protocol (RFC 6455 §4.1).
pub(super) fn switch(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// No other request follows on the connection.
pub(super) fn ends_connection(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Whether the only protocol that is asked for, or agreed to, is WebSocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    let first = protocols.next();
    first.is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
        && protocols.next().is_none()
}

fn drop_connection(headers: &mut HeaderMap) {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let named: Vec<HeaderName> = names.collect();
    for name in named.iter().chain(&OF_CONNECTION) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::Request;

    use super::*;

    #[test]
    fn fields_of_a_connection_end_here() {
        let fields = [
            ("connection", "keep-alive, X-Secret"),
            ("connection", "x-other"),
            ("x-secret", "1"),
            ("x-other", "2"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic eA=="),
            ("x-kept", "3"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        to_client(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-kept"]);
    }

    #[test]
    fn the_client_is_named_by_the_edge_alone() {
        let request = Request::builder()
            .uri("https://shop.example/a")
            .version(http::Version::HTTP_2)
            .header("x-request-id", "forged")
            .header("x-forwarded-for", "forged")
            .header("content-length", "7")
            .extension(ClientAddress(IpAddr::from([192, 0, 2, 7])))
            .extension(RequestId("r1".into()))
            .body(())
            .unwrap();
        let headers = to_upstream(&request.into_parts().0, false);
        let value = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(value("host"), ["shop.example"]);
        assert_eq!(value("x-forwarded-for"), ["192.0.2.7"]);
        assert_eq!(value("x-forwarded-host"), ["shop.example"]);
        assert_eq!(value("x-forwarded-proto"), ["https"]);
        assert_eq!(value("x-request-id"), ["r1"]);
        assert_eq!(value("content-length"), [""; 0]);
    }

    #[test]
    fn only_websockets_are_switched_to() {
        let asked = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(UPGRADE, HeaderValue::from_static(value));
            }
            is_websocket(&headers)
        };
        assert!(asked(&["websocket"]) && asked(&["WebSocket"]));
        assert!(!asked(&[]) && !asked(&["h2c"]) && !asked(&["websocket, h2c"]) && !asked(&["websocket", "h2c"]));
    }
}
