use maud::{Markup, html};

use super::{Fields, Input, Tone, csrf_field, field, notice};
use crate::frame::Frame;
use crate::text::t;

/// What is about to be done for good.
pub struct Confirm<'a> {
    /// Where the form posts to.
    pub action: &'a str,
    /// What will be lost and what will be kept.
    pub consequence: Markup,
    /// The word on the button, for example "Delete list".
    pub button: &'a str,
    /// A word that must be typed, for what cannot be undone; the field is called `confirm`.
    pub typed: Option<&'a str>,
    /// Where "cancel" leads.
    pub back: &'a str,
    /// What was entered and what is wrong with it.
    pub fields: &'a Fields,
}

/// The page that stands before a destructive action.
pub fn confirm(frame: &Frame, what: &Confirm<'_>) -> Markup {
    html! {
        form class="form" method="post" action=(what.action) {
            (csrf_field(frame))
            (notice(Tone::Warn, "", &what.consequence))
            @if let Some(word) = what.typed {
                (field(frame, what.fields, &Input::text("confirm", &t!(frame, "confirm-type", word = word)).autocomplete("off")))
            }
            div class="form-actions" {
                button class="button button-danger" type="submit" { (what.button) }
                a class="button button-plain" href=(what.back) { (t!(frame, "cancel")) }
            }
        }
    }
}
