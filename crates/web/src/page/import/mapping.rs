use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_audience::import::check::start as start_check;
use letterkeep_audience::import::made;
use letterkeep_audience::import::mapping::MappingError;
use letterkeep_audience::import::settings::{EVIDENCE_CHARS, MEMBERSHIPS};
use letterkeep_audience::import::{
    Delimiter, Existing, Format, ImportError, Preview, Settings, SettingsError, Target, TextEncoding, stage,
};
use letterkeep_audience::{FieldKind, Notation, Permission, StandardField, list, tag};
use letterkeep_model::{Id, kind};
use letterkeep_store::Error;
use maud::{Markup, html};

use super::upload::permission_choices;
use super::{page, path, steps, wrong_file};
use crate::component::{
    Choice, Fields, Input, Tone, boxes, check, csrf_field, error_summary, notice, radios, select, text_area,
};
use crate::format;
use crate::page::audience::{id_of, wrong};
use crate::text::{named, t};
use crate::visit::{Sent, Visit};
use crate::{Page, Problem, see_other};

/// The file has not run yet: its columns, or what keeps it from being read and how to mend that.
pub(super) async fn show(visit: &Visit, import: Id<kind::Import>) -> Result<Response, Problem> {
    match stage::preview(&visit.ctx, &visit.house.store, import).await {
        Ok(preview) => {
            let form = filled(&preview, &preview.settings);
            Ok(page_of(visit, &preview, &form).await?.into_response())
        }
        Err(ImportError::Source(error)) => {
            let body = html! {
                (steps(visit, 1))
                (notice(Tone::Bad, &t!(visit, "import-unreadable"), &html! { p { (wrong_file(visit, &error)) } }))
                (format_form(visit, import, None))
                (discard(visit, import))
            };
            let page = page(visit, &t!(visit, "import-columns")).body(&body);
            Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads the file with another encoding or separator.
pub(super) async fn reread(Path(import): Path<String>, Sent { visit, form, .. }: Sent) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    let encoding = TextEncoding::from_label(form.text("encoding")).ok_or(Problem::Unreadable)?;
    let delimiter = Delimiter::ALL.into_iter().find(|one| name_of(*one) == form.text("delimiter"));
    let delimiter = delimiter.ok_or(Problem::Unreadable)?;
    stage::set_format(&visit.ctx, &visit.house.store, import, encoding, delimiter).await?;
    Ok(see_other(&path(import)))
}

const fn name_of(delimiter: Delimiter) -> &'static str {
    match delimiter {
        Delimiter::Comma => "comma",
        Delimiter::Semicolon => "semicolon",
        Delimiter::Tab => "tab",
        Delimiter::Pipe => "pipe",
    }
}

/// The form as the settings have it.
pub(super) fn filled(preview: &Preview, settings: &Settings) -> Fields {
    let mut pairs = Vec::new();
    let mut pair = |name: String, value: String| pairs.push((name, value));
    for (index, target) in settings.mapping.iter().enumerate() {
        match target {
            Target::Create { kind, label } => {
                pair(format!("target-{index}"), format!("create:{}", kind.name()));
                pair(format!("label-{index}"), label.clone());
            }
            other => pair(format!("target-{index}"), other.to_string()),
        }
    }
    for (index, heading) in preview.headings.iter().enumerate() {
        pair(format!("label-{index}"), heading.trim().chars().take(100).collect());
    }
    settings.lists.iter().for_each(|list| pair("list".into(), list.to_string()));
    settings.tags.iter().for_each(|tag| pair("tag".into(), tag.to_string()));
    pair("permission".into(), settings.permission.name().into());
    pair("evidence".into(), settings.evidence.clone());
    pair("tracking".into(), if settings.tracking { "yes".into() } else { String::new() });
    pair("tracking_evidence".into(), settings.tracking_evidence.clone());
    pair("existing".into(), if settings.existing == Existing::Keep { "keep".into() } else { "update".into() });
    pair("notation".into(), notation_name(settings.notation).into());
    Fields::from_pairs(pairs)
}

const fn notation_name(notation: Notation) -> &'static str {
    match notation {
        Notation::Any => "any",
        Notation::German => "german",
        Notation::English => "english",
    }
}

