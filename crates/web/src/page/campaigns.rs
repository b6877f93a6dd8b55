//! The list of campaigns, new ones from a template, copies, deletion, and what every page of a campaign shares.

use std::collections::BTreeSet;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_account::{Action, allows, organisation};
use letterkeep_audience::contact::MERGE_NAMES;
use letterkeep_audience::{CustomField, field as custom_field};
use letterkeep_campaign::{
    Audience, Campaign, CampaignError, CampaignSummary, Content, ContentInput, Format, State, template,
};
use letterkeep_delivery::domain;
use letterkeep_model::{EmailAddress, Id, Locale, kind};
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::editor;
use crate::access::Routes;
use crate::component::{
    Confirm, Fields, Input, Pager, Picture, Seal, cell, confirm, csrf_field, empty, error_summary, field, pager, seal,
    table_card, tabs,
};
use crate::format;
use crate::text::{Speaks, named, t};
use crate::visit::{Desk, Posted, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/campaigns", Action::ViewCampaigns, list)
        .post("/campaigns", Action::EditCampaigns, create)
        .get("/campaigns/new", Action::EditCampaigns, new)
        .get("/campaigns/new/{template}", Action::EditCampaigns, template_preview)
        .get("/campaigns/{id}", Action::ViewCampaigns, enter)
        .post("/campaigns/{id}/copy", Action::EditCampaigns, copy)
        .get("/campaigns/{id}/delete", Action::EditCampaigns, ask_delete)
        .post("/campaigns/{id}/delete", Action::EditCampaigns, delete)
}

/// Campaigns on a page.
const LINES: u16 = 25;

#[derive(serde::Deserialize)]
struct Wanted {
    state: Option<String>,
    before: Option<String>,
}

async fn list(Desk { visit, mut tx }: Desk, Query(wanted): Query<Wanted>) -> Result<Page, Problem> {
    let state = wanted.state.as_deref().map(str::parse::<State>).transpose().map_err(|_| Problem::NotFound)?;
    let before = wanted.before.as_deref().map(str::parse).transpose().map_err(|_| Problem::NotFound)?;
    let mut found = letterkeep_campaign::page(&visit.ctx, &mut tx, state, before, LINES + 1).await.map_err(fault)?;
    let more = found.len() > usize::from(LINES);
    found.truncate(usize::from(LINES));
    let counts = letterkeep_campaign::count(&visit.ctx, &mut tx).await.map_err(fault)?;
    let all: i64 = counts.iter().map(|(_, number)| number).sum();

    let mut page = Page::new(&visit.frame, &t!(visit, "nav-campaigns")).section(Section::Campaigns);
    let button = html! { a class="button button-primary" href="/campaigns/new" { (t!(visit, "campaign-new")) } };
    if all == 0 {
        let (title, text) = (t!(visit, "campaigns-empty-title"), t!(visit, "campaigns-empty-text"));
        return Ok(page.body(&empty(Picture::Letter, &title, &text, &button)));
    }
    page = page.actions(button);
    let address = |state: Option<State>| match state {
        Some(state) => format!("/campaigns?state={}", state.name()),
        None => "/campaigns".to_owned(),
    };
    let mut filter = vec![(address(None), t!(visit, "campaigns-all", count = all))];
    for (state, number) in counts.into_iter().filter(|(_, number)| *number > 0) {
        let name = named(&visit, "campaign-state", state.name());
        filter.push((address(Some(state)), format!("{name} ({})", format::whole(&visit, number))));
    }
    let here = address(state);
    let next = found.last().filter(|_| more).map(|last| {
        let joint = if here.contains('?') { '&' } else { '?' };
        format!("{here}{joint}before={}", last.id)
    });
    let line = Pager { text: String::new(), first: before.map(|_: Id<kind::Campaign>| here.clone()), next };
    let body = html! {
        (tabs(&t!(visit, "campaigns-filter"), &filter, &here))
        (table(&visit, &found))
        @if line.next.is_some() || line.first.is_some() { (pager(&visit, &line)) }
    };
    Ok(page.body(&body))
}

/// Campaigns with their state and time.
pub(super) fn table(visit: &Visit, campaigns: &[CampaignSummary]) -> Markup {
    let (name, state, when) = (t!(visit, "campaign-name"), t!(visit, "state"), t!(visit, "campaign-when"));
    let head = html! { th scope="col" { (name) } th scope="col" { (state) } th scope="col" { (when) } };
    let rows = html! {
        @for campaign in campaigns {
            tr {
                th scope="row" { a href=(home(visit, campaign.id, campaign.state)) { (campaign.name) } }
                (cell(&state, &state_seal(visit, campaign.state)))
                (cell(&when, &match campaign.scheduled_at.filter(|_| campaign.state == State::Scheduled) {
                    Some(at) => format::moment(visit, &visit.frame.zone, at),
                    None => format::ago(visit, &visit.frame.zone, visit.frame.now, campaign.updated_at),
                }))
            }
        }
    };
    table_card(&t!(visit, "nav-campaigns"), &head, &rows)
}

