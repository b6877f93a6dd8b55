use std::ops::Deref;

use letterkeep_model::{EmailAddress, Locale};
use serde::{Deserialize, Serialize};

/// The sizes that content may have, in bytes of UTF-8.
pub mod limit {
    /// The subject. Most programs show 40 to 70 characters.
    pub const SUBJECT: usize = 300;
    /// The pre-header.
    pub const PREHEADER: usize = 400;
    /// The sender's name.
    pub const FROM_NAME: usize = 120;
    /// The postal address.
    pub const POSTAL_ADDRESS: usize = 600;
    /// The MJML or HTML source.
    pub const SOURCE: usize = 512 * 1024;
    /// The text part.
    pub const TEXT: usize = 128 * 1024;
    /// A campaign's name.
    pub const NAME: usize = 200;
}

/// What the source is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// MJML: made for e-mail, becomes HTML that mail programs understand.
    Mjml,
    /// HTML, sent as it stands.
    Html,
}

/// Content as somebody writes it, not checked yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentInput {
    /// The subject; may hold merge tags.
    pub subject: String,
    /// The line that mail programs show after the subject; may hold merge tags.
    pub preheader: String,
    /// The sender's name; no merge tags.
    pub from_name: String,
    /// The sender's address.
    pub from_address: EmailAddress,
    /// Where answers go, if not to the sender's address.
    pub reply_to: Option<EmailAddress>,
    /// The sender's postal address, several lines; without it nothing is sent (CAN-SPAM § 5(a)(5), § 5 DDG).
    pub postal_address: String,
    /// What `source` is written in.
    pub format: Format,
    /// The body; may hold merge tags.
    pub source: String,
    /// The text part; made from the body if absent. May hold merge tags.
    pub text: Option<String>,
    /// The language of the content: footer, `lang` attribute, and the pages behind its links.
    pub locale: Locale,
}

/// Content whose header fields can stand in a header and whose sizes are within [`limit`]. Read its parts as those of
/// [`ContentInput`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ContentInput", into = "ContentInput")]
pub struct Content(ContentInput);

/// Why content is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A part is larger than it may be.
    #[error("the {part} is too long: at most {limit} bytes")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// Its limit in bytes.
        limit: usize,
    },
    /// A line break or control character in a part that becomes a header line: it could smuggle in another header.
    #[error("the {0} contains a line break or control character; write it in one line")]
    Control(&'static str),
}

impl Content {
    /// Checks sizes and header fields; trims white space around the header fields and the postal address.
    pub fn parse(input: ContentInput) -> Result<Self, ContentError> {
        let mut input = input;
        let header_fields = [
            ("subject", &mut input.subject, limit::SUBJECT),
            ("pre-header", &mut input.preheader, limit::PREHEADER),
            ("sender's name", &mut input.from_name, limit::FROM_NAME),
        ];
        for (part, text, limit) in header_fields {
            trim(text);
            within(part, text, limit)?;
            if text.chars().any(breaks_a_line) {
                return Err(ContentError::Control(part));
            }
        }
        input.postal_address = input.postal_address.replace("\r\n", "\n");
        trim(&mut input.postal_address);
        within("postal address", &input.postal_address, limit::POSTAL_ADDRESS)?;
        if input.postal_address.chars().any(|c| c != '\n' && breaks_a_line(c)) {
            return Err(ContentError::Control("postal address"));
        }
        within("source", &input.source, limit::SOURCE)?;
        if let Some(text) = &input.text {
            within("text part", text, limit::TEXT)?;
        }
        input.text = input.text.filter(|text| !text.trim().is_empty());
        Ok(Self(input))
    }

    /// The parts, to change them.
    pub fn into_input(self) -> ContentInput {
        self.0
    }
}

/// Control characters, and the line and paragraph separators of Unicode.
pub(crate) fn breaks_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn trim(text: &mut String) {
    let trimmed = text.trim_matches(|c: char| c == ' ' || c == '\u{a0}');
    if trimmed.len() != text.len() {
        *text = trimmed.to_owned();
    }
}

const fn within(part: &'static str, text: &str, limit: usize) -> Result<(), ContentError> {
    if text.len() > limit { Err(ContentError::TooLong { part, limit }) } else { Ok(()) }
}

impl Deref for Content {
    type Target = ContentInput;

    fn deref(&self) -> &ContentInput {
        &self.0
    }
}

impl TryFrom<ContentInput> for Content {
    type Error = ContentError;

    fn try_from(input: ContentInput) -> Result<Self, ContentError> {
        Self::parse(input)
    }
}

impl From<Content> for ContentInput {
    fn from(content: Content) -> Self {
        content.0
    }
}
