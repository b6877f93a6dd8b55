//! What the firewall decided lately, newest first.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use letterkeep_network::{Decision, Outcome};
use maud::{Markup, html};

use super::door::{Operator, Routes};
use super::state::off;
use super::tab;
use crate::component::{
    Choice, Fields, Input, Pager, Picture, Seal, cell, empty, field, number_cell, pager, seal, select, table_card,
};
use crate::format;
use crate::see_other;
use crate::text::{named, t};

pub(super) fn routes() -> Routes {
    Routes::new().get(LIST, list).get("/ops/firewall/explain", explain)
}

const LIST: &str = "/ops/firewall/requests";
/// Decisions on one page.
const LINES: usize = 50;
/// More than the firewall keeps in memory: all of them.
pub(super) const KEPT: usize = 10_000;

/// What can have been decided, in the order in which it is told.
pub(super) const OUTCOMES: [Outcome; 4] = [Outcome::Refused, Outcome::Detected, Outcome::TooLarge, Outcome::OverBudget];

/// What an outcome is called in addresses and in keys of texts.
pub(super) const fn outcome_key(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Refused => "refused",
        Outcome::Detected => "detected",
        Outcome::TooLarge => "too-large",
        Outcome::OverBudget => "over-budget",
    }
}

/// An outcome in a word, with its shape.
pub(super) fn outcome_seal(operator: &Operator, outcome: Outcome) -> Markup {
    let shape = match outcome {
        Outcome::Refused => Seal::Good,
        Outcome::Detected => Seal::Off,
        Outcome::TooLarge | Outcome::OverBudget => Seal::Warn,
    };
    seal(shape, &named(operator, "ops-outcome", outcome_key(outcome)))
}

#[derive(serde::Deserialize, Default)]
struct Wanted {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    rule: String,
    /// The last one of the page before: when, in microseconds, and its id.
    before: Option<String>,
}

impl Wanted {
    fn takes(&self, decision: &Decision) -> bool {
        let rule: Option<u32> = self.rule.trim().parse().ok();
        let outcome = OUTCOMES.into_iter().find(|outcome| outcome_key(*outcome) == self.outcome);
        outcome.is_none_or(|outcome| outcome == decision.outcome)
            && rule.is_none_or(|rule| decision.rule == rule || decision.matches.iter().any(|found| found.rule == rule))
    }

    fn is_narrow(&self) -> bool {
        !self.outcome.is_empty() || !self.rule.trim().is_empty()
    }

    fn address(&self, before: Option<&Decision>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("outcome", self.outcome.as_str()), ("rule", self.rule.trim())] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(decision) = before {
            query.append_pair("before", &format!("{}.{}", decision.at_us, decision.id));
        }
        let query = query.finish();
        if query.is_empty() { LIST.to_owned() } else { format!("{LIST}?{query}") }
    }
}

/// Those below the last one of the page before; by time if that one is forgotten meanwhile.
fn below(decisions: Vec<Decision>, before: &str) -> Vec<Decision> {
    let Some((at, id)) = before.split_once('.') else { return decisions };
    let at: i64 = at.parse().unwrap_or(i64::MAX);
    let same = decisions.iter().position(|decision| decision.id == id).map(|place| place + 1);
    let place = same.or_else(|| decisions.iter().position(|decision| decision.at_us < at)).unwrap_or(decisions.len());
    decisions.into_iter().skip(place).collect()
}

async fn list(operator: Operator, Query(wanted): Query<Wanted>) -> Response {
    let body = match &operator.house.firewall {
        None => off(&operator),
        Some(watched) => {
            let recent = watched.firewall.recent(KEPT);
            let is_quiet = recent.is_empty();
            let mut shown = match &wanted.before {
                Some(before) => below(recent, before),
                None => recent,
            };
            shown.retain(|decision| wanted.takes(decision));
            let has_more = shown.len() > LINES;
            shown.truncate(LINES);
            let next = shown.last().filter(|_| has_more).map(|last| wanted.address(Some(last)));
            let first = wanted.before.as_ref().map(|_| wanted.address(None));
            html! {
                section class="card" { (search(&operator, "")) }
                @if is_quiet {
                    (empty(Picture::House, &t!(operator, "ops-quiet-title"), &t!(operator, "ops-quiet-text"), &html! {}))
                } @else {
                    (filter(&operator, &wanted))
                    @if shown.is_empty() { p { (t!(operator, "ops-none-fits")) } }
                    @else { (table(&operator, &shown)) }
                    @if first.is_some() || next.is_some() { (pager(&operator, &Pager { text: String::new(), first, next })) }
                }
            }
        }
    };
    tab(&operator, LIST, &t!(operator, "ops-requests-lead"), &body)
}

fn filter(operator: &Operator, wanted: &Wanted) -> Markup {
    let mut outcomes = vec![Choice::new("", t!(operator, "ops-every-outcome"))];
    outcomes
        .extend(OUTCOMES.map(|one| Choice::new(outcome_key(one), named(operator, "ops-outcome", outcome_key(one)))));
    let entered = Fields::of(&[("outcome", &wanted.outcome), ("rule", &wanted.rule)]);
    html! {
        form class="filter few-needed" method="get" action=(LIST) {
            (select(operator, &entered, &Input::text("outcome", &t!(operator, "ops-outcome")), &outcomes))
            (field(operator, &entered, &Input::text("rule", &t!(operator, "ops-rule")).inputmode("numeric").max(10).optional().autocomplete("off")))
            button class="button" type="submit" { (t!(operator, "ops-filter")) }
            @if wanted.is_narrow() { a class="button button-plain" href=(LIST) { (t!(operator, "ops-all")) } }
        }
    }
}

