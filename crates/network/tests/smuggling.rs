//! Requests that two readers could take apart differently, on real sockets: each is refused, the connection ends, and
//! the service sees nothing of it. And requests that must pass.

mod loopback;

use std::time::Duration;

use letterkeep_network::Limits;
use loopback::start;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What would be smuggled: it stands behind every case.
const SECOND: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A head without a body, with these header lines.
fn with(lines: &str) -> String {
    format!("POST /first HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n")
}

/// A request with this chunked body.
fn chunked(body: &str) -> String {
    with("Transfer-Encoding: chunked") + body
}

/// Every case with the status of its refusal.
fn corpus() -> Vec<(u16, String)> {
    let line = |line: &str| format!("{line}\r\nHost: localhost\r\n\r\n");
    let mut cases = Vec::new();
    // The first line.
    for (status, first) in [
        (400, "GET /first"),
        (400, "GET"),
        (400, ""),
        (400, " GET /first HTTP/1.1"),
        (400, "GET  /first HTTP/1.1"),
        (400, "GET /first  HTTP/1.1"),
        (400, "GET /first HTTP/1.1 "),
        (400, "GET\t/first\tHTTP/1.1"),
        (400, "GET /first\x0bHTTP/1.1"),
        (400, "GET /first HTTP/1.1\x00"),
        (400, "GET /fi\x00rst HTTP/1.1"),
        (400, "GET /first\x7f HTTP/1.1"),
        (400, "GET /f\u{fc}rst HTTP/1.1"),
        (400, "GET /first#part HTTP/1.1"),
        (400, "GET first HTTP/1.1"),
        (400, "GET * HTTP/1.1"),
        (400, "GET https://user@localhost/ HTTP/1.1"),
        (400, "GET https://elsewhere/first HTTP/1.1"),
        (400, "GET ftp://localhost/first HTTP/1.1"),
        (400, "G:T /first HTTP/1.1"),
        (400, "GET /first http/1.1"),
        (400, "GET /first HTTP/1.1.1"),
        (400, "GET /first HTTP/01.1"),
        (505, "GET /first HTTP/0.9"),
        (505, "GET /first HTTP/1.2"),
        (505, "GET /first HTTP/2.0"),
        (505, "PRI * HTTP/2.0"),
        (501, "CONNECT localhost:443 HTTP/1.1"),
    ] {
        cases.push((status, line(first)));
    }
    // Ends of lines.
    for wire in [
        "GET /first HTTP/1.1\nHost: localhost\n\n",
        "GET /first HTTP/1.1\nHost: localhost\r\n\r\n",
        "GET /first HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /first HTTP/1.1\r\nHost: localhost\r\n\n",
        "GET /first HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n",
        "GET /first HTTP/1.1\r\nHost: localhost\r\r\n\r\n",
        "GET /first HTTP/1.1\r\rHost: localhost\r\r\r\n",
        "\r\nGET /first HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /first HTTP/1.1\r\n Host: localhost\r\n\r\n",
    ] {
        cases.push((400, wire.into()));
    }
    // Header lines.
    for (status, lines) in [
        (400, "X: y\r\n folded"),
        (400, "X: y\r\n\tfolded"),
        (400, "X : y"),
        (400, "X\t: y"),
        (400, ": y"),
        (400, "X"),
        (400, "X y: z"),
        (400, "X\x00: y"),
        (400, "X\u{e4}: y"),
        (400, "X: y\x00"),
        (400, "X: y\x0b"),
        (400, "X: \x7f"),
        (400, "X: y\rZ: injected"),
        (400, "Host: localhost"),
        (400, "Host: elsewhere"),
        (400, "Connection: close, Cookie"),
        (400, "Connection: Content-Length"),
        (400, "Connection: Transfer-Encoding"),
        (400, "Upgrade: websocket"),
        (400, "Connection: Upgrade\r\nUpgrade: h2c"),
        (400, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"),
        (400, "HTTP2-Settings: AAMAAABkAAQAAP__"),
        (400, "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5"),
        (417, "Expect: 100-continue, x"),
        (417, "Expect: nothing"),
    ] {
        cases.push((status, with(lines)));
    }
    // Lengths.
    for (status, lines) in [
        (400, "Content-Length: 5\r\nContent-Length: 5"),
        (400, "Content-Length: 0\r\nContent-Length: 44"),
        (400, "Content-Length: 44\r\ncontent-length: 0"),
        (400, "Content-Length: 5, 5"),
        (400, "Content-Length: +5"),
        (400, "Content-Length: -5"),
        (400, "Content-Length: 0x5"),
        (400, "Content-Length: 05"),
        (400, "Content-Length: 5 5"),
        (400, "Content-Length: 5.0"),
        (400, "Content-Length:"),
        (400, "Content-Length: \u{b2}"),
        (400, "Content_Length: 44"),
        (400, "Content-Length : 44"),
        (413, "Content-Length: 18446744073709551616"),
        (413, "Content-Length: 99999999999999999999999999999999"),
        (400, "Content-Length: 6\r\nTransfer-Encoding: chunked"),
        (400, "Transfer-Encoding: chunked\r\nContent-Length: 6"),
        (400, "Transfer-Encoding: identity\r\nContent-Length: 0"),
        (501, "Transfer-Encoding: identity"),
        (501, "Transfer-Encoding: gzip, chunked"),
        (501, "Transfer-Encoding: chunked, identity"),
        (501, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        (501, "Transfer-Encoding: chunked\r\nTransfer-Encoding: x"),
        (501, "Transfer-Encoding: xchunked"),
        (501, "Transfer-Encoding: \"chunked\""),
        (501, "Transfer-Encoding: chunked;q=1"),
        (501, "Transfer-Encoding: chunked,"),
        (501, "Transfer-Encoding:"),
        (400, "Transfer-Encoding: \x0bchunked"),
        (400, "Transfer-Encoding: chunked\x00"),
        (400, "Transfer-Encoding : chunked"),
        (400, "Transfer-Encoding\r\n : chunked"),
        (400, "Transfer_Encoding: chunked"),
        (400, "X: y\nTransfer-Encoding: chunked"),
    ] {
        cases.push((status, with(lines) + "0\r\n\r\n"));
    }
    cases.push((501, "POST /first HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()));
    cases.push((400, "GET /first HTTP/1.1\r\n\r\n".into()));
    cases.push((400, "GET /first HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".into()));
    for host in ["", "a b", "user@localhost", "localhost/", "localhost:", "localhost:x", "[::1", "a,b", "a\\b"] {
        cases.push((400, format!("GET /first HTTP/1.1\r\nHost: {host}\r\n\r\n")));
    }
    // Chunks.
    for body in [
        "5;ext=1\r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;ext=\"\r\n\"\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "00000000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: trailer\r\n\r\n",
        "5\r\nhello\r\n0\r\nContent-Length: 44\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0;x\r\n\r\n",
        "5\rXhello\r\n0\r\n\r\n",
        "0\r\n\rX",
    ] {
        cases.push((400, chunked(body)));
    }
    // Lengths of heads.
    cases.push((414, line(&format!("GET /{} HTTP/1.1", "a".repeat(17_000)))));
    cases.push((431, with(&format!("X: {}", "a".repeat(17_000)))));
    cases.push((431, with(&["X: y"; 100].join("\r\n"))));
    cases.push((431, with(&vec![format!("X: {}", "a".repeat(9_000)); 9].join("\r\n"))));
    cases
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let running = start(Limits::default()).await;
    let cases = corpus();
    assert!(cases.len() >= 60, "{}", cases.len());
    for (status, wire) in cases {
        let answer = running.send(format!("{wire}{SECOND}").as_bytes()).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{wire:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{wire:?}: {answer:?}");
        let head = answer.split("\r\n\r\n").next().unwrap();
        assert!(head.contains("\r\nConnection: close"), "{answer:?}");
        assert!(!answer.contains("smuggled") && !answer.contains("/first"), "nothing is repeated: {answer:?}");
        assert_eq!(running.seen(), [], "{wire:?}");
    }
    let begun = running.log.begun.lock().unwrap().clone();
    assert!(begun.iter().all(|target| target == "/first"), "only heads whose chunks came later: {begun:?}");
}

/// The same bytes, one by one or all at once, with what must be answered standing before.
#[tokio::test]
async fn what_stands_before_a_refused_request_is_answered_first() {
    let running = start(Limits::default()).await;
    let wire = format!(
        "{}GET /two HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n{SECOND}",
        with("Content-Length: 3\r\nA: b") + "abc"
    );
    let answer = running.send(wire.as_bytes()).await;
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "400"], "{answer}");
    assert_eq!(running.seen().len(), 1);
}

#[tokio::test]
async fn ordinary_requests_pass() {
    let running = start(Limits::default()).await;
    for (wire, method, target, body) in [
        ("GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "GET", "/a", ""),
        ("GET /a HTTP/1.0\r\n\r\n", "GET", "/a", ""),
        ("HEAD /a HTTP/1.1\r\nhost:localhost:443\r\nCONNECTION:\tClose \r\n\r\n", "HEAD", "/a", ""),
        ("OPTIONS * HTTP/1.1\r\nHost: [::1]:443\r\nConnection: close\r\n\r\n", "OPTIONS", "*", ""),
        ("GET https://localhost/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "GET", "/a", ""),
        (
            "PATCH /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: TE, close\r\nTE: x\r\n\r\nabc",
            "PATCH",
            "/a",
            "abc",
        ),
        (
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0A\r\n, world 12\r\n0\r\n\r\n",
            "POST",
            "/a",
            "hello, world 12",
        ),
        ("GET /a HTTP/1.1\r\nHost: a\r\nX: \u{e4}\r\nConnection: close\r\n\r\n", "GET", "/a", ""),
    ] {
        let answer = running.send(wire.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"), "{wire:?}: {answer:?}");
        let seen = running.seen();
        let [seen] = seen.as_slice() else { panic!("{wire:?}: {seen:?}") };
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str(), seen.body.as_slice()),
            (method, target, body.as_bytes())
        );
        assert_eq!(seen.raw.as_ref().unwrap().method, method.as_bytes());
    }
}

/// Each request meets its own head, as it was sent, however many come at once and however they are cut.
#[tokio::test]
async fn pipelined_requests_keep_their_heads() {
    let running = start(Limits::default()).await;
    let mut wire = String::new();
    for n in 0..200 {
        let body = "x".repeat(n % 7);
        let request = match n % 3 {
            0 => format!("GET /{n} HTTP/1.1\r\nhOsT: localhost\r\nX-N:  {n}\r\n\r\n"),
            1 => format!(
                "POST /{n} HTTP/1.1\r\nHost: localhost\r\nX-N: {n}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            _ => format!(
                "PUT /{n} HTTP/1.1\r\nHost: localhost\r\nX-N: {n}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            ),
        };
        wire.push_str(&request);
    }
    wire += "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for step in [wire.len(), 1000, 97] {
        let mut stream = running.connect("http/1.1").await.unwrap();
        for piece in wire.as_bytes().chunks(step) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
        }
        let answer = loopback::read_all(&mut stream).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 201, "{step}");
        let seen = running.seen();
        assert_eq!(seen.len(), 201);
        for (n, seen) in seen.iter().take(200).enumerate() {
            let raw = seen.raw.as_ref().unwrap();
            assert_eq!(seen.target, format!("/{n}"));
            assert_eq!(raw.target, seen.target.as_bytes());
            let name = if n % 3 == 0 { "hOsT" } else { "Host" };
            assert_eq!(raw.headers[0], (name.into(), "localhost".into()));
            assert_eq!(raw.headers[1], ("X-N".into(), n.to_string().into()));
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_for_a_go_ahead_gets_it() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect("http/1.1").await.unwrap();
    stream.write_all(with("Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close").as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let answer = loopback::read_all(&mut stream).await;
    assert!(answer.ends_with("POST /first 5"), "{answer}");
}

/// After an upgrade the connection is not HTTP any more: what would be refused before passes as it is.
#[tokio::test]
async fn an_accepted_upgrade_is_raw_and_another_is_not() {
    let running = start(Limits::default()).await;
    let ask = |target: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nGET  \n\0 what is this\n"
        )
    };
    let mut stream = running.connect("http/1.1").await.unwrap();
    stream.write_all(ask("/switch").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\0 what is this\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", answer.escape_ascii());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", answer.escape_ascii());
    drop(stream);
    let answer = running.send(ask("/stay").as_bytes()).await;
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "400"], "{answer}");
}

/// A client that is still sending when it is refused reads why.
#[tokio::test]
async fn a_refusal_is_read_even_while_the_client_sends() {
    let running = start(Limits::default()).await;
    for _ in 0..5 {
        let wire = with("Content-Length: 5\r\nContent-Length: 6") + &"x".repeat(400_000);
        let answer = running.send(wire.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_lets_others_finish() {
    let running = start(Limits { drain: Duration::from_mins(1), ..Limits::default() }).await;
    let mut silent = running.connect("http/1.1").await.unwrap();
    let mut kept = running.connect("http/1.1").await.unwrap();
    kept.write_all(SECOND.as_bytes()).await.unwrap();
    let mut busy = running.connect("http/1.1").await.unwrap();
    busy.write_all(with("Content-Length: 5").as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    kept.read_exact(&mut answer).await.unwrap();
    while running.log.begun.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    running.stop.send(()).unwrap();
    assert_eq!(loopback::read_all(&mut silent).await, "");
    loopback::read_all(&mut kept).await;
    busy.write_all(b"hello").await.unwrap();
    let answer = loopback::read_all(&mut busy).await;
    assert!(answer.ends_with("POST /first 5"), "{answer}");
    drop((silent, kept, busy));
    running.served.await.unwrap();
}
