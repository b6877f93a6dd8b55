//! The mail server that takes the account's campaigns: its settings, and the test of the connection.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_delivery::relay::{self, PasswordChange, Relay, RelayError, RelayInput};
use letterkeep_delivery::smtp::Security;
use maud::{Markup, html};

use super::mail_trouble;
use crate::access::Routes;
use crate::component::{
    Choice, Confirm, Fields, Input, Tone, check, confirm, csrf_field, error_summary, field, notice, select, submit,
};
use crate::text::{named, t};
use crate::visit::{Desk, Posted, Sent, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    let action = Action::ManageRelay;
    Routes::new()
        .get("/relay", action, show)
        .post("/relay", action, save)
        .post("/relay/test", action, test)
        .get("/relay/remove", action, ask_remove)
        .post("/relay/remove", action, remove)
}

async fn show(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let stored = relay::find(&visit.ctx, &mut tx).await?;
    Ok(page(&visit, stored.as_ref(), &filled(stored.as_ref()), None))
}

fn filled(relay: Option<&Relay>) -> Fields {
    match relay {
        None => Fields::of(&[
            ("security", Security::ImplicitTls.name()),
            ("port", "465"),
            ("connections", "4"),
            ("limit", "0"),
        ]),
        Some(relay) => Fields::of(&[
            ("host", &relay.host),
            ("port", &relay.port.to_string()),
            ("security", relay.security.name()),
            ("user_name", &relay.user_name),
            ("connections", &relay.connections.to_string()),
            ("limit", &relay.per_destination_per_minute.to_string()),
        ]),
    }
}

fn page(visit: &Visit, stored: Option<&Relay>, form: &Fields, said: Option<&Markup>) -> Page {
    let password = t!(
        visit,
        if stored.is_some_and(|relay| relay.has_password) { "relay-password-kept" } else { "relay-password-help" }
    );
    let choices = Security::ALL.map(|security| Choice::new(security.name(), named(visit, "security", security.name())));
    let body = html! {
        @if let Some(said) = said { (said) }
        @if said.is_none() && visit.frame.path.ends_with("?saved=yes") { (notice(Tone::Good, "", &html! { p { (t!(visit, "relay-saved")) } })) }
        (error_summary(visit, form))
        div class="columns-wide" {
            form class="form card" method="post" action="/relay" {
                (csrf_field(&visit.frame))
                (field(visit, form, &Input::text("host", &t!(visit, "relay-host")).help(t!(visit, "relay-host-help")).max(253).autocomplete("off").inputmode("url")))
                (select(visit, form, &Input::text("security", &t!(visit, "relay-security")).help(t!(visit, "relay-security-help")), &choices))
                (field(visit, form, &Input::text("port", &t!(visit, "relay-port")).help(t!(visit, "relay-port-help")).max(5).inputmode("numeric").short()))
                (field(visit, form, &Input::text("user_name", &t!(visit, "user-name")).help(t!(visit, "relay-user-help")).max(500).autocomplete("off").optional()))
                (field(visit, form, &Input::password("password", &t!(visit, "password"), "new-password").help(password).optional()))
                @if stored.is_some_and(|relay| relay.has_password) { (check(form, "clear", &t!(visit, "relay-clear"), None)) }
                details class="more" {
                    summary { (t!(visit, "relay-limits")) }
                    div class="form" {
                        (field(visit, form, &Input::text("connections", &t!(visit, "relay-connections")).help(t!(visit, "relay-connections-help")).max(3).inputmode("numeric").short()))
                        (field(visit, form, &Input::text("limit", &t!(visit, "relay-limit")).help(t!(visit, "relay-limit-help")).max(8).inputmode("numeric").short()))
                    }
                }
                (submit(&t!(visit, "save")))
            }
            @if stored.is_some() {
                section class="card" {
                    h2 { (t!(visit, "relay-test")) }
                    p class="quiet" { (t!(visit, "relay-test-text")) }
                    div class="page-actions" {
                        form method="post" action="/relay/test" {
                            (csrf_field(&visit.frame))
                            button class="button" type="submit" { (t!(visit, "relay-test-button")) }
                        }
                        a class="button button-danger" href="/relay/remove" { (t!(visit, "relay-remove")) }
                    }
                }
            }
        }
    };
    Page::new(&visit.frame, &t!(visit, "nav-relay")).lead(&t!(visit, "relay-lead")).section(Section::Relay).body(&body)
}

