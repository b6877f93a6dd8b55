//! Custom fields: define, rename, order, delete.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_audience::field::{self, FieldError, KEY_CHARS, LABEL_CHARS, NewField};
use letterkeep_audience::{Currency, CustomField, FieldKind};
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::audience::{done, id_of, is_typed, query, wrong};
use crate::access::Routes;
use crate::component::{
    Choice, Confirm, Fields, Input, Picture, cell, confirm, csrf_field, empty, error_summary, field as line, hidden,
    select, submit_or_cancel, table_card, text_area,
};
use crate::text::{named, t};
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/fields", Action::ManageFields, all)
        .get("/fields/new", Action::ManageFields, blank)
        .post("/fields/new", Action::ManageFields, create)
        .get("/fields/{field}", Action::ManageFields, show)
        .post("/fields/{field}", Action::ManageFields, change)
        .post("/fields/{field}/move", Action::ManageFields, shift)
        .get("/fields/{field}/delete", Action::ManageFields, ask)
        .post("/fields/{field}/delete", Action::ManageFields, delete)
}

async fn found(visit: &Visit, tx: &mut Tx, id: &str) -> Result<CustomField, Problem> {
    let id = id_of(id)?;
    field::all(&visit.ctx, tx).await?.into_iter().find(|field| field.id == id).ok_or(Problem::NotFound)
}

async fn all(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let fields = field::all(&visit.ctx, &mut tx).await?;
    let new = html! { a class="button button-primary" href="/fields/new" { (t!(visit, "fields-new")) } };
    let page =
        Page::new(&visit.frame, &t!(visit, "nav-fields")).section(Section::Fields).lead(&t!(visit, "fields-lead"));
    if fields.is_empty() {
        let nothing = empty(Picture::List, &t!(visit, "fields-none"), &t!(visit, "fields-none-text"), &new);
        return Ok(page.body(&html! { (done(&visit, &query(&visit))) (nothing) }));
    }
    let (label, kind, merge) = (t!(visit, "fields-label"), t!(visit, "fields-kind"), t!(visit, "fields-merge"));
    let head = html! {
        th scope="col" { (label) } th scope="col" { (kind) } th scope="col" { (merge) }
        th scope="col" { span class="visually-hidden" { (t!(visit, "audience-actions")) } }
    };
    let rows = html! {
        @for (place, field) in fields.iter().enumerate() {
            tr {
                th scope="row" {
                    a href={ "/fields/" (field.id) } { (field.label) }
                    @if !field.options.is_empty() { p class="quiet small" { (field.options.join(" · ")) } }
                }
                (cell(&kind, &html! { (named(&visit, "kind", field.kind.name())) @if let Some(currency) = field.currency { " (" (currency.code()) ")" } }))
                (cell(&merge, &merge_tag(&visit, field)))
                td class="actions" {
                    (mover(&visit, field, "up", place == 0))
                    (mover(&visit, field, "down", place + 1 == fields.len()))
                    a class="button button-plain" href={ "/fields/" (field.id) } aria-label=(t!(visit, "audience-change-name", name = &*field.label)) { (t!(visit, "audience-change")) }
                    a class="button button-plain" href={ "/fields/" (field.id) "/delete" } aria-label=(t!(visit, "audience-delete-name", name = &*field.label)) { (t!(visit, "audience-delete")) }
                }
            }
        }
    };
    let body = html! { (done(&visit, &query(&visit))) (table_card(&t!(visit, "nav-fields"), &head, &rows)) };
    Ok(page.actions(new).body(&body))
}

/// What a template writes to show the field, and a button that copies it.
fn merge_tag(visit: &Visit, field: &CustomField) -> Markup {
    html! {
        span class="row" {
            code id={ "merge-" (field.merge_key) } { "{{ " (field.merge_key) " }}" }
            button class="button button-plain only-script" type="button" data-do="copy" aria-controls={ "merge-" (field.merge_key) }
                data-done=(t!(visit, "fields-copied")) aria-label=(t!(visit, "fields-copy-name", name = &*field.label)) { (t!(visit, "fields-copy")) }
        }
    }
}

