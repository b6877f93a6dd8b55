use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use letterkeep_audience::import::dry_run::dry_run;
use letterkeep_audience::import::{DryRun, ImportError, stage};
use letterkeep_audience::{Permission, StandardField, TrackingConsent, field};
use letterkeep_model::{Id, kind};
use maud::{Markup, html};

use super::{page, path, steps, wrong_file};
use crate::component::{Progress, Stat, Tone, cell, csrf_field, notice, progress, stats, table_card};
use crate::format;
use crate::page::audience::{id_of, query};
use crate::text::{named, t};
use crate::visit::Visit;
use crate::{Page, Problem};

/// Up to this many bytes the answer comes with the page; a larger file is read after it, with a bar in its place.
const AT_ONCE: u64 = 512 * 1024;

pub(super) async fn show(Path(import): Path<String>, visit: Visit) -> Result<Page, Problem> {
    let import = id_of(&import)?;
    let preview = stage::preview(&visit.ctx, &visit.house.store, import).await?;
    let waits = preview.size > AT_ONCE && query(&visit).text("now").is_empty();
    let part = format!("{}/check/result", path(import));
    let body = html! {
        (steps(&visit, 2))
        @if waits {
            div class="card" id="check" hx-get=(part) hx-trigger="load" hx-swap="outerHTML" {
                (progress(&visit, &Progress { name: t!(visit, "import-checking"), done: 0, total: None, rate: None }))
                p class="only-plain" { a class="button" href={ (path(import)) "/check?now=yes" } { (t!(visit, "import-check-now")) } }
            }
        } @else {
            (answer(&visit, import).await?)
        }
    };
    Ok(page(&visit, &t!(visit, "import-check")).lead(&t!(visit, "import-check-lead")).body(&body))
}

pub(super) async fn part(Path(import): Path<String>, visit: Visit) -> Result<Response, Problem> {
    Ok(answer(&visit, id_of(&import)?).await?.into_response())
}

async fn answer(visit: &Visit, import: Id<kind::Import>) -> Result<Markup, Problem> {
    let found = match dry_run(&visit.ctx, &visit.house.store, import, None).await {
        Ok(found) => found,
        Err(ImportError::Source(error)) => {
            return Ok(html! {
                (notice(Tone::Bad, &t!(visit, "import-unreadable"), &html! { p { (wrong_file(visit, &error)) } }))
                p { a class="button button-primary" href=(path(import)) { (t!(visit, "import-back")) } }
            });
        }
        Err(ImportError::Settings(_)) => {
            return Ok(html! {
                (notice(Tone::Warn, "", &html! { p { (t!(visit, "import-not-ready")) } }))
                p { a class="button button-primary" href=(path(import)) { (t!(visit, "import-back")) } }
            });
        }
        Err(error) => return Err(error.into()),
    };
    let nothing = found.created + found.updated + found.unchanged == 0;
    Ok(html! {
        div class="page-body" id="check" {
            (figures(visit, &found))
            @if nothing { (notice(Tone::Warn, "", &html! { p { (t!(visit, "import-nothing")) } })) }
            (refused(visit, &found))
            (differences(visit, &found).await?)
            div class="form-actions" {
                form method="post" action={ (path(import)) "/start" } {
                    (csrf_field(&visit.frame))
                    button class="button button-primary" type="submit" disabled[nothing] { (t!(visit, "import-start", count = found.created + found.updated + found.unchanged)) }
                }
                a class="button" href=(path(import)) { (t!(visit, "import-back")) }
            }
        }
    })
}

fn figures(visit: &Visit, found: &DryRun) -> Markup {
    let whole = |count: u64| format::whole(visit, count as i64);
    stats(&[
        Stat::new(whole(found.created), t!(visit, "import-would-create")),
        Stat::new(whole(found.updated), t!(visit, "import-would-update")),
        Stat::new(whole(found.unchanged), t!(visit, "import-unchanged")),
        Stat::new(whole(found.duplicate), t!(visit, "import-duplicate")),
        Stat::new(whole(found.rejected), t!(visit, "import-rejected")),
    ])
}

fn refused(visit: &Visit, found: &DryRun) -> Markup {
    if found.examples.is_empty() {
        return html! {};
    }
    let reason = t!(visit, "import-reason");
    let head = html! { th scope="col" { (t!(visit, "import-row")) } th scope="col" { (reason) } };
    let rows = html! {
        @for example in &found.examples {
            tr { th scope="row" { (t!(visit, "import-row-number", number = example.row)) } (cell(&reason, &html! { (example.reason) })) }
        }
    };
    let all = found.duplicate + found.rejected;
    html! {
        section class="stack-tight" {
            h2 { (t!(visit, "import-refused-title")) }
            p class="quiet" { (t!(visit, "import-refused-text", shown = found.examples.len(), count = all)) }
            (table_card(&t!(visit, "import-refused-title"), &head, &rows))
        }
    }
}

async fn differences(visit: &Visit, found: &DryRun) -> Result<Markup, Problem> {
    if found.differences.is_empty() {
        return Ok(html! {});
    }
    let mut tx = visit.read().await?;
    let fields = field::all(&visit.ctx, &mut tx).await?;
    drop(tx);
    let label = |name: &str| match name {
        "permission" => t!(visit, "contacts-permission"),
        "tracking" => t!(visit, "contact-tracking"),
        _ if StandardField::from_name(name).is_some() => named(visit, "standard", name),
        _ => {
            fields.iter().find(|field| field.merge_key == name).map_or_else(|| name.to_owned(), |one| one.label.clone())
        }
    };
    let value = |field: &str, text: &str| match field {
        "permission" if Permission::from_name(text).is_some() => named(visit, "permission", text),
        "tracking" if TrackingConsent::from_name(text).is_some() => named(visit, "tracking", text),
        _ => text.to_owned(),
    };
    let changes = t!(visit, "import-changes");
    let head = html! { th scope="col" { (t!(visit, "contacts-address")) } th scope="col" { (changes) } };
    let rows = html! {
        @for difference in &found.differences {
            tr {
                th scope="row" { a href={ "/contacts/" (difference.contact) } { (difference.email) } }
                (cell(&changes, &html! {
                    span class="samples" {
                        @for (field, before, after) in &difference.changes {
                            span {
                                span class="quiet" { (label(field)) ": " }
                                @if before.is_empty() { span class="quiet" { (t!(visit, "contact-conflict-empty")) } } @else { del { (value(field, before)) } }
                                " → " ins { (value(field, after)) }
                            }
                        }
                    }
                }))
            }
        }
    };
    Ok(html! {
        section class="stack-tight" {
            h2 { (t!(visit, "import-differences")) }
            p class="quiet" { (t!(visit, "import-differences-text", shown = found.differences.len(), count = found.updated)) }
            (table_card(&t!(visit, "import-differences"), &head, &rows))
        }
    })
}