/// The settings that the form describes, on the ground of what is stored.
fn read(form: &Fields, preview: &Preview) -> Result<Settings, Problem> {
    let mut settings = preview.settings.clone();
    settings.mapping = (0..preview.headings.len())
        .map(|index| {
            let target = form.text(&format!("target-{index}"));
            match target.strip_prefix("create:") {
                Some(kind) => {
                    let kind = FieldKind::from_name(kind).ok_or(Problem::Unreadable)?;
                    let label = form.text(&format!("label-{index}")).trim().chars().take(100).collect();
                    Ok(Target::Create { kind, label })
                }
                None => target.parse().map_err(|_| Problem::Unreadable),
            }
        })
        .collect::<Result<_, _>>()?;
    settings.lists = form.all("list").filter_map(|list| list.parse().ok()).take(MEMBERSHIPS + 1).collect();
    settings.tags = form.all("tag").filter_map(|tag| tag.parse().ok()).take(MEMBERSHIPS + 1).collect();
    settings.permission = Permission::from_name(form.text("permission")).ok_or(Problem::Unreadable)?;
    form.text("evidence").trim().clone_into(&mut settings.evidence);
    settings.tracking = form.checked("tracking");
    form.text("tracking_evidence").trim().clone_into(&mut settings.tracking_evidence);
    settings.existing = if form.text("existing") == "keep" { Existing::Keep } else { Existing::Update };
    settings.notation = match form.text("notation") {
        "german" => Notation::German,
        "english" => Notation::English,
        _ => Notation::Any,
    };
    settings.locale = preview.settings.locale;
    Ok(settings)
}

