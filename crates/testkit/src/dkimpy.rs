//! dkimpy, a DKIM verifier that shares no code with ours: the outside opinion on what we sign.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Names a Python interpreter that can import dkimpy and PyNaCl; `cargo xtask test` makes one under `target/`.
pub const PYTHON: &str = "LETTERKEEP_TEST_DKIMPY";

/// What dkimpy says about one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The signing domain, `d=`.
    pub domain: String,
    /// `rsa-sha256` or `ed25519-sha256`, `a=`.
    pub algorithm: String,
    /// Why it does not hold; `None` if it does.
    pub refused: Option<String>,
}

/// Every signature of every message, checked against the DNS TXT `records` (name, text); `None` if dkimpy is not
/// there, which is said loudly.
///
/// # Panics
/// If dkimpy is there but does not answer.
pub fn verify(messages: &[Vec<u8>], records: &[(String, String)]) -> Option<Vec<Vec<Signature>>> {
    let Some(python) = std::env::var_os(PYTHON) else {
        crate::skipped("dkimpy", "LETTERKEEP_TEST_DKIMPY is not set; `cargo xtask test` sets it");
        return None;
    };
    let records: serde_json::Map<String, Value> =
        records.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
    let messages: Vec<String> = messages.iter().map(|message| hex(message)).collect();
    let question = json!({ "records": records, "messages": messages }).to_string();
    let mut child = Command::new(python)
        .args(["-c", include_str!("dkimpy.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    // It reads everything before it writes anything, so the two pipes cannot block each other.
    child.stdin.take().expect("it was piped").write_all(question.as_bytes()).expect("the program reads its question");
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "dkimpy ended with {}", output.status);
    let answer: Vec<Vec<Value>> = serde_json::from_slice(&output.stdout).expect("the program answers in JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let signature = |value: Value| Signature {
        domain: text(&value["domain"]).unwrap_or_default(),
        algorithm: text(&value["algorithm"]).unwrap_or_default(),
        refused: text(&value["reason"]),
    };
    Some(answer.into_iter().map(|message| message.into_iter().map(signature).collect()).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8463, appendix A: one message, signed by both algorithms.
    const MESSAGE: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r
 date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r
From: Joe SixPack <joe@football.example.com>\r
To: Suzie Q <suzie@shopping.example.net>\r
Subject: Is dinner ready?\r
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r
\r
Hi.\r
\r
We lost the game.  Are you hungry yet?\r
\r
Joe.\r
";

    const RSA: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5b\
        dOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2\
        kryOTIKT+l/K4w3QIDAQAB";

    #[test]
    fn agrees_with_the_example_of_rfc_8463_and_not_with_a_changed_one() {
        let records = [
            (
                "brisbane._domainkey.football.example.com".to_owned(),
                "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned(),
            ),
            ("test._domainkey.football.example.com".to_owned(), RSA.to_owned()),
        ];
        let messages = [MESSAGE.as_bytes().to_vec(), MESSAGE.replace("lost", "won").into_bytes()];
        let Some(verdicts) = verify(&messages, &records) else { return };
        let algorithms: Vec<_> = verdicts[0].iter().map(|signature| signature.algorithm.as_str()).collect();
        assert_eq!(algorithms, ["ed25519-sha256", "rsa-sha256"]);
        assert!(verdicts[0].iter().all(|signature| signature.refused.is_none()), "{verdicts:?}");
        assert!(verdicts[1].iter().all(|signature| signature.refused.is_some()), "{verdicts:?}");
    }
}
