//! The strict reader beside hyper, over requests made of sound and odd pieces: what the reader accepts, hyper reads as
//! the same requests with the same fields and the same bodies, wherever the bytes are cut.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use letterkeep_network::{HeadLimits, RawHead, Refusal, Requests, Step};
use proptest::prelude::*;

/// Head and body, as one reader sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct One {
    method: Vec<u8>,
    target: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl One {
    fn of(raw: &RawHead) -> Self {
        let mut fields: Vec<_> =
            raw.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        fields.sort();
        Self { method: raw.method.clone(), target: raw.target.clone(), fields, body: Vec::new() }
    }
}

/// The requests of a connection that ends after `wire`; the last is left out if it is not whole.
fn ours(wire: &[u8], piece: usize) -> Result<Vec<One>, Refusal> {
    let (mut requests, mut found) = (Requests::new(HeadLimits::default()), Vec::new());
    for mut bytes in wire.chunks(piece) {
        while !bytes.is_empty() {
            let (taken, step) = requests.read(bytes)?;
            match step {
                Step::Head(head) => found.push(One::of(&head.raw)),
                Step::Content => found.last_mut().expect("a head").body.extend_from_slice(&bytes[..taken]),
                Step::More | Step::Framing => {}
            }
            bytes = &bytes[taken..];
        }
    }
    if requests.is_in_body() {
        found.pop();
    }
    Ok(found)
}

fn hypers(wire: &[u8]) -> Vec<One> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let to = found.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let to = to.clone();
        async move {
            let (parts, body) = request.into_parts();
            let mut fields: Vec<_> = parts
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
                .collect();
            fields.sort();
            if let Ok(body) = body.collect().await {
                let (method, target) = (parts.method.as_str().into(), parts.uri.to_string().into());
                to.lock().expect("no panic").push(One { method, target, fields, body: body.to_bytes().to_vec() });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let io = TokioIo::new(tokio::io::join(wire, tokio::io::sink()));
    let connection = hyper::server::conn::http1::Builder::new().half_close(true).serve_connection(io, service);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _ = runtime.block_on(connection);
    Arc::into_inner(found).expect("the connection is gone").into_inner().expect("no panic")
}

/// Mostly sound pieces, some odd ones, now and then any bytes.
fn piece(sound: &'static [&'static str], odd: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        16 => prop::sample::select(sound).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::sample::select(odd).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let end = || piece(&["\r\n"], &["\n", "\r", "\r\r\n", " \r\n"]);
    let first = piece(
        &[
            "GET / HTTP/1.1",
            "POST /a?b=c HTTP/1.1",
            "PUT /%20 HTTP/1.0",
            "OPTIONS * HTTP/1.1",
            "GET http://a/b HTTP/1.1",
        ],
        &["GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /# HTTP/1.1", "GET / HTTP/2.0", ""],
    );
    let field = piece(
        &["X: y", "x:y\t", "Y:", "Connection: keep-alive", "Cookie: a=\u{e4}", "Expect: 100-continue"],
        &[" x: y", "x : y", "x", "Host: b", "X: \u{1}", "Upgrade: h2c", "Content-Length: 3", "Transfer-Encoding: x"],
    );
    let body = prop_oneof![
        Just((String::new(), String::new())),
        (0_usize..5).prop_map(|length| (format!("Content-Length: {length}\r\n"), "x".repeat(length))),
        prop::collection::vec(1_usize..20, 0..3).prop_map(|sizes| {
            let chunks: Vec<_> = sizes.iter().map(|size| format!("{size:x}\r\n{}\r\n", "y".repeat(*size))).collect();
            ("Transfer-Encoding: chunked\r\n".to_owned(), chunks.concat() + "0\r\n\r\n")
        }),
    ];
    let noise = prop_oneof![8 => Just(None), 1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(Some)];
    (first, prop::collection::vec((field, end()), 0..4), end(), body, noise).prop_map(
        |(first, fields, end, (length, body), noise)| {
            let mut wire = [first.as_slice(), &end, b"Host: a\r\n"].concat();
            for (field, end) in &fields {
                wire.extend([field.as_slice(), end].concat());
            }
            wire.extend(format!("{length}\r\n{body}").as_bytes());
            if let Some((at, byte)) = noise {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
            wire
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_accepted_hyper_reads_in_the_same_way(requests in prop::collection::vec(request(), 1..4)) {
        let wire = requests.concat();
        let whole = ours(&wire, wire.len());
        for piece in 1..=8 {
            prop_assert_eq!(&ours(&wire, piece), &whole, "in pieces of {}", piece);
        }
        if let Ok(found) = whole {
            let mut theirs = hypers(&wire);
            // hyper may refuse, and then ends the connection; it never reads something else.
            prop_assert!(theirs.len() <= found.len(), "{:?} beside {:?}", theirs, found);
            // An absolute target without a path is shown with one.
            theirs.iter_mut().zip(&found).for_each(|(theirs, ours)| {
                if theirs.target == [ours.target.as_slice(), b"/"].concat() {
                    theirs.target.pop();
                }
            });
            prop_assert_eq!(&theirs[..], &found[..theirs.len()]);
        }
    }
}

/// The property would hold of a reader that accepts nothing, and of requests that hyper refuses.
#[test]
fn ordinary_requests_are_read_by_both() {
    let wire =
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nPOST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                 5\r\nhello\r\n0\r\n\r\nPUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let found = ours(wire, 3).expect("sound");
    assert_eq!(found.iter().map(|one| one.body.as_slice()).collect::<Vec<_>>(), [&b""[..], b"hello", b"hi"]);
    assert_eq!(hypers(wire), found);
    // And hyper reads what is refused here: the check is about something.
    let lenient = b"GET / HTTP/1.1\nHost: a\n\n";
    assert_eq!(ours(lenient, 3), Err(Refusal::BareLineFeed));
    assert_eq!(hypers(lenient).len(), 1);
}
