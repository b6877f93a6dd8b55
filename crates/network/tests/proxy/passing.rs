//! What comes to the service and what comes back.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use letterkeep_model::SystemClock;
use letterkeep_network::rules::{self, Origin, Settings};
use letterkeep_network::{EdgeSettings, Firewall, FirewallLimits, Policy, ProxySettings, Routes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::running::{before, request, start, start_as};
use crate::upstream::{LARGE, Upstream};

/// The value of each field with this name.
fn values<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn a_request_goes_on_without_what_belongs_to_its_connection() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let answer = running
        .send(
            "POST /a%2fb?c=d&e HTTP/1.1\r\nHost: shop.example\r\nConnection: close, TE\r\nTE: trailers\r\nX-Own: 1\r\n\
             X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: http\r\nForwarded: for=10.9.9.9\r\nX-Real-IP: 10.9.9.9\r\n\
             X-Request-Id: forged\r\nProxy-Authorization: Basic eA==\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\na"), "{answer}");
    let requests = upstream.requests();
    let [seen] = &requests[..] else { panic!("{requests:?}") };
    assert!(seen.starts_with("POST /a%2fb?c=d&e HTTP/1.1\r\n") && seen.ends_with("\r\n\r\nabcde"), "{seen}");
    for (name, value) in [
        ("host", "shop.example"),
        ("x-own", "1"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("content-length", "5"),
    ] {
        assert_eq!(values(seen, name), [value], "{name} in {seen}");
    }
    for name in ["te", "connection", "transfer-encoding", "forwarded", "x-real-ip", "proxy-authorization"] {
        assert!(values(seen, name).is_empty(), "{name} in {seen}");
    }
    assert_eq!(values(seen, "x-request-id"), values(&answer, "x-request-id"), "one id for both");
    assert_ne!(values(seen, "x-request-id"), ["forged"]);
}

#[tokio::test]
async fn the_host_can_be_the_upstreams_own() {
    let upstream = Upstream::start("a");
    let settings = ProxySettings { keeps_host: false, ..before(&[upstream.address]) };
    start(settings).await.get("/").await;
    let requests = upstream.requests();
    assert_eq!(values(&requests[0], "host"), [upstream.address.to_string()]);
    assert_eq!(values(&requests[0], "x-forwarded-host"), ["shop.example"]);
}

#[tokio::test]
async fn an_answer_comes_back_without_what_belongs_to_its_connection() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let answer = running.get("/fields").await;
    assert_eq!(values(&answer, "x-kept"), ["2"]);
    assert_eq!(values(&answer, "set-cookie"), ["a=1", "b=2"]);
    for name in ["x-hop", "keep-alive", "server", "x-powered-by"] {
        assert!(values(&answer, name).is_empty(), "{name} in {answer}");
    }
    assert_eq!(values(&answer, "x-content-type-options"), ["nosniff"], "what the edge adds to every answer");
}

#[tokio::test]
async fn a_stream_is_not_held_back() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let mut sender = running.http2().await;
    let asked = request("GET", "/events").body(Full::<Bytes>::default()).unwrap();
    let mut body = sender.send_request(asked).await.unwrap().into_body();
    let mut next = async || body.frame().await.map(|frame| frame.unwrap().into_data().unwrap());
    assert_eq!(next().await.unwrap(), "data: first\n", "it has come before the second was sent");
    upstream.release();
    assert_eq!(next().await.unwrap(), "data: second\n");
    assert!(next().await.is_none_or(|rest| rest.is_empty()));
}

#[tokio::test]
async fn a_large_answer_passes_whole() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let mut stream = running.connect("http/1.1").await;
    let wire = "GET /large HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    stream.write_all(wire.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(answer.len() - body, LARGE);
    assert!(answer[body..].iter().all(|byte| *byte == b'x'));
}

