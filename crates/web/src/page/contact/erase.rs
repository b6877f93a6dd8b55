use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_audience::contact::{self, Contact};
use maud::html;

use super::opened;
use crate::component::{Confirm, Fields, confirm, error_summary};
use crate::page::audience::is_typed;
use crate::page::contacts::title;
use crate::text::t;
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(super) async fn ask(Path(contact): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    Ok(page(&visit, &contact, &Fields::new()))
}

pub(super) async fn erase(
    Path(contact): Path<String>,
    Posted { visit, mut tx, mut form }: Posted,
) -> Result<Response, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    if !is_typed(&visit, &mut form, &t!(visit, "contact-erase-word")) {
        return Ok(page(&visit, &contact, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    contact::delete(&visit.ctx, &mut tx, &[contact.id]).await?;
    tx.commit().await?;
    Ok(see_other("/contacts?done=erased"))
}

fn page(visit: &Visit, contact: &Contact, form: &Fields) -> Page {
    let home = format!("/contacts/{}", contact.id);
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: &format!("{home}/erase"),
            consequence: html! {
                p { strong { (contact.record.email) } }
                p { (t!(visit, "contact-erase-lost")) }
                p { (t!(visit, "contact-erase-kept")) }
            },
            button: &t!(visit, "contact-erase"),
            typed: Some(&t!(visit, "contact-erase-word")),
            back: &home,
            fields: form,
        },
    );
    Page::new(&visit.frame, &t!(visit, "contact-erase-title"))
        .crumb("/contacts", t!(visit, "nav-contacts"))
        .crumb(home, title(visit, contact))
        .section(Section::Contacts)
        .body(&html! { (error_summary(visit, form)) (body) })
}
