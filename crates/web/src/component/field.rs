//! Forms: a label above, help below, the error beside the field and listed on top.

use maud::{Markup, html};
use zeroize::Zeroize as _;

use crate::frame::Frame;
use crate::text::{Speaks, t};

/// What was entered into a form, and what is wrong with it. A page shows the same form again with it, so nothing that
/// was typed is lost (passwords and codes excepted).
#[derive(Default)]
pub struct Fields {
    values: Vec<(String, String)>,
    errors: Vec<(String, String)>,
}

impl Drop for Fields {
    /// A form may hold a password.
    fn drop(&mut self) {
        for (_, value) in &mut self.values {
            value.zeroize();
        }
    }
}

impl Fields {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// A form filled with what is stored.
    pub fn of(values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { values, errors: Vec::new() }
    }

    pub(crate) fn from_pairs(values: Vec<(String, String)>) -> Self {
        Self { values, errors: Vec::new() }
    }

    /// The value of a field; empty if it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.values.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value)
    }

    /// The value without the spaces around it; `None` if nothing is left.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|value| !value.is_empty())
    }

    /// Every value of a field that may stand several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// Every field, in the order of the form.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a box is ticked.
    pub fn checked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Replaces the value of a field.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.retain(|(have, _)| have != name);
        self.values.push((name.to_owned(), value.into()));
    }

    /// Says what is wrong with a field, in the reader's language. An empty name concerns the whole form.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push((name.to_owned(), message.into()));
    }

    /// What is wrong with a field.
    pub fn error(&self, name: &str) -> Option<String> {
        let all: Vec<&str> =
            self.errors.iter().filter(|(have, _)| have == name).map(|(_, message)| message.as_str()).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.errors.is_empty()
    }
}

/// A field for one line.
#[derive(Debug, Clone, Default)]
pub struct Input<'a> {
    name: &'a str,
    label: &'a str,
    kind: &'static str,
    class: &'static str,
    help: Option<String>,
    autocomplete: Option<&'static str>,
    inputmode: Option<&'static str>,
    placeholder: Option<&'a str>,
    pattern: Option<&'static str>,
    max: Option<usize>,
    value: Option<String>,
    optional: bool,
    autofocus: bool,
    accept: Option<&'static str>,
}

impl<'a> Input<'a> {
    /// A required field.
    pub fn new(kind: &'static str, name: &'a str, label: &'a str) -> Self {
        Self { name, label, kind, ..Self::default() }
    }

    /// A line of text.
    pub fn text(name: &'a str, label: &'a str) -> Self {
        Self::new("text", name, label)
    }

    /// An e-mail address.
    pub fn email(name: &'a str, label: &'a str) -> Self {
        Self { autocomplete: Some("email"), inputmode: Some("email"), ..Self::new("email", name, label) }
    }

    /// A password, which is never shown again. It gets a button that shows what is typed.
    pub fn password(name: &'a str, label: &'a str, autocomplete: &'static str) -> Self {
        Self { autocomplete: Some(autocomplete), ..Self::new("password", name, label) }
    }

    /// The six digits of an authenticator app.
    pub fn code(name: &'a str, label: &'a str) -> Self {
        Self {
            autocomplete: Some("one-time-code"),
            inputmode: Some("numeric"),
            class: "input-code",
            max: Some(7),
            ..Self::new("text", name, label)
        }
    }

    /// The help below the field.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What a browser may fill in.
    #[must_use]
    pub fn autocomplete(mut self, autocomplete: &'static str) -> Self {
        self.autocomplete = Some(autocomplete);
        self
    }

    /// The keyboard of a phone.
    #[must_use]
    pub fn inputmode(mut self, inputmode: &'static str) -> Self {
        self.inputmode = Some(inputmode);
        self
    }

    /// An example, for what cannot be put into the help.
    #[must_use]
    pub fn placeholder(mut self, placeholder: &'a str) -> Self {
        self.placeholder = Some(placeholder);
        self
    }

    /// The length at most, in characters.
    #[must_use]
    pub fn max(mut self, max: usize) -> Self {
        self.max = Some(max);
        self
    }

    /// A narrow field.
    #[must_use]
    pub fn short(mut self) -> Self {
        self.class = "input-short";
        self
    }

    /// May stay empty, and says so.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// What stands there unless something was entered.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Takes the focus when the page opens; at most one.
    #[must_use]
    pub fn autofocus(mut self) -> Self {
        self.autofocus = true;
        self
    }

    /// The types of a file that are offered.
    #[must_use]
    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = Some(accept);
        self
    }

    fn describe(&self, failed: bool) -> Option<String> {
        describe(self.name, self.help.is_some(), failed)
    }
}

