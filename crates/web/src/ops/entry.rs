//! In, out, and what stands before the door.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{Method, StatusCode};
use maud::{Markup, html};

use super::HOME;
use super::door::{Operator, Routes, SESSION, Sent, strict_cookie};
use super::session::Refused;
use crate::component::{Tone, csrf_field, hidden, notice, submit};
use crate::frame::{Frame, add_cookies};
use crate::text::t;
use crate::{Page, Problem, asset, page, see_other};

pub(super) fn routes() -> Routes {
    let (entrance, files) = ("the operator comes in here", "style, scripts and fonts of the page before the door");
    let home = || get(async || see_other(HOME));
    Routes::new()
        .public(Method::GET, "/", "leads to the first page, which asks who comes", home())
        .public(Method::GET, "/ops", "leads to the first page, which asks who comes", home())
        .public(Method::GET, "/ops/enter", entrance, get(show))
        .public(Method::POST, "/ops/enter", entrance, post(enter))
        .public(Method::POST, "/ops/preferences", "the language is chosen before log-in", post(prefer))
        .public(Method::GET, "/assets/{digest}/{name}", files, get(asset::serve))
        .public(Method::GET, "/favicon.ico", files, get(asset::favicon))
        .post("/ops/leave", leave)
}

#[derive(serde::Deserialize)]
struct Brought {
    #[serde(default)]
    token: String,
}

/// Opening the address changes nothing yet: programs that look at links in advance would use it up.
async fn show(operator: Operator, Query(brought): Query<Brought>) -> Response {
    let frame = &operator.frame;
    if brought.token.is_empty() {
        return locked(frame).into_response();
    }
    let body = html! {
        form class="form" method="post" action="/ops/enter" {
            (csrf_field(frame))
            (hidden("token", &brought.token))
            (submit(&t!(frame, "log-in")))
        }
        p class="quiet measure" { (t!(frame, "ops-enter-hint")) }
    };
    Page::new(frame, &t!(frame, "ops-enter-title"))
        .lead(&t!(frame, "ops-enter-lead"))
        .narrow()
        .body(&body)
        .into_response()
}

async fn enter(Sent { operator, form }: Sent) -> Result<Response, Problem> {
    let house = &operator.house;
    let opened = house.session.open(&house.link, form.text("token"), &*house.entropy, house.clock.now());
    match opened {
        Ok(token) => {
            tracing::info!("the operator has logged in");
            let mut response = see_other(HOME);
            add_cookies(response.headers_mut(), &[strict_cookie(SESSION, &token.text())]);
            Ok(response)
        }
        Err(Refused::Wrong) => {
            tracing::warn!("a link to the operator's pages was refused");
            Ok(refused(&operator.frame).into_response())
        }
        Err(Refused::TooMany(wait)) => Err(Problem::TooMany(wait)),
    }
}

async fn leave(Sent { operator, .. }: Sent) -> Response {
    operator.house.session.close();
    let mut response = see_other("/ops/enter");
    add_cookies(response.headers_mut(), &[format!("{}; Max-Age=0", strict_cookie(SESSION, ""))]);
    response
}

async fn prefer(Sent { form, .. }: Sent) -> Response {
    page::preference::chosen(&form)
}

/// Which command to run.
fn command(frame: &Frame) -> Markup {
    html! {
        p class="measure" { (t!(frame, "ops-locked-do")) }
        pre class="snippet" { code { "letterkeep ops link" } }
        p class="quiet measure" { (t!(frame, "ops-locked-hint")) }
    }
}

/// What stands in place of every page for whoever has no session.
pub(crate) fn locked(frame: &Frame) -> Page {
    Page::new(frame, &t!(frame, "ops-locked-title"))
        .lead(&t!(frame, "ops-locked-lead"))
        .status(StatusCode::UNAUTHORIZED)
        .narrow()
        .body(&command(frame))
}

fn refused(frame: &Frame) -> Page {
    let body = html! {
        (notice(Tone::Bad, &t!(frame, "ops-refused-title"), &html! { p { (t!(frame, "ops-refused-text")) } }))
        (command(frame))
    };
    Page::new(frame, &t!(frame, "ops-locked-title")).status(StatusCode::FORBIDDEN).narrow().body(&body)
}
