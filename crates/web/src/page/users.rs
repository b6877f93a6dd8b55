//! The people of the organisation: roles, invitations, and the table of what each role may do.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use letterkeep_account::invitation::{self, Accept, InvitationSummary};
use letterkeep_account::sign_up::SignUpError;
use letterkeep_account::user::{self, UserError, UserState, UserSummary};
use letterkeep_account::{Action, table};
use letterkeep_model::{EmailAddress, Id, Role, kind};
use letterkeep_vault::Token;
use maud::{Markup, html};

use super::sign_up;
use crate::access::Routes;
use crate::component::{
    Choice, Confirm, Fields, Input, Seal, Tone, cell, confirm, csrf_field, error_summary, field, notice, seal, select,
    submit, table_card,
};
use crate::format;
use crate::text::{Speaks, named, t};
use crate::visit::{Desk, Guest, GuestPost, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    let reason = "whoever holds an invitation has no account yet";
    Routes::new()
        .get("/users", Action::ManageUsers, list)
        .post("/users/invitations", Action::ManageUsers, invite)
        .post("/users/invitations/{id}/withdraw", Action::ManageUsers, withdraw)
        .get("/users/{id}", Action::ManageUsers, show)
        .post("/users/{id}/role", Action::ManageUsers, change_role)
        .get("/users/{id}/disable", Action::ManageUsers, ask_disable)
        .post("/users/{id}/disable", Action::ManageUsers, disable)
        .post("/users/{id}/enable", Action::ManageUsers, enable)
        .public(&Method::GET, "/join/{token}", reason, join)
        .public(&Method::POST, "/join/{token}", reason, accept)
}

async fn list(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let people = user::list(&visit.ctx, &mut tx, &visit.keyring).await?;
    let invitations = invitation::list(&visit.ctx, &mut tx, &visit.keyring).await?;
    let form = Fields::of(&[("role", Role::CampaignCreator.name())]);
    Ok(list_page(&visit, &people, &invitations, &form))
}

fn list_page(visit: &Visit, people: &[UserSummary], invitations: &[InvitationSummary], form: &Fields) -> Page {
    let (role, state, since) = (t!(visit, "role"), t!(visit, "state"), t!(visit, "since"));
    let head = html! {
        th scope="col" { (t!(visit, "user")) } th scope="col" { (role) } th scope="col" { (state) }
        th scope="col" { (since) } th { span class="visually-hidden" { (t!(visit, "actions")) } }
    };
    let rows = html! {
        @for person in people {
            tr {
                th scope="row" {
                    a href={ "/users/" (person.id) } { (person.user_name) } @if Some(person.id) == visit.ctx.user() { " " span class="quiet" { (t!(visit, "you")) } }
                    @if let Some(email) = &person.email { span class="note" { (email) } }
                }
                (cell(&role, &html! { (named(visit, "role", person.role.name())) }))
                (cell(&state, &state_seal(visit, person.state)))
                (cell(&since, &format::moment(visit, &visit.frame.zone, person.created_at)))
                td class="actions" { a class="button button-plain" href={ "/users/" (person.id) } aria-label=(t!(visit, "user-change-name", name = person.user_name.as_str())) { (t!(visit, "change")) } }
            }
        }
    };
    let body = html! {
        (error_summary(visit, form))
        (table_card(&t!(visit, "nav-users"), &head, &rows))
        @if !invitations.is_empty() { section class="stack-tight" { h2 { (t!(visit, "invitations-title")) } (open_invitations(visit, invitations)) } }
        div class="columns" {
            section class="card" {
                h2 { (t!(visit, "invite-title")) }
                form class="form" method="post" action="/users/invitations" {
                    (csrf_field(&visit.frame))
                    (select(visit, form, &Input::text("role", &role), &role_choices(visit)))
                    (field(visit, form, &Input::email("email", &t!(visit, "email")).help(t!(visit, "invite-email-help")).autocomplete("off").optional()))
                    (submit(&t!(visit, "invite-button")))
                }
            }
            section class="card" {
                h2 { (t!(visit, "roles-title")) }
                dl class="facts" {
                    @for role in Role::ALL {
                        dt { (named(visit, "role", role.name())) }
                        dd { (named(visit, "role-text", role.name())) }
                    }
                }
            }
        }
        details class="more" { summary { (t!(visit, "roles-table")) } (permission_table(visit)) }
    };
    Page::new(&visit.frame, &t!(visit, "nav-users")).lead(&t!(visit, "users-lead")).section(Section::Users).body(&body)
}