pub(super) async fn decide(
    Path(import): Path<String>,
    Sent { visit, mut form, .. }: Sent,
) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    let (ctx, store) = (&visit.ctx, &visit.house.store);
    let preview = stage::preview(ctx, store, import).await?;
    let mut settings = read(&form, &preview)?;
    settings.locale = visit.frame.locale;
    let mut tx = visit.write().await?;
    for (name, known) in [("new_list", true), ("new_tag", false)] {
        let Some(wanted) = form.filled(name).map(str::to_owned) else { continue };
        let refused = if known {
            match list::find_by_name(ctx, &mut tx, &wanted).await? {
                Some(list) => {
                    settings.lists.push(list.id);
                    None
                }
                None => match list::create(ctx, &mut tx, &wanted, "").await {
                    Ok(list) => {
                        made::remember_list(ctx, &mut tx, import, list).await?;
                        settings.lists.push(list);
                        None
                    }
                    Err(error) => Some(list_refused(&visit, error)?),
                },
            }
        } else {
            match tag::find_by_name(ctx, &mut tx, &wanted).await? {
                Some(tag) => {
                    settings.tags.push(tag.id);
                    None
                }
                None => match tag::create(ctx, &mut tx, &wanted).await {
                    Ok(tag) => {
                        made::remember_tag(ctx, &mut tx, import, tag).await?;
                        settings.tags.push(tag);
                        None
                    }
                    Err(error) => Some(tag_refused(&visit, error)?),
                },
            }
        };
        if let Some(refused) = refused {
            form.refuse(name, refused);
        }
    }
    settings.lists.sort_unstable();
    settings.lists.dedup();
    settings.tags.sort_unstable();
    settings.tags.dedup();
    if form.is_sound() {
        // A list or tag is made only if everything else holds.
        match settings.check() {
            Ok(()) => {
                tx.commit().await?;
                match stage::configure(ctx, store, import, &settings).await {
                    Ok(()) => {
                        if preview.size > visit.house.settings.import_check_at_once {
                            start_check(ctx, store, import).await?;
                        }
                        return Ok(see_other(&format!("{}/check", path(import))));
                    }
                    Err(ImportError::Settings(error)) => refuse(&visit, &mut form, &error),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => refuse(&visit, &mut form, &error),
        }
    }
    Ok(page_of(&visit, &preview, &form).await?.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn list_refused(visit: &Visit, error: list::ListError) -> Result<String, Error> {
    Ok(match error {
        list::ListError::Store(error) => return Err(error),
        list::ListError::Text(error) => wrong(visit, error),
        list::ListError::TooMany => t!(visit, "lists-too-many"),
        _ => t!(visit, "lists-name-missing"),
    })
}

fn tag_refused(visit: &Visit, error: tag::TagError) -> Result<String, Error> {
    Ok(match error {
        tag::TagError::Store(error) => return Err(error),
        tag::TagError::Text(error) => wrong(visit, error),
        tag::TagError::TooMany => t!(visit, "tags-too-many"),
        _ => t!(visit, "tags-name-missing"),
    })
}

fn refuse(visit: &Visit, form: &mut Fields, error: &SettingsError) {
    match error {
        SettingsError::Mapping(MappingError::NoEmail | MappingError::Width { .. }) => {
            form.refuse("target-0", t!(visit, "import-no-email"));
        }
        SettingsError::Mapping(MappingError::Twice { first, second }) => {
            form.refuse(&format!("target-{}", second - 1), t!(visit, "import-twice", first = *first, second = *second));
        }
        SettingsError::Mapping(MappingError::Create(column)) => {
            form.refuse(&format!("label-{}", column - 1), t!(visit, "import-create-refused"));
        }
        SettingsError::Mapping(MappingError::NoField(column)) => {
            form.refuse(&format!("target-{}", column - 1), t!(visit, "import-field-gone"));
        }
        SettingsError::Permission => form.refuse("permission", t!(visit, "import-permission-missing")),
        SettingsError::NoEvidence => form.refuse("evidence", t!(visit, "import-evidence-missing")),
        SettingsError::NoTrackingEvidence => {
            form.refuse("tracking_evidence", t!(visit, "import-tracking-evidence-missing"));
        }
        SettingsError::EvidenceTooLong => {
            form.refuse("evidence", t!(visit, "value-too-long", chars = EVIDENCE_CHARS));
        }
        SettingsError::TooManyMemberships => form.refuse("list", t!(visit, "import-too-many-lists")),
        SettingsError::TimeZone => form.refuse("", t!(visit, "organisation-zone-refused")),
    }
}

pub(super) async fn page_of(visit: &Visit, preview: &Preview, form: &Fields) -> Result<Page, Problem> {
    let mut tx = visit.read().await?;
    let lists = list::all(&visit.ctx, &mut tx).await?;
    let tags = tag::all(&visit.ctx, &mut tx).await?;
    drop(tx);
    let lists = lists.iter().map(|list| Choice::new(list.id.to_string(), &list.name)).collect::<Vec<_>>();
    let tags = tags.iter().map(|tag| Choice::new(tag.id.to_string(), &tag.name)).collect::<Vec<_>>();
    let size = format::bytes(visit, preview.size as i64);
    let lead = t!(
        visit,
        "import-columns-lead",
        file = preview.file_name.as_str(),
        size = size,
        count = preview.headings.len()
    );
    let existing = ["update", "keep"].map(|name| {
        (
            Choice::new(name, named(visit, "import-existing", name)),
            named(visit, "import-existing", &format!("{name}-help")),
        )
    });
    let notations = ["any", "german", "english"].map(|name| Choice::new(name, named(visit, "import-notation", name)));
    let line = |name, label: &str| {
        crate::component::field(visit, form, &Input::text(name, label).max(100).optional().autocomplete("off"))
    };
    let body = html! {
        (steps(visit, 1))
        (error_summary(visit, form))
        (format_form(visit, preview.import, Some(&preview.format)))
        form class="form form-wide" method="post" action={ (path(preview.import)) "/mapping" } {
            (csrf_field(&visit.frame))
            (columns(visit, preview, form))
            div class="card stack" {
                h2 { (t!(visit, "import-groups")) }
                p class="quiet" { (t!(visit, "import-groups-text")) }
                div class="columns" {
                    div class="stack-tight" {
                        (boxes(form, "list", &t!(visit, "nav-lists"), &lists, &t!(visit, "contact-no-lists")))
                        (line("new_list", &t!(visit, "import-new-list")))
                    }
                    div class="stack-tight" {
                        (boxes(form, "tag", &t!(visit, "nav-tags"), &tags, &t!(visit, "contact-no-tags")))
                        (line("new_tag", &t!(visit, "import-new-tag")))
                    }
                }
            }
            div class="card stack" {
                h2 { (t!(visit, "import-origin")) }
                (radios(form, "permission", &t!(visit, "import-permission-question"), "", &permission_choices(visit)))
                (text_area(visit, form, &Input::text("evidence", &t!(visit, "import-evidence")).help(t!(visit, "import-evidence-help")).max(EVIDENCE_CHARS), 3, false))
                (check(form, "tracking", &t!(visit, "import-tracking"), Some(&t!(visit, "import-tracking-help"))))
                (text_area(visit, form, &Input::text("tracking_evidence", &t!(visit, "import-tracking-evidence")).max(EVIDENCE_CHARS).optional(), 2, false))
            }
            div class="card stack" {
                h2 { (t!(visit, "import-reading")) }
                (radios(form, "existing", &t!(visit, "import-existing"), "update", &existing))
                (select(visit, form, &Input::text("notation", &t!(visit, "import-notation")).help(t!(visit, "import-notation-help")), &notations))
            }
            div class="form-actions" { button class="button button-primary" type="submit" { (t!(visit, "import-to-check")) } }
        }
        (discard(visit, preview.import))
    };
    Ok(page(visit, &t!(visit, "import-columns")).lead(&lead).body(&body))
}

/// How the bytes become rows; for a workbook there is nothing to choose.
fn format_form(visit: &Visit, import: Id<kind::Import>, format: Option<&Format>) -> Markup {
    let (encoding, delimiter) = match format {
        Some(Format::Xlsx) => return html! {},
        Some(Format::Text { encoding, delimiter }) => (encoding.name(), name_of(*delimiter)),
        None => (TextEncoding::UTF_8.name(), "comma"),
    };
    let form = Fields::of(&[("encoding", encoding), ("delimiter", delimiter)]);
    let mut encodings = TextEncoding::OFFERED.map(|encoding| Choice::new(encoding.name(), encoding.name())).to_vec();
    if !encodings.iter().any(|choice| choice.value == encoding) {
        encodings.push(Choice::new(encoding, encoding));
    }
    let delimiters = Delimiter::ALL
        .map(|delimiter| Choice::new(name_of(delimiter), named(visit, "import-delimiter", name_of(delimiter))));
    html! {
        details class="card" open[format.is_none()] {
            summary { (t!(visit, "import-format")) }
            div class="stack" {
                p { (t!(visit, "import-format-text")) }
                form class="filter" method="post" action={ (path(import)) "/format" } {
                    (csrf_field(&visit.frame))
                    (select(visit, &form, &Input::text("encoding", &t!(visit, "import-encoding")), &encodings))
                    (select(visit, &form, &Input::text("delimiter", &t!(visit, "import-delimiter")), &delimiters))
                    button class="button" type="submit" { (t!(visit, "import-reread")) }
                }
            }
        }
    }
}

fn columns(visit: &Visit, preview: &Preview, form: &Fields) -> Markup {
    let (samples, target) = (t!(visit, "import-samples"), t!(visit, "import-target"));
    html! {
        div class="card card-flush" {
            h2 { (t!(visit, "import-columns-title")) }
            div class="table-wrap" {
                table class="table table-cards table-plain mapping" {
                    caption class="visually-hidden" { (t!(visit, "import-columns-title")) }
                    thead { tr { th scope="col" { (t!(visit, "import-column")) } th scope="col" { (samples) } th scope="col" { (target) } } }
                    tbody {
                        @for (index, heading) in preview.headings.iter().enumerate() {
                            tr {
                                th scope="row" { @if heading.trim().is_empty() { span class="quiet" { (t!(visit, "import-column-number", number = index + 1)) } } @else { (heading) } }
                                td data-label=(samples) class="quiet" {
                                    @let cells = preview.samples.iter().filter_map(|row| row.get(index)).filter(|cell| !cell.trim().is_empty());
                                    span class="samples" { @for cell in cells.take(3) { span { (short(cell)) } } }
                                }
                                td data-label=(target) { (target_of(visit, preview, form, index, heading)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// At most 40 characters of a cell.
fn short(cell: &str) -> String {
    let mut text = cell.chars().take(40).collect::<String>();
    if text.len() < cell.len() {
        text.push('…');
    }
    text
}

fn target_of(visit: &Visit, preview: &Preview, form: &Fields, index: usize, heading: &str) -> Markup {
    let (name, label) = (format!("target-{index}"), format!("label-{index}"));
    let chosen = form.text(&name);
    let error = form.error(&name).or_else(|| form.error(&label));
    let option = |value: &str, text: &str| html! { option value=(value) selected[value == chosen] { (text) } };
    html! {
        div class="field target" {
            select class="select" id=(name) name=(name) aria-label=(t!(visit, "import-target-for", column = heading))
                aria-invalid=[error.is_some().then_some("true")] aria-describedby=[error.is_some().then(|| format!("{name}-error"))] {
                (option("skip", &t!(visit, "import-skip")))
                optgroup label=(t!(visit, "import-standard")) {
                    @for standard in StandardField::all() {
                        (option(&Target::Field(standard).to_string(), &named(visit, "standard", standard.name())))
                    }
                }
                @if !preview.fields.is_empty() {
                    optgroup label=(t!(visit, "nav-fields")) {
                        @for field in &preview.fields { (option(&Target::Custom(field.id).to_string(), &field.label)) }
                    }
                }
                optgroup label=(t!(visit, "import-about")) {
                    (option("tags", &t!(visit, "nav-tags")))
                    (option("permission", &t!(visit, "import-target-permission")))
                    (option("tracking", &t!(visit, "import-target-tracking")))
                }
                optgroup label=(t!(visit, "fields-new")) {
                    @for kind in FieldKind::ALL {
                        @if !kind.has_options() { (option(&format!("create:{}", kind.name()), &t!(visit, "import-create", kind = named(visit, "kind", kind.name())))) }
                    }
                }
            }
            div class="new-field" {
                label class="small" for=(label) { (t!(visit, "import-new-label")) }
                input class="input" id=(label) name=(label) type="text" maxlength="100" value=(form.text(&label)) autocomplete="off";
            }
            @if let Some(error) = error { p class="error" id={ (name) "-error" } { (error) } }
        }
    }
}

fn discard(visit: &Visit, import: Id<kind::Import>) -> Markup {
    html! {
        form method="post" action={ (path(import)) "/cancel" } {
            (csrf_field(&visit.frame))
            button class="button button-plain" type="submit" { (t!(visit, "import-discard")) }
            " " span class="quiet small" { (t!(visit, "import-discard-text")) }
        }
    }
}
