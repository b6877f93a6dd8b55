//! Certificates that change while the service runs, an authority that issues them, the plain listener, and what
//! somebody else's scanner says about the whole.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod loopback;
#[path = "tls/scan.rs"]
mod scan;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use letterkeep_model::{Clock as _, SystemClock};
use letterkeep_network::{
    AcmeSettings, CertificateError, Challenges, Limits, ListenError, Listener, Redirect, Tls, TlsSource,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A pair of files for `name`; gives the certificate.
fn write_pair(directory: &Path, name: &str) -> CertificateDer<'static> {
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&pair).unwrap();
    std::fs::write(directory.join("key.pem"), pair.serialize_pem()).unwrap();
    std::fs::write(directory.join("chain.pem"), certificate.pem()).unwrap();
    certificate.der().clone()
}

fn files(directory: &Path, every: Duration) -> TlsSource {
    TlsSource::Files { certificate: directory.join("chain.pem"), key: directory.join("key.pem"), every }
}

/// Serves until the test ends.
async fn serve(source: TlsSource) -> (SocketAddr, Tls) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), source, Limits::default()).await.unwrap();
    let (address, tls) = (listener.address().unwrap(), listener.tls());
    let service = tower::service_fn(|_: Request<Incoming>| async {
        let mut response = Response::new("hello".to_owned());
        // What the service behind the edge adds to every answer.
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("content-security-policy", "default-src 'self'"),
            ("x-content-type-options", "nosniff"),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok::<_, Infallible>(response)
    });
    tokio::spawn(listener.serve(service, std::future::pending()));
    (address, tls)
}

/// The chain that a client sees who trusts these roots, and who says hello by this name.
async fn shown(address: SocketAddr, name: &str, roots: &[CertificateDer<'static>]) -> std::io::Result<Vec<u8>> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name.to_owned().try_into().unwrap(), stream).await?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let first = write_pair(directory.path(), "localhost");
    let (address, tls) = serve(files(directory.path(), Duration::from_millis(20))).await;
    assert_eq!(shown(address, "localhost", std::slice::from_ref(&first)).await.unwrap(), first.to_vec());
    let details = tls.details().unwrap();
    assert_eq!(details.names, ["localhost", "127.0.0.1"]);
    assert!(details.not_before < SystemClock.now() && details.not_after > SystemClock.now());
    // Broken: a key that belongs to another certificate, and a file that is none.
    std::fs::write(directory.path().join("key.pem"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(matches!(tls.reload(), Err(CertificateError::Unusable(_))));
    std::fs::write(directory.path().join("chain.pem"), "nothing").unwrap();
    assert!(matches!(tls.reload(), Err(CertificateError::Pem(..))));
    assert_eq!(shown(address, "localhost", std::slice::from_ref(&first)).await.unwrap(), first.to_vec());
    // Sound again: found by looking, without anybody asking.
    let second = write_pair(directory.path(), "localhost");
    while tls.chain() != [second.clone()] {
        tokio::task::yield_now().await;
    }
    assert_eq!(shown(address, "localhost", std::slice::from_ref(&second)).await.unwrap(), second.to_vec());
    assert!(shown(address, "localhost", &[first]).await.is_err(), "the old one is gone");
}

#[tokio::test]
async fn sessions_are_resumed() {
    let running = loopback::start(Limits::default()).await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(running.roots.clone())
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let stream = TcpStream::connect(running.address).await.unwrap();
            let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
            let wire = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(wire).await.unwrap();
            loopback::read_all(&mut stream).await;
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds[1], rustls::HandshakeKind::Resumed, "{kinds:?}");
    }
}

/// What the plain listener answers.
async fn plain(address: SocketAddr, wire: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(wire.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_plain_listener_leads_to_the_encrypted_one_and_nowhere_else() {
    let any = "127.0.0.1:0".parse().unwrap();
    let limits = Limits { headers: Duration::from_millis(200), connections_per_network: 2, ..Limits::default() };
    let wrong = Redirect::bind(any, "a/b", Challenges::default(), &limits).await;
    assert!(matches!(wrong, Err(ListenError::Host(_))));
    let redirect = Redirect::bind(any, "post.example.org:8443", Challenges::default(), &limits).await.unwrap();
    let address = redirect.address().unwrap();
    tokio::spawn(redirect.serve(std::future::pending()));
    let answer = plain(address, "GET /a?b HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 308 ") && !answer.contains("evil"), "{answer}");
    assert!(answer.contains("\r\nLocation: https://post.example.org:8443/a?b\r\n"), "{answer}");
    for wire in ["POST /log-in HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "GET / HTTP/1.1\nHost: a\n\n"] {
        let answer = plain(address, wire).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let slow = plain(address, "GET / HTTP/1.1\r\nHost: a\r\n").await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts Let's Encrypt's test authority; gives its directory and the file with the root that its own address shows.
fn pebble(program: &Path, directory: &Path, tls_port: u16, http_port: u16) -> (Process, String, PathBuf) {
    let certificate = write_pair(directory, "localhost");
    drop(certificate);
    let (port, management) = (free_port(), free_port());
    let config = format!(
        r#"{{"pebble": {{"listenAddress": "127.0.0.1:{port}", "managementListenAddress": "127.0.0.1:{management}",
        "certificate": "{0}/chain.pem", "privateKey": "{0}/key.pem", "httpPort": {http_port}, "tlsPort": {tls_port},
        "ocspResponderURL": "", "externalAccountBindingRequired": false,
        "profiles": {{"default": {{"description": "for tests", "validityPeriod": 7776000}}}}}}}}"#,
        directory.display()
    );
    std::fs::write(directory.join("pebble.json"), config).unwrap();
    let log = std::fs::File::create(directory.join("pebble.log")).unwrap();
    let child = Command::new(program)
        .arg("-config")
        .arg(directory.join("pebble.json"))
        .env("PEBBLE_VA_NOSLEEP", "1")
        .stdout(log.try_clone().unwrap())
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    (Process(child), format!("https://localhost:{port}/dir"), directory.join("chain.pem"))
}

