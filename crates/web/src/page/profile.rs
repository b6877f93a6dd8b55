//! The reader's own profile: language, password, second factor, recovery codes.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::log_in::FactorError;
use letterkeep_account::user::{self, ChangePasswordError};
use letterkeep_account::{Action, factor, log_in};
use letterkeep_model::Locale;
use letterkeep_vault::Password;
use maud::{Markup, html};

use super::preference::{local, scheme_cookie};
use super::sign_up::{
    codes_panel, factor_problem, judge, new_password, password_field, refuse_code, refuse_password, setup_panel,
    throttled, with_session,
};
use crate::access::Routes;
use crate::component::{Fields, Input, Seal, Tone, csrf_field, error_summary, field, hidden, notice, seal, submit};
use crate::frame::add_cookies;
use crate::text::{named, t};
use crate::visit::{Desk, Posted, Sent, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/profile", Action::ManageOwnLogIn, show)
        .post("/profile/preferences", Action::ManageOwnLogIn, prefer)
        .post("/profile/strength", Action::ManageOwnLogIn, strength)
        .post("/profile/password", Action::ManageOwnLogIn, change_password)
        .get("/profile/prove", Action::ManageOwnLogIn, ask_proof)
        .post("/profile/prove", Action::ManageOwnLogIn, prove)
        .get("/profile/factor", Action::ManageOwnLogIn, ask_factor)
        .post("/profile/factor", Action::ManageOwnLogIn, begin_factor)
        .post("/profile/factor/finish", Action::ManageOwnLogIn, finish_factor)
        .get("/profile/codes", Action::ManageOwnLogIn, ask_codes)
        .post("/profile/codes", Action::ManageOwnLogIn, renew_codes)
}

#[derive(serde::Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
    #[serde(default)]
    done: String,
}

async fn show(Desk { visit, mut tx }: Desk, Query(wanted): Query<Wanted>) -> Result<Page, Problem> {
    let left = factor::recovery_codes_left(&visit.ctx, &mut tx, visit.session.user).await?;
    Ok(page(&visit, &Fields::new(), left, &wanted.done))
}

fn page(visit: &Visit, form: &Fields, codes_left: i64, done: &str) -> Page {
    let frame = &visit.frame;
    let role = named(visit, "role", visit.session.role.name());
    let body = html! {
        @match done {
            "password" => (notice(Tone::Good, "", &html! { p { (t!(visit, "password-changed")) } })),
            "factor" => (notice(Tone::Good, "", &html! { p { (t!(visit, "factor-changed")) } })),
            _ => {}
        }
        (error_summary(visit, form))
        div class="columns" {
            section class="card" {
                h2 { (t!(visit, "password-change-title")) }
                form class="form" method="post" action="/profile/password" {
                    (csrf_field(frame))
                    // Password managers look for the name that belongs to the password.
                    input type="text" name="user_name" id="user_name" value=(visit.session.user_name) autocomplete="username" hidden;
                    (field(visit, form, &Input::password("current", &t!(visit, "password-current"), "current-password")))
                    (password_field(frame, form, "new_password", &t!(visit, "password-new")))
                    (submit(&t!(visit, "password-change")))
                }
            }
            div class="stack" {
                section class="card" {
                    h2 { (t!(visit, "factor-section")) }
                    p { (seal(Seal::Good, &t!(visit, "factor-active"))) }
                    p { (t!(visit, "factor-text-profile")) }
                    p { a class="button" href="/profile/factor" { (t!(visit, "factor-replace")) } }
                }
                section class="card" {
                    h2 { (t!(visit, "codes-title")) }
                    p { (seal(if codes_left > 3 { Seal::Good } else if codes_left > 0 { Seal::Warn } else { Seal::Bad }, &t!(visit, "codes-left", count = codes_left))) }
                    p { (t!(visit, "codes-text-profile")) }
                    p { a class="button" href="/profile/codes" { (t!(visit, "codes-new")) } }
                }
                section class="card" {
                    h2 { (t!(visit, "language")) }
                    form class="row" method="post" action="/profile/preferences" {
                        (csrf_field(frame))
                        (hidden("back", "/profile"))
                        @for locale in Locale::ALL {
                            button class="button" name="locale" value=(locale.tag()) lang=(locale.tag()) aria-pressed=(if locale == frame.locale { "true" } else { "false" }) {
                                @if locale == frame.locale { "✓ " }
                                (match locale { Locale::De => "Deutsch", Locale::En => "English" })
                            }
                        }
                    }
                }
            }
        }
    };
    Page::new(frame, &visit.session.user_name)
        .lead(&t!(visit, "profile-lead", role = role))
        .section(Section::Profile)
        .body(&body)
}

