//! The rules that matched most often lately.

use axum::response::Response;
use maud::html;

use super::door::{Operator, Routes};
use super::state::off;
use super::tab;
use crate::component::{Picture, cell, empty, number_cell, table_card};
use crate::format;
use crate::text::t;

pub(super) fn routes() -> Routes {
    Routes::new().get(RULES, top)
}

const RULES: &str = "/ops/firewall/rules";
/// Rules on the page.
const LINES: usize = 50;

async fn top(operator: Operator) -> Response {
    let body = match &operator.house.firewall {
        None => off(&operator),
        Some(watched) => {
            let rules = watched.firewall.top_rules(LINES);
            let [rule, says, requests] = ["ops-rule", "ops-says", "ops-requests"].map(|key| t!(operator, key));
            let head = html! {
                th scope="col" { (rule) } th scope="col" { (says) } th scope="col" class="number" { (requests) }
            };
            let rows = html! {
                @for one in &rules {
                    tr {
                        th scope="row" { a href={ "/ops/firewall/requests?rule=" (one.rule) } { (one.rule) } }
                        (cell(&says, &html! { span class="break" lang="en" { (one.message) } }))
                        (number_cell(&requests, &format::whole(&operator, i64::try_from(one.requests).unwrap_or(i64::MAX))))
                    }
                }
            };
            html! {
                @if rules.is_empty() {
                    (empty(Picture::House, &t!(operator, "ops-quiet-title"), &t!(operator, "ops-quiet-text"), &html! {}))
                } @else { (table_card(&t!(operator, "ops-tab-rules"), &head, &rows)) }
            }
        }
    };
    tab(&operator, RULES, &t!(operator, "ops-rules-lead"), &body)
}
