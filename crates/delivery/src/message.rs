//! One message on the wire: header fields and a multipart/alternative body, written by hand (RFC 5322, 2045 to 2047).
//!
//! Nothing that a user or contact wrote can become a header line of its own: header texts are flattened to one line
//! here, addresses are [`EmailAddress`], addresses of links are checked when the [`Letter`] is written. There is no
//! field for Bcc.

mod header;
mod quoted;

use letterkeep_model::{EmailAddress, Id, Timestamp, kind};
use letterkeep_vault::{Keyring, Link, Purpose, sha256};

use header::{phrase, unstructured, write_field};
use quoted::quoted_printable;

/// No line on the wire is longer, CRLF not counted (RFC 5322 §2.1.1).
pub const LINE: usize = 998;

/// Everything that a message says.
pub struct Letter<'a> {
    /// The sender's name; may be empty.
    pub from_name: &'a str,
    /// The sender.
    pub from: &'a EmailAddress,
    /// The recipient.
    pub to: &'a EmailAddress,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<&'a EmailAddress>,
    /// The subject, not encoded.
    pub subject: &'a str,
    /// When it was written.
    pub date: Timestamp,
    /// What makes this message the same one when it is sent again.
    pub identity: &'a MessageIdentity,
    /// The text part, UTF-8.
    pub text: &'a str,
    /// The HTML part, UTF-8.
    pub html: &'a str,
    /// What mail programs and receivers use to let the recipient leave; absent in test messages.
    pub bulk: Option<&'a BulkFields>,
}

/// The fields that bulk senders need.
pub struct BulkFields {
    /// The address that unsubscribes with one POST (RFC 8058); `https`, printable ASCII.
    pub unsubscribe: String,
    /// An address to which an empty message unsubscribes, optional.
    pub unsubscribe_mail: Option<EmailAddress>,
    /// The label of the list in front of the sending domain (RFC 2919).
    pub list_label: String,
    /// Campaign, account and sender for the feedback loop of the receiver; no personal data.
    pub feedback: String,
}

impl BulkFields {
    /// For one recipient of one sending.
    pub fn new(account: Id<kind::Account>, activity: Id<kind::CampaignActivity>, unsubscribe: String) -> Self {
        let account = account.uuid().simple().to_string();
        let activity = activity.uuid().simple().to_string();
        Self {
            unsubscribe,
            unsubscribe_mail: None,
            // The end of a UUIDv7 is chance, its beginning is time.
            list_label: format!("{}.campaigns", &account[20..]),
            feedback: format!("{activity}:{account}:campaign:letterkeep"),
        }
    }
}

/// What names a message: the same for each attempt to deliver it, unlike any other, and it reveals nothing.
pub struct MessageIdentity {
    id: String,
    boundary: String,
}

impl MessageIdentity {
    /// From the sending and the recipient, by the account's link key: nobody else can tell from it who was meant.
    pub fn new(
        keyring: &Keyring,
        activity: Id<kind::CampaignActivity>,
        contact: Id<kind::Contact>,
        domain: &str,
    ) -> Self {
        let link = Link { account: keyring.account(), activity, contact, purpose: Purpose::View };
        // The token ends in an HMAC; its hash is a keyed hash of the ids and cannot be turned back into a token.
        Self::from_hash(&sha256(format!("message-id {}", keyring.link_token(&link)).as_bytes()), domain)
    }

    /// From chance, for messages that are sent once.
    pub fn random(entropy: &dyn letterkeep_model::Entropy, domain: &str) -> Self {
        Self::from_hash(&entropy.bytes::<32>(), domain)
    }

    fn from_hash(hash: &[u8; 32], domain: &str) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        // "=_" cannot occur in quoted-printable text (RFC 2045 §6.7, end).
        Self { id: format!("{}@{domain}", hex(&hash[..16])), boundary: format!("=_{}", hex(&hash[16..28])) }
    }

    /// Without the angle brackets.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The message cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// An address for a header field is not printable ASCII of bearable length, or not https.
    #[error("the unsubscribe address is not an https address in plain ASCII; check the service's public address")]
    Unsubscribe,
}

