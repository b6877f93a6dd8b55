//! One contact: what is known, its lists and tags, its permission with the history, and its erasure.

mod edit;
pub(super) mod entry;
mod erase;
mod permission;

use axum::extract::Path;
use axum::response::Response;
use letterkeep_account::Action;
use letterkeep_audience::contact::{self, Contact};
use letterkeep_audience::permission::PermissionChange;
use letterkeep_audience::suppression::{self, Suppression};
use letterkeep_audience::{CustomField, FieldValue, StandardField, SuppressionReason, field, list, tag};
use letterkeep_model::{Id, kind};
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::audience::{done, id_of, may, permission_seal, query, tracking_seal};
use super::contacts::title;
use crate::access::Routes;
use crate::component::{Choice, Fields, Tone, boxes, csrf_field, notice};
use crate::format;
use crate::text::{named, t};
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/contacts/{contact}", Action::ViewContacts, show)
        .post("/contacts/{contact}/groups", Action::EditContacts, regroup)
        .get("/contacts/{contact}/edit", Action::EditContacts, edit::ask)
        .post("/contacts/{contact}/edit", Action::EditContacts, edit::change)
        .get("/contacts/{contact}/permission", Action::EditContacts, permission::ask)
        .post("/contacts/{contact}/permission", Action::EditContacts, permission::change)
        .post("/contacts/{contact}/tracking", Action::EditContacts, permission::track)
        .get("/contacts/{contact}/erase", Action::EditContacts, erase::ask)
        .post("/contacts/{contact}/erase", Action::EditContacts, erase::erase)
}

async fn opened(visit: &Visit, tx: &mut Tx, contact: &str) -> Result<Contact, Problem> {
    let id = id_of(contact)?;
    contact::find(&visit.ctx, tx, &visit.keyring, id).await?.ok_or(Problem::NotFound)
}

async fn show(Path(contact): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    let fields = field::all(&visit.ctx, &mut tx).await?;
    let groups = groups(&visit, &mut tx, &contact).await?;
    let email = &contact.record.email;
    let suppressed = suppression::check(&visit.ctx, &mut tx, &visit.keyring, email).await?;
    let history = letterkeep_audience::permission::history(&visit.ctx, &mut tx, &visit.keyring, contact.id).await?;
    let edits = may(&visit, Action::EditContacts);
    let body = html! {
        (done(&visit, &query(&visit)))
        @if let Some(suppression) = suppressed { (suppressed_notice(&visit, suppression)) }
        div class="columns-wide" {
            div class="stack" { (known(&visit, &contact, &fields)) (groups) }
            div class="stack" { (standing(&visit, &contact, edits)) (past(&visit, &history)) }
        }
    };
    let actions = html! {
        @if edits {
            a class="button button-primary" href={ "/contacts/" (contact.id) "/edit" } { (t!(visit, "contact-edit")) }
            a class="button button-plain" href={ "/contacts/" (contact.id) "/erase" } { (t!(visit, "contact-erase")) }
        }
    };
    Ok(Page::new(&visit.frame, &title(&visit, &contact))
        .lead(contact.record.email.as_str())
        .crumb("/contacts", t!(visit, "nav-contacts"))
        .section(Section::Contacts)
        .actions(actions)
        .body(&body))
}

fn suppressed_notice(visit: &Visit, suppression: Suppression) -> Markup {
    let since = format::date(visit, &visit.frame.zone, suppression.since);
    notice(
        Tone::Warn,
        &t!(visit, "contact-suppressed"),
        &html! {
            p { (named(visit, "suppression", suppression.reason.name())) " " (t!(visit, "contact-suppressed-since", date = since)) }
            p {
                @if suppression.reason == SuppressionReason::Unsubscribed {
                    (t!(visit, "contact-suppressed-unsubscribed"))
                } @else {
                    (t!(visit, "contact-suppressed-mend"))
                    @if may(visit, Action::ManageSuppressions) { " " a href="/suppressions" { (t!(visit, "nav-suppressions")) } }
                }
            }
        },
    )
}

