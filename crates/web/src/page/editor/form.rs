//! The editor's form: how a draft becomes fields and fields become content and audience.

use letterkeep_account::Action;
use letterkeep_audience::CustomField;
use letterkeep_audience::contact::MERGE_NAMES;
use letterkeep_audience::list::{self, List};
use letterkeep_audience::tag::{self, Tag};
use letterkeep_campaign::{Audience, Campaign, Content, ContentError, ContentInput, Format, system};
use letterkeep_delivery::domain;
use letterkeep_model::{EmailAddress, Locale};
use letterkeep_store::Tx;
use maud::{Markup, html};

use crate::Problem;
use crate::component::{Choice, Fields, Input, csrf_field, field, hidden, select, text_area};
use crate::page::campaigns::may;
use crate::text::{named_if_known, t};
use crate::visit::Visit;

/// What a draft can choose from.
pub(super) struct Choices {
    lists: Vec<List>,
    tags: Vec<Tag>,
    domains: Vec<String>,
}

impl Choices {
    pub(super) async fn load(visit: &Visit, tx: &mut Tx) -> Result<Self, Problem> {
        let domains = domain::list(&visit.ctx, tx).await?;
        Ok(Self {
            lists: list::all(&visit.ctx, tx).await?,
            tags: tag::all(&visit.ctx, tx).await?,
            domains: domains.into_iter().map(|domain| domain.name.as_str().to_owned()).collect(),
        })
    }
}

