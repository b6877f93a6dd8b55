//! Lists: make, rename, delete.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_audience::UsedBy;
use letterkeep_audience::list::{self, DESCRIPTION_CHARS, List, ListError, NAME_CHARS};
use maud::{Markup, html};

use super::audience::{done, id_of, in_use, is_typed, may, query, wrong};
use crate::access::Routes;
use crate::component::{
    Confirm, Fields, Input, Picture, cell, confirm, csrf_field, empty, error_summary, field, number_cell,
    submit_or_cancel, table_card,
};
use crate::format;
use crate::text::t;
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/lists", Action::ViewLists, all)
        .get("/lists/new", Action::ManageLists, blank)
        .post("/lists/new", Action::ManageLists, create)
        .get("/lists/{list}", Action::ManageLists, show)
        .post("/lists/{list}", Action::ManageLists, rename)
        .get("/lists/{list}/delete", Action::ManageLists, ask)
        .post("/lists/{list}/delete", Action::ManageLists, delete)
}

async fn all(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let lists = list::all(&visit.ctx, &mut tx).await?;
    let manages = may(&visit, Action::ManageLists);
    let new = html! { @if manages { a class="button button-primary" href="/lists/new" { (t!(visit, "lists-new")) } } };
    let page = Page::new(&visit.frame, &t!(visit, "nav-lists")).section(Section::Lists).lead(&t!(visit, "lists-lead"));
    if lists.is_empty() {
        let nothing = empty(Picture::List, &t!(visit, "lists-none"), &t!(visit, "lists-none-text"), &new);
        return Ok(page.body(&html! { (done(&visit, &query(&visit))) (nothing) }));
    }
    let (name, members, made) = (t!(visit, "lists-name"), t!(visit, "lists-members"), t!(visit, "lists-made"));
    let sees = may(&visit, Action::ViewContacts);
    let head = html! {
        th scope="col" { (name) } th scope="col" class="number" { (members) } th scope="col" { (made) }
        @if manages { th scope="col" { span class="visually-hidden" { (t!(visit, "audience-actions")) } } }
    };
    let rows = html! {
        @for list in &lists {
            tr {
                th scope="row" {
                    @if sees { a href={ "/contacts?list=" (list.id) } { (list.name) } } @else { (list.name) }
                    @if !list.description.is_empty() { p class="quiet small" { (list.description) } }
                }
                (number_cell(&members, &format::whole(&visit, list.members)))
                (cell(&made, &format::ago(&visit, &visit.frame.zone, visit.frame.now, list.created_at)))
                @if manages {
                    td class="actions" {
                        a class="button button-plain" href={ "/lists/" (list.id) } aria-label=(t!(visit, "audience-change-name", name = &*list.name)) { (t!(visit, "audience-change")) }
                        a class="button button-plain" href={ "/lists/" (list.id) "/delete" } aria-label=(t!(visit, "audience-delete-name", name = &*list.name)) { (t!(visit, "audience-delete")) }
                    }
                }
            }
        }
    };
    let body = html! { (done(&visit, &query(&visit))) (table_card(&t!(visit, "nav-lists"), &head, &rows)) };
    Ok(page.actions(new).body(&body))
}

async fn blank(visit: Visit) -> Page {
    form_page(&visit, None, &Fields::new())
}

