//! Fetching a release: over HTTPS alone, bounded, from whom is believed.

use std::net::SocketAddr;
use std::sync::Arc;

use letterkeep_network::rules::{FetchError, MAX_PACKAGE, fetch_believing};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server that answers by path, and the certificate that it shows.
async fn server() -> (SocketAddr, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("it is one");
    let key = made.signing_key.serialize_der().try_into().expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("they fit")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 2048];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                let moved = |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
                let answer = match path {
                    "/file?v=4" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrules".to_owned(),
                    "/moved" => moved("/file?v=4"),
                    "/plain" => moved("http://localhost/file"),
                    "/around" => moved("/around"),
                    "/large" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_PACKAGE + 1),
                    "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nrules".to_owned(),
                    _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
                let piece = vec![0; 64 << 10];
                while path == "/large" && stream.write_all(&piece).await.is_ok() {}
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, roots)
}

#[tokio::test]
async fn a_file_is_fetched_or_it_is_said_why_not() {
    let (address, roots) = server().await;
    let at = |path: &str| format!("https://localhost:{}{path}", address.port());
    let get = |path: &str| {
        let (address, roots) = (at(path), roots.clone());
        async move { fetch_believing(&address, roots).await }
    };
    assert_eq!(get("/file?v=4").await.unwrap(), b"rules");
    assert_eq!(get("/moved").await.unwrap(), b"rules");
    assert!(matches!(get("/plain").await, Err(FetchError::Address(to)) if to == "http://localhost/file"));
    assert!(matches!(get("/around").await, Err(FetchError::Redirects)));
    assert!(matches!(get("/large").await, Err(FetchError::TooLarge(_))));
    assert!(matches!(get("/cut").await, Err(FetchError::Connection(..))));
    assert!(matches!(get("/nothing").await, Err(FetchError::Status(_, status)) if status == 404));
    for wrong in ["http://localhost/file", "file:///etc/hostname", "rules.tar.gz", "https://"] {
        assert!(matches!(fetch_believing(wrong, roots.clone()).await, Err(FetchError::Address(_))), "{wrong}");
    }
    let (_, others) = server().await;
    assert!(matches!(fetch_believing(&at("/file?v=4"), others).await, Err(FetchError::Connection(..))));
}
