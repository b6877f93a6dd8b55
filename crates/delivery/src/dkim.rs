//! DKIM signatures (RFC 6376), one RSA (RFC 8301) and one Ed25519 (RFC 8463) on every message.
//!
//! Canonicalisation is relaxed/relaxed. Every signed field is named once more than it occurs, so that a second
//! `From` or `List-Unsubscribe` put in front of the message breaks the signature (RFC 6376 §5.4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use letterkeep_model::Timestamp;
use letterkeep_vault::{DkimEd25519Key, DkimRsaKey, Sha256};

/// The fields that are signed, whether they occur or not. RFC 8058 §4 demands both List-Unsubscribe fields.
const SIGNED: [&str; 14] = [
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-id",
    "feedback-id",
];

/// A sending domain's opened keys. Cannot be printed.
pub struct Signer {
    domain: String,
    rsa: (String, DkimRsaKey),
    ed25519: (String, DkimEd25519Key),
}

/// The bytes are no message that can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// No empty line between header and body, or a header line without a colon.
    #[error("the message has no well-formed header")]
    Header,
    /// There is not exactly one From field.
    #[error("the message must have exactly one From field")]
    From,
}

impl Signer {
    /// With the keys of `domain`, each with its selector.
    pub fn new(domain: String, rsa: (String, DkimRsaKey), ed25519: (String, DkimEd25519Key)) -> Self {
        Self { domain, rsa, ed25519 }
    }

    /// The domain that signs.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The two DKIM-Signature fields to put in front of `message`, which has CRLF line ends.
    pub fn sign(&self, message: &[u8], at: Timestamp) -> Result<Vec<u8>, SignError> {
        let (fields, body) = split(message)?;
        if fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"from")).count() != 1 {
            return Err(SignError::From);
        }
        let mut names = String::with_capacity(512);
        let mut canonical = Vec::with_capacity(2048);
        for name in SIGNED {
            let mut times = 1;
            // Of several fields with one name the last is signed first (§5.4.2).
            for (_, value) in fields.iter().rev().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())) {
                times += 1;
                relaxed_header(name, value, &mut canonical);
                canonical.extend_from_slice(b"\r\n");
            }
            for _ in 0..times {
                if !names.is_empty() {
                    // Folding is allowed around the colons (§3.5).
                    names.push_str(if names.len() - names.rfind('\n').map_or(0, |at| at + 1) > 60 {
                        ":\r\n\t"
                    } else {
                        ":"
                    });
                }
                names.push_str(name);
            }
        }
        let body_hash = STANDARD.encode(body_hash(body));
        let mut signed = Vec::with_capacity(2048);
        for (algorithm, selector) in [("ed25519-sha256", &self.ed25519.0), ("rsa-sha256", &self.rsa.0)] {
            let field = format!(
                " v=1; a={algorithm}; c=relaxed/relaxed; d={};\r\n\ts={selector}; t={};\r\n\th={names};\r\n\tbh={body_hash};\r\n\tb=",
                self.domain,
                at.seconds(),
            );
            let fixed = canonical.len();
            relaxed_header("dkim-signature", field.as_bytes(), &mut canonical);
            let signature = match algorithm {
                "rsa-sha256" => self.rsa.1.sign(&canonical),
                _ => self.ed25519.1.sign(&canonical),
            };
            canonical.truncate(fixed);
            signed.extend_from_slice(b"DKIM-Signature:");
            signed.extend_from_slice(field.as_bytes());
            let signature = STANDARD.encode(signature);
            for (number, line) in signature.as_bytes().chunks(72).enumerate() {
                if number > 0 {
                    signed.extend_from_slice(b"\r\n\t");
                }
                signed.extend_from_slice(line);
            }
            signed.extend_from_slice(b"\r\n");
        }
        Ok(signed)
    }
}

/// Header fields as (name, raw value), and the body.
#[expect(clippy::type_complexity, reason = "a pair of slices, used once")]
fn split(message: &[u8]) -> Result<(Vec<(&[u8], &[u8])>, &[u8]), SignError> {
    let mut fields = Vec::with_capacity(16);
    let mut rest = message;
    loop {
        if let Some(body) = rest.strip_prefix(b"\r\n") {
            return Ok((fields, body));
        }
        // A field ends at a CRLF that no white space follows.
        let mut end = 0;
        let length = loop {
            let line = rest[end..].windows(2).position(|pair| pair == b"\r\n").ok_or(SignError::Header)?;
            end += line + 2;
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break end;
            }
        };
        let field = &rest[..length - 2];
        let colon = field.iter().position(|byte| *byte == b':').ok_or(SignError::Header)?;
        fields.push((field[..colon].trim_ascii_end(), &field[colon + 1..]));
        rest = &rest[length..];
    }
}

/// §3.4.2, without the CRLF at the end.
fn relaxed_header(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut space = false;
    let mut begun = false;
    for &byte in value {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => space = true,
            _ => {
                if space && begun {
                    out.push(b' ');
                }
                (space, begun) = (false, true);
                out.push(byte);
            }
        }
    }
}

/// SHA-256 of the relaxed body (§3.4.4).
fn body_hash(body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut line = Vec::with_capacity(128);
    let mut empty_lines = 0;
    let mut rest = body;
    while !rest.is_empty() {
        let (raw, after) = match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => (&rest[..end], &rest[end + 2..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        let raw = match raw.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')) {
            Some(last) => &raw[..=last],
            None => &[],
        };
        if raw.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            hash.update(b"\r\n");
        }
        line.clear();
        let mut space = false;
        for &byte in raw {
            match byte {
                b' ' | b'\t' => space = true,
                _ => {
                    if std::mem::take(&mut space) {
                        line.push(b' ');
                    }
                    line.push(byte);
                }
            }
        }
        line.extend_from_slice(b"\r\n");
        hash.update(&line);
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use letterkeep_vault::sha256;

    use super::*;

    #[test]
    fn canonical_forms_are_those_of_rfc_6376() {
        // §3.4.5, the example.
        let mut out = Vec::new();
        relaxed_header("a", b" X", &mut out);
        out.extend_from_slice(b"\r\n");
        relaxed_header("b", b" Y\t\r\n\tZ  ", &mut out);
        assert_eq!(out, b"a:X\r\nb:Y Z");
        assert_eq!(body_hash(b" C \r\nD \t E\r\n\r\n\r\n"), sha256(b" C\r\nD E\r\n"));
        // The hash of the empty body, §3.4.4.
        assert_eq!(STANDARD.encode(body_hash(b"")), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(body_hash(b"\r\n\r\n"), body_hash(b""));
    }

    #[test]
    fn only_messages_with_one_from_are_signed() {
        let keys = (DkimRsaKey::generate(), DkimEd25519Key::generate(&letterkeep_model::SystemEntropy));
        let signer = Signer::new("example.org".into(), ("r".into(), keys.0), ("e".into(), keys.1));
        let at = Timestamp::from_seconds(1);
        for (message, error) in [
            (&b"Subject: x\r\n\r\n"[..], SignError::From),
            (b"From: a@b.de\r\nFROM: c@d.de\r\n\r\n", SignError::From),
            (b"From: a@b.de\r\n", SignError::Header),
            (b"From a@b.de\r\n\r\n", SignError::Header),
            (b"", SignError::Header),
        ] {
            assert_eq!(signer.sign(message, at), Err(error));
        }
        assert!(signer.sign(b"From: a@b.de\r\n\r\nHello\r\n", at).is_ok());
    }
}
