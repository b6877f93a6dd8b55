//! Signing up: name and password, then the second factor, then the recovery codes. The same steps end an invitation.

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use letterkeep_account::log_in::FactorError;
use letterkeep_account::session::LoggedIn;
use letterkeep_account::sign_up::{self, FactorSetup, SignUp, SignUpError};
use letterkeep_account::{Breach, PolicyError, Stage, session};
use letterkeep_model::{EmailAddress, Timestamp};
use letterkeep_vault::{Password, RecoveryCode, Token, password_strength, qr_svg};
use maud::{Markup, PreEscaped, html};

use crate::access::{Access, Routes};
use crate::component::{Fields, Input, Tone, check, csrf_field, error_summary, field, notice, stepper, submit};
use crate::format;
use crate::frame::{self, Frame, add_cookies, set_cookie};
use crate::text::{Speaks, t};
use crate::visit::{Guest, GuestPost, Pending, PendingPost};
use crate::{House, Page, Problem, see_other};

pub(crate) fn routes() -> Routes {
    let reason = "an account begins here";
    Routes::new()
        .public(&Method::GET, "/sign-up", reason, begin)
        .public(&Method::POST, "/sign-up", reason, start)
        .public(&Method::POST, "/sign-up/strength", "judges a password before there is an account", strength)
        .declare(&Method::GET, "/sign-up/factor", Access::At(Stage::FactorSetup), factor)
        .declare(&Method::POST, "/sign-up/factor", Access::At(Stage::FactorSetup), prove)
        .declare(&Method::GET, "/sign-up/codes", Access::At(Stage::RecoveryCodes), codes)
        .declare(&Method::POST, "/sign-up/codes", Access::At(Stage::RecoveryCodes), acknowledge)
        .declare(&Method::POST, "/sign-up/codes/new", Access::At(Stage::RecoveryCodes), renew)
}

async fn begin(guest: Guest) -> Page {
    if !guest.house.settings.sign_up_open {
        return closed(&guest.frame);
    }
    page(&guest.frame, &Fields::new())
}

/// Where strangers cannot open an account: says how to come in.
fn closed(frame: &Frame) -> Page {
    let body = html! {
        p { (t!(frame, "sign-up-closed-text")) }
        p class="page-actions" { a class="button" href="/log-in" { (t!(frame, "log-in")) } }
    };
    Page::new(frame, &t!(frame, "sign-up-closed")).narrow().body(&body)
}

