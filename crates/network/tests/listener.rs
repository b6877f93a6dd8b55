//! The listener on a real socket, with a client that we did not write the TLS of.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use letterkeep_model::{Clock as _, SystemClock};
use letterkeep_network::{Certificate, Limits, ListenError, Listener, Peer, TlsSource};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

struct Running {
    address: SocketAddr,
    roots: RootCertStore,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

async fn start(limits: Limits) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::self_signed(dir.path(), &["localhost".into()], SystemClock.now()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.chain()[0].clone()).unwrap();
    let source = TlsSource::Fixed(certificate);
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), source, limits).await.unwrap();
    let address = listener.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let service = tower::service_fn(|request: Request<Incoming>| async move {
        let peer = request.extensions().get::<Peer>().expect("every request knows its client");
        Ok::<_, Infallible>(Response::new(format!("hello {}", peer.0.ip())))
    });
    let served = tokio::spawn(listener.serve(service, async {
        let _ = stopped.await;
    }));
    Running { address, roots, stop, served, _dir: dir }
}

async fn ask(running: &Running, versions: &[&'static SupportedProtocolVersion]) -> std::io::Result<String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(running.roots.clone())
        .with_no_client_auth();
    let stream = TcpStream::connect(running.address).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn serves_tls_1_3_and_1_2_and_ends_in_order() {
    let running = start(Limits::default()).await;
    for version in [&version::TLS13, &version::TLS12] {
        let answer = ask(&running, &[version]).await.unwrap();
        assert!(answer.ends_with("hello 127.0.0.1"), "{answer}");
    }
    let _ = running.stop.send(());
    running.served.await.unwrap();
}

#[tokio::test]
async fn refuses_plain_http_and_tls_1_1() {
    let running = start(Limits::default()).await;
    // A ClientHello of TLS 1.1 (RFC 4346): version 3.2, one cipher suite of its time, no extensions.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    for first in [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), hello] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(&first).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        // Nothing, or a TLS alert (content type 21): never a ServerHello (22), never an HTTP answer.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_frees_its_place() {
    let limits = Limits { connections: 1, handshake: std::time::Duration::from_millis(100), ..Limits::default() };
    let running = start(limits).await;
    let _silent = TcpStream::connect(running.address).await.unwrap();
    // Who comes meanwhile is let go at once.
    let mut refused = 0;
    let answer = loop {
        match ask(&running, &[&version::TLS13]).await {
            Ok(answer) => break answer,
            Err(_) => refused += 1,
        }
    };
    assert!(refused > 0 && answer.ends_with("hello 127.0.0.1"), "{refused}: {answer}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let running = start(Limits::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::self_signed(dir.path(), &["localhost".into()], SystemClock.now()).unwrap();
    let second = Listener::bind(running.address, TlsSource::Fixed(certificate), Limits::default()).await;
    assert!(matches!(second.err(), Some(ListenError::InUse(address)) if address == running.address));
}

#[test]
fn a_self_signed_certificate_follows_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let made = |names: &[&str], days: u64| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let now = SystemClock.now().plus(std::time::Duration::from_hours(24 * days));
        Certificate::self_signed(dir.path(), &names, now).unwrap().chain()[0].to_vec()
    };
    let first = made(&["localhost", "127.0.0.1"], 0);
    assert_eq!(first, made(&["localhost", "127.0.0.1"], 1), "kept as long as it fits");
    let second = made(&["post.example.org", "localhost", "127.0.0.1"], 1);
    assert_ne!(first, second, "the name is new");
    assert_eq!(second, made(&["post.example.org", "localhost", "127.0.0.1"], 1));
    assert_eq!(second, made(&["localhost"], 1), "it still is for the names that are left");
    assert_ne!(second, made(&["::1", "localhost"], 1), "an address is a name too");
    let third = made(&["::1", "localhost"], 1);
    assert_eq!(third, made(&["::1", "localhost"], 1));
    assert_ne!(third, made(&["::1", "localhost"], 301), "too old");
}

#[cfg(unix)]
#[test]
fn a_key_that_is_made_anew_is_private_whatever_stood_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("tls-key.pem");
    std::fs::write(&key, "old").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    Certificate::self_signed(dir.path(), &["localhost".into()], SystemClock.now()).unwrap();
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
}
