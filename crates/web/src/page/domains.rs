//! Sending domains and the DNS records that make their mail believed.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::Action;
use letterkeep_delivery::domain::{
    self, AddDomainError, DnsRecord, DomainKeys, DomainName, RecordPurpose, RemoveDomainError, SendingDomain,
};
use letterkeep_delivery::relay;
use letterkeep_store::Tx;
use maud::{Markup, html};

use crate::access::Routes;
use crate::component::{
    Confirm, Fields, Input, Picture, cell, confirm, csrf_field, empty, error_summary, field, submit, table_card,
};
use crate::format;
use crate::text::t;
use crate::visit::{Desk, Posted, Sent, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    let action = Action::ManageSendingDomains;
    Routes::new()
        .get("/domains", action, list)
        .post("/domains", action, add)
        .get("/domains/{id}", action, show)
        .get("/domains/{id}/remove", action, ask_remove)
        .post("/domains/{id}/remove", action, remove)
}

async fn list(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    list_page(&visit, &mut tx, &Fields::new()).await
}

async fn list_page(visit: &Visit, tx: &mut Tx, form: &Fields) -> Result<Page, Problem> {
    let domains = domain::list(&visit.ctx, tx).await?;
    let (name, since) = (t!(visit, "domain-name"), t!(visit, "since"));
    let head = html! { th scope="col" { (name) } th scope="col" { (since) } th { span class="visually-hidden" { (t!(visit, "actions")) } } };
    let rows = html! {
        @for domain in &domains {
            tr {
                th scope="row" { a href={ "/domains/" (domain.id) } { (domain.name.as_str()) } }
                (cell(&since, &format::moment(visit, &visit.frame.zone, domain.created_at)))
                td class="actions" {
                    a class="button button-plain" href={ "/domains/" (domain.id) } { (t!(visit, "domain-records")) }
                    a class="button button-plain" href={ "/domains/" (domain.id) "/remove" } aria-label=(t!(visit, "domain-remove-name", name = domain.name.as_str())) { (t!(visit, "remove")) }
                }
            }
        }
    };
    let body = html! {
        (error_summary(visit, form))
        @if domains.is_empty() {
            (empty(Picture::House, &t!(visit, "domains-empty"), &t!(visit, "domains-empty-text"), &html! {}))
        } @else { (table_card(&t!(visit, "nav-domains"), &head, &rows)) }
        section class="card" {
            h2 { (t!(visit, "domain-add")) }
            form class="form" method="post" action="/domains" {
                (csrf_field(&visit.frame))
                (field(visit, form, &Input::text("domain", &name).help(t!(visit, "domain-help")).max(200).autocomplete("off").inputmode("url")))
                (submit(&t!(visit, "domain-add")))
            }
        }
    };
    Ok(Page::new(&visit.frame, &t!(visit, "nav-domains"))
        .lead(&t!(visit, "domains-lead"))
        .section(Section::Domains)
        .body(&body))
}

