//! WebSockets go through; other protocols do not.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::running::{before, start};
use crate::upstream::Upstream;

fn ask(path: &str, protocol: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

#[tokio::test]
async fn a_websocket_carries_bytes_both_ways() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let mut stream = running.connect("http/1.1").await;
    stream.write_all(ask("/socket", "websocket").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", answer.escape_ascii());
    }
    let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    for line in ["connection: upgrade", "upgrade: websocket", "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    let seen = upstream.requests().remove(0).to_ascii_lowercase();
    for line in ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "x-forwarded-proto: https"] {
        assert!(seen.contains(&format!("\r\n{line}\r\n")), "{line} in {seen}");
    }
    // What HTTP would refuse passes as it is, in pieces of any size.
    for piece in [b"GET  \n\0".to_vec(), vec![0xff; 100_000], b"x".to_vec()] {
        stream.write_all(&piece).await.unwrap();
        let mut echo = vec![0; piece.len()];
        stream.read_exact(&mut echo).await.unwrap();
        assert!(echo == piece);
    }
    upstream.stop().await;
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "one side's end is the other's");
}

#[tokio::test]
async fn only_websockets_and_only_when_asked_for() {
    let upstream = Upstream::start("a");
    let running = start(before(&[upstream.address])).await;
    let last = "GET /last HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    let statuses = async |wire: String| {
        let answer = running.send(&(wire + last)).await;
        answer.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(ask("/page", "websocket")).await, ["200", "200"], "the service may decline");
    upstream.requests();
    assert_eq!(statuses(ask("/page", "echo")).await, ["200", "200"], "another protocol is not heard");
    let seen = upstream.requests().remove(0).to_ascii_lowercase();
    assert!(!seen.contains("\r\nupgrade:") && !seen.contains("\r\nconnection:"), "{seen}");
    let unasked = "GET /unasked HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_owned();
    assert_eq!(statuses(unasked).await, ["502", "200"]);
    assert_eq!(statuses(ask("/other", "websocket")).await, ["502", "200"], "another protocol than was asked for");
}
