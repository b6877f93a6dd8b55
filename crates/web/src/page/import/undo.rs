use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_audience::import::{Progress, undo};
use maud::html;

use super::{found, page, path};
use crate::component::{Confirm, Fields, confirm, error_summary};
use crate::page::audience::is_typed;
use crate::text::t;
use crate::visit::{Desk, Sent, Visit};
use crate::{Page, Problem, see_other};

pub(super) async fn ask(Path(import): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let import = found(&visit, &mut tx, &import).await?;
    Ok(ask_page(&visit, &import, &Fields::new()))
}

pub(super) async fn start(Path(import): Path<String>, Sent { visit, mut form, .. }: Sent) -> Result<Response, Problem> {
    let mut tx = visit.read().await?;
    let import = found(&visit, &mut tx, &import).await?;
    drop(tx);
    if !is_typed(&visit, &mut form, &t!(visit, "import-undo-word")) {
        return Ok(ask_page(&visit, &import, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    undo::start(&visit.ctx, &visit.house.store, import.import).await?;
    Ok(see_other(&path(import.import)))
}

fn ask_page(visit: &Visit, import: &Progress, form: &Fields) -> Page {
    let home = path(import.import);
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: &format!("{home}/undo"),
            consequence: html! {
                p { (t!(visit, "import-undo-lost", created = import.created, updated = import.updated)) }
                p { (t!(visit, "import-undo-kept")) }
            },
            button: &t!(visit, "import-undo"),
            typed: Some(&t!(visit, "import-undo-word")),
            back: &home,
            fields: form,
        },
    );
    page(visit, &t!(visit, "import-undo-title")).body(&html! { (error_summary(visit, form)) (body) })
}
