//! `letterkeep edge` as an operator runs it: a process of its own before a service that is not ours.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod binary;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use binary::{letterkeep, run};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A service that keeps the first lines of what it is asked, and says hello.
struct Shop {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, kept) = (stream.unwrap(), kept.clone());
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                    while let Some(first) = lines.next() {
                        let fields: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
                        if !fields.iter().any(|field| field.contains("Letterkeep-Edge")) {
                            kept.lock().unwrap().push(first);
                        }
                        let answer = "HTTP/1.1 200 OK\r\nServer: Shop/1\r\nContent-Length: 5\r\n\r\nhello";
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// The edge as a process. It ends when this is dropped.
struct Edge {
    child: Child,
    port: u16,
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Edge {
    fn start(mut command: Command, upstream: &str) -> Self {
        let arguments = ["edge", "--listen", "127.0.0.1:0", "--upstream", upstream];
        let mut child = command.args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let (found, is_found) = std::sync::mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        std::thread::spawn(move || {
            for line in lines {
                if let Some((_, port)) = line.split_once("serving address=127.0.0.1:") {
                    let _ = found.send(port.trim().parse().unwrap());
                }
            }
        });
        let port = is_found.recv_timeout(Duration::from_mins(1)).expect("the edge does not start");
        Self { child, port }
    }

    fn get(&self, certificate: &Path, path: &str) -> String {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(tls, TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        let browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\r\nAccept: text/html";
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{browser}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }
}

#[test]
fn a_service_is_protected_without_a_database() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("letterkeep-data");
    let certificate = data.join("tls-certificate.pem");
    let shop = Shop::open();
    let mut edge = Edge::start(letterkeep(place.path()), &format!("http://{}", shop.address));
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    let answer = edge.get(&certificate, "/a?b=c");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("\r\nserver:"), "{answer}");
    // The paths of our own pages mean nothing here.
    assert!(edge.get(&certificate, "/health").ends_with("hello"));
    assert_eq!(shop.asked(), ["GET /a?b=c HTTP/1.1", "GET /health HTTP/1.1"]);

    let attack = edge.get(&certificate, "/a?b=%3Cscript%3Ealert(document.cookie)%3C/script%3E");
    assert!(attack.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{attack}");
    assert!(shop.asked().is_empty(), "nothing of it reaches the service");
    let id = attack.lines().last().unwrap();
    let decisions = std::fs::read_to_string(data.join("firewall.jsonl")).unwrap();
    assert!(decisions.contains(&format!("\"id\":\"{id}\"")), "{id} is not in {decisions}");

    // Behind another edge, which believes the certificate only if somebody tells it to.
    let behind = format!("https://localhost:{}", edge.port);
    let second = place.path().join("second");
    let outer = |trusted: &Path| {
        let mut command = letterkeep(place.path());
        command.env("LETTERKEEP_DATA", &second).env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        Edge::start(command, &behind)
    };
    let second_certificate = second.join("tls-certificate.pem");
    let answer = outer(&certificate).get(&second_certificate, "/b");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert_eq!(shop.asked(), ["GET /b HTTP/1.1"]);
    let answer = outer(&second_certificate).get(&second_certificate, "/b");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(shop.asked().is_empty());

    let asked = Command::new("kill").arg("-TERM").arg(edge.child.id().to_string()).status().unwrap();
    assert!(asked.success() && edge.child.wait().unwrap().success(), "it ends in order when it is asked to");
}

#[test]
fn an_upstream_that_is_none_is_refused() {
    let place = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["edge"][..], "--upstream"),
        (&["edge", "--upstream", "127.0.0.1:3000"], "is no upstream; write http://"),
        (&["edge", "--upstream", "http://a/b"], "is no upstream; write http://"),
        (&["edge", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--health", "x"], "begins with /"),
    ] {
        let (done, said) = run(letterkeep(place.path()).args(arguments));
        assert!(!done && said.contains(part), "{arguments:?}: {said}");
    }
}
