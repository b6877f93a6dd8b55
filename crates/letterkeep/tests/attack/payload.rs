//! Which requests of the tools carry an attack.

/// What attacks are made of, and no page of ours sends: pieces of the tools' own lists, in lower case, after decoding.
const PIECES: [&str; 30] = [
    " union all select ",
    " union select ",
    "(select ",
    " and (select",
    "case when ",
    "' and '",
    "' or '",
    "\" and \"",
    " and 1=",
    "and sleep(",
    "randomblob(",
    "extractvalue(",
    "updatexml(",
    "' and extractvalue",
    "dbms_pipe",
    "<script",
    "onerror=",
    "onload=",
    "onmouseover=",
    "javascript:",
    "alert(",
    "../../",
    "/etc/passwd",
    "/etc/services",
    "boot.ini",
    "php://",
    ";env;",
    "|env",
    "exit(md5(",
    "sleep 60",
];

/// The piece that gives an attack away, if there is one.
pub(crate) fn of(request: &str) -> Option<&'static str> {
    let decoded = decode(request).to_ascii_lowercase();
    PIECES.into_iter().find(|piece| decoded.contains(piece))
}

/// As a form is decoded.
fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = bytes.clone();
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        bytes = ahead;
                        (high * 16 + low) as u8
                    }
                    _ => b'%',
                }
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[test]
fn attacks_are_told_from_what_people_send() {
    assert_eq!(of("GET /item?id=1%27%20UNION%20ALL%20SELECT%20NULL--"), Some(" union all select "));
    assert_eq!(of("POST /hello\nname=%3CScRiPt%3Ealert%281%29"), Some("<script"));
    assert_eq!(of("GET /page?file=..%2F..%2Fetc%2Fpasswd"), Some("../../"));
    assert_eq!(of("POST /lists/new\nname=Kunden+aus+Freiburg+%26+Umgebung&description=100%+Bio"), None);
}
