use std::time::Duration;

use maud::{Markup, html};

use crate::format;
use crate::text::{Speaks, t};

/// How far a long piece of work is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// What is being done, for example "Importing contacts".
    pub name: String,
    /// Pieces done.
    pub done: i64,
    /// Pieces in all; `None` while that is not known.
    pub total: Option<i64>,
    /// Pieces a second, if known.
    pub rate: Option<f64>,
}

/// The bar with figures, rate and time left. Put it into an element with `hx-get`, `hx-trigger="every 2s"` and
/// `hx-swap="innerMorph"` (so that focus and what is read out stay), and give the page `.refresh(5)` for browsers without
/// scripts.
pub fn progress(speaks: &impl Speaks, work: &Progress) -> Markup {
    let figures = match work.total {
        Some(total) => t!(speaks, "progress-of", done = work.done, total = total),
        None => format::whole(speaks, work.done),
    };
    let rate = work.rate.filter(|rate| *rate > 0.0);
    let left = rate.zip(work.total).and_then(|(rate, total)| remaining(work.done, total, rate));
    html! {
        div class="progress" {
            div class="progress-line" {
                span { (work.name) }
                span { (figures) @if let Some(total) = work.total { " · " (format::share(speaks, work.done, total)) } }
            }
            @match work.total {
                Some(total) => progress aria-label=(work.name) value=(work.done.min(total)) max=(total.max(1)) {},
                None => progress aria-label=(work.name) {},
            }
            // Read out at each tenth: the text changes no more often, and pages that poll leave what is unchanged alone.
            @if let Some(total) = work.total.filter(|total| *total > 0) {
                @let tenths = work.done.min(total) * 10 / total;
                span class="visually-hidden" role="status" { (t!(speaks, "progress-at", name = work.name.as_str(), percent = tenths * 10)) }
            }
            div class="progress-line quiet small" {
                span { @if let Some(rate) = rate { (t!(speaks, "progress-rate", rate = rate.round())) } }
                span { @if let Some(left) = left { (t!(speaks, "progress-left", left = format::duration(speaks, left))) } }
            }
        }
    }
}

/// The time left at `rate` pieces a second.
pub fn remaining(done: i64, total: i64, rate: f64) -> Option<Duration> {
    let seconds = (total - done).max(0) as f64 / rate;
    (seconds.is_finite() && seconds < 1e8).then(|| Duration::from_secs_f64(seconds.ceil()))
}

/// The steps of a wizard; `current` counts from 0.
pub fn stepper(speaks: &impl Speaks, steps: &[String], current: usize) -> Markup {
    html! {
        ol class="stepper" aria-label=(t!(speaks, "stepper-name")) {
            @for (place, step) in steps.iter().enumerate() {
                @if place == current {
                    li aria-current="step" { span { (step) } }
                } @else if place < current {
                    li class="done" { span { (step) } }
                } @else {
                    li { span { (step) } }
                }
            }
        }
    }
}

/// Pages beside each other: `(address, name)`; `current` is the address of this one.
pub fn tabs(name: &str, tabs: &[(String, String)], current: &str) -> Markup {
    html! {
        nav class="tabs" aria-label=(name) {
            @for (href, text) in tabs {
                a href=(href) aria-current=[(href == current).then_some("page")] { (text) }
            }
        }
    }
}
