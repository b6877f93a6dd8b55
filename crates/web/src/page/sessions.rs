//! The reader's own sessions, and the browsers that are known as theirs.

use axum::extract::Path;
use axum::response::Response;
use letterkeep_account::Action;
use letterkeep_account::session::{self, KnownBrowser};
use letterkeep_model::{Id, kind};
use maud::{Markup, html};

use crate::access::Routes;
use crate::component::{Seal, Tone, cell, csrf_field, notice, seal, table_card};
use crate::format;
use crate::text::t;
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/sessions", Action::ManageOwnLogIn, list)
        .post("/sessions/end-others", Action::ManageOwnLogIn, end_others)
        .post("/sessions/{id}/end", Action::ManageOwnLogIn, end)
        .post("/sessions/browsers/{id}/forget", Action::ManageOwnLogIn, forget)
}

async fn list(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let sessions = session::list(&visit.ctx, &mut tx, visit.session.user).await?;
    let browsers = session::known_browsers(&visit.ctx, &mut tx, visit.session.user).await?;
    let frame = &visit.frame;
    let (device, seen, begun, ends) =
        (t!(visit, "session-device"), t!(visit, "session-seen"), t!(visit, "session-begun"), t!(visit, "session-ends"));
    let head = html! {
        th scope="col" { (device) } th scope="col" { (seen) } th scope="col" { (begun) } th scope="col" { (ends) }
        th { span class="visually-hidden" { (t!(visit, "actions")) } }
    };
    let rows = html! {
        @for open in &sessions {
            tr {
                th scope="row" { (open.client) }
                (cell(&seen, &format::ago(&visit, &frame.zone, frame.now, open.seen_at)))
                (cell(&begun, &format::moment(&visit, &frame.zone, open.created_at)))
                (cell(&ends, &format::moment(&visit, &frame.zone, open.expires_at)))
                td class="actions" {
                    @if open.id == visit.session.id {
                        (seal(Seal::Good, &t!(visit, "session-this")))
                    } @else {
                        form method="post" action={ "/sessions/" (open.id) "/end" } {
                            (csrf_field(frame))
                            button class="button" type="submit" aria-label=(t!(visit, "session-end-name", client = open.client.as_str())) { (t!(visit, "session-end")) }
                        }
                    }
                }
            }
        }
    };
    let body = html! {
        @if frame.path.ends_with("?done=yes") { (notice(Tone::Good, "", &html! { p { (t!(visit, "session-ended")) } })) }
        @if frame.path.ends_with("?forgotten=yes") { (notice(Tone::Good, "", &html! { p { (t!(visit, "browser-forgotten")) } })) }
        (table_card(&t!(visit, "nav-sessions"), &head, &rows))
        @if sessions.len() > 1 {
            form method="post" action="/sessions/end-others" {
                (csrf_field(frame))
                button class="button button-danger" type="submit" { (t!(visit, "session-end-others")) }
            }
        }
        @if !browsers.is_empty() { (known_browsers(&visit, &browsers)) }
        p class="quiet measure" { (t!(visit, "session-hint")) " " a class="nowrap" href="/profile" { (t!(visit, "session-hint-link")) } }
    };
    Ok(Page::new(frame, &t!(visit, "nav-sessions"))
        .lead(&t!(visit, "sessions-lead"))
        .section(Section::Sessions)
        .body(&body))
}

fn known_browsers(visit: &Visit, browsers: &[KnownBrowser]) -> Markup {
    let frame = &visit.frame;
    let (device, seen, known) =
        (t!(visit, "session-device"), t!(visit, "browser-seen"), t!(visit, "browser-known-since"));
    let head = html! {
        th scope="col" { (device) } th scope="col" { (seen) } th scope="col" { (known) }
        th { span class="visually-hidden" { (t!(visit, "actions")) } }
    };
    let rows = html! {
        @for browser in browsers {
            tr {
                th scope="row" {
                    span class="row" {
                        (browser.client)
                        @if visit.session.device == Some(browser.id) { (seal(Seal::Good, &t!(visit, "browser-this"))) }
                    }
                }
                (cell(&seen, &format::ago(visit, &frame.zone, frame.now, browser.seen_at)))
                (cell(&known, &format::moment(visit, &frame.zone, browser.created_at)))
                td class="actions" {
                    form method="post" action={ "/sessions/browsers/" (browser.id) "/forget" } {
                        (csrf_field(frame))
                        button class="button" type="submit" aria-label=(t!(visit, "browser-forget-name", client = browser.client.as_str())) { (t!(visit, "browser-forget")) }
                    }
                }
            }
        }
    };
    html! {
        section class="stack-tight" {
            h2 { (t!(visit, "browsers-title")) }
            p class="quiet measure" { (t!(visit, "browsers-text")) }
            (table_card(&t!(visit, "browsers-title"), &head, &rows))
        }
    }
}

async fn forget(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let id: Id<kind::Device> = id.parse().map_err(|_| Problem::NotFound)?;
    // Already forgotten is what was wanted, too.
    session::forget_browser(&visit.ctx, &mut tx, visit.session.user, id).await?;
    tx.commit().await?;
    Ok(see_other("/sessions?forgotten=yes"))
}

async fn end(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let id: Id<kind::Session> = id.parse().map_err(|_| Problem::NotFound)?;
    // Already ended is what was wanted, too.
    session::revoke(&visit.ctx, &mut tx, &visit.session, id).await?;
    tx.commit().await?;
    Ok(see_other("/sessions?done=yes"))
}

async fn end_others(Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    session::revoke_others(&visit.ctx, &mut tx, &visit.session).await?;
    tx.commit().await?;
    Ok(see_other("/sessions?done=yes"))
}
