//! Which rules look at requests, since when, how old they are, what they do not look at; and what they did lately.

use axum::response::Response;
use letterkeep_model::Timestamp;
use letterkeep_network::rules::{Mode, Origin, RuleSet};
use letterkeep_network::{Decision, Exclusion, Loaded, Outcome};
use maud::{Markup, html};

use super::decisions::{KEPT, OUTCOMES, outcome_key, search};
use super::door::{Operator, Routes};
use super::{HOME, Watched, tab};
use crate::component::{Seal, Stat, Tone, cell, notice, seal, stats, table_card};
use crate::format;
use crate::text::{named, t};

pub(super) fn routes() -> Routes {
    Routes::new().get(HOME, show)
}

/// From how many days on a set is called old: the Core Rule Set is released several times a year.
const OLD_DAYS: u64 = 90;

async fn show(operator: Operator) -> Response {
    let body = match &operator.house.firewall {
        None => off(&operator),
        Some(watched) => state(&operator, watched),
    };
    tab(&operator, HOME, &t!(operator, "ops-state-lead"), &body)
}

/// What stands on every page where the firewall is switched off.
pub(super) fn off(operator: &Operator) -> Markup {
    notice(Tone::Bad, &t!(operator, "ops-off-title"), &html! { p { (t!(operator, "ops-off-text")) } })
}

fn state(operator: &Operator, watched: &Watched) -> Markup {
    let loaded = watched.firewall.loaded();
    let recent = watched.firewall.recent(KEPT);
    let days = age_days(&loaded.set, operator.frame.now);
    html! {
        @if watched.mode == Mode::DetectionOnly {
            (notice(Tone::Warn, &t!(operator, "ops-tells-title"), &html! { p { (t!(operator, "ops-tells-text")) } }))
        }
        @if let Some(days) = days.filter(|days| *days > OLD_DAYS) {
            (notice(Tone::Warn, &t!(operator, "ops-old-title", days = days), &html! { p { (t!(operator, "ops-old-text")) } }))
        }
        (figures(operator, &recent))
        section class="card" {
            h2 { (t!(operator, "ops-explain-title")) }
            p class="quiet measure" { (t!(operator, "ops-explain-lead")) }
            (search(operator, ""))
        }
        (set(operator, watched, &loaded, days))
        (exclusions(operator, &watched.exclusions.in_force()))
    }
}

fn figures(operator: &Operator, recent: &[Decision]) -> Markup {
    let count = |outcome: Outcome| recent.iter().filter(|decision| decision.outcome == outcome).count();
    let figures = OUTCOMES.map(|outcome| {
        let href = format!("/ops/firewall/requests?outcome={}", outcome_key(outcome));
        let name = named(operator, "ops-outcome", outcome_key(outcome));
        Stat::new(format::whole(operator, count(outcome) as i64), name).href(href)
    });
    html! {
        section class="stack-tight" {
            h2 { (t!(operator, "ops-figures-title")) }
            @match recent.last() {
                None => p class="quiet measure" { (t!(operator, "ops-figures-none")) },
                Some(oldest) => p class="quiet measure" {
                    (t!(operator, "ops-figures-of", count = recent.len())) " "
                    (format::moment(operator, &operator.frame.zone, oldest.at())) "."
                },
            }
            (stats(&figures))
        }
    }
}

/// Whole days since the set was made.
fn age_days(set: &RuleSet, now: Timestamp) -> Option<u64> {
    set.age(now).map(|age| age.as_secs() / 86_400)
}

