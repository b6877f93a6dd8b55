//! A campaign that waits for its time or goes out: how far it is, and the buttons that stop it.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use letterkeep_account::Action;
use letterkeep_audience::field as custom_field;
use letterkeep_campaign::{Campaign, CampaignError, State};
use letterkeep_delivery::report::{self, Totals};
use letterkeep_delivery::trouble::{self, Trouble};
use letterkeep_model::Timestamp;
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::campaigns::{fault, find, known, may, page_of, state_seal};
use super::mail_trouble;
use crate::access::Routes;
use crate::component::{Confirm, Fields, Progress, Stat, Tone, confirm, csrf_field, notice, progress, stats};
use crate::format;
use crate::text::{named_if_known, t};
use crate::visit::{Desk, Posted, Sent, Visit};
use crate::{Page, Problem, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/campaigns/{id}/progress", Action::ViewReports, show)
        .post("/campaigns/{id}/pause", Action::SendCampaigns, pause)
        .post("/campaigns/{id}/resume", Action::SendCampaigns, resume)
        .post("/campaigns/{id}/unschedule", Action::SendCampaigns, unschedule)
        .get("/campaigns/{id}/cancel", Action::SendCampaigns, ask_cancel)
        .post("/campaigns/{id}/cancel", Action::SendCampaigns, cancel)
}

async fn show(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    // One that was cancelled before its time came has no report: nothing was ever sent.
    if matches!(campaign.state, State::Finished | State::Cancelled) && campaign.activity.is_some() {
        let report = format!("/campaigns/{}/report", campaign.id);
        if visit.frame.fragment {
            return Ok(([("hx-redirect", report)], "").into_response());
        }
        return Ok(see_other(&report));
    }
    let live = live(&visit, &mut tx, &campaign).await?;
    if visit.frame.fragment {
        return Ok(live.into_response());
    }
    Ok(page(&visit, &campaign, &live).into_response())
}

fn page(visit: &Visit, campaign: &Campaign, live: &Markup) -> Page {
    let moves = !matches!(campaign.state, State::Draft | State::Cancelled);
    let address = format!("/campaigns/{}/progress", campaign.id);
    let body = html! {
        div id="live" hx-get=[moves.then_some(&address)] hx-trigger=[moves.then_some("every 2s")] hx-sync="this:drop" hx-swap="innerMorph" { (live) }
        @if campaign.state == State::Sending { p class="quiet small" { (t!(visit, "progress-goes-on")) } }
    };
    let page = page_of(visit, campaign, &t!(visit, "progress-title")).body(&body);
    if moves { page.refresh(10) } else { page }
}

/// The part that is asked for again and again.
async fn live(visit: &Visit, tx: &mut Tx, campaign: &Campaign) -> Result<Markup, Problem> {
    let figures = match campaign.activity {
        Some(activity) => Some(report::totals(&visit.ctx, tx, activity).await?),
        None => None,
    };
    let trouble = match campaign.activity.filter(|_| matches!(campaign.state, State::Sending | State::Paused)) {
        Some(activity) => trouble::find(&visit.ctx, tx, &visit.keyring, activity).await?,
        None => None,
    };
    Ok(html! {
        div class="stack" {
            p { (state_seal(visit, campaign.state)) }
            @if let Some(at) = campaign.scheduled_at.filter(|_| campaign.state == State::Scheduled) {
                (notice(Tone::Plain, "", &html! { p { (t!(visit, "progress-waits")) " " strong { (format::moment(visit, &visit.frame.zone, at)) } } }))
            }
            @if campaign.state == State::Draft { p { (t!(visit, "progress-draft")) } }
            @if campaign.state == State::Cancelled { p { (t!(visit, "progress-cancelled")) } }
            @if !campaign.state_reason.is_empty() {
                (notice(Tone::Warn, &t!(visit, "progress-held"), &html! { p { (named_if_known(visit, "held", &campaign.state_reason).unwrap_or_else(|| campaign.state_reason.clone())) } }))
            }
            @if let Some((trouble, at)) = &trouble { (held_up(visit, campaign, trouble, *at)) }
            @if let Some(totals) = &figures { (bar(visit, campaign, totals)) }
            (buttons(visit, campaign))
        }
    })
}

/// What stands in the way, and what happens now.
fn held_up(visit: &Visit, campaign: &Campaign, trouble: &Trouble, at: Timestamp) -> Markup {
    let sending = campaign.state == State::Sending;
    let title = t!(visit, if sending { "trouble-title" } else { "trouble-last-title" });
    notice(
        Tone::Warn,
        &title,
        &html! {
            (mail_trouble::sending(visit, trouble))
            @if sending { p { (t!(visit, "trouble-goes-on")) } }
            p class="quiet small" { (t!(visit, "trouble-at")) " " (format::moment(visit, &visit.frame.zone, at)) }
        },
    )
}

