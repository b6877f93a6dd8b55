use crate::Fields;

use super::Problem;

/// A link of the content whose clicks can be counted. Its address is the same for every recipient.
///
/// A link whose address holds a merge tag is not among these: its clicks are never counted, because the redirect
/// only leads to addresses that the frozen content holds word for word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignLink {
    /// 1, 2, 3 … in the order of the content.
    pub number: u16,
    /// Where it leads: `http://` or `https://`.
    pub url: String,
    /// The text of the link, or the alternative text of its picture; at most 80 characters.
    pub label: String,
}

/// The addresses in one recipient's message.
pub trait Links {
    /// The address of a counted click on the link, or `None` to leave the original (no consent to tracking).
    fn click(&self, number: u16) -> Option<String>;
    /// The address that unsubscribes.
    fn unsubscribe(&self) -> String;
    /// The address that shows the message in a browser.
    fn view(&self) -> String;
    /// The address of the picture that notices opens; `None` without consent to tracking.
    fn open_pixel(&self) -> Option<String>;
}

/// Links that count nothing and lead nowhere: for previews.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Links for Plain {
    fn click(&self, _number: u16) -> Option<String> {
        None
    }
    fn unsubscribe(&self) -> String {
        "https://example.invalid/unsubscribe".into()
    }
    fn view(&self) -> String {
        "https://example.invalid/view".into()
    }
    fn open_pixel(&self) -> Option<String> {
        None
    }
}

/// One recipient's message. Holds personal data: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, free of control characters; not encoded.
    pub subject: String,
    /// One line, free of control characters; stands in `html` already.
    pub preheader: String,
    /// A whole HTML document, UTF-8, lines end with `\n`.
    pub html: String,
    /// The text part, UTF-8, lines end with `\n`.
    pub text: String,
}

/// Why a message could not be rendered. Names the place in the template, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template does more work than a message may cost.
    #[error("{part}, line {line}: the template takes too many steps; is there a loop inside a loop?")]
    Fuel {
        /// Which part.
        part: &'static str,
        /// The line in that part.
        line: u32,
    },
    /// The message grows beyond its limit.
    #[error("{part}: the message grows beyond {limit} bytes")]
    TooLarge {
        /// Which part.
        part: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// A filter or operator refused a value.
    #[error("{part}, line {line}: {what}")]
    Value {
        /// Which part.
        part: &'static str,
        /// The line in that part.
        line: u32,
        /// What the engine says; names no value.
        what: String,
    },
}

/// Content that has been checked and parsed. Shared between threads; render it for every recipient.
pub struct Compiled {
    links: Vec<CampaignLink>,
    fields_used: Vec<String>,
    problems: Vec<Problem>,
}

impl Compiled {
    /// The links whose clicks can be counted.
    pub fn links(&self) -> &[CampaignLink] {
        &self.links
    }

    /// The merge keys of the contact that the content names.
    pub fn fields_used(&self) -> &[String] {
        &self.fields_used
    }

    /// What should be mended or known, worst first. With one of [`super::Severity::Incomplete`] it cannot be sent.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The fields that the content shows without a default and that this contact has nothing for. For the check over
    /// the whole audience: cheap, renders nothing.
    pub fn missing(&self, fields: &Fields) -> Vec<&str> {
        let _ = fields;
        Vec::new()
    }

    /// One recipient's message.
    pub fn render(&self, fields: &Fields, links: &dyn Links) -> Result<Rendered, RenderError> {
        let _ = (fields, links.unsubscribe());
        Err(RenderError::TooLarge { part: "source", limit: 0 })
    }
}

/// The message as a recipient without consent to tracking would see it, for a sandboxed frame.
pub fn preview(compiled: &Compiled, fields: &Fields) -> Result<Rendered, RenderError> {
    compiled.render(fields, &Plain)
}
