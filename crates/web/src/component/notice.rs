use maud::{Markup, html};

use super::{Seal, seal_shape};

/// How serious a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// For information.
    Plain,
    /// Something went well.
    Good,
    /// Something needs a look.
    Warn,
    /// Something failed.
    Bad,
}

/// A notice: what happened, and what to do now. A bad one is read out at once.
pub fn notice(tone: Tone, title: &str, body: &Markup) -> Markup {
    let (class, shape, role) = match tone {
        Tone::Plain => ("notice", Seal::Off, "status"),
        Tone::Good => ("notice notice-good", Seal::Good, "status"),
        Tone::Warn => ("notice notice-warn", Seal::Warn, "status"),
        Tone::Bad => ("notice notice-bad", Seal::Bad, "alert"),
    };
    html! {
        div class=(class) role=(role) {
            (seal_shape(shape))
            div { @if !title.is_empty() { p { strong { (title) } } } (body) }
        }
    }
}
