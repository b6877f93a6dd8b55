//! One decision explained: what was done with a request, and which rules found what where. Never what was in it.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_network::{Decision, Matched, Outcome, Place};
use maud::{Markup, html};

use super::Watched;
use super::candidates;
use super::decisions::{outcome_key, outcome_seal, search};
use super::door::{Operator, Routes};
use crate::component::{Tone, cell, notice, number_cell, table_card};
use crate::format;
use crate::text::{named, named_if_known, t};
use crate::{Page, Problem};

pub(super) fn routes() -> Routes {
    Routes::new().get("/ops/firewall/requests/{id}", show)
}

async fn show(operator: Operator, Path(id): Path<String>) -> Result<Response, Problem> {
    let Some(watched) = operator.house.firewall.clone() else { return Err(Problem::NotFound) };
    // Whatever is not in memory is looked for in a file of up to 32 MB.
    let (firewall, wanted) = (watched.firewall.clone(), id.clone());
    let found = tokio::task::spawn_blocking(move || firewall.explain(&wanted)).await.map_err(Problem::internal)?;
    Ok(match found {
        Some(decision) => page(&operator, &watched, &decision),
        None => unknown(&operator, &id),
    })
}

fn unknown(operator: &Operator, id: &str) -> Response {
    let body = html! {
        (notice(Tone::Warn, "", &html! { p { (t!(operator, "ops-unknown-text")) } }))
        section class="card" { (search(operator, id)) }
    };
    framed(operator, &t!(operator, "ops-unknown-title")).status(StatusCode::NOT_FOUND).body(&body).into_response()
}

fn framed(operator: &Operator, title: &str) -> Page {
    Page::new(&operator.frame, title)
        .crumb("/ops/firewall", t!(operator, "ops-title"))
        .crumb("/ops/firewall/requests", t!(operator, "ops-tab-requests"))
        .known(true)
}

fn page(operator: &Operator, watched: &Watched, decision: &Decision) -> Response {
    let zone = &operator.frame.zone;
    let threshold = watched.firewall.loaded().set.threshold();
    let body = html! {
        (told(operator, decision, threshold))
        section class="card" {
            h2 { (t!(operator, "ops-request-facts")) }
            dl class="facts" {
                dt { (t!(operator, "ops-id")) } dd { code { (decision.id) } }
                dt { (t!(operator, "ops-when")) } dd { (format::moment(operator, zone, decision.at())) }
                dt { (t!(operator, "ops-outcome")) } dd { (outcome_seal(operator, decision.outcome)) }
                dt { (t!(operator, "ops-status")) }
                dd { @if decision.status == 0 { (t!(operator, "ops-status-passed")) } @else { (decision.status) } }
                dt { (t!(operator, "ops-request")) } dd { code { (decision.method) " " (decision.route) } }
                dt { (t!(operator, "ops-client")) } dd { (decision.client) }
                dt { (t!(operator, "ops-sum")) }
                dd { (t!(operator, "ops-sum-text", score = decision.score, threshold = threshold)) }
                dt { (t!(operator, "ops-cpu")) } dd { (t!(operator, "ops-cpu-text", ms = decision.cpu_us as f64 / 1000.0)) }
                dt { (t!(operator, "ops-set-name")) } dd { (decision.rules) }
            }
        }
        section class="stack-tight" {
            h2 { (t!(operator, "ops-matches-title")) }
            @if decision.matches.is_empty() { p class="measure" { (t!(operator, "ops-matches-none")) } }
            @else { (matches(operator, decision)) }
        }
        section class="stack-tight" {
            h2 { (t!(operator, "ops-not-kept-title")) }
            p class="measure" { (t!(operator, "ops-not-kept-text")) }
        }
    };
    framed(operator, &t!(operator, "ops-request-title")).body(&body).into_response()
}

/// What was decided, in a sentence.
fn told(operator: &Operator, decision: &Decision, threshold: u32) -> Markup {
    let title = named(operator, "ops-told", outcome_key(decision.outcome));
    let text = match decision.outcome {
        Outcome::Refused => t!(operator, "ops-told-refused-text", rule = decision.rule.to_string()),
        Outcome::Detected if decision.score >= i64::from(threshold) => t!(operator, "ops-told-detected-high"),
        Outcome::Detected => t!(operator, "ops-told-detected-low"),
        Outcome::TooLarge => t!(operator, "ops-told-too-large-text"),
        Outcome::OverBudget => t!(operator, "ops-told-over-budget-text"),
    };
    let tone = if decision.outcome == Outcome::Detected { Tone::Plain } else { Tone::Warn };
    notice(tone, &title, &html! { p { (text) } })
}

fn matches(operator: &Operator, decision: &Decision) -> Markup {
    let [rule, says, severity, score, places] =
        ["ops-rule", "ops-says", "ops-severity", "ops-counts", "ops-places"].map(|key| t!(operator, key));
    let head = html! {
        th scope="col" { (rule) } th scope="col" { (says) } th scope="col" { (severity) }
        th scope="col" class="number" { (score) } th scope="col" { (places) }
    };
    let rows = html! {
        @for found in &decision.matches {
            tr {
                th scope="row" { a href={ "/ops/firewall/requests?rule=" (found.rule) } { (found.rule) } }
                (cell(&says, &html! { span class="break" lang="en" { (found.message) } }))
                (cell(&severity, &html! { (severity_of(operator, found)) }))
                (number_cell(&score, &format::whole(operator, found.score)))
                (cell(&places, &html! { div { @for place in &found.findings { (place_of(operator, decision, found, place)) } } }))
            }
        }
    };
    table_card(&t!(operator, "ops-matches-title"), &head, &rows)
}

fn severity_of(operator: &Operator, found: &Matched) -> String {
    let Some(severity) = &found.severity else { return "–".to_owned() };
    named_if_known(operator, "ops-severity", severity).unwrap_or_else(|| severity.clone())
}

fn place_of(operator: &Operator, decision: &Decision, found: &Matched, place: &Place) -> Markup {
    let (from, to) = place.span;
    html! {
        div {
            code { (place.variable) } br;
            span class="quiet small" { (t!(operator, "ops-bytes", from = from, to = to, length = place.length)) }
            @if found.score > 0 {
                p class="small" { a href=(candidates::address(&decision.method, &decision.route, &place.variable, found.rule)) { (t!(operator, "ops-false-alarm")) } }
            }
        }
    }
}
