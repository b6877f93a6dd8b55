use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_audience::contact::Contact;
use letterkeep_audience::permission::{self, EVIDENCE_CHARS, Evidence, SetError, Source};
use letterkeep_audience::{Permission, TrackingConsent};
use maud::html;

use super::{back, opened};
use crate::component::{Choice, Fields, Input, csrf_field, error_summary, radios, text_area};
use crate::page::contacts::title;
use crate::text::{named, t};
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section};

pub(super) async fn ask(Path(contact): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    Ok(page(&visit, &contact, &Fields::new()))
}

pub(super) async fn change(
    Path(contact): Path<String>,
    Posted { visit, mut tx, mut form }: Posted,
) -> Result<Response, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    let wanted = Permission::from_name(form.text("permission")).ok_or(Problem::Unreadable)?;
    let evidence = form.filled("evidence").map(Evidence::note);
    if wanted == Permission::Explicit && evidence.is_none() {
        form.refuse("evidence", t!(visit, "contact-evidence-missing"));
    } else {
        let (ctx, keyring) = (&visit.ctx, &visit.keyring);
        match permission::set(ctx, &mut tx, keyring, contact.id, wanted, Source::Manual, evidence.as_ref()).await {
            Ok(_) => {
                tx.commit().await?;
                return Ok(back(contact.id, "saved"));
            }
            Err(error) => refuse(&visit, &mut form, "permission", "evidence", error)?,
        }
    }
    Ok(page(&visit, &contact, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

pub(super) async fn track(
    Path(contact): Path<String>,
    Posted { visit, mut tx, mut form }: Posted,
) -> Result<Response, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    let wanted = TrackingConsent::from_name(form.text("tracking")).ok_or(Problem::Unreadable)?;
    let evidence = form.filled("tracking_evidence").map(Evidence::note);
    if wanted == TrackingConsent::Given && contact.tracking != wanted && evidence.is_none() {
        form.refuse("tracking_evidence", t!(visit, "contact-evidence-missing"));
    } else {
        let (ctx, keyring, id) = (&visit.ctx, &visit.keyring, contact.id);
        match permission::set_tracking(ctx, &mut tx, keyring, id, wanted, Source::Manual, evidence.as_ref()).await {
            Ok(_) => {
                tx.commit().await?;
                return Ok(back(contact.id, "saved"));
            }
            Err(error) => refuse(&visit, &mut form, "tracking", "tracking_evidence", error)?,
        }
    }
    Ok(page(&visit, &contact, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn refuse(visit: &Visit, form: &mut Fields, field: &str, evidence: &str, error: SetError) -> Result<(), Problem> {
    match error {
        SetError::Missing => return Err(Problem::NotFound),
        SetError::SaidNo => form.refuse(field, t!(visit, "contact-said-no")),
        SetError::Evidence(_) => form.refuse(evidence, t!(visit, "value-too-long", chars = EVIDENCE_CHARS)),
        SetError::Store(error) => return Err(error.into()),
    }
    Ok(())
}

fn page(visit: &Visit, contact: &Contact, form: &Fields) -> Page {
    let home = format!("/contacts/{}", contact.id);
    let permissions = Permission::ALL.map(|permission| {
        let name = permission.name();
        (Choice::new(name, named(visit, "permission", name)), named(visit, "permission", &format!("{name}-help")))
    });
    let consents = TrackingConsent::ALL
        .map(|consent| (Choice::new(consent.name(), named(visit, "tracking", consent.name())), String::new()));
    let evidence = |name, help: String| {
        text_area(
            visit,
            form,
            &Input::text(name, &t!(visit, "contact-evidence")).help(help).max(EVIDENCE_CHARS).optional(),
            3,
            false,
        )
    };
    let body = html! {
        (error_summary(visit, form))
        div class="columns" {
            form class="form card" method="post" action={ (home) "/permission" } {
                (csrf_field(&visit.frame))
                h2 { (t!(visit, "contacts-permission")) }
                (radios(form, "permission", &t!(visit, "contact-permission-question"), contact.permission.name(), &permissions))
                (evidence("evidence", t!(visit, "contact-evidence-help")))
                div class="form-actions" { button class="button button-primary" type="submit" { (t!(visit, "contact-permission-save")) } }
            }
            form class="form card" method="post" action={ (home) "/tracking" } {
                (csrf_field(&visit.frame))
                h2 { (t!(visit, "contact-tracking")) }
                p { (t!(visit, "contact-tracking-text")) }
                (radios(form, "tracking", &t!(visit, "contact-tracking-question"), contact.tracking.name(), &consents))
                (evidence("tracking_evidence", t!(visit, "contact-tracking-evidence-help")))
                div class="form-actions" { button class="button" type="submit" { (t!(visit, "contact-tracking-save")) } }
            }
        }
    };
    Page::new(&visit.frame, &t!(visit, "contact-permission-change"))
        .crumb("/contacts", t!(visit, "nav-contacts"))
        .crumb(home, title(visit, contact))
        .section(Section::Contacts)
        .body(&body)
}
