//! Logging in: user name and password, then the second factor. Logging out.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use letterkeep_account::log_in::{self, LogInError};
use letterkeep_account::{Action, Stage, session};
use letterkeep_vault::Password;
use maud::html;

use super::preference::local;
use super::sign_up::{logged_in, refuse_code, throttled, with_session};
use crate::access::{Access, Routes};
use crate::component::{Fields, Input, Tone, csrf_field, error_summary, field, hidden, notice, submit};
use crate::frame::{self, Frame, add_cookies, clear_cookie};
use crate::text::t;
use crate::visit::{Guest, GuestPost, Pending, PendingPost, Sent};
use crate::{Page, Problem, see_other};

pub(crate) fn routes() -> Routes {
    let reason = "people come in here";
    Routes::new()
        .public(&Method::GET, "/log-in", reason, show)
        .public(&Method::POST, "/log-in", reason, authenticate)
        .declare(&Method::GET, "/log-in/factor", Access::At(Stage::Factor), factor)
        .declare(&Method::POST, "/log-in/factor", Access::At(Stage::Factor), prove)
        .declare(&Method::POST, "/log-in/cancel", Access::At(Stage::Factor), cancel)
        .post("/log-out", Action::ManageOwnLogIn, log_out)
}

/// Where to go afterwards.
#[derive(serde::Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
    #[serde(default)]
    out: String,
}

async fn show(guest: Guest, Query(query): Query<Next>) -> Page {
    page(&guest.frame, &Fields::new(), &query.next, !query.out.is_empty())
}

async fn authenticate(GuestPost { guest, client, mut form }: GuestPost) -> Result<Response, Problem> {
    let next = form.text("next").to_owned();
    // A password that is too long to be anybody's is answered like a wrong one, after the same work.
    let password = Password::new(form.text("password").to_owned()).or_else(|_| Password::new(String::new()));
    let password = password.map_err(Problem::internal)?;
    let (ctx, house) = (&guest.ctx, &guest.house);
    let user_name = form.text("user_name");
    match log_in::authenticate(ctx, &house.store, &house.passwords, &client, user_name, &password).await {
        Ok(token) => {
            let mut address = "/log-in/factor".to_owned();
            if !next.is_empty() {
                address.push_str("?next=");
                address.extend(url::form_urlencoded::byte_serialize(local(&next).as_bytes()));
            }
            return Ok(with_session(see_other(&address), &token));
        }
        Err(LogInError::Refused) => form.refuse("", t!(guest, "log-in-refused")),
        Err(LogInError::Throttled { until }) => form.refuse("", throttled(&guest, until, guest.frame.now)),
        Err(LogInError::Busy) => form.refuse("", t!(guest, "busy-now")),
        Err(LogInError::Fault(fault)) => return Err(fault.into()),
    }
    Ok(page(&guest.frame, &form, &next, false).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn page(frame: &Frame, form: &Fields, next: &str, out: bool) -> Page {
    let body = html! {
        @if out { (notice(Tone::Good, "", &html! { p { (t!(frame, "log-out-done")) } })) }
        (error_summary(frame, form))
        form class="form" method="post" action="/log-in" {
            (csrf_field(frame))
            (hidden("next", next))
            (field(frame, form, &Input::text("user_name", &t!(frame, "user-name")).max(64).autocomplete("username")))
            (field(frame, form, &Input::password("password", &t!(frame, "password"), "current-password")))
            (submit(&t!(frame, "next")))
            @if frame.sign_up_open { p class="quiet" { (t!(frame, "log-in-new")) " " a href="/sign-up" { (t!(frame, "sign-up")) } } }
        }
    };
    Page::new(frame, &t!(frame, "log-in")).narrow().body(&body)
}

async fn factor(pending: Pending, Query(query): Query<Next>) -> Page {
    factor_page(&pending, &Fields::new(), &query.next)
}

async fn prove(PendingPost { pending, client, mut form }: PendingPost) -> Result<Response, Problem> {
    let next = form.text("next").to_owned();
    let recovery = form.filled("recovery").is_some();
    let name = if recovery { "recovery" } else { "code" };
    let code = form.text(name).to_owned();
    match log_in::prove_factor(&pending.ctx, &pending.house.store, &client, &pending.token, &code).await {
        Ok(done) => {
            // Whoever has used a recovery code should see how many are left.
            let to =
                if recovery { "/profile" } else { Some(local(&next)).filter(|to| *to != "/").unwrap_or("/dashboard") };
            return Ok(logged_in(see_other(to), &done));
        }
        Err(error) => refuse_code(&pending, &mut form, name, error, pending.frame.now)?,
    }
    Ok(factor_page(&pending, &form, &next).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn factor_page(pending: &Pending, form: &Fields, next: &str) -> Page {
    let frame = &pending.frame;
    let body = html! {
        (error_summary(frame, form))
        form class="form" method="post" action="/log-in/factor" {
            (csrf_field(frame))
            (hidden("next", next))
            (field(frame, form, &Input::code("code", &t!(frame, "code")).help(t!(frame, "code-help-log-in")).autofocus()))
            (submit(&t!(frame, "log-in")))
        }
        details class="more" open[form.error("recovery").is_some()] {
            summary { (t!(frame, "recovery-instead")) }
            form class="form" method="post" action="/log-in/factor" {
                (csrf_field(frame))
                (hidden("next", next))
                (field(frame, form, &Input::text("recovery", &t!(frame, "recovery-code")).help(t!(frame, "recovery-help")).autocomplete("off").max(80)))
                (submit(&t!(frame, "log-in")))
            }
        }
        form method="post" action="/log-in/cancel" {
            (csrf_field(frame))
            button class="button button-plain" type="submit" { (t!(frame, "cancel")) }
        }
    };
    Page::new(frame, &t!(frame, "log-in-factor-title"))
        .lead(&t!(frame, "log-in-factor-lead", name = pending.session.user_name.as_str()))
        .narrow()
        .body(&body)
}

async fn cancel(PendingPost { pending, .. }: PendingPost) -> Result<Response, Problem> {
    session::log_out(&pending.ctx, &pending.house.store, &pending.token).await?;
    Ok(gone("/log-in"))
}

async fn log_out(Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    session::log_out(&visit.ctx, &visit.house.store, &visit.token).await?;
    Ok(gone("/log-in?out=yes"))
}

fn gone(to: &str) -> Response {
    let mut response = see_other(to);
    add_cookies(response.headers_mut(), &[clear_cookie(frame::SESSION)]);
    response
}
