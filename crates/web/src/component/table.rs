use maud::{Markup, html};

use crate::text::{Speaks, t};

/// A table in a card. `head` and `rows` are `th` and `tr` elements; give cells a `data-label` (see [`cell`]), which is
/// shown where the table becomes a stack of cards (below 640 px).
pub fn table_card(caption: &str, head: &Markup, rows: &Markup) -> Markup {
    html! {
        div class="card card-flush" {
            div class="table-wrap" {
                table class="table table-cards" {
                    caption class="visually-hidden" { (caption) }
                    thead { tr { (head) } }
                    tbody { (rows) }
                }
            }
        }
    }
}

/// A cell that knows the name of its column.
pub fn cell(label: &str, content: &Markup) -> Markup {
    html! { td data-label=(label) { (content) } }
}

/// A cell with a figure.
pub fn number_cell(label: &str, content: &str) -> Markup {
    html! { td data-label=(label) class="number" { (content) } }
}

/// Where a list that is paged by key goes on.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    /// What is shown, for example "1 to 50 of 10,000".
    pub text: String,
    /// The address of the first page, if this is not it.
    pub first: Option<String>,
    /// The address of the next page, if there is one; it carries the filter and the last key.
    pub next: Option<String>,
}

/// The line below a list.
pub fn pager(speaks: &impl Speaks, pager: &Pager) -> Markup {
    html! {
        nav class="pager" aria-label=(t!(speaks, "pager-name")) {
            span class="quiet small" { (pager.text) }
            span class="row" {
                @if let Some(first) = &pager.first { a class="button" href=(first) { (t!(speaks, "pager-first")) } }
                @if let Some(next) = &pager.next { a class="button" href=(next) rel="next" { (t!(speaks, "pager-next")) } }
            }
        }
    }
}