fn mover(visit: &Visit, field: &CustomField, direction: &str, at_end: bool) -> Markup {
    let (sign, label) = if direction == "up" {
        ("↑", t!(visit, "fields-up", name = &*field.label))
    } else {
        ("↓", t!(visit, "fields-down", name = &*field.label))
    };
    html! {
        form method="post" action={ "/fields/" (field.id) "/move" } {
            (csrf_field(&visit.frame))
            (hidden("direction", direction))
            button class="button button-plain" type="submit" aria-label=(label) disabled[at_end] { (sign) }
        }
    }
}

async fn shift(Path(id): Path<String>, Posted { visit, mut tx, form }: Posted) -> Result<Response, Problem> {
    let field = found(&visit, &mut tx, &id).await?;
    let mut order = field::all(&visit.ctx, &mut tx).await?.iter().map(|field| field.id).collect::<Vec<_>>();
    let place = order.iter().position(|id| *id == field.id).ok_or(Problem::NotFound)?;
    match form.text("direction") {
        "up" if place > 0 => order.swap(place, place - 1),
        "down" if place + 1 < order.len() => order.swap(place, place + 1),
        _ => return Ok(see_other("/fields")),
    }
    field::reorder(&visit.ctx, &mut tx, &order).await.map_err(|error| match error {
        FieldError::Store(error) => Problem::Store(error),
        _ => Problem::Changed,
    })?;
    tx.commit().await?;
    Ok(see_other("/fields"))
}

async fn blank(visit: Visit) -> Page {
    new_page(&visit, &Fields::new())
}

