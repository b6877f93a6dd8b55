use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue};
use letterkeep_audience::import::dry_run::dry_run;
use letterkeep_audience::import::{Check, DryRun, ImportError, ImportProblem, check, stage};
use letterkeep_audience::{Permission, StandardField, TrackingConsent, field};
use letterkeep_model::{Id, Timestamp, kind};
use maud::{Markup, html};

use super::progress::why;
use super::{page, path, steps};
use crate::component::{Progress, Stat, Tone, cell, csrf_field, notice, progress, stats, table_card};
use crate::format;
use crate::frame;
use crate::page::audience::id_of;
use crate::text::{named, t};
use crate::visit::{Sent, Visit};
use crate::{Page, Problem, see_other};

pub(super) async fn show(Path(import): Path<String>, headers: HeaderMap, visit: Visit) -> Result<Page, Problem> {
    let import = id_of(&import)?;
    let preview = stage::preview(&visit.ctx, &visit.house.store, import).await?;
    let found = if preview.size > visit.house.settings.import_check_at_once {
        standing(&visit, import).await?
    } else {
        at_once(&visit, import).await?
    };
    let body = html! {
        (steps(&visit, 2))
        @match &found {
            Check::UnderWay { rows_done, rows_total, since } => {
                (bar(&visit, import, *rows_done, *rows_total, *since))
                p class="quiet" { (t!(visit, "import-check-goes-on")) }
            }
            Check::NotAsked => (wanted(&visit, import, Tone::Plain, &t!(visit, "import-check-not-asked"))),
            Check::Failed => (wanted(&visit, import, Tone::Warn, &t!(visit, "import-check-failed"))),
            Check::Refused(problem) => {
                (notice(Tone::Bad, &t!(visit, "import-unreadable"), &why(&visit, problem)))
                p { a class="button button-primary" href=(path(import)) { (t!(visit, "import-back")) } }
            }
            Check::Done { found, at } => (answer(&visit, import, found, *at).await?),
        }
    };
    // The cookie with the time zone is written by our script: whoever sends it has htmx to fetch the figures.
    let plain = frame::cookie(&headers, frame::ZONE).is_none();
    let page = page(&visit, &t!(visit, "import-check")).lead(&t!(visit, "import-check-lead")).body(&body);
    Ok(if plain && matches!(found, Check::UnderWay { .. }) { page.refresh(2) } else { page })
}

/// Has a large file checked, or checked again.
pub(super) async fn start(Path(import): Path<String>, Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    check::start(&visit.ctx, &visit.house.store, import).await?;
    Ok(see_other(&format!("{}/check", path(import))))
}

/// The bar alone, for htmx. Once the check has ended, the whole page is asked for.
pub(super) async fn part(Path(import): Path<String>, visit: Visit) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    if let Check::UnderWay { rows_done, rows_total, since } = standing(&visit, import).await? {
        return Ok(bar(&visit, import, rows_done, rows_total, since).into_response());
    }
    let mut response = html! {}.into_response();
    if let Ok(address) = HeaderValue::from_str(&format!("{}/check", path(import))) {
        response.headers_mut().insert("hx-redirect", address);
    }
    Ok(response)
}

async fn standing(visit: &Visit, import: Id<kind::Import>) -> Result<Check, Problem> {
    let mut tx = visit.read().await?;
    Ok(check::standing(&visit.ctx, &mut tx, &visit.keyring, import).await?)
}

/// A small file is read while the page waits.
async fn at_once(visit: &Visit, import: Id<kind::Import>) -> Result<Check, Problem> {
    match dry_run(&visit.ctx, &visit.house.store, import).await {
        Ok(found) => Ok(Check::Done { found: Box::new(found), at: None }),
        Err(error @ (ImportError::Source(_) | ImportError::Settings(_))) => {
            Ok(Check::Refused(ImportProblem::of(&error)))
        }
        Err(error) => Err(error.into()),
    }
}

fn bar(visit: &Visit, import: Id<kind::Import>, done: u64, total: Option<u64>, since: Timestamp) -> Markup {
    let seconds = visit.ctx.now().since(since).as_secs_f64();
    let rate = (seconds > 0.0 && done > 0).then(|| done as f64 / seconds);
    let total = total.map(|total| total.max(done) as i64);
    let work = Progress { name: t!(visit, "import-checking"), done: done as i64, total, rate };
    html! {
        div class="card" id="check" hx-get={ (path(import)) "/check/progress" } hx-trigger="every 1s" hx-swap="outerHTML" {
            (progress(visit, &work))
        }
    }
}

fn wanted(visit: &Visit, import: Id<kind::Import>, tone: Tone, text: &str) -> Markup {
    let body = html! { p { (text) } (again(visit, import, "button button-primary", &t!(visit, "import-check-start"))) };
    notice(tone, &t!(visit, "import-check-wanted"), &body)
}

fn again(visit: &Visit, import: Id<kind::Import>, class: &str, text: &str) -> Markup {
    html! {
        form method="post" action={ (path(import)) "/check" } {
            (csrf_field(&visit.frame))
            button class=(class) type="submit" { (text) }
        }
    }
}

async fn answer(
    visit: &Visit,
    import: Id<kind::Import>,
    found: &DryRun,
    at: Option<Timestamp>,
) -> Result<Markup, Problem> {
    let nothing = found.created + found.updated + found.unchanged == 0;
    Ok(html! {
        div class="page-body" id="check" {
            (figures(visit, found))
            @if nothing { (notice(Tone::Warn, "", &html! { p { (t!(visit, "import-nothing")) } })) }
            (refused(visit, found))
            (differences(visit, found).await?)
            div class="form-actions" {
                form method="post" action={ (path(import)) "/start" } {
                    (csrf_field(&visit.frame))
                    button class="button button-primary" type="submit" disabled[nothing] { (t!(visit, "import-start", count = found.created + found.updated + found.unchanged)) }
                }
                a class="button" href=(path(import)) { (t!(visit, "import-back")) }
            }
            @if let Some(at) = at {
                div class="form-actions" {
                    p class="quiet small" { (t!(visit, "import-checked-at")) " " (format::moment(visit, &visit.frame.zone, at)) }
                    (again(visit, import, "button button-plain", &t!(visit, "import-check-again")))
                }
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
