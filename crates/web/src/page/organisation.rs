//! The organisation's settings: the example of a page with one form.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_account::organisation::{self, Organisation, OrganisationError};
use letterkeep_model::Locale;
use maud::{Markup, html};

use crate::access::Routes;
use crate::component::{
    Choice, Fields, Input, Tone, csrf_field, error_summary, field, notice, select, submit, text_area,
};
use crate::text::t;
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new().get("/organisation", Action::ManageAccount, show).post("/organisation", Action::ManageAccount, change)
}

async fn show(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let organisation = organisation::find(&visit.ctx, &mut tx).await?.ok_or(Problem::NotFound)?;
    let form = Fields::of(&[
        ("name", &organisation.name),
        ("postal_address", &organisation.postal_address),
        ("time_zone", &organisation.time_zone),
        ("locale", organisation.locale.tag()),
    ]);
    Ok(page(&visit, &form))
}

async fn change(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let wanted = Organisation {
        name: form.text("name").to_owned(),
        postal_address: form.text("postal_address").to_owned(),
        time_zone: form.text("time_zone").trim().to_owned(),
        locale: form.text("locale").parse().map_err(|_| Problem::Unreadable)?,
    };
    match organisation::update(&visit.ctx, &mut tx, wanted).await {
        Ok(()) => {
            tx.commit().await?;
            return Ok(see_other("/organisation?saved=yes"));
        }
        Err(OrganisationError::Name) => form.refuse("name", t!(visit, "organisation-name-refused")),
        Err(OrganisationError::PostalAddress) => {
            form.refuse("postal_address", t!(visit, "organisation-address-refused"));
        }
        Err(OrganisationError::TimeZone) => form.refuse("time_zone", t!(visit, "organisation-zone-refused")),
        Err(OrganisationError::NotFound) => return Err(Problem::NotFound),
        Err(OrganisationError::Fault(fault)) => return Err(fault.into()),
    }
    Ok(page(&visit, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn page(visit: &Visit, form: &Fields) -> Page {
    let body: Markup = html! {
        @if visit.frame.path.ends_with("?saved=yes") { (notice(Tone::Good, "", &html! { p { (t!(visit, "saved")) } })) }
        (error_summary(visit, form))
        form class="form card" method="post" action="/organisation" {
            (csrf_field(&visit.frame))
            (field(visit, form, &Input::text("name", &t!(visit, "organisation-name")).max(200).autocomplete("organization")))
            (text_area(
                visit,
                form,
                &Input::text("postal_address", &t!(visit, "organisation-address"))
                    .help(t!(visit, "organisation-address-help")).max(500).autocomplete("street-address").optional(),
                4,
                false,
            ))
            (field(visit, form, &Input::text("time_zone", &t!(visit, "organisation-zone")).help(t!(visit, "organisation-zone-help")).max(64)))
            (select(
                visit,
                form,
                &Input::text("locale", &t!(visit, "organisation-locale")).help(t!(visit, "organisation-locale-help")),
                &Locale::ALL.map(|locale| Choice::new(locale.tag(), if locale == Locale::De { "Deutsch" } else { "English" })),
            ))
            (submit(&t!(visit, "save")))
        }
    };
    Page::new(&visit.frame, &t!(visit, "nav-organisation"))
        .lead(&t!(visit, "organisation-lead"))
        .section(Section::Organisation)
        .body(&body)
}