fn options_of(form: &Fields) -> Vec<String> {
    form.text("options").lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

async fn create(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let kind = FieldKind::from_name(form.text("kind")).ok_or(Problem::Unreadable)?;
    let label = form.text("label").trim().to_owned();
    let merge_key = form.filled("merge_key").map_or_else(|| field::merge_key_for(&label), str::to_owned);
    let currency = form.filled("currency").map(|code| code.to_uppercase().parse::<Currency>());
    if kind == FieldKind::Currency && matches!(currency, Some(Err(_))) {
        form.refuse("currency", t!(visit, "value-currency"));
    } else {
        // Options belong to selects alone; the form offers them for every kind, because it needs no script.
        let options = if kind.has_options() { options_of(&form) } else { Vec::new() };
        let currency = currency.and_then(Result::ok);
        let new = NewField { merge_key, label, kind, options, currency };
        match field::create(&visit.ctx, &mut tx, &new).await {
            Ok(_) => {
                tx.commit().await?;
                return Ok(see_other("/fields?done=created"));
            }
            Err(error) => refuse(&visit, &mut form, error)?,
        }
    }
    Ok(new_page(&visit, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn refuse(visit: &Visit, form: &mut Fields, error: FieldError) -> Result<(), Problem> {
    match error {
        FieldError::Missing => return Err(Problem::NotFound),
        FieldError::Key => form.refuse("merge_key", t!(visit, "fields-key-refused")),
        FieldError::Reserved => form.refuse("merge_key", t!(visit, "fields-key-reserved")),
        FieldError::Taken => form.refuse("merge_key", t!(visit, "fields-key-taken")),
        FieldError::NoLabel => form.refuse("label", t!(visit, "fields-label-missing")),
        FieldError::Label(error) => form.refuse("label", wrong(visit, error)),
        FieldError::Options => form.refuse("options", t!(visit, "fields-options-refused")),
        FieldError::Option(error) => form.refuse("options", wrong(visit, error)),
        FieldError::TooMany => form.refuse("", t!(visit, "fields-too-many")),
        FieldError::Order => return Err(Problem::Changed),
        FieldError::Store(error) => return Err(error.into()),
    }
    Ok(())
}

fn new_page(visit: &Visit, form: &Fields) -> Page {
    let kinds = FieldKind::ALL.map(|kind| Choice::new(kind.name(), named(visit, "kind", kind.name())));
    let body = html! {
        (error_summary(visit, form))
        form class="form card field-form" method="post" action="/fields/new" {
            (csrf_field(&visit.frame))
            (line(visit, form, &Input::text("label", &t!(visit, "fields-label")).help(t!(visit, "fields-label-help")).max(LABEL_CHARS).autofocus().autocomplete("off")))
            (select(visit, form, &Input::text("kind", &t!(visit, "fields-kind")), &kinds))
            div class="for-select" { (options(visit, form)) }
            div class="for-currency" { (line(visit, form, &Input::text("currency", &t!(visit, "fields-currency")).help(t!(visit, "fields-currency-help")).max(3).short().optional())) }
            (line(visit, form, &Input::text("merge_key", &t!(visit, "fields-merge")).help(t!(visit, "fields-merge-help")).max(KEY_CHARS).optional().autocomplete("off")))
            (submit_or_cancel(visit, &t!(visit, "fields-create"), "/fields"))
        }
    };
    Page::new(&visit.frame, &t!(visit, "fields-new"))
        .crumb("/fields", t!(visit, "nav-fields"))
        .section(Section::Fields)
        .body(&body)
}

fn options(visit: &Visit, form: &Fields) -> Markup {
    let label = t!(visit, "fields-options");
    let input = Input::text("options", &label).help(t!(visit, "fields-options-help")).optional();
    text_area(visit, form, &input, 5, false)
}

async fn show(Path(id): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let field = found(&visit, &mut tx, &id).await?;
    let form = Fields::of(&[("label", &field.label), ("options", &field.options.join("\n"))]);
    Ok(change_page(&visit, &field, &form))
}

async fn change(Path(id): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let field = found(&visit, &mut tx, &id).await?;
    let mut changed = field::rename(&visit.ctx, &mut tx, field.id, form.text("label")).await;
    let options = options_of(&form);
    if changed.is_ok() && field.kind.has_options() && options != field.options {
        changed = field::set_options(&visit.ctx, &mut tx, field.id, &options).await;
    }
    match changed {
        Ok(()) => {
            tx.commit().await?;
            Ok(see_other("/fields?done=saved"))
        }
        Err(error) => {
            refuse(&visit, &mut form, error)?;
            Ok(change_page(&visit, &field, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

fn change_page(visit: &Visit, field: &CustomField, form: &Fields) -> Page {
    let body = html! {
        (error_summary(visit, form))
        form class="form card" method="post" action={ "/fields/" (field.id) } {
            (csrf_field(&visit.frame))
            (line(visit, form, &Input::text("label", &t!(visit, "fields-label")).max(LABEL_CHARS).autocomplete("off")))
            @if field.kind.has_options() { (options(visit, form)) p class="quiet small" { (t!(visit, "fields-options-kept")) } }
            dl class="facts" {
                dt { (t!(visit, "fields-kind")) } dd { (named(visit, "kind", field.kind.name())) }
                dt { (t!(visit, "fields-merge")) } dd { (merge_tag(visit, field)) }
            }
            (submit_or_cancel(visit, &t!(visit, "save"), "/fields"))
        }
    };
    Page::new(&visit.frame, &field.label).crumb("/fields", t!(visit, "nav-fields")).section(Section::Fields).body(&body)
}

async fn ask(Path(id): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let field = found(&visit, &mut tx, &id).await?;
    Ok(ask_page(&visit, &field, &Fields::new()))
}

async fn delete(Path(id): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let field = found(&visit, &mut tx, &id).await?;
    if !is_typed(&visit, &mut form, &field.label) {
        return Ok(ask_page(&visit, &field, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    match field::delete(&visit.ctx, &mut tx, field.id).await {
        Ok(()) => {}
        Err(FieldError::Store(error)) => return Err(error.into()),
        Err(_) => return Err(Problem::NotFound),
    }
    tx.commit().await?;
    Ok(see_other("/fields?done=deleted"))
}

fn ask_page(visit: &Visit, field: &CustomField, form: &Fields) -> Page {
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: &format!("/fields/{}/delete", field.id),
            consequence: html! { p { (t!(visit, "fields-delete-text", key = &*field.merge_key)) } },
            button: &t!(visit, "fields-delete"),
            typed: Some(&field.label),
            back: "/fields",
            fields: form,
        },
    );
    Page::new(&visit.frame, &t!(visit, "fields-delete-title", name = &*field.label))
        .crumb("/fields", t!(visit, "nav-fields"))
        .section(Section::Fields)
        .body(&html! { (error_summary(visit, form)) (body) })
}
