//! Tags: make, rename, delete.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_audience::UsedBy;
use letterkeep_audience::tag::{self, NAME_CHARS, Tag, TagError};
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
        .get("/tags", Action::ViewLists, all)
        .get("/tags/new", Action::ManageLists, blank)
        .post("/tags/new", Action::ManageLists, create)
        .get("/tags/{tag}", Action::ManageLists, show)
        .post("/tags/{tag}", Action::ManageLists, rename)
        .get("/tags/{tag}/delete", Action::ManageLists, ask)
        .post("/tags/{tag}/delete", Action::ManageLists, delete)
}

async fn all(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let tags = tag::all(&visit.ctx, &mut tx).await?;
    let manages = may(&visit, Action::ManageLists);
    let new = html! { @if manages { a class="button button-primary" href="/tags/new" { (t!(visit, "tags-new")) } } };
    let page = Page::new(&visit.frame, &t!(visit, "nav-tags")).section(Section::Tags).lead(&t!(visit, "tags-lead"));
    if tags.is_empty() {
        let nothing = empty(Picture::Tag, &t!(visit, "tags-none"), &t!(visit, "tags-none-text"), &new);
        return Ok(page.body(&html! { (done(&visit, &query(&visit))) (nothing) }));
    }
    let (name, members, made) = (t!(visit, "tags-name"), t!(visit, "tags-members"), t!(visit, "tags-made"));
    let sees = may(&visit, Action::ViewContacts);
    let head = html! {
        th scope="col" { (name) } th scope="col" class="number" { (members) } th scope="col" { (made) }
        @if manages { th scope="col" { span class="visually-hidden" { (t!(visit, "audience-actions")) } } }
    };
    let rows = html! {
        @for tag in &tags {
            tr {
                th scope="row" {
                    @if sees { a href={ "/contacts?tag=" (tag.id) } { (tag.name) } } @else { (tag.name) }
                }
                (number_cell(&members, &format::whole(&visit, tag.members)))
                (cell(&made, &format::ago(&visit, &visit.frame.zone, visit.frame.now, tag.created_at)))
                @if manages {
                    td class="actions" {
                        a class="button button-plain" href={ "/tags/" (tag.id) } aria-label=(t!(visit, "audience-change-name", name = &*tag.name)) { (t!(visit, "audience-change")) }
                        a class="button button-plain" href={ "/tags/" (tag.id) "/delete" } aria-label=(t!(visit, "audience-delete-name", name = &*tag.name)) { (t!(visit, "audience-delete")) }
                    }
                }
            }
        }
    };
    let body = html! { (done(&visit, &query(&visit))) (table_card(&t!(visit, "nav-tags"), &head, &rows)) };
    Ok(page.actions(new).body(&body))
}

async fn blank(visit: Visit) -> Page {
    form_page(&visit, None, &Fields::new())
}

async fn create(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    match tag::create(&visit.ctx, &mut tx, form.text("name")).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(see_other("/tags?done=created"))
        }
        Err(error) => {
            refuse(&visit, &mut form, error)?;
            Ok(form_page(&visit, None, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

async fn show(Path(tag): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let tag = tag::find(&visit.ctx, &mut tx, id_of(&tag)?).await?.ok_or(Problem::NotFound)?;
    let form = Fields::of(&[("name", &tag.name)]);
    Ok(form_page(&visit, Some(&tag), &form))
}

async fn rename(Path(tag): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let tag = tag::find(&visit.ctx, &mut tx, id_of(&tag)?).await?.ok_or(Problem::NotFound)?;
    match tag::rename(&visit.ctx, &mut tx, tag.id, form.text("name")).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(see_other("/tags?done=saved"))
        }
        Err(error) => {
            refuse(&visit, &mut form, error)?;
            Ok(form_page(&visit, Some(&tag), &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

async fn ask(Path(tag): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let tag = tag::find(&visit.ctx, &mut tx, id_of(&tag)?).await?.ok_or(Problem::NotFound)?;
    let campaigns = tag::used_by(&visit.ctx, &mut tx, tag.id).await?;
    if !campaigns.is_empty() {
        return Ok(in_use_page(&visit, &tag, &campaigns));
    }
    Ok(ask_page(&visit, &tag, &Fields::new()))
}

async fn delete(Path(tag): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let tag = tag::find(&visit.ctx, &mut tx, id_of(&tag)?).await?.ok_or(Problem::NotFound)?;
    if !is_typed(&visit, &mut form, &tag.name) {
        return Ok(ask_page(&visit, &tag, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    match tag::delete(&visit.ctx, &mut tx, tag.id).await {
        Ok(()) => {}
        Err(TagError::InUse(campaigns)) => {
            return Ok(in_use_page(&visit, &tag, &campaigns).status(StatusCode::CONFLICT).into_response());
        }
        Err(TagError::Store(error)) => return Err(error.into()),
        Err(_) => return Err(Problem::NotFound),
    }
    tx.commit().await?;
    Ok(see_other("/tags?done=deleted"))
}

fn refuse(visit: &Visit, form: &mut Fields, error: TagError) -> Result<(), Problem> {
    match error {
        TagError::Missing | TagError::InUse(_) => return Err(Problem::NotFound),
        TagError::NoName => form.refuse("name", t!(visit, "tags-name-missing")),
        TagError::Text(error) => form.refuse("name", wrong(visit, error)),
        TagError::Taken => form.refuse("name", t!(visit, "tags-name-taken")),
        TagError::TooMany => form.refuse("", t!(visit, "tags-too-many")),
        TagError::Store(error) => return Err(error.into()),
    }
    Ok(())
}

fn form_page(visit: &Visit, tag: Option<&Tag>, form: &Fields) -> Page {
    let action = tag.map_or_else(|| "/tags/new".to_owned(), |tag| format!("/tags/{}", tag.id));
    let title = if tag.is_some() { t!(visit, "tags-change") } else { t!(visit, "tags-new") };
    let body: Markup = html! {
        (error_summary(visit, form))
        form class="form card" method="post" action=(action) {
            (csrf_field(&visit.frame))
            (field(visit, form, &Input::text("name", &t!(visit, "tags-name")).help(t!(visit, "tags-name-help")).max(NAME_CHARS).autofocus()))
            (submit_or_cancel(visit, &if tag.is_some() { t!(visit, "save") } else { t!(visit, "tags-create") }, "/tags"))
        }
    };
    Page::new(&visit.frame, &title).crumb("/tags", t!(visit, "nav-tags")).section(Section::Tags).body(&body)
}

fn in_use_page(visit: &Visit, tag: &Tag, campaigns: &[UsedBy]) -> Page {
    Page::new(&visit.frame, &t!(visit, "tags-delete-title", name = &*tag.name))
        .crumb("/tags", t!(visit, "nav-tags"))
        .section(Section::Tags)
        .body(&in_use(visit, &t!(visit, "tags-in-use"), campaigns, "/tags"))
}

fn ask_page(visit: &Visit, tag: &Tag, form: &Fields) -> Page {
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: &format!("/tags/{}/delete", tag.id),
            consequence: html! { p { (t!(visit, "tags-delete-text", name = &*tag.name, count = tag.members)) } },
            button: &t!(visit, "tags-delete"),
            typed: Some(&tag.name),
            back: "/tags",
            fields: form,
        },
    );
    Page::new(&visit.frame, &t!(visit, "tags-delete-title", name = &*tag.name))
        .crumb("/tags", t!(visit, "nav-tags"))
        .section(Section::Tags)
        .body(&html! { (error_summary(visit, form)) (body) })
}
