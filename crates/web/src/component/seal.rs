//! The seals: what state a thing is in, told by shape and word, never by colour alone.

use maud::{Markup, html};

/// A state and its seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Whole: done, proven, active.
    Good,
    /// Cracked: waiting, stale, needs a look.
    Warn,
    /// Broken: failed, refused.
    Bad,
    /// Dashed: not begun, withdrawn, off.
    Off,
}

impl Seal {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Off => "off",
        }
    }
}

/// A seal with its word.
pub fn seal(state: Seal, word: &str) -> Markup {
    html! { span class={ "seal seal-" (state.name()) } { (shape(state, "seal-shape")) (word) } }
}

/// The seal alone, for a place where the word stands beside it.
pub fn seal_shape(state: Seal) -> Markup {
    shape(state, &format!("seal-shape seal-icon {}", state.name()))
}

fn shape(state: Seal, class: &str) -> Markup {
    html! {
        svg class=(class) viewBox="0 0 24 24" aria-hidden="true" {
            @match state {
                Seal::Good => { circle cx="12" cy="12" r="9.5" {} path d="m7.5 12.5 3 3 6-6.5" {} }
                Seal::Warn => { circle cx="12" cy="12" r="9.5" {} path d="m12.5 6-2.5 5 4 2-2.5 5" {} }
                Seal::Bad => { path d="M12 2.5a9.5 9.5 0 0 1 6.6 16.3M5.4 5.2A9.5 9.5 0 0 0 12 21.5M9 9l6 6m0-6-6 6" {} }
                Seal::Off => { circle cx="12" cy="12" r="9.5" stroke-dasharray="3.2 3" {} path d="M8 12h8" {} }
            }
        }
    }
}
