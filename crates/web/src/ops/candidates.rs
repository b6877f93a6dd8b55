//! What real traffic proposes to exclude. Nothing is ever excluded from here without somebody's reason.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use letterkeep_network::{CLIENTS, Candidate, Exclusion, Field, Pattern, Rules};
use maud::{Markup, html};

use super::door::{Operator, Routes, Sent};
use super::state::off;
use super::{Watched, tab};
use crate::component::{
    Fields, Input, Picture, Tone, cell, csrf_field, empty, error_summary, field, hidden, notice, number_cell, submit,
    table_card,
};
use crate::format;
use crate::text::t;
use crate::{Page, Problem, see_other};

pub(super) fn routes() -> Routes {
    Routes::new().get(LIST, list).get(ONE, one).post(ONE, approve)
}

const LIST: &str = "/ops/firewall/candidates";
const ONE: &str = "/ops/firewall/candidates/one";
/// Candidates on the page.
const LINES: usize = 100;
/// Characters of a reason.
const REASON: std::ops::RangeInclusive<usize> = 10..=500;

#[derive(serde::Deserialize)]
struct Wanted {
    #[serde(default)]
    approved: String,
}

async fn list(operator: Operator, Query(wanted): Query<Wanted>) -> Response {
    let body = match &operator.house.firewall {
        None => off(&operator),
        Some(watched) => {
            let mut candidates = watched.firewall.candidates();
            candidates.truncate(LINES);
            html! {
                @if !wanted.approved.is_empty() {
                    (notice(Tone::Good, &t!(operator, "ops-approved-title"), &html! { p { (t!(operator, "ops-approved-text")) } }))
                }
                @if candidates.is_empty() {
                    (empty(Picture::List, &t!(operator, "ops-no-candidates-title"), &t!(operator, "ops-no-candidates-text"), &html! {}))
                } @else {
                    p class="measure" { (t!(operator, "ops-candidates-text")) }
                    (table(&operator, &candidates))
                }
            }
        }
    };
    tab(&operator, LIST, &t!(operator, "ops-candidates-lead"), &body)
}

fn table(operator: &Operator, candidates: &[Candidate]) -> Markup {
    let [place, request, rule, requests, networks, last] =
        ["ops-field", "ops-request", "ops-rule", "ops-requests", "ops-networks", "ops-last"]
            .map(|key| t!(operator, key));
    let head = html! {
        th scope="col" { (place) } th scope="col" { (request) } th scope="col" { (rule) }
        th scope="col" class="number" { (requests) } th scope="col" class="number" { (networks) } th scope="col" { (last) }
    };
    let rows = html! {
        @for one in candidates {
            tr {
                th scope="row" { a href=(address(&one.method, &one.route, &one.field, one.rule)) { code class="break" { (one.field) } } }
                (cell(&request, &html! { code class="break" { (one.method) " " (one.route) } }))
                (cell(&rule, &html! { div { (one.rule) span class="note quiet small" lang="en" { (one.message) } } }))
                (number_cell(&requests, &count(operator, one.requests)))
                (number_cell(&networks, &networks_of(operator, one.clients)))
                (cell(&last, &format::ago(operator, &operator.frame.zone, operator.frame.now, one.last)))
            }
        }
    };
    table_card(&t!(operator, "ops-tab-candidates"), &head, &rows)
}

fn count(operator: &Operator, number: u64) -> String {
    format::whole(operator, i64::try_from(number).unwrap_or(i64::MAX))
}

/// From a number on they are not told apart.
fn networks_of(operator: &Operator, networks: usize) -> String {
    if networks >= CLIENTS { t!(operator, "ops-or-more", count = networks) } else { networks.to_string() }
}

/// The page of a candidate.
pub(super) fn address(method: &str, route: &str, field: &str, rule: u32) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("method", method), ("route", route), ("field", field)]);
    query.append_pair("rule", &rule.to_string());
    format!("{ONE}?{}", query.finish())
}

