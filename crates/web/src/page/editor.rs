//! The editor: everything of a draft on one page, beside the message as it will look.

mod form;
pub(super) mod preview;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_audience::{contact, field as custom_field};
use letterkeep_campaign::{Campaign, CampaignError, Problem as ContentProblem, Severity, State, compile_apart};
use letterkeep_delivery::check::start_if_large;
use letterkeep_model::{EmailAddress, Locale};
use letterkeep_store::Tx;
use maud::{Markup, html};

use self::form::{Choices, filled, read};
use super::campaigns::{fault, find, known, may, page_of};
use super::send::unchecked;
use crate::access::Routes;
use crate::component::{Fields, Seal, Tone, notice, seal};
use crate::text::{named_if_known, t};
use crate::visit::{Desk, Posted, Sent, Visit};
use crate::{Page, Problem, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/campaigns/{id}/edit", Action::EditCampaigns, show)
        .post("/campaigns/{id}/edit", Action::EditCampaigns, save)
        .get("/campaigns/{id}/preview", Action::ViewCampaigns, stored_preview)
        .post("/campaigns/{id}/preview", Action::EditCampaigns, typed_preview)
        .post("/campaigns/{id}/problems", Action::EditCampaigns, typed_problems)
}

async fn show(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    if campaign.state != State::Draft {
        return Ok(see_other(&format!("/campaigns/{}", campaign.id)));
    }
    drop(tx);
    let form = filled(&campaign);
    Ok(page(&visit, &campaign, &form, None).await?.into_response())
}