fn describe(name: &str, help: bool, failed: bool) -> Option<String> {
    let parts = [failed.then(|| format!("{name}-error")), help.then(|| format!("{name}-help"))];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

fn around(
    speaks: &impl Speaks,
    name: &str,
    label: &str,
    optional: bool,
    help: Option<&str>,
    error: Option<&str>,
    control: &Markup,
) -> Markup {
    html! {
        div class="field" {
            label for=(name) { (label) @if optional { " " span class="optional" { (t!(speaks, "optional")) } } }
            (control)
            @if let Some(error) = error { p class="error" id={ (name) "-error" } { (error) } }
            @if let Some(help) = help { p class="help" id={ (name) "-help" } { (help) } }
        }
    }
}

/// A field for one line (or a file), with its label.
pub fn field(speaks: &impl Speaks, fields: &Fields, input: &Input<'_>) -> Markup {
    let error = fields.error(input.name);
    let secret = matches!(input.kind, "password" | "file") || input.class == "input-code";
    let entered = fields.text(input.name);
    let value = if secret { None } else { Some(entered).filter(|text| !text.is_empty()).or(input.value.as_deref()) };
    let control = html! {
        input class={ "input " (input.class) } id=(input.name) name=(input.name) type=(input.kind) value=[value]
            autocomplete=[input.autocomplete] inputmode=[input.inputmode] placeholder=[input.placeholder]
            maxlength=[input.max] pattern=[input.pattern] accept=[input.accept]
            required[!input.optional] autofocus[input.autofocus]
            autocapitalize=[(input.kind != "text" || input.autocomplete == Some("username")).then_some("none")]
            spellcheck=[(input.kind != "text" || input.autocomplete == Some("username")).then_some("false")]
            aria-invalid=[error.as_ref().map(|_| "true")] aria-describedby=[input.describe(error.is_some())];
    };
    let control = if input.kind == "password" {
        let (show, hide) = (t!(speaks, "password-show"), t!(speaks, "password-hide"));
        html! {
            div class="input-row" {
                (control)
                button class="button only-script" type="button" data-do="reveal" aria-controls=(input.name) aria-pressed="false"
                    data-show=(show) data-hide=(hide) { (show) }
            }
        }
    } else {
        control
    };
    around(speaks, input.name, input.label, input.optional, input.help.as_deref(), error.as_deref(), &control)
}

/// A field for several lines. `code` shows it in a fixed-width type.
pub fn text_area(speaks: &impl Speaks, fields: &Fields, input: &Input<'_>, rows: u32, code: bool) -> Markup {
    let error = fields.error(input.name);
    let entered = fields.text(input.name);
    let value = if entered.is_empty() { input.value.as_deref().unwrap_or_default() } else { entered };
    let control = html! {
        // The first line break after the tag is dropped by browsers; one of our own keeps the text's.
        textarea class=(if code { "textarea textarea-code" } else { "textarea" }) id=(input.name) name=(input.name) rows=(rows)
            maxlength=[input.max] placeholder=[input.placeholder] required[!input.optional] spellcheck=[code.then_some("false")]
            aria-invalid=[error.as_ref().map(|_| "true")] aria-describedby=[input.describe(error.is_some())] { "\n" (value) }
    };
    around(speaks, input.name, input.label, input.optional, input.help.as_deref(), error.as_deref(), &control)
}

/// One choice of a select field.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub text: String,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, text: impl Into<String>) -> Self {
        Self { value: value.into(), text: text.into() }
    }
}

/// A field with a fixed set of choices.
pub fn select(speaks: &impl Speaks, fields: &Fields, input: &Input<'_>, choices: &[Choice]) -> Markup {
    let error = fields.error(input.name);
    let entered = fields.text(input.name);
    let value = if entered.is_empty() { input.value.as_deref().unwrap_or_default() } else { entered };
    let control = html! {
        select class="select" id=(input.name) name=(input.name) aria-invalid=[error.as_ref().map(|_| "true")]
            aria-describedby=[input.describe(error.is_some())] {
            @for choice in choices {
                option value=(choice.value) selected[choice.value == value] { (choice.text) }
            }
        }
    };
    around(speaks, input.name, input.label, input.optional, input.help.as_deref(), error.as_deref(), &control)
}

/// A box to tick. Its value is `yes` when ticked.
pub fn check(fields: &Fields, name: &str, label: &str, help: Option<&str>) -> Markup {
    let error = fields.error(name);
    html! {
        div class="field" {
            div class="check" {
                input type="checkbox" id=(name) name=(name) value="yes" checked[fields.checked(name)]
                    aria-invalid=[error.as_ref().map(|_| "true")] aria-describedby=[describe(name, help.is_some(), error.is_some())];
                div {
                    label for=(name) { (label) }
                    @if let Some(help) = help { span class="help" id={ (name) "-help" } { (help) } }
                }
            }
            @if let Some(error) = error { p class="error" id={ (name) "-error" } { (error) } }
        }
    }
}

/// A value that is sent along.
pub fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// The form token: first in every form that posts.
pub fn csrf_field(frame: &Frame) -> Markup {
    hidden("csrf", &frame.csrf)
}

/// What is wrong with the form, each line leading to its field. Nothing if nothing is wrong.
pub fn error_summary(speaks: &impl Speaks, fields: &Fields) -> Markup {
    html! {
        @if !fields.is_sound() {
            div class="notice notice-bad" role="alert" id="errors" tabindex="-1" autofocus {
                (super::seal_shape(super::Seal::Bad))
                div {
                    p { strong { (t!(speaks, "form-refused", count = fields.errors.len())) } }
                    ul {
                        @for (name, message) in &fields.errors {
                            li { @if name.is_empty() { (message) } @else { a href={ "#" (name) } { (message) } } }
                        }
                    }
                }
            }
        }
    }
}

/// The button that sends the form, and the way out of it.
pub fn submit_or_cancel(speaks: &impl Speaks, text: &str, back: &str) -> Markup {
    html! {
        div class="form-actions" {
            button class="button button-primary" type="submit" { (text) }
            a class="button button-plain" href=(back) { (t!(speaks, "cancel")) }
        }
    }
}

/// The button that sends the form.
pub fn submit(text: &str) -> Markup {
    html! { div class="form-actions" { button class="button button-primary" type="submit" { (text) } } }
}