/// Which candidate is meant: in an address and in a form alike.
#[derive(serde::Deserialize, Default)]
struct Named {
    #[serde(default)]
    method: String,
    #[serde(default)]
    route: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    rule: String,
}

impl Named {
    fn of(form: &Fields) -> Self {
        let text = |name| form.text(name).to_owned();
        Self { method: text("method"), route: text("route"), field: text("field"), rule: text("rule") }
    }

    /// Only what traffic has proposed can be looked at or approved.
    fn find(&self, watched: &Watched) -> Option<Candidate> {
        let rule: u32 = self.rule.parse().ok()?;
        let is_it = |one: &Candidate| {
            one.rule == rule && one.method == self.method && one.route == self.route && one.field == self.field
        };
        watched.firewall.candidates().into_iter().find(is_it)
    }
}

/// The exclusion that a candidate proposes; none if its field is of a kind that is always looked at.
fn exclusion(candidate: &Candidate, reason: &str) -> Option<Exclusion> {
    Some(Exclusion {
        method: Some(candidate.method.parse::<Method>().ok()?),
        route: Pattern::new(&candidate.route).ok()?,
        fields: vec![Field::new(&candidate.field).ok()?],
        rules: vec![Rules::new(&candidate.rule.to_string()).ok()?],
        reason: reason.to_owned(),
    })
}

/// The same for the configuration, its reason still to be written. What JSON escapes in a text, TOML escapes likewise.
fn snippet(candidate: &Candidate) -> Option<String> {
    exclusion(candidate, "")?;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    Some(format!(
        "[[firewall.exclusion]]\nmethod = {}\npath = {}\nfields = [{}]\nrules = [\"{}\"]\nreason = \"\"\n",
        quoted(&candidate.method),
        quoted(&candidate.route),
        quoted(&candidate.field),
        candidate.rule,
    ))
}

async fn one(operator: Operator, Query(named): Query<Named>) -> Result<Response, Problem> {
    let watched = operator.house.firewall.clone().ok_or(Problem::NotFound)?;
    let found = named.find(&watched);
    Ok(match found {
        Some(candidate) => page(&operator, &watched, &candidate, &Fields::new()).into_response(),
        None => gone(&operator).into_response(),
    })
}