async fn save(Path(id): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    let revision = form.text("revision").parse().map_err(|_| Problem::Unreadable)?;
    let read = read(&visit, &mut form, &campaign);
    let Some((content, audience)) = read else {
        drop(tx);
        let page = page(&visit, &campaign, &form, None).await?;
        return Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    };
    let name = form.text("name").trim().to_owned();
    let outcome = write(&visit, &mut tx, &campaign, revision, &name, &content, audience).await;
    match outcome {
        Ok(()) => {
            let checks = form.text("then") == "check";
            if checks {
                let at_once = visit.house.settings.check_at_once;
                start_if_large(&visit.ctx, &mut tx, &visit.keyring, campaign.id, at_once).await.map_err(unchecked)?;
            }
            tx.commit().await?;
            let next = if checks { "check" } else { "edit?saved=yes" };
            Ok(see_other(&format!("/campaigns/{}/{next}", campaign.id)))
        }
        Err(CampaignError::Changed(now)) => {
            drop(tx);
            form.set("revision", now.to_string());
            let warning = notice(
                Tone::Bad,
                &t!(visit, "editor-conflict-title"),
                &html! {
                    p { (t!(visit, "editor-conflict-text")) }
                    p { a href={ "/campaigns/" (campaign.id) "/preview" } target="_blank" rel="noopener" { (t!(visit, "editor-conflict-link")) } }
                },
            );
            let page = page(&visit, &campaign, &form, Some(warning)).await?;
            Ok(page.status(StatusCode::CONFLICT).into_response())
        }
        Err(error) => {
            drop(tx);
            match error {
                CampaignError::Name => form.refuse("name", t!(visit, "campaign-name-refused")),
                CampaignError::AudienceTooLarge => form.refuse("", t!(visit, "audience-too-large")),
                other => return Err(fault(other)),
            }
            let page = page(&visit, &campaign, &form, None).await?;
            Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

/// Content and audience in one step, the name in another if it has changed; all in the caller's transaction.
async fn write(
    visit: &Visit,
    tx: &mut Tx,
    campaign: &Campaign,
    revision: i64,
    name: &str,
    content: &letterkeep_campaign::Content,
    audience: letterkeep_campaign::Audience,
) -> Result<(), CampaignError> {
    let (ctx, keyring) = (&visit.ctx, &visit.keyring);
    let saved = letterkeep_campaign::update(ctx, tx, keyring, campaign.id, revision, content, audience).await?;
    if name != campaign.name {
        letterkeep_campaign::rename(ctx, tx, keyring, campaign.id, saved.revision, name).await?;
    }
    Ok(())
}

async fn stored_preview(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    let custom = custom_field::all(&visit.ctx, &mut tx).await?;
    drop(tx);
    let sample = preview::sample(&visit, &custom);
    Ok(preview::frame(&visit, campaign.content, &custom, sample).await)
}

/// What stands in the form at this moment, shown in the frame. Nothing is stored.
async fn typed_preview(Path(id): Path<String>, Sent { visit, mut form, .. }: Sent) -> Result<Response, Problem> {
    let mut tx = visit.read().await?;
    let campaign = find(&visit, &mut tx, &id).await?;
    let custom = custom_field::all(&visit.ctx, &mut tx).await?;
    let mut fields = preview::sample(&visit, &custom);
    if let Some(email) = form.filled("preview_for") {
        letterkeep_account::authorize(&visit.ctx, Action::PreviewWithContact).map_err(|_| Problem::Forbidden)?;
        let found = match EmailAddress::parse(email) {
            Ok(email) => contact::find_by_email(&visit.ctx, &mut tx, &visit.keyring, &email).await,
            Err(_) => Ok(None),
        };
        match found? {
            Some(contact) => fields = letterkeep_campaign::Fields::new(contact.merge_fields(&custom)),
            None => return Ok(preview::sentence(&visit, &t!(visit, "preview-nobody"), "")),
        }
    }
    drop(tx);
    let Some((content, _)) = read(&visit, &mut form, &campaign) else {
        return Ok(preview::sentence(&visit, &t!(visit, "preview-form"), ""));
    };
    Ok(preview::frame(&visit, content, &custom, fields).await)
}

/// The problems of what stands in the form at this moment.
async fn typed_problems(Path(id): Path<String>, Sent { visit, mut form, .. }: Sent) -> Result<Markup, Problem> {
    let mut tx = visit.read().await?;
    let campaign = find(&visit, &mut tx, &id).await?;
    let custom = custom_field::all(&visit.ctx, &mut tx).await?;
    drop(tx);
    let Some((content, _)) = read(&visit, &mut form, &campaign) else {
        return Ok(html! { p class="quiet" { (t!(visit, "preview-form")) } });
    };
    Ok(problems(&visit, &found_problems(content, &custom).await))
}

async fn found_problems(
    content: letterkeep_campaign::Content,
    custom: &[letterkeep_audience::CustomField],
) -> Vec<ContentProblem> {
    match compile_apart(content, known(custom)).await {
        Ok(compiled) => compiled.problems().to_vec(),
        Err(problems) => problems,
    }
}

/// What should be mended or known about content, each with its place and what to do.
pub(super) fn problems(visit: &Visit, found: &[ContentProblem]) -> Markup {
    html! {
        @if found.is_empty() {
            p class="row" { (crate::component::seal_shape(Seal::Good)) (t!(visit, "content-sound")) }
        } @else {
            ul class="problem-list" {
                @for problem in found {
                    li {
                        (match problem.severity {
                            Severity::Advice => seal(Seal::Off, &t!(visit, "severity-advice")),
                            Severity::Incomplete => seal(Seal::Warn, &t!(visit, "severity-incomplete")),
                            Severity::Broken => seal(Seal::Bad, &t!(visit, "severity-broken")),
                        })
                        div {
                            p {
                                span class="quiet" {
                                    (crate::text::named(visit, "content-part", problem.part))
                                    @if let Some(line) = problem.line { ", " (t!(visit, "content-line", line = line)) }
                                    ": "
                                }
                                @match german(visit, problem) {
                                    Some(text) => {
                                        (text)
                                        @if !problem.subject.is_empty() { " " code { (problem.subject) } }
                                    }
                                    None => span lang="en" { (problem.what) },
                                }
                            }
                            @if !problem.hint.is_empty() && german(visit, problem).is_none() {
                                p class="quiet small" lang="en" { (problem.hint) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The room says it in English, with the particulars; German readers get the sentence of its code.
fn german(visit: &Visit, problem: &ContentProblem) -> Option<String> {
    let german = visit.frame.locale == Locale::De;
    if german { named_if_known(visit, "content-problem", problem.code) } else { None }
}

async fn page(visit: &Visit, campaign: &Campaign, form: &Fields, warning: Option<Markup>) -> Result<Page, Problem> {
    let mut tx = visit.read().await?;
    let choices = Choices::load(visit, &mut tx).await?;
    let custom = custom_field::all(&visit.ctx, &mut tx).await?;
    let whole = campaign.audience.is_whole(&visit.ctx, &mut tx).await?;
    drop(tx);
    let found = found_problems(campaign.content.clone(), &custom).await;
    let saved = visit.frame.path.ends_with("?saved=yes");
    let body = html! {
        @if let Some(warning) = &warning { (warning) }
        @if saved { (notice(Tone::Good, "", &html! { p { (t!(visit, "saved")) } })) }
        @if !whole { (notice(Tone::Warn, &t!(visit, "audience-gone-title"), &html! { p { (t!(visit, "audience-gone-text")) } })) }
        (crate::component::error_summary(visit, form))
        div class="editor" {
            (form::form(visit, campaign, form, &choices, &custom))
            aside class="editor-side" aria-label=(t!(visit, "preview-title")) {
                section class="card preview-pane" {
                    div class="spread" {
                        h2 { (t!(visit, "preview-title")) }
                        fieldset class="preview-widths" {
                            legend class="visually-hidden" { (t!(visit, "preview-width")) }
                            label { input type="radio" name="preview-width" value="wide" checked; (t!(visit, "preview-wide")) }
                            label { input type="radio" name="preview-width" value="phone"; (t!(visit, "preview-phone")) }
                        }
                    }
                    div class="preview-ground" {
                        iframe class="preview" id="preview" name="preview" sandbox="" title=(t!(visit, "preview-title"))
                            src={ "/campaigns/" (campaign.id) "/preview" } {}
                    }
                    p class="quiet small" { (t!(visit, if may(visit, Action::PreviewWithContact) { "preview-help" } else { "preview-help-sample" })) }
                }
                section class="card" {
                    h2 { (t!(visit, "problems-title")) }
                    div id="problems" aria-live="polite"
                        hx-post={ "/campaigns/" (campaign.id) "/problems" } hx-trigger="input delay:900ms from:#editor-form"
                        hx-include="#editor-form" hx-sync="this:replace" { (problems(visit, &found)) }
                }
            }
        }
    };
    Ok(page_of(visit, campaign, &t!(visit, "editor-title"))
        .actions(html! {
            button class="button button-primary" type="submit" form="editor-form" name="then" value="check" { (t!(visit, "editor-check")) }
            button class="button" type="submit" form="editor-form" { (t!(visit, "save")) }
            a class="button button-plain" href={ "/campaigns/" (campaign.id) "/delete" } { (t!(visit, "campaign-delete")) }
        })
        .body(&body))
}
