//! Requests of the corpus, and how they are put to a set of rules.

use std::net::IpAddr;

use letterkeep_network::rules::RuleSet;
use letterkeep_waf::{Connection, Interruption, Limits, Record, Transaction};

/// A request: what is not said is as an ordinary browser sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Put<'a> {
    /// A value of the query, encoded here.
    Query(&'a str),
    /// A target as it goes over the wire.
    Target(&'a str),
    /// Name and value of a field of a form, encoded here.
    Form(&'a str, &'a str),
    /// A body of this type.
    Body(&'a str, &'a str),
    /// The name of a file that is sent.
    File(&'a str),
    /// A header beside, or instead of, the usual ones.
    Header(&'a str, &'a str),
    /// Another method.
    Method(&'a str),
}

/// What was decided.
pub(crate) fn put(set: &RuleSet, request: Put<'_>) -> (Option<Interruption>, Record) {
    decide(set, request, true)
}

/// What was decided when every rule ran on every value.
pub(crate) fn put_without_gates(set: &RuleSet, request: Put<'_>) -> (Option<Interruption>, Record) {
    decide(set, request, false)
}

fn decide(set: &RuleSet, request: Put<'_>, gates: bool) -> (Option<Interruption>, Record) {
    let (mut method, mut target, mut body, mut kind) = ("GET", "/page".to_owned(), String::new(), String::new());
    let mut own = None;
    match request {
        Put::Query(value) => target = format!("/search?q={}", encoded(value)),
        Put::Target(wire) => wire.clone_into(&mut target),
        Put::Form(name, value) => {
            body = format!("csrf=a8Zk3_x&{}={}&go=1", encoded(name), encoded(value));
            "application/x-www-form-urlencoded".clone_into(&mut kind);
        }
        Put::Body(of, text) => {
            text.clone_into(&mut body);
            of.clone_into(&mut kind);
        }
        Put::File(name) => {
            body = format!(
                "--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
                 Content-Type: text/csv\r\n\r\na,b\r\n--b0undary--\r\n"
            );
            "multipart/form-data; boundary=b0undary".clone_into(&mut kind);
        }
        Put::Header(name, value) => own = Some((name, value)),
        Put::Method(other) => method = other,
    }
    if !body.is_empty() {
        method = "POST";
    }
    let localhost = IpAddr::from([127, 0, 0, 1]);
    let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 443 };
    let transaction = Transaction::new(&set.rules, &connection, "test", Limits::default());
    let mut transaction = if gates { transaction } else { transaction.without_gates() };
    transaction.request_line(method.as_bytes(), target.as_bytes(), b"HTTP/1.1");
    let length = body.len().to_string();
    let mut headers = vec![
        ("Host", "post.example.org"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("Accept-Language", "de,en-US;q=0.7,en;q=0.3"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Referer", "https://post.example.org/campaigns?sort=-changed&page=2"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Cookie", "session=3q2-7wAAAAB_x9Kd0f1lmZ; theme=dark"),
    ];
    if !body.is_empty() {
        headers.extend([("Content-Type", kind.as_str()), ("Content-Length", length.as_str())]);
    }
    if let Some((name, value)) = own {
        // Some headers may come twice, and then that is the point.
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name) || matches!(name, "host" | "content-length"));
        headers.push((name, value));
    }
    for (name, value) in headers {
        transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    transaction.end_request_headers();
    transaction.request_body(body.as_bytes());
    let stopped = transaction.end_request_body();
    (stopped, transaction.finish())
}

/// As forms encode.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
