//! Before a campaign goes out: the check over its whole audience, a test message, and the launch.

mod counting;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::tz::TimeZone;
use letterkeep_account::Action;
use letterkeep_audience::{contact, field as custom_field};
use letterkeep_campaign::{Campaign, CampaignError, State, When};
use letterkeep_delivery::check::{CheckError, Count, Counting, PreSend, pre_send, start};
use letterkeep_delivery::test_send::{Sample, test_send};
use letterkeep_delivery::{domain, relay};
use letterkeep_model::{EmailAddress, Timestamp};
use maud::{Markup, html};

use super::campaigns::{fault, find, known, may, page_of};
use super::editor::{preview, problems};
use super::mail_trouble;
use crate::access::Routes;
use crate::component::{
    Fields, Input, Seal, Stat, Tone, csrf_field, error_summary, field, hidden, notice, seal_shape, stats, submit,
};
use crate::format;
use crate::text::{Speaks, named_if_known, t};
use crate::visit::{Posted, Sent, Visit};
use crate::{Page, Problem, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/campaigns/{id}/check", Action::ViewCampaigns, check)
        .post("/campaigns/{id}/check", Action::EditCampaigns, count)
        .get("/campaigns/{id}/check/progress", Action::ViewCampaigns, counting::part)
        .post("/campaigns/{id}/test", Action::TestSend, test)
        .get("/campaigns/{id}/send", Action::SendCampaigns, ask)
        .post("/campaigns/{id}/send", Action::SendCampaigns, launch)
}

async fn checked(visit: &Visit, campaign: &Campaign) -> Result<PreSend, Problem> {
    pre_send(&visit.ctx, &visit.house.store, campaign.id, visit.house.settings.check_at_once).await.map_err(unchecked)
}

/// What a failure of the check means where no form shows it.
pub(super) fn unchecked(error: CheckError) -> Problem {
    match error {
        CheckError::NoCampaign => Problem::NotFound,
        CheckError::Campaign(error) => fault(error),
        CheckError::Store(error) => error.into(),
        CheckError::Keys(error) => error.into(),
        CheckError::People(error) => error.into(),
    }
}

async fn check(visit: Visit, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let campaign = draft(&visit, &id).await?;
    if campaign.state != State::Draft {
        return Ok(see_other(&format!("/campaigns/{}", campaign.id)));
    }
    let found = checked(&visit, &campaign).await?;
    let page = check_page(&visit, &campaign, &found, &Fields::new(), None);
    Ok(counting::refreshed(page, &found, &headers).into_response())
}

/// Has the audience counted in the background.
async fn count(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    if campaign.state != State::Draft {
        return Err(Problem::Changed);
    }
    start(&visit.ctx, &mut tx, &visit.keyring, campaign.id).await.map_err(unchecked)?;
    tx.commit().await?;
    Ok(see_other(&format!("/campaigns/{}/check", campaign.id)))
}

async fn draft(visit: &Visit, id: &str) -> Result<Campaign, Problem> {
    let mut tx = visit.read().await?;
    find(visit, &mut tx, id).await
}

