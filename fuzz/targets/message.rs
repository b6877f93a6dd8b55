//! A message from any subject, name and text: what is written is always one message that can be signed and sent.
#![no_main]

use letterkeep_delivery::message::{Letter, MessageIdentity};
use letterkeep_delivery::smtp::Body;
use letterkeep_model::{SystemEntropy, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (from_name, subject, text, html) = input;
    let (Ok(from), Ok(to)) = ("brief@baeckerei.example".parse(), "anna@beispiel.example".parse()) else { return };
    let identity = MessageIdentity::random(&SystemEntropy, "baeckerei.example");
    let letter = Letter {
        from_name,
        from: &from,
        to: &to,
        reply_to: None,
        subject,
        date: Timestamp::from_seconds(0),
        identity: &identity,
        text,
        html,
        bulk: None,
    };
    let message = letter.write().expect("without a link to leave nothing can be refused");
    Body::new(&message).expect("fit for the wire");
    let head = String::from_utf8_lossy(&message);
    let head = head.split("\r\n\r\n").next().unwrap_or_default();
    // A field begins where a line begins without white space: nothing smuggles one in.
    let fields = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    let known = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];
    for field in fields {
        let name = field.split(':').next().unwrap_or_default();
        assert!(known.contains(&name), "{name}");
    }
});