async fn save(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let stored = relay::find(&visit.ctx, &mut tx).await?;
    if let Some(input) = input(&visit, &mut form) {
        match relay::save(&visit.ctx, &mut tx, &visit.keyring, input).await {
            Ok(_) => {
                tx.commit().await?;
                return Ok(see_other("/relay?saved=yes"));
            }
            Err(RelayError::Host) => form.refuse("host", t!(visit, "relay-host-refused")),
            Err(RelayError::Port) => form.refuse("port", t!(visit, "relay-port-refused")),
            Err(RelayError::Unprotected) => form.refuse("security", t!(visit, "relay-unprotected")),
            Err(RelayError::Login) => form.refuse("user_name", t!(visit, "relay-login-refused")),
            Err(RelayError::LoginText) => form.refuse("user_name", t!(visit, "relay-text-refused")),
            Err(RelayError::Connections) => form.refuse("connections", t!(visit, "relay-connections-refused")),
            Err(RelayError::Limit) => form.refuse("limit", t!(visit, "relay-limit-refused")),
            Err(RelayError::Store(error)) => return Err(error.into()),
            Err(RelayError::Open(error)) => return Err(Problem::internal(error)),
        }
    }
    let page = page(&visit, stored.as_ref(), &form, None);
    Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn input(visit: &Visit, form: &mut Fields) -> Option<RelayInput> {
    let security = Security::from_name(form.text("security")).unwrap_or(Security::ImplicitTls);
    let port = form.text("port").trim().parse();
    let connections = form.text("connections").trim().parse();
    let limit = form.text("limit").trim().parse();
    if port.is_err() {
        form.refuse("port", t!(visit, "relay-port-refused"));
    }
    if connections.is_err() {
        form.refuse("connections", t!(visit, "relay-connections-refused"));
    }
    if limit.is_err() {
        form.refuse("limit", t!(visit, "relay-limit-refused"));
    }
    let password = match form.text("password") {
        "" if form.checked("clear") || form.filled("user_name").is_none() => PasswordChange::Clear,
        "" => PasswordChange::Keep,
        text => PasswordChange::Set(text.to_owned().into()),
    };
    Some(RelayInput {
        host: form.text("host").to_owned(),
        port: port.ok()?,
        security,
        user_name: form.text("user_name").to_owned(),
        password,
        connections: connections.ok()?,
        per_destination_per_minute: limit.ok()?,
    })
}

/// Connects, logs in, leaves. Changes nothing; a POST because it makes this service talk to another one.
async fn test(Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let mut tx = visit.read().await?;
    let opened = relay::open(&visit.ctx, &mut tx, &visit.keyring).await;
    drop(tx);
    let (stored, mut server) = match opened {
        Ok(opened) => opened.ok_or(Problem::NotFound)?,
        Err(RelayError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Problem::internal(error)),
    };
    let said = match &visit.house.settings.outbound {
        None => notice(Tone::Warn, &t!(visit, "test-no-outbound"), &html! {}),
        Some(outbound) => {
            outbound.equip(&mut server);
            match relay::test(server, &outbound.trust).await {
                Ok(report) => notice(
                    Tone::Good,
                    &t!(visit, "relay-works"),
                    &html! {
                        ul {
                            li { (t!(visit, if report.encrypted { "relay-encrypted" } else { "relay-not-encrypted" })) }
                            li { (t!(visit, if report.logged_in == Some(true) { "relay-logged-in" } else { "relay-no-log-in" })) }
                            li { (t!(visit, if report.pipelining { "relay-pipelining" } else { "relay-no-pipelining" })) }
                        }
                    },
                ),
                Err(error) => notice(
                    Tone::Bad,
                    &t!(visit, "relay-fails"),
                    &html! {
                        (mail_trouble::smtp(&visit, &error))
                        p { (t!(visit, "relay-fails-text")) }
                    },
                ),
            }
        }
    };
    Ok(page(&visit, Some(&stored), &filled(Some(&stored)), Some(&said)).into_response())
}

async fn ask_remove(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    relay::find(&visit.ctx, &mut tx).await?.ok_or(Problem::NotFound)?;
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: "/relay/remove",
            consequence: html! { p { (t!(visit, "relay-remove-text")) } },
            button: &t!(visit, "relay-remove"),
            typed: None,
            back: "/relay",
            fields: &Fields::new(),
        },
    );
    Ok(Page::new(&visit.frame, &t!(visit, "relay-remove"))
        .crumb("/relay", t!(visit, "nav-relay"))
        .section(Section::Relay)
        .body(&body))
}

async fn remove(Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    relay::remove(&visit.ctx, &mut tx).await?;
    tx.commit().await?;
    Ok(see_other("/relay"))
}
