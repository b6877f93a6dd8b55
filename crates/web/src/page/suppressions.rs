//! Addresses that are never written to: count, check, add, lift. They are kept as blind indexes, so they cannot be listed.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_audience::SuppressionReason;
use letterkeep_audience::permission::Source;
use letterkeep_audience::suppression::{self, LiftReason, Suppression};
use letterkeep_model::EmailAddress;
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::audience::{done, query, wrong};
use crate::access::Routes;
use crate::component::{
    Choice, Fields, Input, Stat, Tone, csrf_field, error_summary, field, hidden, notice, select, stats,
};
use crate::format;
use crate::text::{named, t};
use crate::visit::{Desk, Posted, Sent, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/suppressions", Action::ManageSuppressions, show)
        .post("/suppressions/check", Action::ManageSuppressions, check)
        .post("/suppressions/add", Action::ManageSuppressions, add)
        .post("/suppressions/lift", Action::ManageSuppressions, lift)
}

/// What a check has found.
struct Found {
    email: EmailAddress,
    suppression: Option<Suppression>,
}

async fn show(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    page(&visit, &mut tx, &Fields::new(), None).await
}

fn email_of(visit: &Visit, form: &mut Fields) -> Option<EmailAddress> {
    match EmailAddress::parse(form.text("email")) {
        Ok(email) => Some(email),
        Err(error) => {
            form.refuse("email", wrong(visit, error.into()));
            None
        }
    }
}

async fn check(Sent { visit, mut form, .. }: Sent) -> Result<Response, Problem> {
    let mut tx = visit.read().await?;
    let Some(email) = email_of(&visit, &mut form) else { return refused(&visit, &mut tx, &form).await };
    let suppression = suppression::check(&visit.ctx, &mut tx, &visit.keyring, &email).await?;
    Ok(page(&visit, &mut tx, &form, Some(Found { email, suppression })).await?.into_response())
}

async fn add(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let Some(email) = email_of(&visit, &mut form) else { return refused(&visit, &mut tx, &form).await };
    let (reason, source) = (SuppressionReason::Manual, Source::Manual);
    suppression::add(&visit.ctx, &mut tx, &visit.keyring, &email, reason, source).await?;
    tx.commit().await?;
    Ok(see_other("/suppressions?done=saved"))
}

async fn lift(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let Some(email) = email_of(&visit, &mut form) else { return refused(&visit, &mut tx, &form).await };
    let Some(why) = LiftReason::from_name(form.text("why")) else {
        form.refuse("why", t!(visit, "suppressions-why-missing"));
        let suppression = suppression::check(&visit.ctx, &mut tx, &visit.keyring, &email).await?;
        let page = page(&visit, &mut tx, &form, Some(Found { email, suppression })).await?;
        return Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    };
    suppression::remove(&visit.ctx, &mut tx, &visit.keyring, &email, why).await?;
    tx.commit().await?;
    Ok(see_other("/suppressions?done=saved"))
}

async fn refused(visit: &Visit, tx: &mut Tx, form: &Fields) -> Result<Response, Problem> {
    Ok(page(visit, tx, form, None).await?.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

async fn page(visit: &Visit, tx: &mut Tx, form: &Fields, found: Option<Found>) -> Result<Page, Problem> {
    let counts = suppression::counts(&visit.ctx, tx).await?;
    let figures = SuppressionReason::ALL.map(|reason| {
        let count = counts.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| *count);
        Stat::new(format::whole(visit, count), named(visit, "suppression", reason.name()))
    });
    let body = html! {
        (done(visit, &query(visit)))
        (error_summary(visit, form))
        (stats(&figures))
        section class="card" {
            h2 { (t!(visit, "suppressions-check")) }
            form class="filter" method="post" action="/suppressions/check" {
                (csrf_field(&visit.frame))
                (field(visit, form, &Input::text("email", &named(visit, "standard", "email")).inputmode("email").autocomplete("off").max(320)))
                button class="button button-primary" type="submit" { (t!(visit, "suppressions-check-button")) }
            }
        }
        @if let Some(found) = &found { (answer(visit, form, found)) }
    };
    Ok(Page::new(&visit.frame, &t!(visit, "nav-suppressions"))
        .lead(&t!(visit, "suppressions-lead"))
        .section(Section::Suppressions)
        .body(&body))
}

fn answer(visit: &Visit, form: &Fields, found: &Found) -> Markup {
    let email = found.email.as_str();
    match found.suppression {
        None => html! {
            (notice(Tone::Good, &t!(visit, "suppressions-free", email = email), &html! { p { (t!(visit, "suppressions-free-text")) } }))
            form method="post" action="/suppressions/add" {
                (csrf_field(&visit.frame)) (hidden("email", email))
                button class="button button-danger" type="submit" { (t!(visit, "suppressions-add")) }
            }
        },
        Some(suppression) => {
            let mut reasons = vec![Choice::new("", "–")];
            reasons.extend(LiftReason::ALL.map(|why| Choice::new(why.name(), named(visit, "lift", why.name()))));
            let since = format::date(visit, &visit.frame.zone, suppression.since);
            html! {
                (notice(Tone::Warn, &t!(visit, "suppressions-blocked", email = email), &html! {
                    p { (named(visit, "suppression", suppression.reason.name())) " " (t!(visit, "contact-suppressed-since", date = since)) }
                }))
                form class="form card" method="post" action="/suppressions/lift" {
                    (csrf_field(&visit.frame)) (hidden("email", email))
                    p { (t!(visit, "suppressions-lift-text")) }
                    (select(visit, form, &Input::text("why", &t!(visit, "suppressions-why")), &reasons))
                    div class="form-actions" { button class="button button-danger" type="submit" { (t!(visit, "suppressions-lift")) } }
                }
            }
        }
    }
}
