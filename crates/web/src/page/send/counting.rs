//! The audience of a draft that is too large to be counted while the page waits: how far the count is, and the button
//! that asks for one.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue};
use letterkeep_campaign::Campaign;
use letterkeep_delivery::check::{Counting, PreSend, Wanted};
use letterkeep_model::Timestamp;
use maud::{Markup, html};

use super::{checked, draft};
use crate::component::{self, Tone, csrf_field, notice};
use crate::format;
use crate::frame;
use crate::text::t;
use crate::visit::Visit;
use crate::{Page, Problem};

/// While the count is under way, the page asks for itself again where no script does.
pub(super) fn refreshed(page: Page, found: &PreSend, headers: &HeaderMap) -> Page {
    // The cookie with the time zone is written by our script: whoever sends it has htmx to fetch the figures.
    let plain = frame::cookie(headers, frame::ZONE).is_none();
    if plain && matches!(found.audience, Counting::UnderWay { .. }) { page.refresh(2) } else { page }
}

/// What is to be said about the count itself.
pub(super) fn card(visit: &Visit, campaign: &Campaign, found: &PreSend) -> Markup {
    match found.audience {
        Counting::UnderWay { checked, total, since } => html! {
            (bar(visit, campaign, checked, total, since))
            p class="quiet" { (t!(visit, "count-goes-on")) }
        },
        Counting::Wanted { total, why } => {
            let (tone, text) = match why {
                Wanted::NotAsked => (Tone::Plain, t!(visit, "count-not-asked", count = total)),
                Wanted::CampaignChanged => (Tone::Warn, t!(visit, "count-campaign-changed")),
                Wanted::Failed => (Tone::Warn, t!(visit, "count-failed")),
            };
            notice(tone, &t!(visit, "count-wanted"), &html! { p { (text) } (button(visit, campaign, true)) })
        }
        Counting::Done { at: Some(at), moved_on, .. } => html! {
            @if moved_on {
                (notice(Tone::Warn, &t!(visit, "count-moved-on"), &html! { p { (t!(visit, "count-moved-on-text")) } (button(visit, campaign, false)) }))
            }
            p class="quiet small" { (t!(visit, "count-at")) " " (format::moment(visit, &visit.frame.zone, at)) }
        },
        Counting::Done { at: None, .. } | Counting::Broken => html! {},
    }
}

/// The figures alone, for htmx. Once the count has ended, the whole page is asked for.
pub(super) async fn part(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    let campaign = draft(&visit, &id).await?;
    if let Counting::UnderWay { checked, total, since } = checked(&visit, &campaign).await?.audience {
        return Ok(bar(&visit, &campaign, checked, total, since).into_response());
    }
    let mut response = html! {}.into_response();
    if let Ok(address) = HeaderValue::from_str(&format!("/campaigns/{}/check", campaign.id)) {
        response.headers_mut().insert("hx-redirect", address);
    }
    Ok(response)
}

fn bar(visit: &Visit, campaign: &Campaign, done: i64, total: i64, since: Timestamp) -> Markup {
    let seconds = visit.ctx.now().since(since).as_secs_f64();
    let rate = (seconds > 0.0 && done > 0).then(|| done as f64 / seconds);
    let work = component::Progress { name: t!(visit, "count-name"), done, total: Some(total), rate };
    html! {
        div class="card" id="counting" hx-get={ "/campaigns/" (campaign.id) "/check/progress" } hx-trigger="every 1s" hx-swap="outerHTML" {
            (component::progress(visit, &work))
        }
    }
}

fn button(visit: &Visit, campaign: &Campaign, first: bool) -> Markup {
    let (class, text) =
        if first { ("button button-primary", t!(visit, "count-button")) } else { ("button", t!(visit, "count-again")) };
    html! {
        form method="post" action={ "/campaigns/" (campaign.id) "/check" } {
            (csrf_field(&visit.frame))
            button class=(class) type="submit" { (text) }
        }
    }
}
