//! A message from any name, subject, text and HTML.

use letterkeep_delivery::message::{LINE, Letter, MessageIdentity};
use letterkeep_delivery::smtp::Body;
use letterkeep_model::{EmailAddress, Entropy, Timestamp};
use mail_parser::MessageParser;

/// No chance: one input makes one message.
struct Still;

impl Entropy for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// The header fields that a letter without a campaign has.
const FIELDS: [&str; 7] = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];

/// What is written is one message that fits the wire, with the fields that were meant and no other; somebody else's
/// parser reads in it what was put in.
pub fn check(bytes: &[u8]) {
    holds(bytes, &|letter| letter.write().expect("without a link to leave nothing can be refused"));
}

/// The check of anything that writes messages.
pub(crate) fn holds(bytes: &[u8], write: &dyn Fn(&Letter<'_>) -> Vec<u8>) {
    let [from_name, subject, text, html] = crate::parts(bytes);
    let address = |text| EmailAddress::parse(text).expect("a fixed address");
    let (from, to) = (address("brief@baeckerei.example"), address("anna@beispiel.example"));
    let letter = Letter {
        from_name,
        from: &from,
        to: &to,
        reply_to: None,
        subject,
        date: Timestamp::from_seconds(0),
        identity: &MessageIdentity::random(&Still, "baeckerei.example"),
        text,
        html,
        bulk: None,
    };
    let wire = write(&letter);
    let on_the_wire = Body::new(&wire).expect("fit for the wire").wire_len();
    assert_eq!(on_the_wire, wire.len() + 3, "a line begins with a dot");
    // Quoted-printable makes three bytes of one and breaks lines; header fields take base64.
    let input = from_name.len() + subject.len() + text.len() + html.len();
    assert!(wire.len() <= 2048 + input * 4, "{} bytes from {input}", wire.len());
    assert!(wire.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b'\t' | b' '..=b'~')), "not plain ASCII");
    let wire_text = std::str::from_utf8(&wire).expect("ASCII");
    assert!(wire_text.split("\r\n").all(|line| line.len() <= LINE && !line.contains(['\r', '\n'])));
    // A field begins where a line begins without white space.
    let head = wire_text.split("\r\n\r\n").next().unwrap_or_default();
    assert!(!head.contains('\t'), "a header line holds a tab");
    let fields = head.split("\r\n").filter(|line| !line.starts_with(' '));
    assert_eq!(fields.map(|line| line.split(':').next().unwrap_or_default()).collect::<Vec<_>>(), FIELDS);

    let parsed = MessageParser::default().parse(&wire).expect("a message");
    let senders = parsed.from().expect("a sender").iter().map(|sender| sender.address()).collect::<Vec<_>>();
    assert_eq!(senders, [Some("brief@baeckerei.example")], "the name adds a sender");
    let sender = parsed.from().and_then(|from| from.first()).and_then(|sender| sender.name()).unwrap_or_default();
    assert_eq!(words(sender), words(from_name), "the name is another");
    assert_eq!(words(parsed.subject().unwrap_or_default()), words(subject), "the subject is another");
    let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned();
    assert_eq!(lines(&parsed.body_text(0).unwrap_or_default()), lines(text), "the text is another");
    assert_eq!(lines(&parsed.body_html(0).unwrap_or_default()), lines(html), "the HTML is another");
}

/// A header text without its white space and control characters: a header line flattens those.
fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}