fn role_choices(speaks: &impl Speaks) -> Vec<Choice> {
    Role::ALL.into_iter().map(|role| Choice::new(role.name(), named(speaks, "role", role.name()))).collect()
}

fn state_seal(speaks: &impl Speaks, state: UserState) -> Markup {
    match state {
        UserState::Active => seal(Seal::Good, &t!(speaks, "user-active")),
        UserState::Pending => seal(Seal::Warn, &t!(speaks, "user-pending")),
        UserState::Disabled => seal(Seal::Off, &t!(speaks, "user-disabled")),
    }
}

fn open_invitations(visit: &Visit, invitations: &[InvitationSummary]) -> Markup {
    let (email, role, until) = (t!(visit, "invited"), t!(visit, "role"), t!(visit, "until"));
    let head = html! {
        th scope="col" { (email) } th scope="col" { (role) } th scope="col" { (until) }
        th { span class="visually-hidden" { (t!(visit, "actions")) } }
    };
    let rows = html! {
        @for open in invitations {
            tr {
                th scope="row" { @match &open.email { Some(email) => (email), None => (t!(visit, "invited-anybody")) } }
                (cell(&role, &html! { (named(visit, "role", open.role.name())) }))
                (cell(&until, &format::moment(visit, &visit.frame.zone, open.expires_at)))
                td class="actions" {
                    form method="post" action={ "/users/invitations/" (open.id) "/withdraw" } {
                        (csrf_field(&visit.frame))
                        button class="button button-plain" type="submit" { (t!(visit, "withdraw")) }
                    }
                }
            }
        }
    };
    table_card(&t!(visit, "invitations-title"), &head, &rows)
}

/// The whole policy: every action and who may.
fn permission_table(visit: &Visit) -> Markup {
    let head = html! {
        th scope="col" { (t!(visit, "action")) }
        @for role in Role::ALL { th scope="col" { (named(visit, "role", role.name())) } }
    };
    let rows = html! {
        @for row in table() {
            tr {
                th scope="row" { (named(visit, "action", row.action.name())) }
                @for role in Role::ALL {
                    td data-label=(named(visit, "role", role.name())) {
                        @if row.roles.contains(&role) { span class="yes" { "✓ " (t!(visit, "yes")) } } @else { span class="no" { "– " (t!(visit, "no")) } }
                    }
                }
            }
        }
    };
    table_card(&t!(visit, "roles-table"), &head, &rows)
}

async fn invite(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let role: Role = form.text("role").parse().map_err(|_| Problem::Unreadable)?;
    let Ok(email) = form.filled("email").map(EmailAddress::parse).transpose() else {
        form.refuse("email", t!(visit, "email-refused"));
        let people = user::list(&visit.ctx, &mut tx, &visit.keyring).await?;
        let invitations = invitation::list(&visit.ctx, &mut tx, &visit.keyring).await?;
        let page = list_page(&visit, &people, &invitations, &form);
        return Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    };
    let invited = invitation::invite(&visit.ctx, &mut tx, &visit.keyring, role, email.as_ref()).await?;
    tx.commit().await?;
    let link = format!("{}/join/{}", visit.house.settings.public_url, invited.token.text().as_str());
    let body = html! {
        section class="card measure" {
            p { (t!(visit, "invited-text", role = named(&visit, "role", role.name()))) }
            p { code class="secret" id="link" { (link) } }
            p class="row" {
                button class="button button-primary only-script" type="button" data-do="copy" aria-controls="link" data-done=(t!(visit, "copied")) { (t!(visit, "copy")) }
                a class="button" href="/users" { (t!(visit, "back-users")) }
            }
            p class="quiet small" { (t!(visit, "invited-once")) " " (format::moment(&visit, &visit.frame.zone, invited.expires_at)) }
        }
    };
    let page = Page::new(&visit.frame, &t!(visit, "invited-title")).crumb("/users", t!(visit, "nav-users"));
    Ok(page.section(Section::Users).body(&body).into_response())
}