async fn approve(Sent { operator, mut form }: Sent) -> Result<Response, Problem> {
    let watched = operator.house.firewall.clone().ok_or(Problem::NotFound)?;
    if !watched.exclusions.takes_approvals() {
        return Err(Problem::NotFound);
    }
    let Some(candidate) = Named::of(&form).find(&watched) else { return Ok(gone(&operator).into_response()) };
    let reason = form.text("reason").split_whitespace().collect::<Vec<_>>().join(" ");
    if !REASON.contains(&reason.chars().count()) {
        form.refuse("reason", t!(operator, "ops-reason-refused"));
        let page = page(&operator, &watched, &candidate, &form);
        return Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    let Some(exclusion) = exclusion(&candidate, &reason) else { return Err(Problem::NotFound) };
    watched.exclusions.approve(exclusion).map_err(Problem::internal)?;
    tracing::info!(rule = candidate.rule, "the operator has approved an exclusion");
    Ok(see_other(&format!("{LIST}?approved=yes")))
}

fn framed(operator: &Operator, title: &str) -> Page {
    Page::new(&operator.frame, title)
        .crumb("/ops/firewall", t!(operator, "ops-title"))
        .crumb(LIST, t!(operator, "ops-tab-candidates"))
        .known(true)
}

fn gone(operator: &Operator) -> Page {
    let body = html! { p { a class="button button-primary" href=(LIST) { (t!(operator, "ops-tab-candidates")) } } };
    framed(operator, &t!(operator, "ops-no-candidate-title"))
        .lead(&t!(operator, "ops-no-candidate-text"))
        .status(StatusCode::NOT_FOUND)
        .body(&body)
}

fn page(operator: &Operator, watched: &Watched, candidate: &Candidate, form: &Fields) -> Page {
    let body = html! {
        (error_summary(operator, form))
        section class="card" {
            dl class="facts" {
                dt { (t!(operator, "ops-field")) } dd { code { (candidate.field) } }
                dt { (t!(operator, "ops-request")) } dd { code { (candidate.method) " " (candidate.route) } }
                dt { (t!(operator, "ops-rule")) }
                dd { a href={ "/ops/firewall/requests?rule=" (candidate.rule) } { (candidate.rule) } }
                dt { (t!(operator, "ops-says")) } dd lang="en" { (candidate.message) }
                dt { (t!(operator, "ops-requests")) } dd { (count(operator, candidate.requests)) }
                dt { (t!(operator, "ops-networks")) } dd { (networks_of(operator, candidate.clients)) }
                dt { (t!(operator, "ops-last")) } dd { (format::moment(operator, &operator.frame.zone, candidate.last)) }
            }
        }
        section class="stack-tight" {
            h2 { (t!(operator, "ops-decide-title")) }
            p class="measure" { (t!(operator, "ops-decide-text")) }
        }
        @match snippet(candidate) {
            None => (notice(Tone::Warn, &t!(operator, "ops-not-excludable-title"), &html! { p { (t!(operator, "ops-not-excludable-text")) } })),
            Some(text) => {
                section class="stack-tight" {
                    h2 { (t!(operator, "ops-snippet-title")) }
                    p class="measure" { (t!(operator, "ops-snippet-text")) }
                    pre class="snippet" { code { (text) } }
                }
                @if watched.exclusions.takes_approvals() { (approval(operator, candidate, form)) }
            }
        }
    };
    framed(operator, &t!(operator, "ops-candidate-title")).lead(&t!(operator, "ops-candidate-lead")).body(&body)
}

fn approval(operator: &Operator, candidate: &Candidate, form: &Fields) -> Markup {
    let reason = t!(operator, "ops-reason");
    html! {
        section class="card" {
            h2 { (t!(operator, "ops-approve-title")) }
            form class="form" method="post" action=(ONE) {
                (csrf_field(&operator.frame))
                (hidden("method", &candidate.method)) (hidden("route", &candidate.route))
                (hidden("field", &candidate.field)) (hidden("rule", &candidate.rule.to_string()))
                (field(operator, form, &Input::text("reason", &reason).help(t!(operator, "ops-reason-help")).max(500).autocomplete("off")))
                (submit(&t!(operator, "ops-approve")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use letterkeep_model::Timestamp;

    use super::*;

    fn candidate(field: &str, route: &str) -> Candidate {
        Candidate {
            method: "POST".into(),
            route: route.into(),
            field: field.into(),
            rule: 941_100,
            message: "XSS".into(),
            requests: 3,
            clients: 2,
            last: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn the_text_for_the_configuration_names_one_field_of_one_route_and_leaves_the_reason_open() {
        assert_eq!(
            snippet(&candidate("ARGS:html", "/campaigns/{id}/content")).unwrap(),
            "[[firewall.exclusion]]\nmethod = \"POST\"\npath = \"/campaigns/{id}/content\"\nfields = [\"ARGS:html\"]\n\
             rules = [\"941100\"]\nreason = \"\"\n"
        );
    }

    #[test]
    fn what_is_always_looked_at_is_not_proposed() {
        for (field, route) in
            [("REQUEST_BODY", "/a"), ("ARGS:a\"]\nx = [\"", "/a"), ("ARGS:a", "/a?b"), ("ARGS:a", "a")]
        {
            assert_eq!(snippet(&candidate(field, route)), None, "{field} {route}");
        }
        let quoted = snippet(&candidate("ARGS:a", "/a\"b")).unwrap();
        assert!(quoted.contains(r#"path = "/a\"b""#), "{quoted}");
    }
}