fn check_page(visit: &Visit, campaign: &Campaign, found: &PreSend, form: &Fields, tested: Option<&Markup>) -> Page {
    let body = html! {
        @if let Some(tested) = tested { (tested) }
        (error_summary(visit, form))
        (verdict(visit, found))
        (counting::card(visit, campaign, found))
        @if let Some(count) = found.count() {
            (stats(&[
                Stat::new(format::whole(visit, count.would_send), t!(visit, "check-would-send")),
                Stat::new(format::whole(visit, count.would_skip.values().sum()), t!(visit, "check-would-skip")),
            ]))
        }
        div class="columns" {
            section class="card" {
                h2 { (t!(visit, "check-things")) }
                ul class="check-list" {
                    (line(visit, found.has_postal_address, &t!(visit, "check-postal"), &t!(visit, "check-no-postal"), &format!("/campaigns/{}/edit#postal_address", campaign.id)))
                    (line(visit, found.has_domain, &t!(visit, "check-domain"), &t!(visit, "check-no-domain", domain = campaign.content.from_address.domain()), if may(visit, Action::ManageSendingDomains) { "/domains" } else { "" }))
                    (line(visit, found.has_relay, &t!(visit, "check-relay"), &t!(visit, "check-no-relay"), if may(visit, Action::ManageRelay) { "/relay" } else { "" }))
                    (line(visit, !campaign.audience.is_empty() && found.has_whole_audience, &t!(visit, "check-audience"),
                        &if campaign.audience.is_empty() { t!(visit, "check-no-audience") } else { t!(visit, "check-audience-gone") },
                        &format!("/campaigns/{}/edit#audience", campaign.id)))
                }
            }
            @if let Some(count) = found.count() { (skipped(visit, count)) }
        }
        section class="card" { h2 { (t!(visit, "problems-title")) } (problems(visit, &found.problems)) }
        div class="columns" {
            section class="card" {
                h2 { (t!(visit, "test-title")) }
                p class="quiet" { (t!(visit, "test-text")) }
                form class="form" method="post" action={ "/campaigns/" (campaign.id) "/test" } {
                    (csrf_field(&visit.frame))
                    (field(visit, form, &Input::email("to", &t!(visit, "test-to"))))
                    @if may(visit, Action::PreviewWithContact) {
                        (field(visit, form, &Input::new("email", "sample_for", &t!(visit, "test-for")).help(t!(visit, "preview-for-help")).autocomplete("off").optional()))
                    }
                    div class="form-actions" { button class="button" type="submit" { (t!(visit, "test-button")) } }
                }
            }
            section class="card" {
                h2 { (t!(visit, "send-title")) }
                @if !may(visit, Action::SendCampaigns) { p { (t!(visit, "send-not-you")) } }
                @else if !found.is_ready() { p { (t!(visit, "send-not-ready")) } }
                @else { (when_form(visit, campaign, form)) }
            }
        }
    };
    page_of(visit, campaign, &t!(visit, "check-title"))
        .lead(&t!(visit, "check-lead"))
        .actions(html! { @if may(visit, Action::EditCampaigns) { a class="button" href={ "/campaigns/" (campaign.id) "/edit" } { (t!(visit, "check-back")) } } })
        .body(&body)
}

/// Whether it can go out. While only the count of the audience is missing, the count's own card says what to do.
fn verdict(visit: &Visit, found: &PreSend) -> Markup {
    match &found.audience {
        Counting::Done { count, .. } if found.is_ready() => notice(
            Tone::Good,
            &t!(visit, "check-ready"),
            &html! { p { (t!(visit, "check-ready-text", count = count.would_send)) } },
        ),
        Counting::Done { .. } | Counting::Broken => {
            notice(Tone::Warn, &t!(visit, "check-not-ready"), &html! { p { (t!(visit, "check-not-ready-text")) } })
        }
        Counting::UnderWay { .. } | Counting::Wanted { .. } => html! {},
    }
}

fn skipped(visit: &Visit, count: &Count) -> Markup {
    html! {
        section class="card" {
            h2 { (t!(visit, "check-skipped-title")) }
            @if count.would_skip.is_empty() { p class="quiet" { (t!(visit, "check-skipped-nobody")) } } @else {
                table class="table table-plain" {
                    thead { tr { th scope="col" { (t!(visit, "reason")) } th scope="col" class="number" { (t!(visit, "contacts-word")) } } }
                    tbody { @for (reason, number) in &count.would_skip { tr {
                        th scope="row" { (reason_text(visit, reason)) }
                        td class="number" { (format::whole(visit, *number)) }
                    } } }
                }
            }
            @if !count.missing.is_empty() {
                h3 { (t!(visit, "check-missing-title")) }
                p class="quiet small" { (t!(visit, "check-missing-help")) }
                ul class="check-list" { @for (key, missing) in &count.missing { li {
                    (seal_shape(Seal::Warn))
                    div {
                        p { code { "{{ " (key) " }}" } ": " (t!(visit, "contacts-number", count = missing.contacts)) }
                        @if may(visit, Action::ViewContacts) && !missing.examples.is_empty() {
                            p class="quiet small" { (t!(visit, "check-examples")) @for (place, id) in missing.examples.iter().enumerate() { " " a href={ "/contacts/" (id) } { (place + 1) } } }
                        }
                    }
                } } }
            }
        }
    }
}

fn line(speaks: &impl Speaks, done: bool, yes: &str, no: &str, href: &str) -> Markup {
    html! {
        li {
            (seal_shape(if done { Seal::Good } else { Seal::Bad }))
            @if done { p { (yes) } } @else { p { (no) @if !href.is_empty() { " " a href=(href) { (t!(speaks, "check-mend")) } } } }
        }
    }
}

