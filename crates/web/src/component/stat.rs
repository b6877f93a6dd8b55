use maud::{Markup, html};

/// One figure with its name.
#[derive(Debug, Clone, Default)]
pub struct Stat {
    /// The figure, written out with its unit.
    pub value: String,
    /// What it counts.
    pub name: String,
    /// A line below: since when, of how many.
    pub note: Option<String>,
    /// Where the figure leads.
    pub href: Option<String>,
}

impl Stat {
    /// A figure and its name.
    pub fn new(value: impl Into<String>, name: impl Into<String>) -> Self {
        Self { value: value.into(), name: name.into(), ..Self::default() }
    }

    /// The same with a line below.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same, leading somewhere.
    #[must_use]
    pub fn href(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }
}

/// A row of figures.
pub fn stats(figures: &[Stat]) -> Markup {
    html! {
        dl class="stats" {
            @for figure in figures {
                div class="stat" {
                    dt {
                        @match &figure.href { Some(href) => a href=(href) { (figure.name) }, None => (figure.name) }
                        @if let Some(note) = &figure.note { br; span class="note" { (note) } }
                    }
                    dd { (figure.value) }
                }
            }
        }
    }
}
