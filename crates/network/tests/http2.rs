//! HTTP/2 frame by frame, written by hand: what no client library would send is refused by hyper or by `check_http2`,
//! and the service sees nothing of it. Turned into HTTP/1 for an upstream, each of these would be another request.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod loopback;

use std::time::Duration;

use letterkeep_network::Limits;
use loopback::{Running, start};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HEADERS: u8 = 1;
const DATA: u8 = 0;
const RESET: u8 = 3;
const GOAWAY: u8 = 7;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as literals without indexing (RFC 7541 §6.2.2), so that any byte can stand in them.
fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text);
        }
    }
    block
}

/// Fields, and a body if one follows.
struct Case(Vec<(&'static [u8], &'static [u8])>, Option<&'static [u8]>);

const SOUND: [(&[u8], &[u8]); 4] =
    [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/first")];

/// Sends one request; the kind of the frame that answers it.
async fn send(running: &Running, fields: &[(&[u8], &[u8])], body: Option<&[u8]>) -> u8 {
    let mut stream = running.connect("h2").await.unwrap();
    let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    wire.extend(frame(4, 0, 0, &[]));
    wire.extend(frame(HEADERS, 4 | u8::from(body.is_none()), 1, &block(fields)));
    wire.extend(body.map(|body| frame(DATA, 1, 1, body)).unwrap_or_default());
    stream.write_all(&wire).await.unwrap();
    let answered = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("an answer");
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut payload).await.unwrap();
            if matches!(head[3], HEADERS | RESET | GOAWAY) {
                return head[3];
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answered).await.expect("an answer in time")
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let running = start(Limits::default()).await;
    // The control: the same fields without what is wrong.
    assert_eq!(send(&running, &SOUND, None).await, HEADERS);
    let with_length = [SOUND.as_slice(), &[(b"content-length", b"5")]].concat();
    assert_eq!(send(&running, &with_length, Some(b"hello")).await, HEADERS);
    assert_eq!(running.seen().len(), 2);

    let mut cases = Vec::<Case>::new();
    // Fields that the request must not carry.
    let fields: [(&'static [u8], &'static [u8]); 25] = [
        (b"connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"keep-alive", b"5"),
        (b"proxy-connection", b"close"),
        (b"te", b"gzip"),
        (b"http2-settings", b"AAMAAABk"),
        (b"host", b"elsewhere"),
        (b"content_length", b"5"),
        (b"transfer_encoding", b"chunked"),
        (b"expect", b"other"),
        (b"x", b"a\r\ntransfer-encoding: chunked"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\0b"),
        (b"x", b" a"),
        (b"x", b"a "),
        (b"X", b"a"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"x\r\ny", b"a"),
        (b"", b"a"),
        (b":path", b"/second"),
        (b":unknown", b"a"),
        (b"content-length", b"x"),
    ];
    for field in fields {
        cases.push(Case([SOUND.as_slice(), &[field]].concat(), None));
    }
    // Pseudo-fields of the wrong content.
    let pseudo: [(usize, &'static [u8]); 18] = [
        (0, b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\nGET"),
        (0, b"GET "),
        (0, b"CONNECT"),
        (0, b""),
        (1, b"https://localhost/"),
        (1, b"https\r\n"),
        (2, b"localhost/x"),
        (2, b"user@localhost"),
        (2, b"local host"),
        (2, b"localhost\r\nx: y"),
        (2, b""),
        (3, b""),
        (3, b"first"),
        (3, b"/ HTTP/1.1\r\nHost: localhost\r\n\r\nGET /smuggled"),
        (3, b"/a b"),
        (3, b"/a\tb"),
        (3, b"/\0"),
        (3, b"*"),
    ];
    for (at, value) in pseudo {
        let mut fields = SOUND.to_vec();
        fields[at].1 = value;
        cases.push(Case(fields, None));
    }
    // A pseudo-field after others, missing ones, a length twice, and bodies of another length.
    cases.push(Case(vec![SOUND[0], SOUND[1], SOUND[2], (b"x", b"y"), SOUND[3]], None));
    for missing in 0..4 {
        let rest = SOUND.iter().enumerate().filter(|(at, _)| *at != missing);
        cases.push(Case(rest.map(|(_, field)| *field).collect(), None));
    }
    let lengths: [(&'static [u8], &'static [u8]); 2] = [(b"content-length", b"5"), (b"content-length", b"0")];
    cases.push(Case([SOUND.as_slice(), &lengths].concat(), Some(b"hello")));
    cases.push(Case(with_length.clone(), Some(b"hell")));
    cases.push(Case(with_length.clone(), Some(b"hello, GET /smuggled HTTP/1.1")));
    cases.push(Case(with_length.clone(), None));

    for Case(fields, body) in cases {
        let shown: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii())).collect();
        send(&running, &fields, body).await;
        assert_eq!(running.seen(), [], "{shown:?}");
    }
}