/// Why somebody gets or got nothing, in words.
pub(super) fn reason_text(visit: &Visit, reason: &str) -> String {
    named_if_known(visit, "reason", reason).unwrap_or_else(|| reason.to_owned())
}

fn when_form(visit: &Visit, campaign: &Campaign, form: &Fields) -> Markup {
    let zone = visit.frame.zone.iana_name().unwrap_or("UTC").to_owned();
    let later = form.text("when") == "at";
    html! {
        form class="form few-needed" method="get" action={ "/campaigns/" (campaign.id) "/send" } {
            fieldset class="field" {
                legend { (t!(visit, "send-when")) }
                div class="check" { input type="radio" id="when-now" name="when" value="now" checked[!later]; label for="when-now" { (t!(visit, "send-now")) } }
                div class="check" { input type="radio" id="when-at" name="when" value="at" checked[later]; label for="when-at" { (t!(visit, "send-at")) } }
            }
            div class="for-later" { (field(visit, form, &Input::new("datetime-local", "at", &t!(visit, "send-time")).help(t!(visit, "send-zone", zone = zone)).optional())) }
            (submit(&t!(visit, "send-continue")))
        }
    }
}

async fn test(Path(id): Path<String>, Sent { visit, mut form, .. }: Sent) -> Result<Response, Problem> {
    let campaign = draft(&visit, &id).await?;
    let to = EmailAddress::parse(form.text("to").trim()).ok();
    if to.is_none() {
        form.refuse("to", t!(visit, "email-refused"));
    }
    let sample = sample(&visit, &mut form).await?;
    let outcome = match (to.zip(sample), &visit.house.settings.outbound) {
        (None, _) => None,
        (_, None) => Some(Err(html! { p { (t!(visit, "test-no-outbound")) } })),
        (Some((to, sample)), Some(outbound)) => {
            let sent = test_send(&visit.ctx, &visit.house.store, outbound, campaign.id, &to, sample).await;
            Some(match sent {
                Ok(()) => Ok(to),
                Err(error) => Err(mail_trouble::test_send(&visit, error)?),
            })
        }
    };
    let status = match &outcome {
        Some(Ok(_)) => StatusCode::OK,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let tested = outcome.map(|outcome| match outcome {
        Ok(to) => notice(
            Tone::Good,
            &t!(visit, "test-sent", to = to.as_str()),
            &html! { p { (t!(visit, "test-sent-text")) } },
        ),
        Err(reason) => notice(Tone::Bad, &t!(visit, "test-failed"), &reason),
    });
    let found = checked(&visit, &campaign).await?;
    Ok(check_page(&visit, &campaign, &found, &form, tested.as_ref()).status(status).into_response())
}

/// Whose data fill the merge tags: a contact's, for whoever may see contacts in previews, or made-up ones. `None` if the
/// form names nobody.
async fn sample(visit: &Visit, form: &mut Fields) -> Result<Option<Sample>, Problem> {
    let mut tx = visit.read().await?;
    let Some(email) = form.filled("sample_for") else {
        let custom = custom_field::all(&visit.ctx, &mut tx).await?;
        return Ok(Some(Sample::MadeUp(preview::sample(visit, &custom))));
    };
    letterkeep_account::authorize(&visit.ctx, Action::PreviewWithContact).map_err(|_| Problem::Forbidden)?;
    let found = match EmailAddress::parse(email) {
        Ok(email) => contact::find_by_email(&visit.ctx, &mut tx, &visit.keyring, &email).await?,
        Err(_) => None,
    };
    if found.is_none() {
        form.refuse("sample_for", t!(visit, "preview-nobody"));
    }
    Ok(found.map(|contact| Sample::Contact(contact.id)))
}

#[derive(serde::Deserialize)]
struct Wanted {
    when: Option<String>,
    at: Option<String>,
}

/// The last page before it happens: the number that was counted, the time, the subject.
async fn ask(visit: Visit, Path(id): Path<String>, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let campaign = draft(&visit, &id).await?;
    if campaign.state != State::Draft {
        return Ok(see_other(&format!("/campaigns/{}", campaign.id)));
    }
    let found = checked(&visit, &campaign).await?;
    let (when, at) = (wanted.when.unwrap_or_default(), wanted.at.unwrap_or_default());
    let mut form = Fields::of(&[("when", &when), ("at", &at)]);
    let time = match read_when(&visit, &form) {
        Some(When::At(at)) if at <= visit.ctx.now() => None,
        time => time,
    };
    let would_send = found.count().map_or(0, |count| count.would_send);
    let Some(time) = time.filter(|_| found.is_ready()) else {
        if found.is_ready() {
            form.refuse("at", t!(visit, "send-time-refused"));
        }
        let page = check_page(&visit, &campaign, &found, &form, None);
        return Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    };
    let sender = format!("{} <{}>", campaign.content.from_name, campaign.content.from_address.as_str());
    let body = html! {
        section class="card measure" {
            dl class="facts" {
                dt { (t!(visit, "send-recipients")) } dd { strong { (t!(visit, "contacts-number", count = would_send)) } }
                dt { (t!(visit, "content-part-subject")) } dd { (campaign.content.subject) }
                dt { (t!(visit, "editor-sender")) } dd { (sender) }
                dt { (t!(visit, "send-when")) }
                dd { @match time { When::Now => (t!(visit, "send-now")), When::At(at) => (format::moment(&visit, &visit.frame.zone, at)) } }
            }
            form class="form" method="post" action={ "/campaigns/" (campaign.id) "/send" } {
                (csrf_field(&visit.frame))
                (hidden("revision", &campaign.revision.to_string()))
                (hidden("when", form.text("when")))
                (hidden("at", form.text("at")))
                div class="form-actions" {
                    button class="button button-primary" type="submit" {
                        @match time {
                            When::Now => (t!(visit, "send-button", count = would_send)),
                            When::At(_) => (t!(visit, "schedule-button", count = would_send)),
                        }
                    }
                    a class="button button-plain" href={ "/campaigns/" (campaign.id) "/check" } { (t!(visit, "cancel")) }
                }
            }
            p class="quiet small" { (t!(visit, "send-calm")) }
        }
    };
    let title = t!(visit, "send-confirm", count = would_send);
    Ok(page_of(&visit, &campaign, &title).body(&body).into_response())
}

/// The time of the form, in the reader's zone; `None` if there is none to be read.
fn read_when(visit: &Visit, form: &Fields) -> Option<When> {
    if form.text("when") != "at" {
        return Some(When::Now);
    }
    instant(&visit.frame.zone, form.text("at")).map(When::At)
}

fn instant(zone: &TimeZone, text: &str) -> Option<Timestamp> {
    let civil: jiff::civil::DateTime = text.trim().parse().ok()?;
    let zoned = civil.to_zoned(zone.clone()).ok()?;
    Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
}

async fn launch(Path(id): Path<String>, Sent { visit, form, .. }: Sent) -> Result<Response, Problem> {
    let mut tx = visit.read().await?;
    let campaign = find(&visit, &mut tx, &id).await?;
    // What was confirmed is what goes out.
    if form.text("revision") != campaign.revision.to_string() {
        return Err(Problem::Changed);
    }
    let has_domain = domain::find_for(&visit.ctx, &mut tx, &campaign.content.from_address).await?.is_some();
    if !has_domain || relay::find(&visit.ctx, &mut tx).await?.is_none() {
        return Ok(see_other(&format!("/campaigns/{}/check", campaign.id)));
    }
    let when = read_when(&visit, &form).ok_or(Problem::Unreadable)?;
    let known = known(&custom_field::all(&visit.ctx, &mut tx).await?);
    drop(tx);
    let examined = letterkeep_campaign::examine(&campaign, known).await;
    let mut tx = visit.write().await?;
    match letterkeep_campaign::launch(&visit.ctx, &mut tx, &visit.keyring, &examined, when).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(see_other(&format!("/campaigns/{}/progress", campaign.id)))
        }
        Err(
            CampaignError::Problems(_) | CampaignError::NoAudience | CampaignError::AudienceGone | CampaignError::Time,
        ) => Ok(see_other(&format!("/campaigns/{}/check", campaign.id))),
        Err(error) => Err(fault(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_the_readers_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(instant(&berlin, "2026-11-23T08:00"), Some(Timestamp::from_seconds(1_795_417_200)));
        for text in ["", "tomorrow", "2026-13-01T00:00"] {
            assert!(instant(&berlin, text).is_none(), "{text}");
        }
    }
}
