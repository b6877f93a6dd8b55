//! The audit log: what was done, by whom, and whether its chain of hashes is whole.

use std::collections::HashMap;

use axum::extract::Query;
use letterkeep_account::audit::{self, AuditActor, AuditEntry, Chain};
use letterkeep_account::{Action, user};
use maud::{Markup, html};

use crate::access::Routes;
use crate::component::{Pager, Tone, cell, notice, pager, table_card};
use crate::format;
use crate::text::{named_if_known, t};
use crate::visit::{Desk, Visit};
use crate::{Page, Problem, Section};

pub(crate) fn routes() -> Routes {
    Routes::new().get("/audit", Action::ViewAudit, list)
}

/// Entries on one page.
const LINES: i64 = 50;

/// Chains of up to so many entries are recomputed whenever the first page is opened; longer ones on demand.
const SHORT: i64 = 2_000;

#[derive(serde::Deserialize)]
struct Wanted {
    before: Option<i64>,
    check: Option<String>,
}

async fn list(Desk { visit, mut tx }: Desk, Query(wanted): Query<Wanted>) -> Result<Page, Problem> {
    let mut entries = audit::page(&visit.ctx, &mut tx, wanted.before, LINES + 1).await?;
    let more = entries.len() as i64 > LINES;
    entries.truncate(LINES as usize);
    let newest = entries.first().map_or(0, |entry| entry.seq);
    let check = wanted.check.is_some() || (wanted.before.is_none() && newest <= SHORT);
    let chain = if check { Some(audit::verify(&visit.ctx, &mut tx).await?) } else { None };
    let people = user::list(&visit.ctx, &mut tx, &visit.keyring).await?;
    let names: HashMap<_, _> = people.into_iter().map(|person| (person.id, person.user_name)).collect();

    let (when, who, what, object) =
        (t!(visit, "audit-when"), t!(visit, "audit-who"), t!(visit, "audit-what"), t!(visit, "audit-object"));
    let head = html! {
        th scope="col" class="number" { (t!(visit, "audit-number")) } th scope="col" { (when) } th scope="col" { (who) }
        th scope="col" { (what) } th scope="col" { (object) }
    };
    let rows = html! {
        @for entry in &entries {
            tr {
                th scope="row" class="number" { (format::whole(&visit, entry.seq)) }
                (cell(&when, &format::moment(&visit, &visit.frame.zone, entry.at)))
                (cell(&who, &html! { (actor(&visit, entry, &names)) }))
                (cell(&what, &html! { span title=(entry.action) { (named_if_known(&visit, "audit", &entry.action).unwrap_or_else(|| entry.action.clone())) } }))
                (cell(&object, &object_cell(entry, &names)))
            }
        }
    };
    let next = entries.last().filter(|_| more).map(|entry| format!("/audit?before={}", entry.seq));
    let line = Pager { text: String::new(), first: wanted.before.map(|_| "/audit".to_owned()), next };
    let body = html! {
        (chain_notice(&visit, chain))
        (table_card(&t!(visit, "nav-audit"), &head, &rows))
        (pager(&visit, &line))
    };
    Ok(Page::new(&visit.frame, &t!(visit, "nav-audit"))
        .lead(&t!(visit, "audit-lead"))
        .section(Section::Audit)
        .body(&body))
}

fn chain_notice(visit: &Visit, chain: Option<Chain>) -> Markup {
    match chain {
        Some(Chain::Whole(count)) => notice(
            Tone::Good,
            &t!(visit, "audit-whole"),
            &html! { p { (t!(visit, "audit-whole-text", count = count)) } },
        ),
        Some(Chain::BrokenAt(seq)) => notice(
            Tone::Bad,
            &t!(visit, "audit-broken", number = seq),
            &html! { p { (t!(visit, "audit-broken-text")) } },
        ),
        None => html! { p { a class="button" href="/audit?check=yes" { (t!(visit, "audit-check")) } } },
    }
}

fn actor(
    visit: &Visit,
    entry: &AuditEntry,
    names: &HashMap<letterkeep_model::Id<letterkeep_model::kind::User>, String>,
) -> String {
    match &entry.actor {
        AuditActor::User(id) => names.get(id).cloned().unwrap_or_else(|| id.to_string()),
        AuditActor::System => t!(visit, "audit-system"),
        AuditActor::Public => t!(visit, "audit-public"),
        AuditActor::Unknown => t!(visit, "audit-unknown"),
    }
}

fn object_cell(
    entry: &AuditEntry,
    names: &HashMap<letterkeep_model::Id<letterkeep_model::kind::User>, String>,
) -> Markup {
    let known = entry.object.parse().ok().and_then(|id| names.get(&id));
    html! { @match known { Some(name) => (name), None => @if !entry.object.is_empty() { (object_id(&entry.object)) } } }
}

/// An id as it stands in the log, which may break after its kind.
fn object_id(object: &str) -> Markup {
    let (kind, rest) = object.split_at(object.rfind('_').map_or(0, |place| place + 1));
    html! { code class="small id" { (kind) wbr; (rest) } }
}