async fn withdraw(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let id: Id<kind::Invitation> = id.parse().map_err(|_| Problem::NotFound)?;
    if !invitation::withdraw(&visit.ctx, &mut tx, id).await? {
        return Err(Problem::Changed);
    }
    tx.commit().await?;
    Ok(see_other("/users"))
}

async fn show(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Page, Problem> {
    let person = find(&visit, &mut tx, &id).await?;
    let form = Fields::of(&[("role", person.role.name())]);
    Ok(person_page(&visit, &person, &form))
}

async fn find(visit: &Visit, tx: &mut letterkeep_store::Tx, id: &str) -> Result<UserSummary, Problem> {
    let id = id.parse().map_err(|_| Problem::NotFound)?;
    user::find(&visit.ctx, tx, &visit.keyring, id).await?.ok_or(Problem::NotFound)
}

fn person_page(visit: &Visit, person: &UserSummary, form: &Fields) -> Page {
    let body = html! {
        (error_summary(visit, form))
        div class="columns" {
            section class="card" {
                h2 { (t!(visit, "user-role")) }
                form class="form" method="post" action={ "/users/" (person.id) "/role" } {
                    (csrf_field(&visit.frame))
                    (select(visit, form, &Input::text("role", &t!(visit, "role")).help(t!(visit, "role-help")), &role_choices(visit)))
                    (submit(&t!(visit, "save")))
                }
            }
            section class="card" {
                h2 { (t!(visit, "user-about")) }
                dl class="facts" {
                    dt { (t!(visit, "state")) } dd { (state_seal(visit, person.state)) }
                    @if let Some(email) = &person.email { dt { (t!(visit, "email")) } dd { (email) } }
                    dt { (t!(visit, "since")) } dd { (format::moment(visit, &visit.frame.zone, person.created_at)) }
                }
                @match person.state {
                    UserState::Disabled => {
                        form method="post" action={ "/users/" (person.id) "/enable" } {
                            (csrf_field(&visit.frame))
                            button class="button" type="submit" { (t!(visit, "user-enable")) }
                        }
                    }
                    UserState::Pending => a class="button button-danger" href={ "/users/" (person.id) "/disable" } { (t!(visit, "user-remove")) },
                    UserState::Active => a class="button button-danger" href={ "/users/" (person.id) "/disable" } { (t!(visit, "user-disable")) },
                }
            }
        }
    };
    Page::new(&visit.frame, &person.user_name)
        .crumb("/users", t!(visit, "nav-users"))
        .section(Section::Users)
        .body(&body)
}

/// What a refused change means for the page.
async fn refused(
    visit: &Visit,
    tx: &mut letterkeep_store::Tx,
    id: &str,
    error: UserError,
    mut form: Fields,
) -> Result<Response, Problem> {
    match error {
        UserError::NotFound => Err(Problem::NotFound),
        UserError::Fault(fault) => Err(fault.into()),
        UserError::LastOwner => {
            form.refuse("", t!(visit, "user-last-owner"));
            let person = find(visit, tx, id).await?;
            if form.text("role").is_empty() {
                form.set("role", person.role.name());
            }
            Ok(person_page(visit, &person, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

async fn change_role(Path(id): Path<String>, Posted { visit, mut tx, form }: Posted) -> Result<Response, Problem> {
    let role: Role = form.text("role").parse().map_err(|_| Problem::Unreadable)?;
    let user = id.parse().map_err(|_| Problem::NotFound)?;
    match user::change_role(&visit.ctx, &mut tx, user, role).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(see_other("/users"))
        }
        Err(error) => refused(&visit, &mut tx, &id, error, form).await,
    }
}

async fn ask_disable(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Page, Problem> {
    let person = find(&visit, &mut tx, &id).await?;
    let name = person.user_name.as_str();
    let (title, text, button) = if person.state == UserState::Pending {
        let text = t!(visit, "user-remove-text", name = name);
        (t!(visit, "user-remove-title", name = name), text, t!(visit, "user-remove"))
    } else {
        let text = t!(visit, "user-disable-text", name = name);
        (t!(visit, "user-disable-title", name = name), text, t!(visit, "user-disable"))
    };
    let what = Confirm {
        action: &format!("/users/{}/disable", person.id),
        consequence: html! { p { (text) } },
        button: &button,
        typed: None,
        back: &format!("/users/{}", person.id),
        fields: &Fields::new(),
    };
    Ok(Page::new(&visit.frame, &title)
        .crumb("/users", t!(visit, "nav-users"))
        .section(Section::Users)
        .body(&confirm(&visit.frame, &what)))
}

async fn disable(Path(id): Path<String>, Posted { visit, mut tx, form }: Posted) -> Result<Response, Problem> {
    let user = id.parse().map_err(|_| Problem::NotFound)?;
    match user::disable(&visit.ctx, &mut tx, user).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(see_other("/users"))
        }
        Err(error) => refused(&visit, &mut tx, &id, error, form).await,
    }
}

async fn enable(Path(id): Path<String>, Posted { visit, mut tx, form }: Posted) -> Result<Response, Problem> {
    let user = id.parse().map_err(|_| Problem::NotFound)?;
    match user::enable(&visit.ctx, &mut tx, user).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(see_other("/users"))
        }
        Err(error) => refused(&visit, &mut tx, &id, error, form).await,
    }
}

async fn join(guest: Guest, Path(token): Path<String>) -> Result<Page, Problem> {
    join_page(&guest, &token, &Fields::new()).await
}

async fn join_page(guest: &Guest, token: &str, form: &Fields) -> Result<Page, Problem> {
    let frame = &guest.frame;
    let mut tx = guest.house.store.db.read().await?;
    let open = match Token::parse(token) {
        Some(token) => invitation::find(&guest.ctx, &mut tx, &token).await?,
        None => None,
    };
    drop(tx);
    let Some(open) = open else {
        let body = notice(Tone::Warn, "", &html! { p { (t!(frame, "join-closed-text")) } });
        return Ok(Page::new(frame, &t!(frame, "join-closed-title")).narrow().status(StatusCode::GONE).body(&body));
    };
    let role = named(frame, "role", open.role.name());
    let body = html! {
        (error_summary(frame, form))
        form class="form" method="post" action={ "/join/" (token) } {
            (csrf_field(frame))
            (field(frame, form, &Input::text("user_name", &t!(frame, "user-name")).help(t!(frame, "user-name-help")).max(64).autocomplete("username")))
            (field(frame, form, &Input::email("email", &t!(frame, "email")).help(t!(frame, "email-help")).max(254)))
            (sign_up::password_field(frame, form, "password", &t!(frame, "password")))
            (submit(&t!(frame, "next")))
        }
    };
    Ok(Page::new(frame, &t!(frame, "join-title", organisation = open.organisation.as_str()))
        .lead(&t!(frame, "join-lead", role = role))
        .narrow()
        .body(&body))
}

async fn accept(
    Path(token): Path<String>,
    GuestPost { guest, client, mut form }: GuestPost,
) -> Result<Response, Problem> {
    let email = EmailAddress::parse(form.text("email"));
    let password = sign_up::new_password(&guest, &mut form, "password");
    if email.is_err() {
        form.refuse("email", t!(guest, "email-refused"));
    }
    let (Ok(email), Some(password)) = (email, password) else {
        return Ok(join_page(&guest, &token, &form).await?.status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    };
    let Some(secret) = Token::parse(&token) else { return Err(Problem::NotFound) };
    let wanted = Accept { user_name: form.text("user_name").to_owned(), email, password, locale: guest.frame.locale };
    let (ctx, house) = (&guest.ctx, &guest.house);
    match invitation::accept(ctx, &house.store, &house.passwords, &client, &secret, wanted).await {
        Ok(started) => return Ok(sign_up::with_session(see_other("/sign-up/factor"), &started.session)),
        Err(SignUpError::InvitationClosed) => {}
        Err(error) => sign_up::refuse(&guest, &mut form, error, guest.frame.now)?,
    }
    let page = join_page(&guest, &token, &form).await?;
    Ok(if form.is_sound() { page } else { page.status(StatusCode::UNPROCESSABLE_ENTITY) }.into_response())
}
