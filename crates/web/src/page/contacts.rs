//! Contacts: the table, the search by address, adding one, and the way out in a file.

mod add;
pub(super) mod export;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_audience::Permission;
use letterkeep_audience::contact::{self, Contact, Cursor, Filter};
use letterkeep_audience::list::{self, List};
use letterkeep_audience::tag::{self, Tag};
use letterkeep_model::EmailAddress;
use maud::{Markup, html};

use super::audience::{address, done, may, permission_seal, query, wrong};
use crate::access::Routes;
use crate::component::{
    Choice, Fields, Input, Pager, Picture, cell, csrf_field, empty, error_summary, field, pager, select, table_card,
};
use crate::format;
use crate::text::{named, t};
use crate::visit::{Desk, Sent, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/contacts", Action::ViewContacts, all)
        .post("/contacts/find", Action::ViewContacts, find)
        .get("/contacts/new", Action::EditContacts, add::blank)
        .post("/contacts/new", Action::EditContacts, add::create)
        .get("/contacts/export", Action::ExportContacts, export::ask)
        .post("/contacts/export", Action::ExportContacts, export::send)
}

/// The filter that the address of a page names; what it names and is not there, filters nothing.
fn filter_of(query: &Fields) -> Filter {
    Filter {
        list: query.text("list").parse().ok(),
        tag: query.text("tag").parse().ok(),
        permission: Permission::from_name(query.text("permission")),
    }
}

/// What a page of contacts needs besides the contacts.
struct Around {
    lists: Vec<List>,
    tags: Vec<Tag>,
    total: i64,
}

async fn around(visit: &Visit, tx: &mut letterkeep_store::Tx) -> Result<Around, Problem> {
    Ok(Around {
        lists: list::all(&visit.ctx, tx).await?,
        tags: tag::all(&visit.ctx, tx).await?,
        total: contact::count(&visit.ctx, tx).await?.total(),
    })
}

async fn all(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let query = query(&visit);
    let filter = filter_of(&query);
    let cursor = match (query.text("after").parse(), query.text("before").parse()) {
        (Ok(contact), _) => Cursor::After(contact),
        (_, Ok(contact)) => Cursor::Before(contact),
        _ => Cursor::Newest,
    };
    let around = around(&visit, &mut tx).await?;
    let found = contact::page(&visit.ctx, &mut tx, &visit.keyring, &filter, cursor).await?;
    let page = Page::new(&visit.frame, &t!(visit, "nav-contacts")).section(Section::Contacts);
    if around.total == 0 {
        let ways = html! {
            @if may(&visit, Action::ImportContacts) { a class="button button-primary" href="/imports/new" { (t!(visit, "contacts-import")) } }
            @if may(&visit, Action::EditContacts) { a class="button" href="/contacts/new" { (t!(visit, "contacts-add")) } }
        };
        let nothing = empty(Picture::People, &t!(visit, "contacts-none"), &t!(visit, "contacts-none-text"), &ways);
        return Ok(page.body(&html! { (done(&visit, &query)) (nothing) }));
    }
    let chosen = ["list", "tag", "permission"].map(|name| (name, query.text(name)));
    let at = |name: &str, id: String| {
        let mut pairs = chosen.to_vec();
        pairs.push((name, &id));
        address("/contacts", &pairs)
    };
    let on_first = cursor == Cursor::Newest;
    let line = Pager {
        text: known_count(&visit, &filter, &around),
        first: (!on_first).then(|| address("/contacts", &chosen)),
        next: found.after.map(|contact| at("after", contact.to_string())),
    };
    let body = html! {
        (done(&visit, &query))
        (search(&visit, &Fields::new()))
        (filter_form(&visit, &query, &around))
        @if found.contacts.is_empty() {
            (empty(Picture::People, &t!(visit, "contacts-filtered-none"), &t!(visit, "contacts-filtered-none-text"), &html! {
                a class="button" href="/contacts" { (t!(visit, "contacts-all")) }
            }))
        } @else {
            (table(&visit, &found.contacts, &around))
            (pager(&visit, &line))
        }
    };
    let actions = html! {
        @if may(&visit, Action::EditContacts) { a class="button button-primary" href="/contacts/new" { (t!(visit, "contacts-add")) } }
        @if may(&visit, Action::ImportContacts) { a class="button" href="/imports/new" { (t!(visit, "contacts-import")) } }
        @if may(&visit, Action::ExportContacts) { a class="button button-plain" href=(address("/contacts/export", &chosen)) { (t!(visit, "contacts-export")) } }
    };
    let lead = t!(visit, "contacts-count", count = around.total);
    Ok(page.lead(&lead).actions(actions).body(&body))
}

/// How many there are, where a counter knows it.
fn known_count(visit: &Visit, filter: &Filter, around: &Around) -> String {
    let members = match filter {
        Filter { list: None, tag: None, permission: None } => Some(around.total),
        Filter { list: Some(list), tag: None, permission: None } => {
            around.lists.iter().find(|known| known.id == *list).map(|list| list.members)
        }
        Filter { list: None, tag: Some(tag), permission: None } => {
            around.tags.iter().find(|known| known.id == *tag).map(|tag| tag.members)
        }
        _ => None,
    };
    members.map_or_else(String::new, |count| t!(visit, "contacts-count", count = count))
}