#[tokio::test]
async fn an_upload_can_stream() {
    let upstream = Upstream::start("a");
    let default = Policy { streams: true, ..Policy::default() };
    let edge = EdgeSettings { routes: Routes { routes: Vec::new(), default }, ..EdgeSettings::default() };
    let running = start_as(before(&[upstream.address]), edge, None).await;
    for (framing, expected) in [
        ("Content-Length: 5\r\n\r\nabcde", ("content-length", "5", "\r\n\r\nabcde")),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            ("transfer-encoding", "chunked", "0\r\n\r\n"),
        ),
    ] {
        let wire = format!("POST /up HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{framing}");
        let answer = running.send(&wire).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let requests = upstream.requests();
        let (name, value, end) = expected;
        assert_eq!(values(&requests[0], name), [value], "{requests:?}");
        assert!(requests[0].ends_with(end), "{requests:?}");
    }
}

/// An answer to HEAD tells the length of a body that it does not have (RFC 9110 §9.3.2), also where answers are looked at.
#[tokio::test]
async fn a_head_keeps_its_length() {
    let upstream = Upstream::start("a");
    let default = Policy { inspects_answers: true, ..Policy::default() };
    let edge = EdgeSettings { routes: Routes { routes: Vec::new(), default }, ..EdgeSettings::default() };
    let set = rules::load(&Origin::BuiltIn, &Settings::default()).unwrap();
    let firewall = Firewall::new(set, FirewallLimits::default(), Arc::new(SystemClock), None).unwrap();
    let running = start_as(before(&[upstream.address]), edge, Some(firewall)).await;
    let browser = "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\nConnection: close";
    let answer = running.send(&format!("HEAD /a HTTP/1.1\r\nHost: shop.example\r\n{browser}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(values(&answer, "content-length"), ["1234"]);
}

#[tokio::test]
async fn a_client_that_waits_is_answered_by_the_edge() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let mut stream = running.connect("http/1.1").await;
    let wire = "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    stream.write_all(wire.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"xy").await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(values(&upstream.requests()[0], "expect").is_empty());
}

#[tokio::test]
async fn two_types_of_one_body_are_refused() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let wire = |types: &str| {
        format!("POST /a HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{types}Content-Length: 2\r\n\r\n{{}}")
    };
    let one = "Content-Type: application/json\r\n";
    let two = format!("{one}Content-Type: text/plain\r\n");
    assert!(running.send(&wire(one)).await.starts_with("HTTP/1.1 200"));
    assert_eq!(upstream.requests().len(), 1);
    let answer = running.send(&wire(&two)).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn what_goes_wrong_has_a_status_and_an_id() {
    let upstream = Upstream::start("a");
    let (first_byte, idle) = (Duration::from_millis(300), Duration::from_millis(300));
    let running = start(ProxySettings { first_byte, idle, ..before(&[upstream.address]) }).await;
    for (path, status) in [("/silent", "504 Gateway Timeout"), ("/garbage", "502 Bad Gateway")] {
        let answer = running.get(path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        let id = values(&answer, "x-request-id")[0];
        assert!(answer.ends_with(&format!("\r\n\r\n{status}\n{id}\n")), "{answer}");
    }
    let mut sender = running.http2().await;
    for path in ["/half", "/events"] {
        let asked = request("GET", path).body(Full::<Bytes>::default()).unwrap();
        let cut = sender.send_request(asked).await.unwrap().into_body().collect().await;
        assert!(cut.is_err(), "half an answer is not taken for a whole one");
    }
}

#[tokio::test]
async fn nothing_follows_a_body_that_nobody_expects() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let second = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    let wire =
        format!("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{second}", second.len());
    assert!(running.send(&wire).await.starts_with("HTTP/1.1 200"));
    let requests = upstream.requests();
    assert_eq!(values(&requests[0], "connection"), ["close"], "{requests:?}");
    running.get("/b").await;
    assert!(values(&upstream.requests()[0], "connection").is_empty());
}