impl Letter<'_> {
    /// The message with CRLF line ends, without signatures. No line starts with a dot and none is longer than [`LINE`].
    pub fn write(&self) -> Result<Vec<u8>, MessageError> {
        let mut out = Vec::with_capacity(2048 + (self.html.len() + self.text.len()) * 5 / 4);
        write_field(&mut out, "From", &mailbox(self.from_name, self.from));
        write_field(&mut out, "To", &format!("<{}>", self.to));
        if let Some(reply_to) = self.reply_to {
            write_field(&mut out, "Reply-To", &format!("<{reply_to}>"));
        }
        write_field(&mut out, "Subject", &unstructured(self.subject));
        write_field(&mut out, "Date", &date(self.date));
        write_field(&mut out, "Message-ID", &format!("<{}>", self.identity.id));
        if let Some(bulk) = self.bulk {
            let fits = bulk.unsubscribe.len() <= 900
                && bulk.unsubscribe.starts_with("https://")
                && bulk.unsubscribe.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte));
            if !fits {
                return Err(MessageError::Unsubscribe);
            }
            let mut value = format!("<{}>", bulk.unsubscribe);
            if let Some(address) = &bulk.unsubscribe_mail {
                value = format!("{value}, <mailto:{}?subject=unsubscribe>", mailto(address));
            }
            write_field(&mut out, "List-Unsubscribe", &value);
            write_field(&mut out, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
            write_field(&mut out, "List-Id", &format!("<{}.{}>", flat_ascii(&bulk.list_label), self.from.domain()));
            write_field(&mut out, "Feedback-ID", &flat_ascii(&bulk.feedback));
        }
        write_field(&mut out, "MIME-Version", "1.0");
        let boundary = &self.identity.boundary;
        write_field(&mut out, "Content-Type", &format!("multipart/alternative; boundary=\"{boundary}\""));
        out.extend_from_slice(b"\r\n");
        for (subtype, content) in [("plain", self.text), ("html", self.html)] {
            out.extend_from_slice(
                format!(
                    "--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n\
                     Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                )
                .as_bytes(),
            );
            quoted_printable(content, &mut out);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(out)
    }
}

fn mailbox(name: &str, address: &EmailAddress) -> String {
    let name = phrase(name);
    if name.is_empty() { format!("<{address}>") } else { format!("{name} <{address}>") }
}

/// RFC 5322 §3.3.
fn date(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

/// Percent-encodes what a mailto address may not hold (RFC 6068 §2).
fn mailto(address: &EmailAddress) -> String {
    address.as_str().bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._@+".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|half| char::from(b"0123456789ABCDEF"[usize::from(half)])));
        }
        text
    })
}

fn flat_ascii(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(200).collect()
}

#[cfg(test)]
mod tests {
    use letterkeep_model::SystemEntropy;
    use mail_parser::{MessageParser, MimeHeaders as _};
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn letter(subject: &str, name: &str, text: &str, html: &str) -> Vec<u8> {
        let (from, to) = (address("news@example.org"), address("o'neill+x@example.com"));
        let identity = MessageIdentity::random(&SystemEntropy, "example.org");
        let bulk = BulkFields::new(Id::NIL, Id::NIL, "https://example.org/u/token".into());
        Letter {
            from_name: name,
            from: &from,
            to: &to,
            reply_to: Some(&from),
            subject,
            date: Timestamp::from_seconds(1_795_420_800),
            identity: &identity,
            text,
            html,
            bulk: Some(&bulk),
        }
        .write()
        .unwrap()
    }

