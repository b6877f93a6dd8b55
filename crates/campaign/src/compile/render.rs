use std::borrow::Cow;

use minijinja::Value;
use serde_json::Value as Json;

use super::engine::{Part, Source};
use super::plain::tidy;
use super::{Problem, system};
use crate::Fields;

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
    pub(super) links: Vec<CampaignLink>,
    pub(super) fields_used: Vec<String>,
    pub(super) required: Vec<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) postal_address: String,
    pub(super) sender_name: String,
    pub(super) subject: Part,
    pub(super) preheader: Part,
    pub(super) html: Part,
    pub(super) text: Part,
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

    /// The fields that the content shows without providing for emptiness, and that this contact has nothing for. A tag
    /// provides for it by `default`, `or`, or a surrounding `{% if %}` that names the field. For the check over the
    /// whole audience: cheap, renders nothing.
    pub fn missing(&self, fields: &Fields) -> Vec<&str> {
        self.required.iter().filter(|key| fields.is_empty_at(key)).map(String::as_str).collect()
    }

    /// One recipient's message.
    pub fn render(&self, fields: &Fields, links: &dyn Links) -> Result<Rendered, RenderError> {
        let mut values = Values {
            compiled: self,
            fields,
            unsubscribe: links.unsubscribe(),
            view: links.view(),
            clicks: self
                .links
                .iter()
                .map(|link| links.click(link.number).unwrap_or_else(|| link.url.clone()))
                .collect(),
            pixel: links.open_pixel(),
            preheader: String::new(),
        };
        let subject = self.subject.render(&values)?.trim().to_owned();
        let preheader = self.preheader.render(&values)?;
        preheader.trim().clone_into(&mut values.preheader);
        let html = self.html.render(&values)?;
        let text = tidy(&self.text.render(&values)?);
        Ok(Rendered { subject, preheader: values.preheader, html, text })
    }
}

/// The values of one message.
struct Values<'a> {
    compiled: &'a Compiled,
    fields: &'a Fields,
    unsubscribe: String,
    view: String,
    clicks: Vec<String>,
    pixel: Option<String>,
    preheader: String,
}

impl Values<'_> {
    fn system(&self, name: &str) -> Option<&str> {
        match name {
            system::UNSUBSCRIBE_URL => Some(&self.unsubscribe),
            system::VIEW_URL => Some(&self.view),
            system::POSTAL_ADDRESS => Some(&self.compiled.postal_address),
            system::SENDER_NAME => Some(&self.compiled.sender_name),
            _ => None,
        }
    }
}

impl Source for Values<'_> {
    fn text(&self, name: &str) -> Cow<'_, str> {
        if let Some(text) = self.system(name) {
            return Cow::Borrowed(text);
        }
        match self.fields.value(name) {
            None | Some(Json::Null | Json::Object(_)) => Cow::Borrowed(""),
            Some(Json::String(text)) => Cow::Borrowed(text),
            Some(Json::Bool(flag)) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Some(Json::Number(number)) => Cow::Owned(number.to_string()),
            Some(Json::Array(items)) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| item.as_str().map_or_else(|| Cow::Owned(item.to_string()), Cow::Borrowed))
                    .collect();
                Cow::Owned(items.join(", "))
            }
        }
    }

    fn value(&self, name: &str) -> Value {
        match self.fields.value(name).filter(|_| self.system(name).is_none()) {
            // Numbers, flags and lists keep their nature, so that templates can compare and loop.
            Some(Json::Bool(flag)) => Value::from(*flag),
            Some(Json::Number(number)) => number.as_i64().map_or_else(|| Value::from(number.as_f64()), Value::from),
            Some(Json::Array(items)) => {
                let text = |item: &Json| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                Value::from(items.iter().map(|item| Value::from(text(item))).collect::<Vec<_>>())
            }
            _ => Value::from(self.text(name).into_owned()),
        }
    }

    fn link(&self, number: u16) -> &str {
        usize::from(number).checked_sub(1).and_then(|at| self.clicks.get(at)).map_or("", String::as_str)
    }

    fn pixel(&self) -> Option<&str> {
        self.pixel.as_deref()
    }

    fn preheader(&self) -> &str {
        &self.preheader
    }
}

/// The message as a recipient without consent to tracking would see it, for a sandboxed frame.
pub fn preview(compiled: &Compiled, fields: &Fields) -> Result<Rendered, RenderError> {
    compiled.render(fields, &Plain)
}