/// The form as the draft stands.
pub(super) fn filled(campaign: &Campaign) -> Fields {
    let content = &campaign.content;
    let mut pairs: Vec<(String, String)> = [
        ("revision", campaign.revision.to_string()),
        ("name", campaign.name.clone()),
        ("subject", content.subject.clone()),
        ("preheader", content.preheader.clone()),
        ("from_name", content.from_name.clone()),
        ("from_local", content.from_address.local().to_owned()),
        ("from_domain", content.from_address.domain().to_owned()),
        ("reply_to", content.reply_to.as_ref().map_or_else(String::new, |reply| reply.as_str().to_owned())),
        ("postal_address", content.postal_address.clone()),
        ("format", format_name(content.format).to_owned()),
        ("source", content.source.clone()),
        ("text", content.text.clone().unwrap_or_default()),
        ("locale", content.locale.tag().to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let audience = &campaign.audience;
    let who = if audience.everybody { "everybody" } else { "chosen" };
    pairs.push(("who".into(), who.into()));
    pairs.extend(audience.lists.iter().map(|id| ("list".to_owned(), id.to_string())));
    pairs.extend(audience.tags.iter().map(|id| ("tag".to_owned(), id.to_string())));
    pairs.extend(audience.excluded_tags.iter().map(|id| ("excluded".to_owned(), id.to_string())));
    Fields::from_pairs(pairs)
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Mjml => "mjml",
        Format::Html => "html",
    }
}

/// Content and audience from the form; `None` if something is wrong, which then stands beside its field.
pub(super) fn read(visit: &Visit, form: &mut Fields, campaign: &Campaign) -> Option<(Content, Audience)> {
    let from = format!("{}@{}", form.text("from_local").trim(), form.text("from_domain").trim());
    let from_address = EmailAddress::parse(&from);
    if from_address.is_err() {
        form.refuse("from_local", t!(visit, "editor-from-refused"));
    }
    let reply_to = form.filled("reply_to").map(EmailAddress::parse).transpose();
    if reply_to.is_err() {
        form.refuse("reply_to", t!(visit, "email-refused"));
    }
    let audience = Audience {
        everybody: form.text("who") == "everybody",
        lists: form.all("list").filter_map(|id| id.parse().ok()).collect(),
        tags: form.all("tag").filter_map(|id| id.parse().ok()).collect(),
        excluded_tags: form.all("excluded").filter_map(|id| id.parse().ok()).collect(),
    };
    let input = ContentInput {
        subject: form.text("subject").to_owned(),
        preheader: form.text("preheader").to_owned(),
        from_name: form.text("from_name").to_owned(),
        from_address: from_address.ok()?,
        reply_to: reply_to.ok()?,
        postal_address: form.text("postal_address").to_owned(),
        format: if form.text("format") == "html" { Format::Html } else { Format::Mjml },
        source: form.text("source").to_owned(),
        text: form.filled("text").map(str::to_owned),
        locale: form.text("locale").parse().unwrap_or(campaign.content.locale),
    };
    match Content::parse(input) {
        Ok(content) => form.is_sound().then_some((content, audience)),
        Err(error) => {
            let (part, text) = match error {
                ContentError::TooLong { part, limit } => (part, t!(visit, "content-too-long", limit = limit)),
                ContentError::Control(part) => (part, t!(visit, "content-control")),
            };
            let name = match part {
                "pre-header" => "preheader",
                "sender's name" => "from_name",
                "postal address" => "postal_address",
                "text part" => "text",
                other => other,
            };
            form.refuse(name, text);
            None
        }
    }
}

pub(super) fn form(
    visit: &Visit,
    campaign: &Campaign,
    form: &Fields,
    choices: &Choices,
    custom: &[CustomField],
) -> Markup {
    let preview = format!("/campaigns/{}/preview", campaign.id);
    html! {
        form class="form form-wide" id="editor-form" method="post" action={ "/campaigns/" (campaign.id) "/edit" } data-preview="preview-button" novalidate {
            (csrf_field(&visit.frame))
            (hidden("revision", form.text("revision")))
            section class="card form" {
                h2 { (t!(visit, "editor-letter")) }
                (field(visit, form, &Input::text("name", &t!(visit, "campaign-name")).help(t!(visit, "campaign-name-help")).max(200).autocomplete("off")))
                (field(visit, form, &Input::text("subject", &t!(visit, "content-part-subject")).max(300).autocomplete("off")))
                (field(visit, form, &Input::text("preheader", &t!(visit, "content-part-preheader")).help(t!(visit, "editor-preheader-help")).max(400).autocomplete("off").optional()))
            }
            (sender(visit, form, choices))
            (audience(visit, form, choices))
            section class="card form form-wide" {
                h2 { (t!(visit, "editor-content")) }
                (text_area(visit, form, &Input::text("source", &t!(visit, "content-part-source")).help(t!(visit, "editor-source-help")), 24, true))
                (merge_tags(visit, custom))
                details class="more" open[!form.text("text").is_empty()] {
                    summary { (t!(visit, "editor-text")) }
                    (text_area(visit, form, &Input::text("text", &t!(visit, "content-part-text")).help(t!(visit, "editor-text-help")).optional(), 10, true))
                }
                div class="columns" {
                    (select(visit, form, &Input::text("format", &t!(visit, "editor-format")), &[Choice::new("mjml", "MJML"), Choice::new("html", "HTML")]))
                    (select(visit, form, &Input::text("locale", &t!(visit, "editor-locale")),
                        &Locale::ALL.map(|locale| Choice::new(locale.tag(), if locale == Locale::De { "Deutsch" } else { "English" }))))
                }
            }
            section class="card form" {
                h2 { (t!(visit, "editor-look")) }
                @if may(visit, Action::PreviewWithContact) {
                    (field(visit, form, &Input::new("email", "preview_for", &t!(visit, "preview-for")).help(t!(visit, "preview-for-help")).autocomplete("off").optional()))
                }
                div class="form-actions" {
                    button class="button" type="submit" id="preview-button" formaction=(preview) formtarget="preview" formnovalidate { (t!(visit, "preview-refresh")) }
                    button class="button" type="submit" { (t!(visit, "save")) }
                    button class="button button-primary" type="submit" name="then" value="check" { (t!(visit, "editor-check")) }
                }
            }
        }
    }
}

fn sender(visit: &Visit, form: &Fields, choices: &Choices) -> Markup {
    let current = form.text("from_domain");
    let mut domains: Vec<Choice> = choices.domains.iter().map(|name| Choice::new(name, format!("@{name}"))).collect();
    if !current.is_empty() && !choices.domains.iter().any(|name| name == current) {
        domains.push(Choice::new(current, t!(visit, "editor-domain-missing", domain = current)));
    }
    html! {
        section class="card form" {
            h2 { (t!(visit, "editor-sender")) }
            (field(visit, form, &Input::text("from_name", &t!(visit, "content-part-from-name")).help(t!(visit, "editor-from-name-help")).max(120).autocomplete("off")))
            div class="address-row" {
                (field(visit, form, &Input::text("from_local", &t!(visit, "editor-from")).max(64).autocomplete("off")))
                (select(visit, form, &Input::text("from_domain", &t!(visit, "editor-domain")), &domains))
            }
            @if choices.domains.is_empty() {
                p class="quiet small" { (t!(visit, "editor-no-domain")) " " @if may(visit, Action::ManageSendingDomains) { a href="/domains" { (t!(visit, "domain-add")) } } }
            }
            (field(visit, form, &Input::email("reply_to", &t!(visit, "editor-reply-to")).help(t!(visit, "editor-reply-to-help")).autocomplete("off").optional()))
            (text_area(visit, form, &Input::text("postal_address", &t!(visit, "content-part-postal-address")).help(t!(visit, "editor-postal-help")).max(600), 3, false))
        }
    }
}

fn audience(visit: &Visit, form: &Fields, choices: &Choices) -> Markup {
    let everybody = form.text("who") == "everybody";
    html! {
        section class="card form" id="audience" {
            h2 { (t!(visit, "audience-title")) }
            fieldset class="field" {
                legend class="visually-hidden" { (t!(visit, "audience-title")) }
                div class="check" {
                    input type="radio" id="who-chosen" name="who" value="chosen" checked[!everybody];
                    label for="who-chosen" { (t!(visit, "audience-chosen")) }
                }
                div class="check" {
                    input type="radio" id="who-everybody" name="who" value="everybody" checked[everybody];
                    label for="who-everybody" { (t!(visit, "audience-everybody")) }
                }
            }
            @let lists: Vec<_> = choices.lists.iter().map(|list| (list.id.to_string(), list.name.as_str(), list.members)).collect();
            @let tags: Vec<_> = choices.tags.iter().map(|tag| (tag.id.to_string(), tag.name.as_str(), tag.members)).collect();
            (boxes(visit, form, "list", &t!(visit, "nav-lists"), &lists))
            (boxes(visit, form, "tag", &t!(visit, "nav-tags"), &tags))
            @if !tags.is_empty() {
                details class="more" open[form.all("excluded").next().is_some()] {
                    summary { (t!(visit, "audience-excluded")) }
                    (boxes(visit, form, "excluded", &t!(visit, "audience-excluded-help"), &tags))
                }
            }
            @if lists.is_empty() && tags.is_empty() { p class="quiet" { (t!(visit, "audience-no-lists")) } }
        }
    }
}

fn boxes(visit: &Visit, form: &Fields, name: &str, label: &str, entries: &[(String, &str, i64)]) -> Markup {
    html! {
        @if !entries.is_empty() {
            fieldset class="field" {
                legend { (label) }
                div class="box-list" {
                    @for (id, text, members) in entries {
                        label class="check" {
                            input type="checkbox" name=(name) value=(id) checked[form.all(name).any(|have| have == id)];
                            span { (text) " " span class="quiet small" { (t!(visit, "contacts-number", count = *members)) } }
                        }
                    }
                }
            }
        }
    }
}

fn merge_tags(visit: &Visit, custom: &[CustomField]) -> Markup {
    let standard = MERGE_NAMES.iter().map(|name| {
        let label = named_if_known(visit, "merge", name).unwrap_or_else(|| (*name).to_owned());
        ((*name).to_owned(), label)
    });
    let custom = custom.iter().map(|field| (field.merge_key.clone(), field.label.clone()));
    let system = system::ALL
        .iter()
        .map(|name| ((*name).to_owned(), named_if_known(visit, "merge", name).unwrap_or_else(|| (*name).to_owned())));
    html! {
        details class="more" {
            summary { (t!(visit, "merge-title")) }
            p class="quiet small" { (t!(visit, "merge-help")) }
            table class="table table-plain merge-table" {
                thead { tr { th scope="col" { (t!(visit, "merge-what")) } th scope="col" { (t!(visit, "merge-tag")) } th { span class="visually-hidden" { (t!(visit, "copy")) } } } }
                tbody {
                    @for (key, label) in standard.chain(custom).chain(system) {
                        tr {
                            th scope="row" { (label) }
                            td { code id={ "merge-" (key) } { "{{ " (key) " }}" } }
                            td class="actions" {
                                button class="button button-plain only-script" type="button" data-do="copy" aria-controls={ "merge-" (key) }
                                    data-done=(t!(visit, "copied")) aria-label=(t!(visit, "merge-copy", tag = label.as_str())) { (t!(visit, "copy")) }
                            }
                        }
                    }
                }
            }
        }
    }
}