async fn prefer(Posted { visit, mut tx, form }: Posted) -> Result<Response, Problem> {
    if let Ok(locale) = form.text("locale").parse::<Locale>() {
        match user::change_locale(&visit.ctx, &mut tx, locale).await {
            Ok(()) => tx.commit().await?,
            Err(user::UserError::Fault(fault)) => return Err(fault.into()),
            Err(_) => return Err(Problem::LoggedOut),
        }
    }
    let mut response = see_other(local(form.text("back")));
    add_cookies(response.headers_mut(), &scheme_cookie(&form));
    Ok(response)
}

async fn strength(Sent { visit, form, .. }: Sent) -> Result<Markup, Problem> {
    judge(&visit, &visit.house, &form).await
}

async fn change_password(Sent { visit, client, mut form }: Sent) -> Result<Response, Problem> {
    let (ctx, house) = (&visit.ctx, &visit.house);
    let current = Password::new(form.text("current").to_owned()).or_else(|_| Password::new(String::new()));
    let current = current.map_err(Problem::internal)?;
    if let Some(new) = new_password(&visit, &mut form, "new_password") {
        match user::change_password(ctx, &house.store, &house.passwords, &client, &visit.token, &current, &new).await {
            Ok(token) => return Ok(with_session(see_other("/profile?done=password"), &token)),
            Err(ChangePasswordError::NoSession) => return Err(Problem::LoggedOut),
            Err(ChangePasswordError::Refused) => form.refuse("current", t!(visit, "password-current-refused")),
            Err(ChangePasswordError::Password(policy)) => refuse_password(&visit, &mut form, "new_password", &policy),
            Err(ChangePasswordError::Throttled { until }) => {
                form.refuse("current", throttled(&visit, until, visit.frame.now));
            }
            Err(ChangePasswordError::Busy) => form.refuse("", t!(visit, "busy-now")),
            Err(ChangePasswordError::Fault(fault)) => return Err(fault.into()),
        }
    }
    let mut tx = visit.read().await?;
    let left = factor::recovery_codes_left(&visit.ctx, &mut tx, visit.session.user).await?;
    Ok(page(&visit, &form, left, "").status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

async fn ask_proof(visit: Visit, Query(wanted): Query<Wanted>) -> Page {
    proof_page(&visit, &Fields::new(), &wanted.next)
}

fn proof_page(visit: &Visit, form: &Fields, next: &str) -> Page {
    let body = html! {
        (error_summary(visit, form))
        form class="form" method="post" action="/profile/prove" {
            (csrf_field(&visit.frame))
            (hidden("next", next))
            (field(visit, form, &Input::code("code", &t!(visit, "code")).help(t!(visit, "code-help-log-in")).autofocus()))
            (submit(&t!(visit, "next")))
        }
    };
    profile_page(visit, &t!(visit, "prove-title")).lead(&t!(visit, "prove-lead")).body(&body)
}

fn profile_page(visit: &Visit, title: &str) -> Page {
    Page::new(&visit.frame, title).crumb("/profile", visit.session.user_name.clone()).section(Section::Profile)
}

async fn prove(Sent { visit, client, mut form }: Sent) -> Result<Response, Problem> {
    let next = form.text("next").to_owned();
    match log_in::step_up(&visit.ctx, &visit.house.store, &client, &visit.token, form.text("code")).await {
        Ok(token) => {
            let to = Some(local(&next)).filter(|to| *to != "/").unwrap_or("/profile");
            return Ok(with_session(see_other(to), &token));
        }
        Err(error) => refuse_code(&visit, &mut form, "code", error, visit.frame.now)?,
    }
    Ok(proof_page(&visit, &form, &next).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

/// Sends the reader to prove the factor first, unless they have just done so.
fn proof_first(visit: &Visit, next: &str) -> Option<Response> {
    let fresh = visit.session.factor_is_fresh(visit.frame.now);
    (!fresh).then(|| see_other(&format!("/profile/prove?next={next}")))
}

async fn ask_factor(visit: Visit) -> Response {
    if let Some(elsewhere) = proof_first(&visit, "/profile/factor") {
        return elsewhere;
    }
    let body = html! {
        p class="measure" { (t!(visit, "factor-replace-text")) }
        form class="form" method="post" action="/profile/factor" {
            (csrf_field(&visit.frame))
            (submit(&t!(visit, "factor-replace-begin")))
        }
    };
    profile_page(&visit, &t!(visit, "factor-replace")).body(&body).into_response()
}

async fn begin_factor(Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let setup = match factor::begin_replacement(&visit.ctx, &visit.house.store, &visit.session).await {
        Ok(setup) => setup,
        Err(FactorError::StepUpNeeded) => return Ok(see_other("/profile/prove?next=/profile/factor")),
        Err(error) => return Err(factor_problem(error)),
    };
    let body = html! { (setup_panel(&visit.frame, &setup)) (finish_form(&visit, &Fields::new())) };
    Ok(profile_page(&visit, &t!(visit, "factor-replace")).body(&body).into_response())
}

fn finish_form(visit: &Visit, form: &Fields) -> Markup {
    html! {
        form class="form" method="post" action="/profile/factor/finish" {
            (csrf_field(&visit.frame))
            (field(visit, form, &Input::code("code", &t!(visit, "code")).help(t!(visit, "code-help"))))
            (submit(&t!(visit, "factor-replace-finish")))
        }
    }
}

async fn finish_factor(Sent { visit, mut form, .. }: Sent) -> Result<Response, Problem> {
    match factor::finish_replacement(&visit.ctx, &visit.house.store, &visit.session, form.text("code")).await {
        Ok(()) => return Ok(see_other("/profile?done=factor")),
        Err(FactorError::StepUpNeeded) => return Ok(see_other("/profile/prove?next=/profile/factor")),
        Err(error) => refuse_code(&visit, &mut form, "code", error, visit.frame.now)?,
    }
    let body = html! {
        (error_summary(&visit, &form))
        p class="measure" { (t!(visit, "factor-try-again")) }
        (finish_form(&visit, &form))
        p { a class="button button-plain" href="/profile/factor" { (t!(visit, "factor-start-over")) } }
    };
    let page = profile_page(&visit, &t!(visit, "factor-replace"));
    Ok(page.body(&body).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

async fn ask_codes(visit: Visit) -> Response {
    if let Some(elsewhere) = proof_first(&visit, "/profile/codes") {
        return elsewhere;
    }
    let body = html! {
        p class="measure" { (t!(visit, "codes-renew-text")) }
        form class="form" method="post" action="/profile/codes" {
            (csrf_field(&visit.frame))
            (submit(&t!(visit, "codes-new")))
        }
    };
    profile_page(&visit, &t!(visit, "codes-title")).body(&body).into_response()
}

async fn renew_codes(Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let codes = match factor::renew_recovery_codes(&visit.ctx, &visit.house.store, &visit.session).await {
        Ok(codes) => codes,
        Err(FactorError::StepUpNeeded) => return Ok(see_other("/profile/prove?next=/profile/codes")),
        Err(error) => return Err(factor_problem(error)),
    };
    let body = html! {
        (codes_panel(&visit.frame, &codes))
        p { a class="button button-primary" href="/profile" { (t!(visit, "codes-stored")) } }
    };
    Ok(profile_page(&visit, &t!(visit, "codes-title")).lead(&t!(visit, "codes-lead")).body(&body).into_response())
}