fn known(visit: &Visit, contact: &Contact, fields: &[CustomField]) -> Markup {
    let mut facts = StandardField::all()
        .map(|standard| (named(visit, "standard", standard.name()), contact.record.text(standard)))
        .filter(|(_, text)| !text.is_empty())
        .collect::<Vec<_>>();
    for field in fields {
        if let Some(value) = contact.record.custom.get(&field.merge_key).filter(|value| value.fits(field.kind)) {
            facts.push((field.label.clone(), shown(visit, value)));
        }
    }
    html! {
        section class="card" {
            h2 { (t!(visit, "contact-known")) }
            dl class="facts" {
                @for (name, text) in &facts { dt { (name) } dd class="lines" { (text) } }
                dt { (t!(visit, "contacts-added")) } dd { (format::moment(visit, &visit.frame.zone, contact.created_at)) }
                @if contact.updated_at != contact.created_at {
                    dt { (t!(visit, "contact-updated")) } dd { (format::ago(visit, &visit.frame.zone, visit.frame.now, contact.updated_at)) }
                }
                @if let Some(import) = contact.import.filter(|_| may(visit, Action::ImportContacts)) {
                    dt { (t!(visit, "contact-origin")) } dd { a href={ "/imports/" (import) } { (t!(visit, "contact-by-import")) } }
                }
            }
        }
    }
}

fn shown(visit: &Visit, value: &FieldValue) -> String {
    match value {
        FieldValue::Boolean(true) => t!(visit, "yes"),
        FieldValue::Boolean(false) => t!(visit, "no"),
        FieldValue::DateTime(at) => format::date_time(visit, &visit.frame.zone, *at),
        FieldValue::Options(options) => options.join(", "),
        FieldValue::Number(_) | FieldValue::Money(_) if visit.frame.locale == letterkeep_model::Locale::De => {
            value.text().replace('.', ",")
        }
        other => other.text(),
    }
}

fn standing(visit: &Visit, contact: &Contact, edits: bool) -> Markup {
    html! {
        section class="card" {
            h2 { (t!(visit, "contacts-permission")) }
            p { (permission_seal(visit, contact.permission)) }
            p class="quiet small" {
                (named(visit, "source", contact.permission_source.name()))
                @if contact.permission_at.micros() > 0 { " · " (format::moment(visit, &visit.frame.zone, contact.permission_at)) }
            }
            p { (named(visit, "permission", &format!("{}-help", contact.permission.name()))) }
            h3 { (t!(visit, "contact-tracking")) }
            p { (tracking_seal(visit, contact.tracking)) }
            @if edits { p { a class="button" href={ "/contacts/" (contact.id) "/permission" } { (t!(visit, "contact-permission-change")) } } }
        }
    }
}