/// The authority comes back to the listener for its proof, and its certificate is shown; at the next start it is still
/// there, and nothing is ordered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_issues_a_certificate() {
    let Some(program) = loopback::program(&["pebble"]) else {
        loopback::skipped("acme", "the test authority is not there (Debian package pebble)");
        return;
    };
    let (authority, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = free_port();
    let (process, directory, root) = pebble(&program, authority.path(), port, free_port());
    let settings = || AcmeSettings {
        directory: directory.clone(),
        names: vec!["localhost".into()],
        contacts: vec!["mailto:admin@example.org".into()],
        cache: cache.path().to_owned(),
        root: Some(root.clone()),
        clock: Arc::new(SystemClock),
    };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = Listener::bind(address, TlsSource::Acme(settings()), Limits::default()).await.unwrap();
    let tls = listener.tls();
    let passing = tls.chain();
    assert!(!tls.acme().unwrap().issued);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let service = tower::service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let served = tokio::spawn(listener.serve(service, async {
        let _ = stopped.await;
    }));
    let issued = async {
        while !tls.acme().unwrap().issued {
            let state = tls.acme().unwrap();
            let log = || std::fs::read_to_string(authority.path().join("pebble.log")).unwrap();
            assert_eq!(state.failure, None, "{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), issued).await.expect("a certificate in time");
    let chain = tls.chain();
    assert_ne!(chain, passing);
    assert_eq!(tls.details().unwrap().names, ["localhost"]);
    assert_eq!(tls.acme().unwrap().failure, None);
    // The chain ends at the authority's intermediate; a client sees it.
    let issuer = CertificateDer::from_pem_slice(&std::fs::read(cache.path().join("acme-certificate.pem")).unwrap());
    assert_eq!(issuer.unwrap(), chain[0]);
    // Nobody but the authority is shown a proof, and now not even it.
    let proof = shown(address, "elsewhere.example", &chain).await;
    assert!(proof.is_err());
    #[cfg(unix)]
    for file in ["acme-account.json", "acme-key.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(cache.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    stop.send(()).unwrap();
    served.await.unwrap();
    drop(process);
    let again = Listener::bind("127.0.0.1:0".parse().unwrap(), TlsSource::Acme(settings()), Limits::default());
    let again = again.await.unwrap().tls();
    assert_eq!((again.chain(), again.acme().unwrap().issued), (chain, true));
}

/// Without the authority the service runs on, and says why it has no certificate.
#[tokio::test]
async fn an_authority_that_is_gone_is_told() {
    let cache = tempfile::tempdir().unwrap();
    let settings = AcmeSettings {
        directory: format!("https://localhost:{}/dir", free_port()),
        names: vec!["localhost".into()],
        contacts: Vec::new(),
        cache: cache.path().to_owned(),
        root: None,
        clock: Arc::new(SystemClock),
    };
    let (address, tls) = serve(TlsSource::Acme(settings)).await;
    while tls.acme().unwrap().failure.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let state = tls.acme().unwrap();
    assert!(!state.issued && state.tried.is_some(), "{state:?}");
    let passing = tls.chain();
    assert_eq!(shown(address, "localhost", &passing).await.unwrap(), passing[0].to_vec());
}
