use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterkeep_audience::Permission;
use letterkeep_audience::import::settings::EVIDENCE_CHARS;
use letterkeep_audience::import::{FileError, FileWriter, ImportError, SettingsError, limits, stage};
use maud::html;

use super::{mapping, page, path, steps, wrong_file};
use crate::component::{
    Choice, Fields, Input, Tone, csrf_field, error_summary, field, notice, radios, submit_or_cancel, text_area,
};
use crate::text::{named, t};
use crate::visit::{Upload, UploadedFile, Visit};
use crate::{Page, Problem, see_other};

/// What a file may assert about everybody in it.
pub(super) const OFFERED: [Permission; 3] = [Permission::Explicit, Permission::Implicit, Permission::NotSet];

pub(super) async fn ask(visit: Visit) -> Page {
    ask_page(&visit, &Fields::new())
}

/// The question that comes before everything else: may you write to these people?
pub(super) fn permission_choices(visit: &Visit) -> [(Choice, String); 3] {
    OFFERED.map(|permission| {
        let name = permission.name();
        (Choice::new(name, t_of(visit, name)), t_of(visit, &format!("{name}-help")))
    })
}

fn t_of(visit: &Visit, name: &str) -> String {
    named(visit, "import-permission", name)
}

fn ask_page(visit: &Visit, form: &Fields) -> Page {
    let megabytes = limits::FILE / 1024 / 1024;
    let body = html! {
        (steps(visit, 0))
        (error_summary(visit, form))
        // The file comes last: what stands before it is known while it still arrives.
        form class="form form-wide" method="post" action="/imports/new" enctype="multipart/form-data" {
            (csrf_field(&visit.frame))
            div class="card stack" {
                h2 { (t!(visit, "import-origin")) }
                (radios(form, "permission", &t!(visit, "import-permission-question"), "", &permission_choices(visit)))
                (text_area(visit, form, &Input::text("evidence", &t!(visit, "import-evidence")).help(t!(visit, "import-evidence-help")).max(EVIDENCE_CHARS), 3, false))
                (notice(Tone::Plain, &t!(visit, "import-advice"), &html! { p { (t!(visit, "import-advice-text")) } }))
            }
            div class="card stack" {
                h2 { (t!(visit, "import-file")) }
                (field(visit, form, &Input::new("file", "file", &t!(visit, "import-file-label")).accept(".csv,.tsv,.txt,.xlsx,text/csv").help(t!(visit, "import-file-help", megabytes = megabytes, rows = limits::ROWS))))
                p class="quiet small" { (t!(visit, "import-file-stored")) }
            }
            (submit_or_cancel(visit, &t!(visit, "import-upload"), "/imports"))
        }
    };
    page(visit, &t!(visit, "contacts-import")).lead(&t!(visit, "import-lead")).body(&body)
}

pub(super) async fn take(Upload { visit, mut form, file }: Upload) -> Result<Response, Problem> {
    let permission = Permission::from_name(form.text("permission")).filter(|permission| OFFERED.contains(permission));
    let Some(permission) = permission else {
        form.refuse("permission", t!(visit, "import-permission-missing"));
        return Ok(refused(&visit, &form));
    };
    if form.filled("evidence").is_none() {
        form.refuse("evidence", t!(visit, "import-evidence-missing"));
        return Ok(refused(&visit, &form));
    }
    let Some(file) = file else {
        form.refuse("file", t!(visit, "import-file-missing"));
        return Ok(refused(&visit, &form));
    };
    let (ctx, store) = (&visit.ctx, &visit.house.store);
    let stored = match keep(&visit, file).await? {
        Ok(stored) => stored,
        Err(too_large) => {
            form.refuse("file", too_large);
            return Ok(refused(&visit, &form));
        }
    };
    let read = async {
        let import = stage::register(ctx, store, stored).await?;
        Ok::<_, ImportError>((import, stage::preview(ctx, store, import).await?))
    };
    let (import, preview) = match read.await {
        Ok(read) => read,
        Err(ImportError::Source(error)) => {
            form.refuse("file", wrong_file(&visit, &error));
            return Ok(refused(&visit, &form));
        }
        Err(error) => return Err(error.into()),
    };
    let mut settings = preview.settings.clone();
    settings.permission = permission;
    form.text("evidence").trim().clone_into(&mut settings.evidence);
    if let Some(zone) = visit.frame.zone.iana_name() {
        zone.clone_into(&mut settings.time_zone);
    }
    match stage::configure(ctx, store, import, &settings).await {
        Ok(()) => Ok(see_other(&path(import))),
        // The guess does not hold, for example because no column looks like addresses: what was answered so far is
        // shown with the columns instead of being stored.
        Err(ImportError::Settings(error)) => {
            let mut form = mapping::filled(&preview, &settings);
            if let SettingsError::EvidenceTooLong = error {
                form.refuse("evidence", t!(visit, "value-too-long", chars = EVIDENCE_CHARS));
            }
            let page = mapping::page_of(&visit, &preview, &form).await?;
            Ok(page.status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

fn refused(visit: &Visit, form: &Fields) -> Response {
    ask_page(visit, form).status(StatusCode::UNPROCESSABLE_ENTITY).into_response()
}

/// Stores the file, sealed, as it arrives; the inner error is for the form.
async fn keep(
    visit: &Visit,
    mut file: UploadedFile,
) -> Result<Result<letterkeep_model::Id<letterkeep_model::kind::File>, String>, Problem> {
    let fail = |error: FileError| match error {
        FileError::TooLarge(_) => {
            let megabytes = limits::FILE / 1024 / 1024;
            Ok(Err(t!(visit, "import-file-large", megabytes = megabytes)))
        }
        other => Err(Problem::from(ImportError::from(other))),
    };
    let mut writer = match FileWriter::begin(&visit.ctx, &visit.house.store, &file.name, limits::FILE).await {
        Ok(writer) => writer,
        Err(error) => return fail(error),
    };
    while let Some(piece) = file.chunk().await? {
        if let Err(error) = writer.write(&piece).await {
            return fail(error);
        }
    }
    match writer.finish().await {
        Ok(stored) => Ok(Ok(stored.id)),
        Err(error) => fail(error),
    }
}