fn table(operator: &Operator, decisions: &[Decision]) -> Markup {
    let zone = &operator.frame.zone;
    let [id, when, what, request, rules, score, client] =
        ["ops-id", "ops-when", "ops-outcome", "ops-request", "ops-rules", "ops-score", "ops-client"]
            .map(|key| t!(operator, key));
    let head = html! {
        th scope="col" { (id) } th scope="col" { (when) } th scope="col" { (what) } th scope="col" { (request) }
        th scope="col" { (rules) } th scope="col" class="number" { (score) } th scope="col" { (client) }
    };
    let rows = html! {
        @for decision in decisions {
            tr {
                th scope="row" { a href=(address_of(&decision.id)) { code class="small" { (decision.id) } } }
                (cell(&when, &format::ago(operator, zone, operator.frame.now, decision.at())))
                (cell(&what, &outcome_seal(operator, decision.outcome)))
                (cell(&request, &html! { code class="break" { (decision.method) " " (decision.route) } }))
                (cell(&rules, &html! { span class="small" { (rules_of(operator, decision)) } }))
                (number_cell(&score, &format::whole(operator, decision.score)))
                (cell(&client, &html! { span class="nowrap" { (decision.client) } }))
            }
        }
    };
    table_card(&t!(operator, "ops-tab-requests"), &head, &rows)
}

/// The first three rules that matched, and how many more.
fn rules_of(operator: &Operator, decision: &Decision) -> String {
    let mut rules: Vec<u32> = Vec::new();
    for found in &decision.matches {
        if !rules.contains(&found.rule) {
            rules.push(found.rule);
        }
    }
    let first: Vec<String> = rules.iter().take(3).map(u32::to_string).collect();
    let text = if first.is_empty() { "–".to_owned() } else { first.join(", ") };
    match rules.len().checked_sub(3) {
        Some(more) if more > 0 => format!("{text} {}", t!(operator, "ops-more-rules", count = more)),
        _ => text,
    }
}

/// The page of a decision. Ids of ours are letters and digits; what somebody typed is more.
pub(super) fn address_of(id: &str) -> String {
    format!("{LIST}/{}", url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>())
}

/// The small form that leads to a decision by the id that a client was told.
pub(super) fn search(operator: &Operator, id: &str) -> Markup {
    let entered = Fields::of(&[("id", id)]);
    html! {
        form class="filter" method="get" action="/ops/firewall/explain" role="search" {
            (field(operator, &entered, &Input::text("id", &t!(operator, "ops-id-of-request")).max(64).autocomplete("off")))
            button class="button button-primary" type="submit" { (t!(operator, "ops-explain")) }
        }
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    id: String,
}

/// Ids are read out and copied with what stands around them.
async fn explain(Query(asked): Query<Asked>) -> Response {
    let id: String = asked.id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let to = if id.is_empty() { LIST.to_owned() } else { address_of(&id.to_ascii_lowercase()) };
    see_other(&to).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(id: &str, at_us: i64, outcome: Outcome, rule: u32) -> Decision {
        Decision {
            id: id.to_owned(),
            at_us,
            outcome,
            status: 403,
            method: "GET".into(),
            route: "/".into(),
            client: "192.0.2.0/24".into(),
            rule,
            rules: "test".into(),
            score: 5,
            cpu_us: 1,
            matches: Vec::new(),
        }
    }

    #[test]
    fn pages_follow_each_other_without_a_gap_also_when_the_key_is_forgotten() {
        let all = || (0..5).rev().map(|at| decision(&format!("d{at}"), at, Outcome::Refused, 1)).collect::<Vec<_>>();
        let ids = |list: Vec<Decision>| list.into_iter().map(|decision| decision.id).collect::<Vec<_>>();
        assert_eq!(ids(below(all(), "3.d3")), ["d2", "d1", "d0"]);
        assert_eq!(ids(below(all(), "3.gone")), ["d2", "d1", "d0"]);
        assert_eq!(ids(below(all(), "0.d0")), [""; 0]);
        assert_eq!(below(all(), "nonsense").len(), 5);
    }

    #[test]
    fn a_filter_takes_what_it_names_and_nonsense_takes_all() {
        let refused = decision("a", 1, Outcome::Refused, 7);
        let takes = |outcome: &str, rule: &str| {
            Wanted { outcome: outcome.into(), rule: rule.into(), before: None }.takes(&refused)
        };
        assert!(takes("", "") && takes("refused", "7") && takes("nonsense", "nonsense"));
        assert!(!takes("detected", "") && !takes("", "8") && !takes("detected", "7"));
        let wanted = Wanted { outcome: "refused".into(), rule: " 7".into(), before: None };
        assert_eq!(wanted.address(Some(&refused)), "/ops/firewall/requests?outcome=refused&rule=7&before=1.a");
    }
}