/// What was changed, when, and what shows it.
fn past(visit: &Visit, history: &[PermissionChange]) -> Markup {
    html! {
        section class="card" {
            h2 { (t!(visit, "contact-history")) }
            @if history.is_empty() { p class="quiet" { (t!(visit, "contact-history-none")) } }
            ol class="history" {
                @for change in history {
                    li {
                        p { strong { (named(visit, if change.subject == "tracking" { "tracking" } else { "permission" }, &change.after)) } }
                        p class="quiet small" {
                            @if change.subject == "tracking" { (t!(visit, "contact-tracking")) " · " }
                            (named(visit, "source", change.source.name())) " · " (format::moment(visit, &visit.frame.zone, change.at))
                        }
                        @if let Some(import) = change.import.filter(|_| may(visit, Action::ImportContacts)) {
                            p class="small" { a href={ "/imports/" (import) } { (t!(visit, "contact-by-import")) } }
                        }
                        @if let Some(evidence) = &change.evidence {
                            @for text in [&evidence.basis, &evidence.wording, &evidence.form, &evidence.page, &evidence.address, &evidence.client, &evidence.message, &evidence.note] {
                                @if !text.is_empty() { p class="lines small" { (text) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

async fn groups(visit: &Visit, tx: &mut Tx, contact: &Contact) -> Result<Markup, Problem> {
    let lists = list::all(&visit.ctx, tx).await?;
    let tags = tag::all(&visit.ctx, tx).await?;
    if !may(visit, Action::EditContacts) {
        let on = lists.iter().filter(|list| contact.lists.contains(&list.id)).map(|list| &list.name);
        let bears = tags.iter().filter(|tag| contact.tags.contains(&tag.id)).map(|tag| &tag.name);
        return Ok(html! {
            section class="card" {
                h2 { (t!(visit, "contacts-groups")) }
                p class="tags" { @for name in on.chain(bears) { span class="tag" { (name) } } }
            }
        });
    }
    let mut pairs = Vec::new();
    pairs.extend(contact.lists.iter().map(|list| ("list".to_owned(), list.to_string())));
    pairs.extend(contact.tags.iter().map(|tag| ("tag".to_owned(), tag.to_string())));
    let form = Fields::from_pairs(pairs);
    let lists = lists.iter().map(|list| Choice::new(list.id.to_string(), &list.name)).collect::<Vec<_>>();
    let tags = tags.iter().map(|tag| Choice::new(tag.id.to_string(), &tag.name)).collect::<Vec<_>>();
    Ok(html! {
        section class="card" {
            h2 { (t!(visit, "contacts-groups")) }
            form class="form form-wide" method="post" action={ "/contacts/" (contact.id) "/groups" } {
                (csrf_field(&visit.frame))
                (boxes(&form, "list", &t!(visit, "nav-lists"), &lists, &t!(visit, "contact-no-lists")))
                (boxes(&form, "tag", &t!(visit, "nav-tags"), &tags, &t!(visit, "contact-no-tags")))
                @if !(lists.is_empty() && tags.is_empty()) {
                    div class="form-actions" { button class="button" type="submit" { (t!(visit, "contact-groups-save")) } }
                }
            }
        }
    })
}

async fn regroup(Path(contact): Path<String>, Posted { visit, mut tx, form }: Posted) -> Result<Response, Problem> {
    let contact = opened(&visit, &mut tx, &contact).await?;
    let (ctx, one) = (&visit.ctx, [contact.id]);
    for known in list::all(ctx, &mut tx).await? {
        let wanted = chosen(&form, "list", known.id);
        if wanted != contact.lists.contains(&known.id) {
            let done = if wanted {
                list::add(ctx, &mut tx, known.id, &one).await
            } else {
                list::remove(ctx, &mut tx, known.id, &one).await
            };
            done.map_err(|error| match error {
                list::ListError::Store(error) => Problem::Store(error),
                _ => Problem::Changed,
            })?;
        }
    }
    for known in tag::all(ctx, &mut tx).await? {
        let wanted = chosen(&form, "tag", known.id);
        if wanted != contact.tags.contains(&known.id) {
            let done = if wanted {
                tag::add(ctx, &mut tx, known.id, &one).await
            } else {
                tag::remove(ctx, &mut tx, known.id, &one).await
            };
            done.map_err(|error| match error {
                tag::TagError::Store(error) => Problem::Store(error),
                _ => Problem::Changed,
            })?;
        }
    }
    tx.commit().await?;
    Ok(back(contact.id, "saved"))
}

fn chosen<K: letterkeep_model::Kind>(form: &Fields, name: &str, id: Id<K>) -> bool {
    form.all(name).any(|value| value.parse() == Ok(id))
}

/// To the contact's page, which says what was done.
fn back(contact: Id<kind::Contact>, done: &str) -> Response {
    see_other(&format!("/contacts/{contact}?done={done}"))
}
