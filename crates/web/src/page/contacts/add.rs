use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_audience::contact::{self, CreateError, NewRecord};
use letterkeep_audience::permission::{EVIDENCE_CHARS, Evidence, Source};
use letterkeep_audience::{ContactRecord, CustomField, Permission, field};
use letterkeep_model::EmailAddress;
use maud::html;

use crate::component::{Choice, Fields, Input, csrf_field, error_summary, radios, submit_or_cancel, text_area};
use crate::page::audience::wrong;
use crate::page::contact::entry;
use crate::text::{named, t};
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

/// What may be chosen for a new contact.
const OFFERED: [Permission; 3] = [Permission::Explicit, Permission::Implicit, Permission::NotSet];

pub(super) async fn blank(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let fields = field::all(&visit.ctx, &mut tx).await?;
    Ok(page(&visit, &fields, &Fields::new()))
}

pub(super) async fn create(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let fields = field::all(&visit.ctx, &mut tx).await?;
    let permission = Permission::from_name(form.text("permission")).filter(|permission| OFFERED.contains(permission));
    if permission.is_none() {
        form.refuse("permission", t!(visit, "contact-permission-missing"));
    }
    let evidence = form.filled("evidence").map(Evidence::note);
    if permission == Some(Permission::Explicit) && evidence.is_none() {
        form.refuse("evidence", t!(visit, "contact-evidence-missing"));
    }
    let email = match EmailAddress::parse(form.text("email")) {
        Ok(email) => Some(email),
        Err(error) => {
            form.refuse("email", wrong(&visit, error.into()));
            None
        }
    };
    let mut record = email.map(ContactRecord::new);
    if let Some(record) = &mut record {
        entry::read(&visit, &fields, &mut form, record);
    }
    if let (Some(record), Some(permission), true) = (record, permission, form.is_sound()) {
        let new = NewRecord { record, permission, source: Source::Manual, evidence };
        match contact::create(&visit.ctx, &mut tx, &visit.keyring, &new).await {
            Ok(id) => {
                tx.commit().await?;
                return Ok(see_other(&format!("/contacts/{id}?done=added")));
            }
            Err(CreateError::Duplicate(_)) => form.refuse("email", t!(visit, "contact-duplicate")),
            Err(CreateError::Record(error)) => form.refuse("", entry::refused(&visit, &error)),
            Err(CreateError::Evidence(_)) => {
                form.refuse("evidence", t!(visit, "value-too-long", chars = EVIDENCE_CHARS));
            }
            Err(CreateError::Store(error)) => return Err(error.into()),
        }
    }
    Ok(page(&visit, &fields, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn page(visit: &Visit, fields: &[CustomField], form: &Fields) -> Page {
    let choices = OFFERED.map(|permission| {
        let name = permission.name();
        (Choice::new(name, named(visit, "permission", name)), named(visit, "permission", &format!("{name}-help")))
    });
    let body = html! {
        (error_summary(visit, form))
        form class="form form-wide few-needed" method="post" action="/contacts/new" {
            (csrf_field(&visit.frame))
            (entry::first(visit, form))
            div class="card stack" {
                h2 { (t!(visit, "contact-permission-question")) }
                (radios(form, "permission", &t!(visit, "contacts-permission"), "", &choices))
                (text_area(visit, form, &Input::text("evidence", &t!(visit, "contact-evidence")).help(t!(visit, "contact-evidence-help")).max(EVIDENCE_CHARS).optional(), 3, false))
            }
            (entry::rest(visit, fields, form))
            (submit_or_cancel(visit, &t!(visit, "contacts-add"), "/contacts"))
        }
    };
    Page::new(&visit.frame, &t!(visit, "contacts-add"))
        .crumb("/contacts", t!(visit, "nav-contacts"))
        .section(Section::Contacts)
        .lead(&t!(visit, "contacts-needed"))
        .body(&body)
}
