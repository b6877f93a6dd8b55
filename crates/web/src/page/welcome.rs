//! The first page, and the page behind the help link.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method};
use letterkeep_account::Stage;
use maud::{Markup, html};

use crate::access::Routes;
use crate::text::t;
use crate::visit::{self, Guest};
use crate::{Page, Problem, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new().public(&Method::GET, "/", "says what this is, to whoever comes by", welcome).public(
        &Method::GET,
        "/help",
        "whoever cannot log in needs it most",
        help,
    )
}

async fn welcome(guest: Guest, headers: HeaderMap) -> Result<Response, Problem> {
    if has_logged_in(&guest, &headers).await? {
        return Ok(see_other("/dashboard"));
    }
    let frame = &guest.frame;
    let body = html! {
        div class="hero" {
            div {
                h1 tabindex="-1" { (t!(frame, "welcome-title")) }
                p class="lead" { (t!(frame, "welcome-lead")) }
                p class="page-actions" {
                    @if frame.sign_up_open { a class="button button-primary" href="/sign-up" { (t!(frame, "welcome-start")) } }
                    a class="button" href="/log-in" { (t!(frame, "log-in")) }
                }
            }
            (picture())
        }
        div class="points" {
            @for point in ["import", "seal", "send", "count"] {
                section {
                    h2 { (crate::text::say(frame.locale, &format!("welcome-{point}-title"), None)) }
                    p { (crate::text::say(frame.locale, &format!("welcome-{point}-text"), None)) }
                }
            }
        }
    };
    Ok(Page::new(frame, &t!(frame, "welcome-name")).bare().body(&body).into_response())
}

async fn has_logged_in(guest: &Guest, headers: &HeaderMap) -> Result<bool, Problem> {
    let holder = visit::recognise(&guest.house, headers).await?;
    Ok(holder.is_some_and(|holder| holder.session.stage == Stage::Full))
}

async fn help(guest: Guest, headers: HeaderMap) -> Result<Page, Problem> {
    let known = has_logged_in(&guest, &headers).await?;
    let frame = &guest.frame;
    let body = html! {
        div class="stack measure help" {
            @for topic in ["start", "factor", "address", "send", "operator"] {
                section {
                    h2 { (crate::text::say(frame.locale, &format!("help-{topic}-title"), None)) }
                    p { (crate::text::say(frame.locale, &format!("help-{topic}-text"), None)) }
                }
            }
        }
    };
    Ok(Page::new(frame, &t!(frame, "help")).lead(&t!(frame, "help-lead")).known(known).body(&body))
}

/// A letter inside the walls of a keep.
fn picture() -> Markup {
    html! {
        svg class="hero-picture" viewBox="0 0 400 360" aria-hidden="true" {
            path class="wall-1" d="M10 350V70h40v34h45V70h40v34h45V70h40v34h45V70h40v34h45V70h40v280z" {}
            path class="wall-2" d="M52 350V142h38v26h48v-26h38v26h48v-26h38v26h48v-26h38v208z" {}
            path class="wall-3" d="M92 350V206h40v18h48v-18h40v18h48v-18h40v144z" {}
            path class="letter" d="M122 338V240h21v14h24v-14h21v14h24v-14h21v14h24v-14h21v98z" {}
            path class="letter" d="m122 262 78 46 78-46" {}
            circle class="wax-drop" cx="200" cy="308" r="13" {}
        }
    }
}