async fn start(GuestPost { guest, client, mut form }: GuestPost) -> Result<Response, Problem> {
    if !guest.house.settings.sign_up_open {
        return Ok(closed(&guest.frame).status(StatusCode::FORBIDDEN).into_response());
    }
    let email = EmailAddress::parse(form.text("email"));
    let password = new_password(&guest, &mut form, "password");
    if email.is_err() {
        form.refuse("email", t!(guest, "email-refused"));
    }
    let (Ok(email), Some(password)) = (email, password) else {
        return Ok(page(&guest.frame, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    };
    let sign_up = SignUp {
        organisation: form.text("organisation").to_owned(),
        user_name: form.text("user_name").to_owned(),
        email,
        password,
        locale: guest.frame.locale,
        time_zone: guest.frame.zone.iana_name().filter(|name| *name != "UTC").unwrap_or("Europe/Berlin").to_owned(),
    };
    match sign_up::start(&guest.ctx, &guest.house.store, &guest.house.passwords, &client, sign_up).await {
        Ok(started) => return Ok(with_session(see_other("/sign-up/factor"), &started.session)),
        Err(error) => refuse(&guest, &mut form, error, guest.frame.now)?,
    }
    Ok(page(&guest.frame, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

/// A password for an account that is being made; `None` and a message if it is too long to be hashed.
pub(crate) fn new_password(speaks: &impl Speaks, form: &mut Fields, name: &str) -> Option<Password> {
    let password = Password::new(form.text(name).to_owned());
    if password.is_err() {
        form.refuse(name, t!(speaks, "password-too-long"));
    }
    password.ok()
}

/// Puts what is wrong with a sign-up beside its field.
pub(crate) fn refuse(
    speaks: &impl Speaks,
    form: &mut Fields,
    error: SignUpError,
    now: Timestamp,
) -> Result<(), Problem> {
    match error {
        SignUpError::UserName(_) => form.refuse("user_name", t!(speaks, "user-name-refused")),
        SignUpError::UserNameTaken => form.refuse("user_name", t!(speaks, "user-name-taken")),
        SignUpError::Organisation => form.refuse("organisation", t!(speaks, "organisation-name-refused")),
        SignUpError::TimeZone => form.refuse("", t!(speaks, "organisation-zone-refused")),
        SignUpError::Password(policy) => refuse_password(speaks, form, "password", &policy),
        SignUpError::InvitationClosed => form.refuse("", t!(speaks, "join-closed-text")),
        SignUpError::Throttled { until } => form.refuse("", throttled(speaks, until, now)),
        SignUpError::Busy => form.refuse("", t!(speaks, "busy-now")),
        SignUpError::Fault(fault) => return Err(fault.into()),
    }
    Ok(())
}

/// Names every rule that a password breaks.
pub(crate) fn refuse_password(speaks: &impl Speaks, form: &mut Fields, name: &str, policy: &PolicyError) {
    for breach in &policy.breaches {
        let message = match breach {
            Breach::TooShort { min, have } => t!(speaks, "password-too-short", min = *min, have = *have),
            Breach::TooWeak { .. } => t!(speaks, "password-too-weak"),
            Breach::Common => t!(speaks, "password-common"),
            Breach::ContextWord => t!(speaks, "password-context"),
        };
        form.refuse(name, message);
    }
}

/// How long to wait.
pub(crate) fn throttled(speaks: &impl Speaks, until: Timestamp, now: Timestamp) -> String {
    t!(speaks, "throttled", wait = format::duration(speaks, until.since(now)))
}

fn steps(frame: &Frame, current: usize) -> Markup {
    let steps = [t!(frame, "sign-up-step-account"), t!(frame, "sign-up-step-factor"), t!(frame, "sign-up-step-codes")];
    stepper(frame, &steps, current)
}

fn page(frame: &Frame, form: &Fields) -> Page {
    let body = html! {
        (steps(frame, 0))
        (error_summary(frame, form))
        form class="form" method="post" action="/sign-up" {
            (csrf_field(frame))
            (field(frame, form, &Input::text("organisation", &t!(frame, "organisation-name")).max(200).autocomplete("organization")))
            (field(frame, form, &Input::text("user_name", &t!(frame, "user-name")).help(t!(frame, "user-name-help")).max(64).autocomplete("username")))
            (field(frame, form, &Input::email("email", &t!(frame, "email")).help(t!(frame, "email-help")).max(254)))
            (password_field(frame, form, "password", &t!(frame, "password")))
            (submit(&t!(frame, "next")))
            p class="quiet" { (t!(frame, "sign-up-have")) " " a href="/log-in" { (t!(frame, "log-in")) } }
        }
    };
    Page::new(frame, &t!(frame, "sign-up")).lead(&t!(frame, "sign-up-lead")).narrow().body(&body)
}

/// A field for a new password, with a meter that follows the typing.
pub(crate) fn password_field(frame: &Frame, form: &Fields, name: &str, label: &str) -> Markup {
    let judge = if frame.person.is_some() { "/profile/strength" } else { "/sign-up/strength" };
    html! {
        div hx-post=(judge) hx-trigger={ "input changed delay:350ms from:#" (name) } hx-target="#strength"
            hx-include={ "#" (name) ", #user_name, #organisation, [name=csrf]" } hx-sync="this:replace" {
            (field(frame, form, &Input::password(name, label, "new-password").help(t!(frame, "password-help"))))
            div id="strength" class="strength" role="status" {}
        }
    }
}

async fn strength(GuestPost { guest, form, .. }: GuestPost) -> Result<Markup, Problem> {
    judge(&guest, &guest.house, &form).await
}

/// The meter beside a new password.
pub(crate) async fn judge(speaks: &impl Speaks, house: &House, form: &Fields) -> Result<Markup, Problem> {
    let typed = ["password", "new_password"].into_iter().map(|name| form.text(name)).find(|text| !text.is_empty());
    let password = typed.and_then(|typed| Password::new(typed.to_owned()).ok());
    let Some(password) = password else { return Ok(html! {}) };
    let context = [form.text("user_name").to_owned(), form.text("organisation").to_owned()];
    let passwords = house.passwords.clone();
    // Milliseconds of work on what a stranger sent: not on the threads that answer everybody.
    let judged = tokio::task::spawn_blocking(move || {
        let context: Vec<&str> = context.iter().map(String::as_str).collect();
        (password_strength(&password, &context), passwords.check(&password, &context).is_ok())
    });
    let (score, sound) = judged.await.map_err(Problem::internal)?;
    let word = match (sound, score) {
        (true, 4) => t!(speaks, "strength-very-good"),
        (true, _) => t!(speaks, "strength-good"),
        (false, 0 | 1) => t!(speaks, "strength-weak"),
        (false, _) => t!(speaks, "strength-middling"),
    };
    let shown = if sound { score.max(3) } else { score.min(2) };
    Ok(html! {
        meter min="0" max="4" low="2" high="3" optimum="4" value=(shown) aria-hidden="true" {}
        span { (word) }
    })
}

async fn factor(pending: Pending) -> Result<Page, Problem> {
    let setup = sign_up::setup(&pending.ctx, &pending.house.store, &pending.token).await.map_err(factor_problem)?;
    Ok(factor_page(&pending.frame, &Fields::new(), &setup))
}

async fn prove(PendingPost { pending, client, mut form }: PendingPost) -> Result<Response, Problem> {
    let (ctx, store) = (&pending.ctx, &pending.house.store);
    match sign_up::prove_factor(ctx, store, &client, &pending.token, form.text("code")).await {
        Ok(proven) => {
            let mut frame = pending.frame.clone();
            frame.follow(&proven.session, &*pending.house.entropy);
            return Ok(codes_page(&frame, &Fields::new(), &proven.codes).into_response());
        }
        Err(error) => refuse_code(&pending, &mut form, "code", error, pending.frame.now)?,
    }
    let setup = sign_up::setup(ctx, store, &pending.token).await.map_err(factor_problem)?;
    Ok(factor_page(&pending.frame, &form, &setup).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

/// Puts what is wrong with a code beside its field.
pub(crate) fn refuse_code(
    speaks: &impl Speaks,
    form: &mut Fields,
    name: &str,
    error: FactorError,
    now: Timestamp,
) -> Result<(), Problem> {
    match error {
        FactorError::Refused => form.refuse(name, t!(speaks, "code-refused")),
        FactorError::Throttled { until } => form.refuse(name, throttled(speaks, until, now)),
        error => return Err(factor_problem(error)),
    }
    Ok(())
}

/// What is left of the errors of a factor where no field is to blame.
pub(crate) fn factor_problem(error: FactorError) -> Problem {
    match error {
        FactorError::NoSession => Problem::LoggedOut,
        FactorError::Fault(fault) => fault.into(),
        FactorError::Throttled { .. } => Problem::TooMany(std::time::Duration::from_mins(1)),
        FactorError::Refused | FactorError::StepUpNeeded => Problem::Forbidden,
    }
}

fn factor_page(frame: &Frame, form: &Fields, setup: &FactorSetup) -> Page {
    let body = html! {
        (steps(frame, 1))
        (error_summary(frame, form))
        (setup_panel(frame, setup))
        form class="form" method="post" action="/sign-up/factor" {
            (csrf_field(frame))
            (field(frame, form, &Input::code("code", &t!(frame, "code")).help(t!(frame, "code-help"))))
            (submit(&t!(frame, "next")))
        }
    };
    Page::new(frame, &t!(frame, "factor-title")).lead(&t!(frame, "factor-lead")).narrow().body(&body)
}

/// The QR code and its text.
pub(crate) fn setup_panel(frame: &Frame, setup: &FactorSetup) -> Markup {
    let base32 = setup.secret.base32();
    let grouped: Vec<&str> = (0..base32.len()).step_by(4).map(|at| &base32[at..(at + 4).min(base32.len())]).collect();
    html! {
        div class="stack" {
            p { (t!(frame, "factor-scan")) }
            @if let Some(svg) = qr_svg(&setup.uri) {
                div { div class="qr-frame" role="img" aria-label=(t!(frame, "factor-qr")) { (PreEscaped(svg)) } }
            }
            details class="more" {
                summary { (t!(frame, "factor-text")) }
                p { code class="secret" id="secret" { (grouped.join(" ")) } }
                p class="small quiet" { (t!(frame, "factor-text-help")) }
            }
        }
    }
}

async fn codes(pending: Pending) -> Page {
    let frame = &pending.frame;
    let body = html! {
        (steps(frame, 2))
        (notice(Tone::Warn, "", &html! { p { (t!(frame, "codes-gone")) } }))
        form class="form" method="post" action="/sign-up/codes/new" {
            (csrf_field(frame))
            (submit(&t!(frame, "codes-new")))
        }
    };
    Page::new(frame, &t!(frame, "codes-title")).lead(&t!(frame, "codes-lead")).narrow().body(&body)
}

async fn renew(PendingPost { pending, .. }: PendingPost) -> Result<Page, Problem> {
    let codes = sign_up::renew_recovery_codes(&pending.ctx, &pending.house.store, &pending.token).await;
    Ok(codes_page(&pending.frame, &Fields::new(), &codes.map_err(factor_problem)?))
}

fn codes_page(frame: &Frame, form: &Fields, codes: &[RecoveryCode]) -> Page {
    let body = html! {
        (steps(frame, 2))
        (codes_panel(frame, codes))
        form class="form" method="post" action="/sign-up/codes" {
            (csrf_field(frame))
            (check(form, "kept", &t!(frame, "codes-kept"), None))
            (submit(&t!(frame, "sign-up-finish")))
        }
    };
    Page::new(frame, &t!(frame, "codes-title")).lead(&t!(frame, "codes-lead")).narrow().body(&body)
}

/// The codes, to be printed, downloaded or copied; shown this once.
pub(crate) fn codes_panel(frame: &Frame, codes: &[RecoveryCode]) -> Markup {
    let texts: Vec<_> = codes.iter().map(RecoveryCode::text).collect();
    let mut file = format!("{}\r\n\r\n", t!(frame, "codes-file"));
    for text in &texts {
        file.push_str(text);
        file.push_str("\r\n");
    }
    let address: String = url::form_urlencoded::byte_serialize(file.as_bytes()).collect();
    html! {
        div class="stack" {
            ol class="codes" id="codes" { @for text in &texts { li { code { (text.as_str()) } } } }
            div class="row no-print" {
                // "+" stands for a space only in forms; in an address of this kind it would stay.
                a class="button" download="letterkeep-codes.txt" href={ "data:text/plain;charset=utf-8," (address.replace('+', "%20")) } {
                    (t!(frame, "codes-download"))
                }
                button class="button only-script" type="button" data-do="print" { (t!(frame, "codes-print")) }
            }
        }
    }
}

async fn acknowledge(PendingPost { pending, client, form }: PendingPost) -> Result<Response, Problem> {
    if !form.checked("kept") {
        let frame = &pending.frame;
        let mut form = Fields::new();
        form.refuse("kept", t!(frame, "codes-kept-missing"));
        let body = html! {
            (steps(frame, 2))
            (error_summary(frame, &form))
            p { (t!(frame, "codes-not-again")) }
            form class="form" method="post" action="/sign-up/codes" {
                (csrf_field(frame))
                (check(&form, "kept", &t!(frame, "codes-kept"), None))
                (submit(&t!(frame, "sign-up-finish")))
            }
            form method="post" action="/sign-up/codes/new" {
                (csrf_field(frame))
                button class="button button-plain" type="submit" { (t!(frame, "codes-new")) }
            }
        };
        let page = Page::new(frame, &t!(frame, "codes-title")).narrow().body(&body);
        return Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    let done = sign_up::acknowledge_recovery_codes(&pending.ctx, &pending.house.store, &client, &pending.token).await;
    Ok(logged_in(see_other("/dashboard"), &done.map_err(factor_problem)?))
}

/// Hands out the cookie of a session.
pub(crate) fn with_session(mut response: Response, token: &Token) -> Response {
    add_cookies(response.headers_mut(), &[set_cookie(frame::SESSION, &token.text(), None)]);
    response
}

/// Hands out the cookies of a full session and of a known browser.
pub(crate) fn logged_in(response: Response, done: &LoggedIn) -> Response {
    let mut response = with_session(response, &done.session);
    let kept = session::DEVICE_KEPT.as_secs();
    add_cookies(response.headers_mut(), &[set_cookie(frame::DEVICE, &done.device.text(), Some(kept))]);
    response
}
