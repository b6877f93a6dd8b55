use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_audience::contact::{self, Contact, UpdateError};
use letterkeep_audience::{ContactRecord, CustomField, field};
use letterkeep_model::EmailAddress;
use maud::html;

use super::{back, entry, opened};
use crate::component::{Fields, Tone, csrf_field, error_summary, hidden, notice};
use crate::page::audience::wrong;
use crate::page::contacts::title;
use crate::text::t;
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section};

pub(super) async fn ask(Path(contact): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    let fields = field::all(&visit.ctx, &mut tx).await?;
    let form = entry::filled(&visit, &fields, &contact.record);
    Ok(page(&visit, &contact, &fields, &form, false))
}

pub(super) async fn change(
    Path(contact): Path<String>,
    Posted { visit, mut tx, mut form }: Posted,
) -> Result<Response, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    let fields = field::all(&visit.ctx, &mut tx).await?;
    let revision = form.text("revision").parse::<i64>().map_err(|_| Problem::Unreadable)?;
    if revision != contact.revision {
        let page = page(&visit, &contact, &fields, &form, true);
        return Ok(page.status(StatusCode::CONFLICT).into_response());
    }
    match EmailAddress::parse(form.text("email")) {
        Err(error) => form.refuse("email", wrong(&visit, error.into())),
        Ok(email) => {
            let mut record = ContactRecord::new(email);
            entry::read(&visit, &fields, &mut form, &mut record);
            if form.is_sound() {
                match contact::update(&visit.ctx, &mut tx, &visit.keyring, contact.id, revision, &record).await {
                    Ok(_) => {
                        tx.commit().await?;
                        return Ok(back(contact.id, "saved"));
                    }
                    Err(UpdateError::Missing) => return Err(Problem::NotFound),
                    Err(UpdateError::Stale { .. }) => return Err(Problem::Changed),
                    Err(UpdateError::Duplicate(_)) => form.refuse("email", t!(visit, "contact-duplicate")),
                    Err(UpdateError::Record(error)) => form.refuse("", entry::refused(&visit, &error)),
                    Err(UpdateError::Store(error)) => return Err(error.into()),
                }
            }
        }
    }
    let page = page(&visit, &contact, &fields, &form, false);
    Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

/// `conflict`: somebody else was faster; what was typed stays, and saving again replaces the other change.
fn page(visit: &Visit, contact: &Contact, fields: &[CustomField], form: &Fields, conflict: bool) -> Page {
    let present = entry::filled(visit, fields, &contact.record);
    let mut names = present.pairs().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    names.extend(form.pairs().map(|(name, _)| name.to_owned()).filter(|name| name.starts_with("custom.")));
    names.sort_unstable();
    names.dedup();
    let differs = |name: &&String| {
        present.all(name).ne(form.all(name).filter(|text| !text.is_empty()))
            && !(present.text(name).is_empty() && form.text(name).is_empty())
    };
    let body = html! {
        (error_summary(visit, form))
        @if conflict {
            (notice(Tone::Warn, &t!(visit, "contact-conflict"), &html! {
                p { (t!(visit, "contact-conflict-text")) }
                dl class="facts" {
                    @for name in names.iter().filter(differs) {
                        dt { (label(visit, fields, name)) }
                        dd {
                            @let now = present.all(name).collect::<Vec<_>>().join(", ");
                            @if now.is_empty() { span class="quiet" { (t!(visit, "contact-conflict-empty")) } } @else { (now) }
                        }
                    }
                }
                p { a href={ "/contacts/" (contact.id) "/edit" } { (t!(visit, "contact-conflict-reload")) } }
            }))
        }
        form class="form form-wide few-needed" method="post" action={ "/contacts/" (contact.id) "/edit" } {
            (csrf_field(&visit.frame))
            (hidden("revision", &contact.revision.to_string()))
            (entry::first(visit, form))
            (entry::rest(visit, fields, form))
            div class="form-actions" {
                button class="button button-primary" type="submit" { @if conflict { (t!(visit, "contact-conflict-save")) } @else { (t!(visit, "save")) } }
                a class="button button-plain" href={ "/contacts/" (contact.id) } { (t!(visit, "cancel")) }
            }
        }
    };
    Page::new(&visit.frame, &t!(visit, "contact-edit"))
        .crumb("/contacts", t!(visit, "nav-contacts"))
        .crumb(format!("/contacts/{}", contact.id), title(visit, contact))
        .section(Section::Contacts)
        .lead(&t!(visit, "contacts-needed-email"))
        .body(&body)
}

fn label(visit: &Visit, fields: &[CustomField], name: &str) -> String {
    match name.strip_prefix("custom.") {
        Some(key) => {
            fields.iter().find(|field| field.merge_key == key).map_or_else(String::new, |field| field.label.clone())
        }
        None => crate::text::named(visit, "standard", name),
    }
}