/// The page where a campaign stands now.
pub(super) fn home(visit: &Visit, id: Id<kind::Campaign>, state: State) -> String {
    let page = match state {
        State::Draft if may(visit, Action::EditCampaigns) => "edit",
        State::Finished | State::Cancelled => "report",
        _ => "progress",
    };
    format!("/campaigns/{id}/{page}")
}

async fn enter(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    Ok(see_other(&home(&visit, campaign.id, campaign.state)))
}

async fn new(Desk { visit, .. }: Desk) -> Page {
    new_page(&visit, &Fields::of(&[("template", "newsletter")]))
}

fn new_page(visit: &Visit, form: &Fields) -> Page {
    let body = html! {
        (error_summary(visit, form))
        form class="form form-wide" method="post" action="/campaigns" {
            (csrf_field(&visit.frame))
            div class="measure" {
                (field(visit, form, &Input::text("name", &t!(visit, "campaign-name")).help(t!(visit, "campaign-name-help")).max(200).autocomplete("off").autofocus()))
            }
            fieldset class="field" {
                legend { (t!(visit, "campaign-template")) }
                div class="template-grid" {
                    @for template in template::all(visit.frame.locale) {
                        div class="template-card" {
                            iframe class="template-frame" sandbox="" loading="lazy" tabindex="-1" aria-hidden="true" title=(template.name)
                                src={ "/campaigns/new/" (template.key) } {}
                            div class="check" {
                                input type="radio" id={ "template-" (template.key) } name="template" value=(template.key)
                                    checked[form.text("template") == template.key] aria-describedby={ "template-" (template.key) "-help" };
                                div {
                                    label for={ "template-" (template.key) } { strong { (template.name) } }
                                    span class="help" id={ "template-" (template.key) "-help" } { (template.description) }
                                }
                            }
                        }
                    }
                }
            }
            div class="form-actions" {
                button class="button button-primary" type="submit" { (t!(visit, "campaign-create")) }
                a class="button button-plain" href="/campaigns" { (t!(visit, "cancel")) }
            }
        }
    };
    Page::new(&visit.frame, &t!(visit, "campaign-new"))
        .crumb("/campaigns", t!(visit, "nav-campaigns"))
        .lead(&t!(visit, "campaign-new-lead"))
        .section(Section::Campaigns)
        .body(&body)
}

/// A template as it looks, for the small frames of the choice.
async fn template_preview(Desk { visit, mut tx }: Desk, Path(key): Path<String>) -> Result<Response, Problem> {
    let content = from_template(&visit, &mut tx, &key).await?;
    let custom = custom_field::all(&visit.ctx, &mut tx).await?;
    drop(tx);
    let sample = editor::preview::sample(&visit, &custom);
    Ok(editor::preview::frame(&visit, content, &custom, sample).await)
}

/// Content to start from: the template's, with the organisation's name, address and first sending domain.
async fn from_template(visit: &Visit, tx: &mut Tx, key: &str) -> Result<Content, Problem> {
    let locale = visit.frame.locale;
    let template = template::find(locale, key).ok_or(Problem::NotFound)?;
    let organisation = organisation::find(&visit.ctx, tx).await?.ok_or(Problem::NotFound)?;
    let domains = domain::list(&visit.ctx, tx).await?;
    // A name that the DNS will never hold (RFC 2606): the check before sending asks for a real one.
    let domain = domains.first().map_or("example.invalid", |domain| domain.name.as_str());
    let local = if locale == Locale::De { "post" } else { "news" };
    let from_address = EmailAddress::parse(&format!("{local}@{domain}")).map_err(Problem::internal)?;
    let input = ContentInput {
        subject: template.subject.to_owned(),
        preheader: template.preheader.to_owned(),
        from_name: organisation.name.chars().take(60).filter(|letter| !letter.is_control()).collect(),
        from_address,
        reply_to: None,
        postal_address: organisation.postal_address,
        format: Format::Mjml,
        source: template.source.to_owned(),
        text: None,
        locale,
    };
    Content::parse(input).map_err(Problem::internal)
}

