use std::fmt;
use std::str::FromStr;

/// An e-mail address that can be written into an SMTP envelope and a header as it stands.
///
/// Accepted is the dot-atom form of RFC 5321 §4.1.2 (no quoted local part, no address literal), at most
/// 64 bytes before the `@` and 254 in all (RFC 5321 §4.5.3.1, errata 1690). International domains are
/// converted to their ASCII form (UTS 46); an international local part is refused, because it needs
/// SMTPUTF8 at every hop. The domain must have a dot: campaigns do not go to bare host names.
///
/// `Debug` hides the address, so that it does not reach a log by accident.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// No `@`, or more than one.
    #[error("the address needs exactly one @")]
    At,
    /// A line break or another control character, which could smuggle in a header or a command.
    #[error("the address contains a line break or control character")]
    Control,
    /// A character that may not stand before the `@`.
    #[error("the part before the @ contains a character that is not allowed")]
    Local,
    /// Not a domain name.
    #[error("the part after the @ is not a domain name")]
    Domain,
    /// Longer than a server must accept.
    #[error("the address is too long")]
    Length,
}

impl EmailAddress {
    /// Parses one address; surrounding spaces are dropped.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim_matches([' ', '\t', '\u{a0}', '\u{feff}']);
        if text.is_empty() {
            return Err(EmailError::Empty);
        }
        if text.len() > 1024 {
            return Err(EmailError::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(EmailError::Control);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::At)?;
        if domain.contains('@') {
            return Err(EmailError::At);
        }
        if !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext)) {
            return Err(EmailError::Local);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Domain)?;
        let labels_are_sound = domain.split('.').all(|label| !label.is_empty() && label.len() <= 63);
        let ends_in_letter =
            domain.rsplit('.').next().is_some_and(|top| top.starts_with(|c: char| c.is_ascii_alphabetic()));
        if !domain.contains('.') || !labels_are_sound || !ends_in_letter {
            return Err(EmailError::Domain);
        }
        if local.len() > 64 || local.len() + 1 + domain.len() > 254 {
            return Err(EmailError::Length);
        }
        Ok(Self { at: local.len(), text: format!("{local}@{domain}") })
    }

    /// The address with its domain in lower-case ASCII, as it is written into an envelope.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, as its owner writes it.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain in lower-case ASCII.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The form under which two spellings count as the same person: all lower case. Dots and `+` suffixes
    /// are kept, because most servers tell them apart.
    pub fn normalised(&self) -> String {
        self.text.to_lowercase()
    }
}

/// `atext` of RFC 5322 §3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

impl FromStr for EmailAddress {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        Self::parse(text)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(hidden)")
    }
}

impl serde::Serialize for EmailAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for EmailAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_people_have() {
        for text in ["a@b.de", "first.last+news@example.co.uk", "o'neill@example.org"] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
        let international = EmailAddress::parse(" Info@Bäckerei-Müller.de ").unwrap();
        assert_eq!(international.as_str(), "Info@xn--bckerei-mller-bfb28a.de");
        assert_eq!(international.normalised(), "info@xn--bckerei-mller-bfb28a.de");
        assert_eq!(international.local(), "Info");
    }

    #[test]
    fn refuses_what_could_smuggle_or_bounce() {
        for (text, error) in [
            ("", EmailError::Empty),
            ("a@b.de\r\nBcc: c@d.de", EmailError::Control),
            ("a\n@b.de", EmailError::Control),
            ("nobody", EmailError::At),
            ("a@b@c.de", EmailError::At),
            ("a b@c.de", EmailError::Local),
            (".a@c.de", EmailError::Local),
            ("a..b@c.de", EmailError::Local),
            ("jörg@c.de", EmailError::Local),
            ("a<b>@c.de", EmailError::Local),
            ("a@localhost", EmailError::Domain),
            ("a@-c.de", EmailError::Domain),
            ("a@c..de", EmailError::Domain),
            ("a@1.2.3.4", EmailError::Domain),
            ("a@[1.2.3.4]", EmailError::Domain),
            ("a@c.de>", EmailError::Domain),
        ] {
            assert_eq!(EmailAddress::parse(text), Err(error), "{text:?}");
        }
        let long = format!("{}@example.de", "a".repeat(65));
        assert_eq!(EmailAddress::parse(&long), Err(EmailError::Length));
    }

    #[test]
    fn debug_hides_the_address() {
        assert!(!format!("{:?}", EmailAddress::parse("a@b.de").unwrap()).contains("a@b"));
    }
}