async fn add(Sent { visit, mut form, .. }: Sent) -> Result<Response, Problem> {
    let refusal = match DomainName::parse(form.text("domain")) {
        Err(_) => "domain-refused",
        Ok(name) => {
            // The keys take a moment; no transaction waits for them.
            let keys = DomainKeys::generate(&visit.ctx).await.map_err(Problem::internal)?;
            let mut tx = visit.write().await?;
            match domain::add(&visit.ctx, &mut tx, &visit.keyring, &name, keys).await {
                Ok(domain) => {
                    tx.commit().await?;
                    return Ok(see_other(&format!("/domains/{}", domain.id)));
                }
                Err(AddDomainError::Exists) => "domain-exists",
                Err(AddDomainError::TooMany) => "domain-too-many",
                Err(AddDomainError::Store(error)) => return Err(error.into()),
                Err(error) => return Err(Problem::internal(error)),
            }
        }
    };
    form.refuse("domain", crate::text::say(visit.frame.locale, refusal, None));
    let mut tx = visit.read().await?;
    Ok(list_page(&visit, &mut tx, &form).await?.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

async fn find(visit: &Visit, tx: &mut Tx, id: &str) -> Result<SendingDomain, Problem> {
    let id = id.parse().map_err(|_| Problem::NotFound)?;
    domain::find(&visit.ctx, tx, id).await?.ok_or(Problem::NotFound)
}

async fn show(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Page, Problem> {
    let domain = find(&visit, &mut tx, &id).await?;
    let relay = relay::find(&visit.ctx, &mut tx).await?;
    let records = domain.dns_records(relay.as_ref().map(|relay| relay.host.as_str()));
    let zone = records.iter().map(DnsRecord::zone_line).collect::<Vec<_>>().join("\n");
    let body = html! {
        ol class="record-list" {
            @for (place, entry) in records.iter().enumerate() { li class="card" { (record(&visit, place, entry)) } }
        }
        section class="card" {
            details class="more" {
                summary { (t!(visit, "records-zone")) }
                p class="quiet small" { (t!(visit, "records-zone-help")) }
                pre class="zone-file" tabindex="0" id="zone-file" { (zone) }
                (copy(&visit, "zone-file", &t!(visit, "records-zone")))
            }
        }
        p { a class="button button-danger" href={ "/domains/" (domain.id) "/remove" } { (t!(visit, "domain-remove")) } }
    };
    Ok(Page::new(&visit.frame, domain.name.as_str())
        .crumb("/domains", t!(visit, "nav-domains"))
        .lead(&t!(visit, "records-lead"))
        .section(Section::Domains)
        .body(&body))
}

fn record(visit: &Visit, place: usize, record: &DnsRecord) -> Markup {
    let (title, text) = match record.purpose {
        RecordPurpose::DkimRsa => (t!(visit, "record-rsa"), t!(visit, "record-rsa-text")),
        RecordPurpose::DkimEd25519 => (t!(visit, "record-ed25519"), t!(visit, "record-ed25519-text")),
        RecordPurpose::Spf => (t!(visit, "record-spf"), t!(visit, "record-spf-text")),
        RecordPurpose::Dmarc => (t!(visit, "record-dmarc"), t!(visit, "record-dmarc-text")),
    };
    let (host, value) = (format!("record-host-{place}"), format!("record-value-{place}"));
    html! {
        h2 { (title) }
        p class="quiet" { (text) }
        dl class="facts record" {
            dt { (t!(visit, "record-type")) } dd { code { (record.record_type) } }
            dt { (t!(visit, "record-name")) } dd class="copyable" { code id=(host) { (record.host) } (copy(visit, &host, &t!(visit, "record-name"))) }
            dt { (t!(visit, "record-value")) } dd class="copyable" { code id=(value) { (record.value) } (copy(visit, &value, &t!(visit, "record-value"))) }
        }
    }
}

fn copy(visit: &Visit, target: &str, what: &str) -> Markup {
    html! {
        button class="button button-plain only-script" type="button" data-do="copy" aria-controls=(target) data-done=(t!(visit, "copied"))
            aria-label={ (t!(visit, "copy")) ": " (what) } { (t!(visit, "copy")) }
    }
}

async fn ask_remove(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Page, Problem> {
    let domain = find(&visit, &mut tx, &id).await?;
    Ok(remove_page(&visit, &domain, &Fields::new()))
}

fn remove_page(visit: &Visit, domain: &SendingDomain, form: &Fields) -> Page {
    let body = html! {
        (error_summary(visit, form))
        (confirm(&visit.frame, &Confirm {
            action: &format!("/domains/{}/remove", domain.id),
            consequence: html! { p { (t!(visit, "domain-remove-text", name = domain.name.as_str())) } },
            button: &t!(visit, "domain-remove"),
            typed: Some(domain.name.as_str()),
            back: &format!("/domains/{}", domain.id),
            fields: form,
        }))
    };
    Page::new(&visit.frame, &t!(visit, "domain-remove"))
        .crumb("/domains", t!(visit, "nav-domains"))
        .crumb(format!("/domains/{}", domain.id), domain.name.as_str())
        .section(Section::Domains)
        .body(&body)
}

async fn remove(Path(id): Path<String>, Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let domain = find(&visit, &mut tx, &id).await?;
    if form.text("confirm").trim().eq_ignore_ascii_case(domain.name.as_str()) {
        match domain::remove(&visit.ctx, &mut tx, &visit.keyring, domain.id).await {
            Ok(()) => {
                tx.commit().await?;
                return Ok(see_other("/domains"));
            }
            Err(RemoveDomainError::InUse) => form.refuse("", t!(visit, "domain-in-use")),
            Err(RemoveDomainError::Unknown) => return Err(Problem::NotFound),
            Err(RemoveDomainError::Campaign(error)) => return Err(super::campaigns::fault(error)),
            Err(RemoveDomainError::Store(error)) => return Err(error.into()),
        }
    } else {
        form.refuse("confirm", t!(visit, "confirm-refused"));
    }
    Ok(remove_page(&visit, &domain, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}
