//! The recipients of a sending by state, paged by key.

use std::collections::HashMap;

use axum::extract::{Path, Query};
use letterkeep_account::Action;
use letterkeep_delivery::report;
use letterkeep_model::{Id, kind};
use maud::html;

use crate::access::Routes;
use crate::component::{Pager, Picture, cell, empty, pager, table_card, tabs};
use crate::format;
use crate::page::campaigns::{find, page_of};
use crate::page::mail_trouble::quoted;
use crate::page::send::reason_text;
use crate::text::{named, t};
use crate::visit::Desk;
use crate::{Page, Problem};

pub(super) fn routes() -> Routes {
    Routes::new().get("/campaigns/{id}/recipients", Action::ViewReportRecipients, show)
}

/// The states that have a list.
const STATES: [&str; 5] = ["failed", "in_doubt", "skipped", "deferred", "accepted"];
/// Recipients on a page; the room yields at most 200.
const LINES: usize = 50;

#[derive(serde::Deserialize)]
struct Wanted {
    state: Option<String>,
    after: Option<String>,
}

async fn show(
    Desk { visit, mut tx }: Desk,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Page, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    let activity = campaign.activity.ok_or(Problem::NotFound)?;
    let wanted_state = wanted.state.as_deref().unwrap_or("failed");
    let state = STATES.into_iter().find(|state| *state == wanted_state).ok_or(Problem::NotFound)?;
    let after: Option<Id<kind::Contact>> =
        wanted.after.as_deref().map(str::parse).transpose().map_err(|_| Problem::NotFound)?;
    let mut found = report::recipients(&visit.ctx, &mut tx, activity, state, after).await?;
    let more = found.len() > LINES;
    found.truncate(LINES);
    let ids: Vec<_> = found.iter().map(|recipient| recipient.contact).collect();
    let words = match state {
        // What was said before the message was taken does not matter any more.
        "accepted" | "skipped" => HashMap::new(),
        _ => report::last_words(&visit.ctx, &mut tx, &visit.keyring, activity, &ids).await?,
    };
    drop(tx);
    let (addresses, unreadable) = report::addresses(&visit.ctx, &visit.house.store, &ids).await?;

    let address = |state: &str| format!("/campaigns/{}/recipients?state={state}", campaign.id);
    let filter: Vec<_> = STATES.iter().map(|state| (address(state), named(&visit, "recipient-state", state))).collect();
    let (who, reason, reply, when) =
        (t!(visit, "recipient"), t!(visit, "reason"), t!(visit, "recipient-reply"), t!(visit, "campaign-when"));
    let head = html! { th scope="col" { (who) } th scope="col" { (reason) } th scope="col" { (reply) } th scope="col" { (when) } };
    let rows = html! {
        @for recipient in &found {
            tr {
                th scope="row" {
                    @match addresses.get(&recipient.contact) {
                        Some(address) => a href={ "/contacts/" (recipient.contact) } { (address.as_str()) },
                        None if unreadable.contains(&recipient.contact) => span class="quiet" { (t!(visit, "recipient-unreadable")) },
                        None => span class="quiet" { (t!(visit, "recipient-erased")) },
                    }
                }
                (cell(&reason, &html! { @if !recipient.reason.is_empty() { (reason_text(&visit, &recipient.reason)) } }))
                (cell(&reply, &html! {
                    @if let Some(words) = words.get(&recipient.contact) {
                        @match words {
                            Some(words) => (quoted(words)),
                            None => span class="quiet" { (t!(visit, "recipient-reply-unreadable")) },
                        }
                    } @else if let Some(code) = recipient.reply_code { code { (code) @if let Some(enhanced) = &recipient.enhanced_code { " " (enhanced) } } }
                }))
                (cell(&when, &format::moment(&visit, &visit.frame.zone, recipient.at)))
            }
        }
    };
    let next = found.last().filter(|_| more).map(|last| format!("{}&after={}", address(state), last.contact));
    let line = Pager { text: String::new(), first: after.map(|_| address(state)), next };
    let body = html! {
        (tabs(&t!(visit, "recipients-title"), &filter, &address(state)))
        @if found.is_empty() {
            (empty(Picture::People, &t!(visit, "recipients-empty"), &t!(visit, "recipients-empty-text"), &html! {}))
        } @else {
            (table_card(&t!(visit, "recipients-title"), &head, &rows))
            (pager(&visit, &line))
        }
    };
    Ok(page_of(&visit, &campaign, &t!(visit, "recipients-title")).body(&body))
}