    #[test]
    fn a_german_message_reads_as_it_was_written() {
        let text = "Hallo Jörg,\n.ein Punkt am Anfang\nund Leerzeichen am Ende   \n\nFrom here to there\n=3D\n";
        let html = format!("<p>Grüße aus Köln</p>\n<p>{}</p>\n", "ä".repeat(2000));
        let wire = letter(
            "Frühstück für Jörg: 20 % auf alles, was ß enthält, und noch mehr",
            "Bäckerei \"Müller\"",
            text,
            &html,
        );
        let parsed = MessageParser::default().parse(&wire).unwrap();
        assert_eq!(parsed.subject(), Some("Frühstück für Jörg: 20 % auf alles, was ß enthält, und noch mehr"));
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!(from.name(), Some("Bäckerei \"Müller\""));
        assert_eq!(from.address(), Some("news@example.org"));
        assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), text.trim_end());
        assert_eq!(parsed.body_html(0).unwrap().replace("\r\n", "\n").trim_end(), html.trim_end());
        assert_eq!(parsed.content_type().unwrap().subtype(), Some("alternative"));
        let text = String::from_utf8(wire).unwrap();
        assert!(text.contains("Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n"));
        assert!(text.contains("List-Unsubscribe: <https://example.org/u/token>\r\n"));
        assert!(text.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
    }

    #[test]
    fn the_same_message_has_the_same_name_and_others_do_not() {
        let key = |byte: u64| letterkeep_vault::KeyBytes::generate(&letterkeep_testkit::SeededEntropy::new(byte));
        let ring = Keyring::new(Id::NIL, vec![(1, key(1))], &key(2), &key(3)).unwrap();
        let other = Keyring::new(Id::NIL, vec![(1, key(1))], &key(2), &key(4)).unwrap();
        let (activity, contact) = (Id::NIL, Id::at(Timestamp::from_seconds(9), &SystemEntropy));
        let id = |ring: &Keyring, contact| MessageIdentity::new(ring, activity, contact, "example.org").id;
        assert_eq!(id(&ring, contact), id(&ring, contact));
        assert_ne!(id(&ring, contact), id(&ring, Id::NIL));
        assert_ne!(id(&ring, contact), id(&other, contact));
        assert!(!id(&ring, contact).contains(&contact.uuid().simple().to_string()));
    }

    #[test]
    fn an_address_of_a_link_cannot_become_a_field() {
        let (from, to) = (address("news@example.org"), address("a@example.com"));
        let identity = MessageIdentity::random(&SystemEntropy, "example.org");
        for unsubscribe in ["http://x.org/", "https://x.org/>\r\nBcc: a@b.de", "https://x.org/ü", "https://x.org/a b"]
        {
            let bulk = BulkFields::new(Id::NIL, Id::NIL, unsubscribe.into());
            let letter = Letter {
                from_name: "",
                from: &from,
                to: &to,
                reply_to: None,
                subject: "",
                date: Timestamp::from_seconds(0),
                identity: &identity,
                text: "",
                html: "",
                bulk: Some(&bulk),
            };
            assert_eq!(letter.write(), Err(MessageError::Unsubscribe), "{unsubscribe:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_stays_where_it_belongs(
            subject in "\\PC{0,120}|(?s).{0,120}", name in "(?s).{0,80}", text in "(?s).{0,400}", html in "(?s).{0,400}",
        ) {
            let wire = letter(&subject, &name, &text, &html);
            for line in wire.split(|byte| *byte == b'\n') {
                prop_assert!(line.len() <= LINE + 1);
                prop_assert!(!line.starts_with(b"."));
                prop_assert!(line.is_empty() || line.ends_with(b"\r"));
                prop_assert_eq!(line.iter().position(|byte| *byte == b'\r'), line.len().checked_sub(1));
            }
            prop_assert!(wire.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b'\t' | b' '..=b'~')));
            let header_end = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let header = std::str::from_utf8(&wire[..header_end]).unwrap();
            let names: Vec<&str> = header
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            prop_assert_eq!(names, [
                "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Unsubscribe",
                "List-Unsubscribe-Post", "List-Id", "Feedback-ID", "MIME-Version", "Content-Type",
            ]);
            let parsed = MessageParser::default().parse(&wire).unwrap();
            prop_assert_eq!(parsed.from().unwrap().iter().count(), 1);
            prop_assert_eq!(parsed.from().unwrap().first().unwrap().address(), Some("news@example.org"));
            let plain = parsed.body_text(0).unwrap().replace("\r\n", "\n");
            let wanted = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(plain.trim_end_matches('\n'), wanted.trim_end_matches('\n'));
        }
    }
}