async fn create(Posted { visit, mut tx, mut form }: Posted) -> Result<Response, Problem> {
    let content = from_template(&visit, &mut tx, form.text("template")).await?;
    let (ctx, keyring) = (&visit.ctx, &visit.keyring);
    match letterkeep_campaign::create(ctx, &mut tx, keyring, form.text("name"), &content, Audience::default()).await {
        Ok(campaign) => {
            tx.commit().await?;
            Ok(see_other(&format!("/campaigns/{}/edit", campaign.id)))
        }
        Err(CampaignError::Name) => {
            form.refuse("name", t!(visit, "campaign-name-refused"));
            Ok(new_page(&visit, &form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(fault(error)),
    }
}

async fn copy(Path(id): Path<String>, Posted { visit, mut tx, .. }: Posted) -> Result<Response, Problem> {
    let original = find(&visit, &mut tx, &id).await?;
    let mut name = t!(visit, "campaign-copy-name", name = original.name.as_str());
    if name.len() > letterkeep_campaign::limit::NAME {
        name = original.name;
    }
    let made = letterkeep_campaign::duplicate(&visit.ctx, &mut tx, &visit.keyring, original.id, &name).await;
    let made = made.map_err(fault)?;
    tx.commit().await?;
    Ok(see_other(&format!("/campaigns/{}/edit", made.id)))
}

async fn ask_delete(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Page, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    if campaign.state != State::Draft {
        return Err(Problem::Changed);
    }
    let body = confirm(
        &visit.frame,
        &Confirm {
            action: &format!("/campaigns/{}/delete?revision={}", campaign.id, campaign.revision),
            consequence: html! { p { (t!(visit, "campaign-delete-text", name = campaign.name.as_str())) } },
            button: &t!(visit, "campaign-delete"),
            typed: None,
            back: &format!("/campaigns/{}/edit", campaign.id),
            fields: &Fields::new(),
        },
    );
    Ok(page_of(&visit, &campaign, &t!(visit, "campaign-delete")).body(&body))
}

#[derive(serde::Deserialize)]
struct AtRevision {
    revision: i64,
}

async fn delete(
    Path(id): Path<String>,
    Query(at): Query<AtRevision>,
    Posted { visit, mut tx, .. }: Posted,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| Problem::NotFound)?;
    letterkeep_campaign::delete(&visit.ctx, &mut tx, id, at.revision).await.map_err(fault)?;
    tx.commit().await?;
    Ok(see_other("/campaigns"))
}

/// The campaign of an address.
pub(super) async fn find(visit: &Visit, tx: &mut Tx, id: &str) -> Result<Campaign, Problem> {
    let id = id.parse().map_err(|_| Problem::NotFound)?;
    let found = letterkeep_campaign::find(&visit.ctx, tx, &visit.keyring, id).await.map_err(fault)?;
    found.ok_or(Problem::NotFound)
}

/// A page below a campaign.
pub(super) fn page_of(visit: &Visit, campaign: &Campaign, title: &str) -> Page {
    let page = Page::new(&visit.frame, title);
    if !may(visit, Action::ViewCampaigns) {
        return page.section(Section::Reports).crumb("/reports", t!(visit, "reports-title"));
    }
    let page = page.section(Section::Campaigns).crumb("/campaigns", t!(visit, "nav-campaigns"));
    if title == campaign.name {
        page
    } else {
        page.crumb(format!("/campaigns/{}", campaign.id), campaign.name.as_str())
    }
}

/// Whether the reader's role allows an action: for what a page offers. The route decides.
pub(super) fn may(visit: &Visit, action: Action) -> bool {
    visit.frame.person.as_ref().is_some_and(|person| allows(person.role, action))
}

/// The merge keys that content may name.
pub(super) fn known(custom: &[CustomField]) -> BTreeSet<String> {
    let custom = custom.iter().map(|field| field.merge_key.clone());
    MERGE_NAMES.iter().map(|name| (*name).to_owned()).chain(custom).collect()
}

/// A state, by shape and word.
pub(super) fn state_seal(speaks: &impl Speaks, state: State) -> Markup {
    let shape = match state {
        State::Draft | State::Cancelled => Seal::Off,
        State::Scheduled | State::Sending | State::Paused => Seal::Warn,
        State::Finished => Seal::Good,
    };
    seal(shape, &named(speaks, "campaign-state", state.name()))
}

/// What a refusal of the campaign room means where no form shows it.
pub(super) fn fault(error: CampaignError) -> Problem {
    match error {
        CampaignError::Missing => Problem::NotFound,
        CampaignError::Changed(_) | CampaignError::State { .. } => Problem::Changed,
        CampaignError::Store(error) => error.into(),
        other => Problem::internal(other),
    }
}
