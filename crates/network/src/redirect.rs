//! The plain-HTTP listener: it sends browsers to the https address, and lets a certificate authority fetch its proof.
//! Nothing else is answered, and nothing is ever served without TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::acme::Challenges;
use crate::head::{Head, HeadLimits, Refusal, Requests, Step, is_host};
use crate::listener::{Limits, ListenError, accept, bind};
use crate::places::Places;

/// Where a certificate authority looks for its proof (RFC 8555 §8.3).
const PROOF: &str = "/.well-known/acme-challenge/";

/// A head here has no cookies and no body worth reading.
const HEAD: HeadLimits = HeadLimits { line: 4 * 1024, fields: 50, bytes: 8 * 1024 };

/// For the client to take the answer and close.
const LINGER: Duration = Duration::from_secs(2);

/// A bound listener without TLS.
#[derive(Debug)]
pub struct Redirect {
    tcp: TcpListener,
    places: Arc<Places>,
    answers: Arc<Answers>,
    head: Duration,
}

struct Answers {
    host: String,
    challenges: Challenges,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Redirect {
    /// Binds `address`. Browsers are sent to `host`, which is what stands between `https://` and the path in the
    /// service's public URL: never to the host that a request names, or anybody could be sent anywhere.
    pub async fn bind(
        address: SocketAddr,
        host: &str,
        challenges: Challenges,
        limits: &Limits,
    ) -> Result<Self, ListenError> {
        if !is_host(host.as_bytes()) {
            return Err(ListenError::Host(host.to_owned()));
        }
        let tcp = bind(address).await?;
        let places = Places::new(limits.connections, limits.connections_per_network, limits.trusted.clone());
        let answers = Answers { host: host.to_owned(), challenges };
        Ok(Self { tcp, places: Arc::new(places), answers: Arc::new(answers), head: limits.headers })
    }

    /// The address that is listened on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers one request for each connection until `stop` is done.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _, place) = tokio::select! {
                () = &mut stop => return,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&self.tcp, &self.places) => accepted,
            };
            let (answers, head) = (self.answers.clone(), self.head);
            connections.spawn(async move {
                let _place = place;
                let answer = match timeout(head, read(&mut stream)).await {
                    Ok(Ok(Some(head))) => answers.to(&head),
                    Ok(Ok(None)) => return,
                    Ok(Err(refusal)) => refusal.answer(),
                    Err(_) => Refusal::TooSlow.answer(),
                };
                // Whether the client takes it is its own affair.
                let _ = timeout(LINGER, finish(&mut stream, &answer)).await;
            });
        }
    }
}

/// The head of the first request; none if the client leaves before its end.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Head>, Refusal> {
    let mut requests = Requests::new(HEAD);
    let mut bytes = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        if let (_, Step::Head(head)) = requests.read(&bytes[..length])? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// Writes, then reads until the client closes: closing before would take the answer away.
async fn finish(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

impl Answers {
    fn to(&self, head: &Head) -> Vec<u8> {
        let target = std::str::from_utf8(&head.raw.target).unwrap_or_default();
        if !matches!(head.raw.method.as_slice(), b"GET" | b"HEAD") || !target.starts_with('/') {
            // A form that was sent without TLS has been read on its way: sending it on would hide that.
            return write(StatusCode::BAD_REQUEST, "", "This address only leads to the encrypted one.\n");
        }
        if let Some(proof) = target.strip_prefix(PROOF).and_then(|token| self.challenges.http(token)) {
            return write(StatusCode::OK, "", &proof);
        }
        let location = format!("Location: https://{}{target}\r\n", self.host);
        write(StatusCode::PERMANENT_REDIRECT, &location, "")
    }
}

fn write(status: StatusCode, field: &str, body: &str) -> Vec<u8> {
    let (code, reason, length) = (status.as_u16(), status.canonical_reason().unwrap_or_default(), body.len());
    let fields = "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close";
    format!("HTTP/1.1 {code} {reason}\r\n{field}{fields}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(wire: &str) -> String {
        let challenges = Challenges::default();
        challenges.add_http("token", "token.thumbprint");
        let answers = Answers { host: "post.example.org".into(), challenges };
        match Requests::new(HEAD).read(wire.as_bytes()) {
            Ok((_, Step::Head(head))) => String::from_utf8(answers.to(&head)).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nobody_is_sent_to_the_host_that_a_request_names() {
        for target in ["/", "/a?b=c", "//evil.example/", "/\\evil.example", "/.well-known/acme-challenge/none"] {
            let answer = answer(&format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
            assert!(answer.contains(&format!("\r\nLocation: https://post.example.org{target}\r\n")), "{answer}");
        }
        for first in ["POST / HTTP/1.1", "OPTIONS * HTTP/1.1", "GET http://evil.example/ HTTP/1.1"] {
            let answer = answer(&format!("{first}\r\nHost: evil.example\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("Location"), "{answer}");
        }
    }

    #[test]
    fn an_authority_finds_its_proof() {
        let answer = answer("GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: post.example.org\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\ntoken.thumbprint"), "{answer}");
    }
}
