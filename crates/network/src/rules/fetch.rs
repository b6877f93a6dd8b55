//! Fetching a release over HTTPS, for an operator who named its address.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, LOCATION, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::install::MAX_PACKAGE;

/// All of it together may take this long.
const PATIENCE: Duration = Duration::from_mins(1);
/// Redirects that are followed: places for downloads have one or two.
const MAX_REDIRECTS: usize = 5;

/// Nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not `https://`, here or where a redirect leads.
    #[error("{0} is not an https:// address")]
    Address(String),
    /// No connection, no TLS, or a broken answer.
    #[error("{0} cannot be fetched: {1}")]
    Connection(Url, String),
    /// Not the answer that a file has.
    #[error("{0} answers with {1}")]
    Status(Url, StatusCode),
    /// More than [`MAX_PACKAGE`].
    #[error("{0} has more than 20 MB")]
    TooLarge(Url),
    /// It leads from one address to the next.
    #[error("more than {MAX_REDIRECTS} redirects")]
    Redirects,
    /// It takes too long.
    #[error("the download takes more than {} seconds", PATIENCE.as_secs())]
    TooSlow,
}

/// Fetches a file of at most [`MAX_PACKAGE`] bytes, within a minute, believing the certificate authorities of the system.
///
/// # Errors
/// What went wrong, with the address where it did.
pub async fn fetch(address: &str) -> Result<Vec<u8>, FetchError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    fetch_believing(address, roots).await
}

/// The same, believing these certificate authorities alone.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_believing(address: &str, roots: RootCertStore) -> Result<Vec<u8>, FetchError> {
    let connector =
        TlsConnector::from(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()));
    let follow = async {
        let mut at = parse(address)?;
        for _ in 0..=MAX_REDIRECTS {
            match one(&connector, &at).await? {
                Answer::Content(content) => return Ok(content),
                Answer::Elsewhere(to) => {
                    let joined = at.join(&to).map_err(|_| FetchError::Address(to))?;
                    at = parse(joined.as_str())?;
                }
            }
        }
        Err(FetchError::Redirects)
    };
    tokio::time::timeout(PATIENCE, follow).await.unwrap_or(Err(FetchError::TooSlow))
}

enum Answer {
    Content(Vec<u8>),
    Elsewhere(String),
}

fn parse(address: &str) -> Result<Url, FetchError> {
    let refused = || FetchError::Address(address.to_owned());
    let url = Url::parse(address).map_err(|_| refused())?;
    if url.scheme() == "https" && url.has_host() { Ok(url) } else { Err(refused()) }
}

async fn one(connector: &TlsConnector, url: &Url) -> Result<Answer, FetchError> {
    let failed = |error: &dyn std::fmt::Display| FetchError::Connection(url.clone(), error.to_string());
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| failed(&error))?;
    let name = ServerName::try_from(host).map_err(|error| failed(&error))?;
    let stream = connector.connect(name, stream).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends with the answer, or with the connection.
    tokio::spawn(connection);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = Request::get(target)
        .header(HOST, &url[url::Position::BeforeHost..url::Position::AfterPort])
        .header(USER_AGENT, concat!("letterkeep/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    if answer.status().is_redirection() {
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        return Ok(Answer::Elsewhere(to.ok_or(FetchError::Status(url.clone(), answer.status()))?.to_owned()));
    }
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(url.clone(), answer.status()));
    }
    match Limited::new(answer.into_body(), MAX_PACKAGE).collect().await {
        Ok(content) => Ok(Answer::Content(content.to_bytes().to_vec())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(FetchError::TooLarge(url.clone())),
        Err(error) => Err(failed(&error)),
    }
}