/// The search posts, so that no address stands in the browser's history or in a log.
fn search(visit: &Visit, form: &Fields) -> Markup {
    html! {
        form class="filter" method="post" action="/contacts/find" role="search" {
            (csrf_field(&visit.frame))
            (field(visit, form, &Input::text("email", &t!(visit, "contacts-find")).inputmode("email").autocomplete("off").max(320)))
            button class="button" type="submit" { (t!(visit, "contacts-find-button")) }
        }
    }
}

fn filter_form(visit: &Visit, query: &Fields, around: &Around) -> Markup {
    let every = |key: &str| Choice::new("", key);
    let mut lists = vec![every(&t!(visit, "contacts-every-list"))];
    lists.extend(around.lists.iter().map(|list| Choice::new(list.id.to_string(), &list.name)));
    let mut tags = vec![every(&t!(visit, "contacts-every-tag"))];
    tags.extend(around.tags.iter().map(|tag| Choice::new(tag.id.to_string(), &tag.name)));
    let mut permissions = vec![every(&t!(visit, "contacts-every-permission"))];
    permissions.extend(
        Permission::ALL.map(|permission| Choice::new(permission.name(), named(visit, "permission", permission.name()))),
    );
    let active = ["list", "tag", "permission"].iter().any(|name| !query.text(name).is_empty());
    html! {
        form class="filter" method="get" action="/contacts" {
            @if !around.lists.is_empty() { (select(visit, query, &Input::text("list", &t!(visit, "contacts-list")), &lists)) }
            @if !around.tags.is_empty() { (select(visit, query, &Input::text("tag", &t!(visit, "contacts-tag")), &tags)) }
            (select(visit, query, &Input::text("permission", &t!(visit, "contacts-permission")), &permissions))
            button class="button" type="submit" { (t!(visit, "contacts-filter")) }
            @if active { a class="button button-plain" href="/contacts" { (t!(visit, "contacts-all")) } }
        }
    }
}

fn table(visit: &Visit, contacts: &[Contact], around: &Around) -> Markup {
    let permission = t!(visit, "contacts-permission");
    let (groups, added) = (t!(visit, "contacts-groups"), t!(visit, "contacts-added"));
    let head = html! {
        th scope="col" { (t!(visit, "contact")) } th scope="col" { (permission) }
        th scope="col" { (groups) } th scope="col" { (added) }
    };
    let rows = html! {
        @for contact in contacts {
            tr {
                th scope="row" {
                    @let name = contact.record.full_name();
                    @if name.is_empty() {
                        a href={ "/contacts/" (contact.id) } { (contact.record.email) }
                    } @else {
                        a href={ "/contacts/" (contact.id) } { (name) }
                        span class="note" { (contact.record.email) }
                    }
                }
                (cell(&permission, &permission_seal(visit, contact.permission)))
                (cell(&groups, &memberships(contact, around)))
                (cell(&added, &format::ago(visit, &visit.frame.zone, visit.frame.now, contact.created_at)))
            }
        }
    };
    table_card(&t!(visit, "nav-contacts"), &head, &rows)
}

/// At most three, and how many more.
fn memberships(contact: &Contact, around: &Around) -> Markup {
    let lists = around.lists.iter().filter(|list| contact.lists.contains(&list.id)).map(|list| list.name.as_str());
    let tags = around.tags.iter().filter(|tag| contact.tags.contains(&tag.id)).map(|tag| tag.name.as_str());
    let names = lists.chain(tags).collect::<Vec<_>>();
    html! {
        span class="tags" {
            @for name in names.iter().take(3) { span class="tag" { (name) } }
            @if names.len() > 3 { span class="quiet small" { "+" (names.len() - 3) } }
            @if names.is_empty() { span class="quiet" { "–" } }
        }
    }
}

/// The name, or a word for there being none.
pub(super) fn title(visit: &Visit, contact: &Contact) -> String {
    let name = contact.record.full_name();
    if name.is_empty() { t!(visit, "contacts-no-name") } else { name }
}

async fn find(Sent { visit, mut form, .. }: Sent) -> Result<Response, Problem> {
    let mut tx = visit.read().await?;
    let email = match EmailAddress::parse(form.text("email")) {
        Ok(email) => email,
        Err(error) => {
            form.refuse("email", wrong(&visit, error.into()));
            return Ok(found_nothing(&visit, &form, None).into_response());
        }
    };
    match contact::find_by_email(&visit.ctx, &mut tx, &visit.keyring, &email).await? {
        Some(contact) => Ok(see_other(&format!("/contacts/{}", contact.id))),
        None => Ok(found_nothing(&visit, &form, Some(&email)).into_response()),
    }
}

fn found_nothing(visit: &Visit, form: &Fields, email: Option<&EmailAddress>) -> Page {
    let body = html! {
        (error_summary(visit, form))
        (search(visit, form))
        @if let Some(email) = email {
            (empty(Picture::People, &t!(visit, "contacts-not-found"), &t!(visit, "contacts-not-found-text", email = email.as_str()), &html! {
                @if may(visit, Action::EditContacts) { a class="button button-primary" href="/contacts/new" { (t!(visit, "contacts-add")) } }
                a class="button" href="/contacts" { (t!(visit, "contacts-all")) }
            }))
        }
    };
    let status = if email.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Page::new(&visit.frame, &t!(visit, "contacts-find-title"))
        .crumb("/contacts", t!(visit, "nav-contacts"))
        .section(Section::Contacts)
        .status(status)
        .body(&body)
}