fn set(operator: &Operator, watched: &Watched, loaded: &Loaded, days: Option<u64>) -> Markup {
    let (set, zone) = (&loaded.set, &operator.frame.zone);
    let blocks = watched.mode == Mode::Blocking;
    html! {
        section class="card" {
            h2 { (t!(operator, "ops-set-title")) }
            dl class="facts" {
                dt { (t!(operator, "ops-set-name")) } dd { strong { (set.name) " " (set.version) } }
                dt { (t!(operator, "ops-set-origin")) } dd { (origin(operator, &set.origin)) }
                dt { (t!(operator, "ops-set-released")) }
                dd {
                    @match (set.released, days) {
                        (Some(released), Some(days)) => {
                            (format::date(operator, zone, released.at)) " (" (t!(operator, "ops-set-age", days = days)) ") "
                            @if !released.stated { span class="quiet" { (t!(operator, "ops-set-file-time")) } }
                        }
                        _ => (t!(operator, "ops-set-undated")),
                    }
                }
                dt { (t!(operator, "ops-set-mode")) }
                dd {
                    (seal(if blocks { Seal::Good } else { Seal::Warn }, &t!(operator, if blocks { "ops-mode-blocks" } else { "ops-mode-tells" })))
                }
                dt { (t!(operator, "ops-set-threshold")) }
                dd {
                    (t!(operator, "ops-set-threshold-text", score = set.threshold())) " "
                    (t!(operator, "ops-set-paranoia", level = watched.paranoia_level))
                }
                dt { (t!(operator, "ops-set-rules")) } dd { (format::whole(operator, set.len() as i64)) }
                dt { (t!(operator, "ops-set-left-out")) }
                dd {
                    @if set.left_out.is_empty() { (t!(operator, "ops-set-none-left-out")) }
                    @else {
                        code { (set.left_out.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")) } " "
                        span class="quiet" { (t!(operator, "ops-set-left-out-text")) }
                    }
                }
                dt { (t!(operator, "ops-set-since")) } dd { (format::moment(operator, zone, loaded.since)) }
                dt { (t!(operator, "ops-set-digest")) }
                dd { code title=(set.digest) { (set.digest.get(..16).unwrap_or(&set.digest)) "…" } }
            }
        }
    }
}

fn origin(operator: &Operator, origin: &Origin) -> Markup {
    html! {
        @match origin {
            Origin::BuiltIn => (t!(operator, "ops-origin-built-in")),
            Origin::Directory(path) => { (t!(operator, "ops-origin-directory")) " " code { (path.display()) } },
            Origin::Debian(_) => (t!(operator, "ops-origin-debian")),
        }
    }
}

fn exclusions(operator: &Operator, exclusions: &[Exclusion]) -> Markup {
    let (wher, fields, rules, reason) = (
        t!(operator, "ops-request"),
        t!(operator, "ops-fields"),
        t!(operator, "ops-rules"),
        t!(operator, "ops-reason"),
    );
    let head = html! {
        th scope="col" { (wher) } th scope="col" { (fields) } th scope="col" { (rules) } th scope="col" { (reason) }
    };
    let rows = html! {
        @for exclusion in exclusions {
            tr {
                th scope="row" {
                    code class="break" {
                        @match &exclusion.method { Some(method) => (method.as_str()), None => (t!(operator, "ops-any-method")) }
                        " " (exclusion.route.as_str())
                    }
                }
                (cell(&fields, &html! {
                    // One box: on a phone each piece of a cell would become a column.
                    div {
                        @if exclusion.fields.is_empty() { (t!(operator, "ops-every-field")) }
                        @for field in &exclusion.fields { div { code { (field.as_str()) } } }
                    }
                }))
                (cell(&rules, &html! { div { @for rules in &exclusion.rules { div class="nowrap" { code { (rules) } } } } }))
                (cell(&reason, &html! { span class="break" { (exclusion.reason) } }))
            }
        }
    };
    html! {
        section class="stack-tight" {
            h2 { (t!(operator, "ops-exclusions-title")) }
            p class="quiet measure" { (t!(operator, if exclusions.is_empty() { "ops-exclusions-none" } else { "ops-exclusions-text" })) }
            @if !exclusions.is_empty() { (table_card(&t!(operator, "ops-exclusions-title"), &head, &rows)) }
        }
    }
}
