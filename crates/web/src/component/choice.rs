//! Sets of choices that are all in view: one of them, or any.

use maud::{Markup, html};

use super::{Choice, Fields};

/// One of several, each with a line of help (`Choice`, help).
pub fn radios(fields: &Fields, name: &str, legend: &str, value: &str, choices: &[(Choice, String)]) -> Markup {
    let entered = fields.text(name);
    let value = if entered.is_empty() { value } else { entered };
    group(
        fields,
        name,
        legend,
        &html! {
            @for (place, (choice, help)) in choices.iter().enumerate() {
                @let id = if place == 0 { name.to_owned() } else { format!("{name}-{place}") };
                div class="check" {
                    input type="radio" id=(id) name=(name) value=(choice.value) checked[choice.value == value] required
                        aria-describedby=[(!help.is_empty()).then(|| format!("{id}-help"))];
                    div {
                        label for=(id) { (choice.text) }
                        @if !help.is_empty() { span class="help" id={ (id) "-help" } { (help) } }
                    }
                }
            }
        },
    )
}

/// Any of several, beside each other. `none` is said where there is nothing to choose.
pub fn boxes(fields: &Fields, name: &str, legend: &str, choices: &[Choice], none: &str) -> Markup {
    group(
        fields,
        name,
        legend,
        &html! {
            @if choices.is_empty() { p class="help" { (none) } }
            div class="boxes" {
                @for (place, choice) in choices.iter().enumerate() {
                    @let id = if place == 0 { name.to_owned() } else { format!("{name}-{place}") };
                    div class="check" {
                        input type="checkbox" id=(id) name=(name) value=(choice.value) checked[fields.all(name).any(|value| value == choice.value)];
                        label for=(id) { (choice.text) }
                    }
                }
            }
        },
    )
}

fn group(fields: &Fields, name: &str, legend: &str, content: &Markup) -> Markup {
    let error = fields.error(name);
    html! {
        fieldset class="field" aria-describedby=[error.as_ref().map(|_| format!("{name}-error"))] {
            legend { (legend) }
            (content)
            @if let Some(error) = error { p class="error" id={ (name) "-error" } { (error) } }
        }
    }
}
