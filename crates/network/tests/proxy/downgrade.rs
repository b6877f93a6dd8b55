//! HTTP/2 from the client becomes HTTP/1.1 to the service, and nothing rides along.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::running::{Running, before, request, start};
use crate::upstream::Upstream;

#[tokio::test]
async fn a_stream_becomes_one_request() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let mut sender = running.http2().await;
    let inner = "0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    let asked = request("POST", "/first?x=1")
        .header("te", "trailers")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::from(inner))
        .unwrap();
    let answer = sender.send_request(asked).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "a");
    let requests = upstream.requests();
    let [seen] = &requests[..] else { panic!("{requests:?}") };
    assert!(seen.starts_with("POST /first?x=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.ends_with(&format!("\r\n\r\n{inner}")), "{seen}");
    let head = seen.split("\r\n\r\n").next().unwrap();
    for line in ["host: shop.example", "cookie: a=1; b=2", &format!("content-length: {}", inner.len())] {
        assert_eq!(head.matches(&format!("\r\n{line}")).count(), 1, "{line} in {seen}");
    }
    assert!(!head.contains("\r\nte:") && !head.contains("transfer-encoding"), "{seen}");
    let asked = request("GET", "/none").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(sender.send_request(asked).await.unwrap().status(), 200);
    assert!(!upstream.requests()[0].contains("content-length"));
}

/// A client that writes frames itself: no library lets such fields through.
async fn send_raw(running: &Running, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal without indexing and without Huffman's code (RFC 7541 §6.2.2).
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "one byte of length");
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    }
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, stream]);
        frame.extend(payload);
        frame
    };
    let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    wire.extend(frame(4, 0, 0, &[]));
    // HEADERS with END_HEADERS, and END_STREAM if nothing follows; then DATA with END_STREAM.
    wire.extend(frame(1, if body.is_empty() { 5 } else { 4 }, 1, &block));
    if !body.is_empty() {
        wire.extend(frame(0, 1, 1, body.as_bytes()));
    }
    // A frame of GOAWAY: the client opens no other stream, so the server closes when it has answered.
    wire.extend(frame(7, 0, 0, &[0; 8]));
    let mut stream = running.connect("h2").await;
    stream.write_all(&wire).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn what_would_be_two_requests_is_none() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let plain = [(":method", "POST"), (":scheme", "https"), (":authority", "shop.example"), (":path", "/first")];
    let second = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    send_raw(&running, &plain, second).await;
    let requests = upstream.requests();
    assert_eq!(requests.len(), 1, "the client that writes frames itself is understood: {requests:?}");
    let with = |extra: &[(&'static str, &'static str)]| [&plain, extra].concat();
    let instead = |at: usize, value: &'static str| {
        let mut fields = plain.to_vec();
        fields[at].1 = value;
        fields
    };
    let cases = [
        with(&[("content-length", "0")]),
        with(&[("content-length", "5")]),
        with(&[("content-length", "39"), ("content-length", "0")]),
        with(&[("content-length", "+39")]),
        with(&[("content_length", "0")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("transfer_encoding", "chunked")]),
        with(&[("connection", "keep-alive")]),
        with(&[("upgrade", "websocket")]),
        with(&[("te", "chunked")]),
        with(&[("x-a", "b\r\ntransfer-encoding: chunked")]),
        with(&[("x-a", "b\n\nGET /second HTTP/1.1")]),
        with(&[("x-a: b\r\ntransfer-encoding", "chunked")]),
        with(&[("x a", "b")]),
        with(&[("Host", "shop.example")]),
        with(&[("host", "other.example")]),
        with(&[("host", "shop.example\r\nx-a: b")]),
        with(&[(":path", "/second")]),
        instead(0, "GET /second HTTP/1.1\r\nHost: a\r\n\r\nPOST"),
        instead(0, "CONNECT"),
        instead(2, "shop.example\r\nx-a: b"),
        instead(2, "user@shop.example"),
        instead(3, "/first HTTP/1.1\r\nHost: a\r\n\r\nGET /second"),
        instead(3, "/first HTTP/1.1"),
        instead(3, "/first\t"),
        instead(3, "first"),
        instead(3, ""),
    ];
    for fields in cases {
        send_raw(&running, &fields, second).await;
        let requests = upstream.requests();
        assert!(requests.is_empty(), "{fields:?}: {requests:?}");
    }
}
