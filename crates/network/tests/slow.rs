//! Clients that are slow on purpose, on real sockets with short limits: each is ended, and honest ones beside them are
//! served. Every test would hang, and fail by its own time, if nothing ended the client.

mod loopback;

use std::time::Duration;

use letterkeep_network::Limits;
use loopback::{read_all, start};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(150);

/// Longer than any test waits: what ends a client in a test is the one limit that it is about.
const LONG: Duration = Duration::from_mins(10);

fn patient() -> Limits {
    Limits { handshake: LONG, headers: LONG, idle: LONG, body_grace: LONG, stall: LONG, ..Limits::default() }
}

const HEAD: &str = "POST /a HTTP/1.1\r\nHost: localhost\r\n";

#[tokio::test]
async fn a_head_that_does_not_end_is_refused() {
    let running = start(Limits { headers: SHORT, ..patient() }).await;
    let mut slow = running.connect("http/1.1").await.unwrap();
    slow.write_all(HEAD.as_bytes()).await.unwrap();
    // One that keeps sending, as a slow-header attack does, gets no more time.
    let mut steady = running.connect("http/1.1").await.unwrap();
    steady.write_all(HEAD.as_bytes()).await.unwrap();
    let (read, mut write) = tokio::io::split(steady);
    let drip = tokio::spawn(async move {
        while write.write_all(b"X: y\r\n").await.is_ok() && write.flush().await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
        write
    });
    let answer = read_all(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let mut first = vec![0; 12];
    let mut read = read;
    read.read_exact(&mut first).await.unwrap();
    assert_eq!(first, b"HTTP/1.1 408");
    drip.abort();
    assert_eq!(running.seen(), []);
}

#[tokio::test]
async fn an_idle_connection_is_closed_before_and_after_a_request() {
    let running = start(Limits { idle: SHORT, ..patient() }).await;
    for alpn in ["http/1.1", "h2"] {
        let mut silent = running.connect(alpn).await.unwrap();
        assert_eq!(read_all(&mut silent).await, "", "{alpn}");
    }
    let mut used = running.connect("http/1.1").await.unwrap();
    used.write_all(format!("{HEAD}\r\n").as_bytes()).await.unwrap();
    let answer = read_all(&mut used).await;
    assert!(answer.ends_with("POST /a 0"), "{answer}");
    // HTTP/2: a preface and settings, and then nothing; the server says that it goes, and goes.
    let mut preface = running.connect("h2").await.unwrap();
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    // Whether TLS ends in order is up to the client, who did not leave.
    let _ = tokio::time::timeout(LONG, preface.read_to_end(&mut answer)).await.expect("the server leaves");
    assert!(answer.windows(4).any(|frame| frame == [8, 7, 0, 0]), "it says GOAWAY: {answer:?}");
}

#[tokio::test]
async fn a_body_slower_than_the_rate_is_refused() {
    let running = start(Limits { body_grace: SHORT, ..patient() }).await;
    for field in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let mut slow = running.connect("http/1.1").await.unwrap();
        slow.write_all(format!("{HEAD}{field}\r\n\r\n5\r\nab").as_bytes()).await.unwrap();
        let answer = read_all(&mut slow).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert_eq!(running.seen(), []);
    // A body that takes longer than the grace but keeps its rate comes through: 40 steps of which six fill the grace.
    let running = start(Limits { body_grace: SHORT * 2, body_rate: 1, ..patient() }).await;
    let mut steady = running.connect("http/1.1").await.unwrap();
    steady.write_all(format!("{HEAD}Content-Length: 40\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    for _ in 0..40 {
        tokio::time::sleep(SHORT / 3).await;
        steady.write_all(b"x").await.unwrap();
        steady.flush().await.unwrap();
    }
    let answer = read_all(&mut steady).await;
    assert!(answer.ends_with("POST /a 40"), "{answer}");
}

/// An answer far larger than every buffer between, and a client that does not read it.
#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let running = start(Limits { stall: SHORT, ..patient() }).await;
    let ask = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut lazy = running.connect("http/1.1").await.unwrap();
    lazy.write_all(ask.as_bytes()).await.unwrap();
    while running.places.open() > 0 {
        tokio::task::yield_now().await;
    }
    drop(lazy);
    // Who reads gets all of it.
    let mut eager = running.connect("http/1.1").await.unwrap();
    eager.write_all(ask.replace("Host", "Connection: close\r\nHost").as_bytes()).await.unwrap();
    assert!(read_all(&mut eager).await.len() > 8 << 20);
}

/// The same by HTTP/2, where the client's window is what does not open.
#[tokio::test]
async fn a_stream_that_is_not_fetched_is_let_go() {
    let running = start(Limits { stall: SHORT, ..patient() }).await;
    let stream = running.connect("h2").await.unwrap();
    let (mut client, connection) =
        h2::client::Builder::new().initial_window_size(10).handshake::<_, hyper::body::Bytes>(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/large").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    while running.places.open() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_network_gets_its_share_of_connections() {
    let running = start(Limits { connections_per_network: 3, ..patient() }).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(running.connect("http/1.1").await.unwrap());
    }
    assert!(running.connect("http/1.1").await.is_err());
    assert_eq!((running.places.open(), running.places.refused()), (3, 1));
    drop(kept.pop());
    while running.places.open() == 3 {
        tokio::task::yield_now().await;
    }
    running.connect("http/1.1").await.unwrap();
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let running = start(Limits { connections_per_network: 3, trusted, ..patient() }).await;
    for _ in 0..10 {
        kept.push(running.connect("http/1.1").await.unwrap());
    }
}

/// Slow clients of every kind at once, and an honest one that is served meanwhile.
#[tokio::test]
async fn honest_clients_are_served_beside_slow_ones() {
    let running = start(Limits { connections_per_network: 1000, ..patient() }).await;
    let mut slow = Vec::new();
    let mut silent = Vec::new();
    for n in 0..100 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
        let mut stream = running.connect("http/1.1").await.unwrap();
        let part = format!("{HEAD}Content-Length: 9\r\n\r\nabc");
        stream.write_all(&part.as_bytes()[..n % part.len()]).await.unwrap();
        slow.push(stream);
    }
    let answer = running.send(format!("{HEAD}Connection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.ends_with("POST /a 0"), "{answer}");
}