async fn create(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    match list::create(&visit.ctx, &mut tx, form.text("name"), form.text("description")).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(see_other("/lists?done=created"))
        }
        Err(error) => {
            refuse(&visit, &mut form, error)?;
            Ok(form_page(&visit, None, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

async fn show(Path(list): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let list = list::find(&visit.ctx, &mut tx, id_of(&list)?).await?.ok_or(Problem::NotFound)?;
    let form = Fields::of(&[("name", &list.name), ("description", &list.description)]);
    Ok(form_page(&visit, Some(&list), &form))
}

async fn rename(Path(list): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let list = list::find(&visit.ctx, &mut tx, id_of(&list)?).await?.ok_or(Problem::NotFound)?;
    match list::rename(&visit.ctx, &mut tx, list.id, form.text("name"), form.text("description")).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(see_other("/lists?done=saved"))
        }
        Err(error) => {
            refuse(&visit, &mut form, error)?;
            Ok(form_page(&visit, Some(&list), &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

async fn ask(Path(list): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let list = list::find(&visit.ctx, &mut tx, id_of(&list)?).await?.ok_or(Problem::NotFound)?;
    let campaigns = list::used_by(&visit.ctx, &mut tx, list.id).await?;
    if !campaigns.is_empty() {
        return Ok(in_use_page(&visit, &list, &campaigns));
    }
    Ok(ask_page(&visit, &list, &Fields::new()))
}

async fn delete(Path(list): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let list = list::find(&visit.ctx, &mut tx, id_of(&list)?).await?.ok_or(Problem::NotFound)?;
    if !is_typed(&visit, &mut form, &list.name) {
        return Ok(ask_page(&visit, &list, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    match list::delete(&visit.ctx, &mut tx, list.id).await {
        Ok(()) => {}
        Err(ListError::InUse(campaigns)) => {
            return Ok(in_use_page(&visit, &list, &campaigns).status(StatusCode::CONFLICT).into_response());
        }
        Err(ListError::Store(error)) => return Err(error.into()),
        Err(_) => return Err(Problem::NotFound),
    }
    tx.commit().await?;
    Ok(see_other("/lists?done=deleted"))
}

fn refuse(visit: &Visit, form: &mut Fields, error: ListError) -> Result<(), Problem> {
    match error {
        ListError::Missing | ListError::InUse(_) => return Err(Problem::NotFound),
        ListError::NoName => form.refuse("name", t!(visit, "lists-name-missing")),
        ListError::Text(error) => form.refuse("name", wrong(visit, error)),
        ListError::Taken => form.refuse("name", t!(visit, "lists-name-taken")),
        ListError::TooMany => form.refuse("", t!(visit, "lists-too-many")),
        ListError::Store(error) => return Err(error.into()),
    }
    Ok(())
}

fn form_page(visit: &Visit, list: Option<&List>, form: &Fields) -> Page {
    let action = list.map_or_else(|| "/lists/new".to_owned(), |list| format!("/lists/{}", list.id));
    let title = if list.is_some() { t!(visit, "lists-change") } else { t!(visit, "lists-new") };
    let body: Markup = html! {
        (error_summary(visit, form))
        form class="form card" method="post" action=(action) {
            (csrf_field(&visit.frame))
            (field(visit, form, &Input::text("name", &t!(visit, "lists-name")).help(t!(visit, "lists-name-help")).max(NAME_CHARS).autofocus()))
            (field(visit, form, &Input::text("description", &t!(visit, "lists-description")).help(t!(visit, "lists-description-help")).max(DESCRIPTION_CHARS).optional()))
            (submit_or_cancel(visit, &if list.is_some() { t!(visit, "save") } else { t!(visit, "lists-create") }, "/lists"))
        }
    };
    Page::new(&visit.frame, &title).crumb("/lists", t!(visit, "nav-lists")).section(Section::Lists).body(&body)
}

fn in_use_page(visit: &Visit, list: &List, campaigns: &[UsedBy]) -> Page {
    Page::new(&visit.frame, &t!(visit, "lists-delete-title", name = &*list.name))
        .crumb("/lists", t!(visit, "nav-lists"))
        .section(Section::Lists)
        .body(&in_use(visit, &t!(visit, "lists-in-use"), campaigns, "/lists"))
}

fn ask_page(visit: &Visit, list: &List, form: &Fields) -> Page {
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: &format!("/lists/{}/delete", list.id),
            consequence: html! { p { (t!(visit, "lists-delete-text", name = &*list.name, count = list.members)) } },
            button: &t!(visit, "lists-delete"),
            typed: Some(&list.name),
            back: "/lists",
            fields: form,
        },
    );
    Page::new(&visit.frame, &t!(visit, "lists-delete-title", name = &*list.name))
        .crumb("/lists", t!(visit, "nav-lists"))
        .section(Section::Lists)
        .body(&html! { (error_summary(visit, form)) (body) })
}
