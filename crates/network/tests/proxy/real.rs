//! The edge before servers that others wrote.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::running::{Running, before, start};

/// A server of files; it ends with this.
struct Server {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]).collect();
    let mut all = names.iter().flat_map(|name| directories.iter().map(move |directory| directory.join(name)));
    all.find(|path| path.is_file())
}

/// A port that nobody uses now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The page, and a file of some size.
fn files(directory: &Path) -> Vec<u8> {
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(directory.join("index.html"), "<h1>Shop</h1>").unwrap();
    std::fs::write(directory.join("large.bin"), &large).unwrap();
    large
}

async fn run(mut command: Command, port: u16, directory: tempfile::TempDir) -> Server {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let server = Server { child, address, _directory: directory };
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return server;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not listen");
}

async fn ask(running: &Running, method: &str, path: &str, fields: &str) -> String {
    running.send(&format!("{method} {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n")).await
}

/// A page, its head alone, and a large file, over both versions of HTTP.
async fn serves_files(running: &Running, large: &[u8]) {
    use http_body_util::BodyExt as _;
    let page = ask(running, "GET", "/index.html", "").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\n<h1>Shop</h1>"), "{page}");
    assert!(!page.to_ascii_lowercase().contains("\r\nserver:"), "{page}");
    let head = ask(running, "HEAD", "/index.html", "").await;
    assert!(head.contains("\r\ncontent-length: 13\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(ask(running, "GET", "/missing", "").await.starts_with("HTTP/1.1 404"));
    let mut sender = running.http2().await;
    let asked = crate::running::request("GET", "/large.bin").body(http_body_util::Full::default()).unwrap();
    let answer = sender.send_request(asked).await.unwrap();
    assert!(answer.into_body().collect().await.unwrap().to_bytes() == large);
}

#[tokio::test]
async fn nginx_serves_through_it() {
    let Some(nginx) = find(&["nginx"]) else {
        let _ = writeln!(std::io::stderr(), "SKIPPED nginx: it is not installed");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let large = files(directory.path());
    let (port, root) = (free_port(), directory.path().display());
    let configuration = format!(
        "daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log {root}/access.log combined; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
         fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;\n\
         server {{ listen 127.0.0.1:{port}; root {root}; etag on; }} }}\n"
    );
    let file = directory.path().join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    let log = directory.path().join("access.log");
    let mut command = Command::new(nginx);
    command.arg("-e").arg(directory.path().join("error.log")).arg("-c").arg(&file).arg("-p").arg(directory.path());
    let server = run(command, port, directory).await;
    let running = start(before(&[server.address])).await;
    running.proxy.check().await;
    running.proxy.check().await;
    assert_eq!(running.proxy.well().len(), 1);
    serves_files(&running, &large).await;
    let page = ask(&running, "GET", "/index.html", "").await;
    let tag = page.split("etag: ").nth(1).and_then(|rest| rest.split('\r').next()).unwrap().to_owned();
    let same = ask(&running, "GET", "/index.html", &format!("If-None-Match: {tag}\r\n")).await;
    assert!(same.starts_with("HTTP/1.1 304 ") && same.ends_with("\r\n\r\n"), "{same}");
    let part = ask(&running, "GET", "/index.html", "Range: bytes=4-7\r\n").await;
    assert!(part.starts_with("HTTP/1.1 206 ") && part.ends_with("\r\n\r\nShop"), "{part}");
    let refused = ask(&running, "POST", "/index.html", "Content-Length: 0\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 405 "), "{refused}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.lines().all(|line| line.contains(" HTTP/1.1\" ")), "HTTP/2 has become HTTP/1.1: {log}");
}

#[tokio::test]
async fn the_server_of_python_serves_through_it() {
    let Some(python) = find(&["python3"]) else {
        let _ = writeln!(std::io::stderr(), "SKIPPED python3: it is not installed");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let large = files(directory.path());
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string(), "--directory"]).arg(directory.path());
    let server = run(command, port, directory).await;
    let running = start(before(&[server.address])).await;
    serves_files(&running, &large).await;
}
