//! The reader's own sessions.

use axum::extract::Path;
use axum::response::Response;
use letterkeep_account::{Action, session};
use letterkeep_model::{Id, kind};
use maud::html;

use crate::access::Routes;
use crate::component::{Seal, Tone, cell, csrf_field, notice, seal, table_card};
use crate::format;
use crate::text::t;
use crate::visit::{Desk, Posted};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/sessions", Action::ManageOwnLogIn, list)
        .post("/sessions/end-others", Action::ManageOwnLogIn, end_others)
        .post("/sessions/{id}/end", Action::ManageOwnLogIn, end)
}

async fn list(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let sessions = session::list(&visit.ctx, &mut tx, visit.session.user).await?;
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
        (table_card(&t!(visit, "nav-sessions"), &head, &rows))
        @if sessions.len() > 1 {
            form method="post" action="/sessions/end-others" {
                (csrf_field(frame))
                button class="button button-danger" type="submit" { (t!(visit, "session-end-others")) }
            }
        }
        p class="quiet measure" { (t!(visit, "session-hint")) " " a class="nowrap" href="/profile" { (t!(visit, "session-hint-link")) } }
    };
    Ok(Page::new(frame, &t!(visit, "nav-sessions"))
        .lead(&t!(visit, "sessions-lead"))
        .section(Section::Sessions)
        .body(&body))
}

async fn end(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let id: Id<kind::Session> = id.parse().map_err(|_| Problem::NotFound)?;
    // Already ended is what was wanted, too.
    session::revoke(&visit.ctx, &mut tx, visit.session.user, id).await?;
    tx.commit().await?;
    Ok(see_other("/sessions?done=yes"))
}

async fn end_others(Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    session::revoke_others(&visit.ctx, &mut tx, &visit.session).await?;
    tx.commit().await?;
    Ok(see_other("/sessions?done=yes"))
}
