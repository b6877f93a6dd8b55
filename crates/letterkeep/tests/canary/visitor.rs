//! Somebody who logs in over HTTPS, so that the service has seen a user name, a password, codes and an address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use letterkeep_model::{Clock as _, SystemClock};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::plant::{Garden, PASSWORD, READER, USER_NAME};
use crate::service::Service;

/// One connection, its cookies, and the form token of the last page.
struct Visitor {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    cookies: BTreeMap<String, String>,
    token: String,
}

/// Logs in, first with a wrong password, and looks for a contact by its address.
pub(crate) async fn log_in_and_search(service: &Service, data: &Path, garden: &Garden) {
    let mut visitor = Visitor::connect(service, data).await;
    assert_eq!(visitor.get("/log-in").await, 200);
    assert_eq!(visitor.post("/log-in", &[("user_name", USER_NAME), ("password", "canary wrong password")]).await, 422);
    assert_eq!(visitor.post("/log-in", &[("user_name", USER_NAME), ("password", PASSWORD)]).await, 303);
    assert_eq!(visitor.get("/log-in/factor").await, 200);
    // The code of the sign-up is used up; the next one is taken already.
    let code = garden.secret.code_at(SystemClock.now().plus(Duration::from_secs(30)));
    assert_eq!(visitor.post("/log-in/factor", &[("code", &code)]).await, 303);
    assert_eq!(visitor.get("/contacts").await, 200);
    assert_eq!(visitor.post("/contacts/find", &[("email", READER)]).await, 303);
    // The firewall keeps what it decides, and must keep nothing of what it decided about.
    let attack = format!("{READER}' UNION SELECT password FROM users WHERE '1'='1");
    assert_eq!(visitor.post("/contacts/find", &[("email", &attack)]).await, 403);
}

impl Visitor {
    async fn connect(service: &Service, data: &Path) -> Self {
        let host = service.base().trim_start_matches("https://").to_owned();
        let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(data.join("tls-certificate.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, host, cookies: BTreeMap::new(), token: String::new() }
    }

    async fn get(&mut self, path: &str) -> u16 {
        self.send("GET", path, String::new()).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> u16 {
        let mut form = format!("csrf={}", self.token);
        for (name, value) in fields {
            write!(form, "&{name}=").unwrap();
            // Every byte in hexadecimal is as good a form as any.
            value.bytes().for_each(|byte| write!(form, "%{byte:02x}").unwrap());
        }
        self.send("POST", path, form).await
    }

    async fn send(&mut self, method: &str, path: &str, form: String) -> u16 {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("cookie", cookies.join("; "))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))
            .unwrap();
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        for line in answer.headers().get_all("set-cookie") {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8_lossy(&body);
        if let Some(token) = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            token.clone_into(&mut self.token);
        }
        status
    }
}