fn bar(visit: &Visit, campaign: &Campaign, totals: &Totals) -> Markup {
    let rate = totals.rate.filter(|_| campaign.state == State::Sending);
    // Until the audience is frozen, nobody knows how many there are.
    let work = if campaign.state == State::Sending && totals.recipients == 0 {
        Progress { name: t!(visit, "progress-gathers"), done: 0, total: None, rate: None }
    } else {
        Progress { name: t!(visit, "progress-name"), done: totals.done(), total: Some(totals.recipients), rate }
    };
    html! {
        section class="card" { (progress(visit, &work)) }
        (stats(&[
            Stat::new(format::whole(visit, totals.accepted), t!(visit, "figure-accepted")),
            Stat::new(format::whole(visit, totals.waiting), t!(visit, "figure-waiting")),
            Stat::new(format::whole(visit, totals.deferred), t!(visit, "figure-deferred")),
            Stat::new(format::whole(visit, totals.failed), t!(visit, "figure-failed")),
            Stat::new(format::whole(visit, totals.skipped), t!(visit, "figure-skipped")),
        ]))
    }
}

fn buttons(visit: &Visit, campaign: &Campaign) -> Markup {
    let action = |name: &str| format!("/campaigns/{}/{name}", campaign.id);
    let post = |name: &str, class: &str, text: String| {
        html! { form method="post" action=(action(name)) { (csrf_field(&visit.frame)) button class=(class) type="submit" { (text) } } }
    };
    html! {
        div class="form-actions" {
            @if may(visit, Action::SendCampaigns) {
                @match campaign.state {
                    State::Sending => (post("pause", "button", t!(visit, "pause"))),
                    State::Paused => (post("resume", "button button-primary", t!(visit, "resume"))),
                    State::Scheduled => (post("unschedule", "button button-primary", t!(visit, "unschedule"))),
                    _ => {},
                }
                @if matches!(campaign.state, State::Sending | State::Paused | State::Scheduled) {
                    a class="button button-danger" href=(action("cancel")) { (t!(visit, "cancel-sending")) }
                }
            }
            @if campaign.state == State::Cancelled && may(visit, Action::EditCampaigns) { (post("copy", "button", t!(visit, "campaign-copy"))) }
            @if campaign.activity.is_some() { a class="button button-plain" href=(action("report")) { (t!(visit, "report-link")) } }
        }
    }
}

async fn pause(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    letterkeep_campaign::pause(&visit.ctx, &mut tx, campaign.id).await.map_err(fault)?;
    tx.commit().await?;
    Ok(see_other(&format!("/campaigns/{}/progress", campaign.id)))
}

async fn resume(Path(id): Path<String>, Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let mut tx = visit.read().await?;
    let campaign = find(&visit, &mut tx, &id).await?;
    let known = known(&custom_field::all(&visit.ctx, &mut tx).await?);
    drop(tx);
    let examined = letterkeep_campaign::examine(&campaign, known).await;
    let mut tx = visit.write().await?;
    match letterkeep_campaign::resume(&visit.ctx, &mut tx, &visit.keyring, &examined).await {
        Ok(_) => tx.commit().await?,
        // What is missing stands on the page already; cancelling and copying is the way on.
        Err(CampaignError::Problems(_) | CampaignError::NoAudience | CampaignError::AudienceGone) => {
            return Err(Problem::Changed);
        }
        Err(error) => return Err(fault(error)),
    }
    Ok(see_other(&format!("/campaigns/{}/progress", campaign.id)))
}

async fn unschedule(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    letterkeep_campaign::unschedule(&visit.ctx, &mut tx, campaign.id).await.map_err(fault)?;
    tx.commit().await?;
    Ok(see_other(&format!("/campaigns/{}/edit", campaign.id)))
}

async fn ask_cancel(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Page, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    Ok(cancel_page(&visit, &campaign, &Fields::new()))
}

fn cancel_page(visit: &Visit, campaign: &Campaign, form: &Fields) -> Page {
    let word = t!(visit, "cancel-word");
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: &format!("/campaigns/{}/cancel", campaign.id),
            consequence: html! { p { (t!(visit, "cancel-text")) } },
            button: &t!(visit, "cancel-sending"),
            typed: Some(&word),
            back: &format!("/campaigns/{}/progress", campaign.id),
            fields: form,
        },
    );
    page_of(visit, campaign, &t!(visit, "cancel-sending")).body(&body)
}

async fn cancel(Path(id): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    if !form.text("confirm").trim().eq_ignore_ascii_case(&t!(visit, "cancel-word")) {
        form.refuse("confirm", t!(visit, "confirm-refused"));
        let page = cancel_page(&visit, &campaign, &form);
        return Ok(page.status(http::StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    letterkeep_campaign::cancel(&visit.ctx, &mut tx, campaign.id).await.map_err(fault)?;
    tx.commit().await?;
    Ok(see_other(&format!("/campaigns/{}", campaign.id)))
}
