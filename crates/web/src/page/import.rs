//! The import of contacts: where they come from, the file, where each column goes, what would happen, how far it is,
//! what came of it, and the way back.

mod check;
mod mapping;
mod progress;
mod undo;
mod upload;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use letterkeep_account::Action;
use letterkeep_audience::import::progress::{newest, progress as progress_of};
use letterkeep_audience::import::{FileStream, ImportError, Progress, SourceError, State, stage};
use letterkeep_model::{Id, kind};
use maud::html;

use super::audience::{address, done, id_of, query};
use super::contacts::export::download;
use crate::access::Routes;
use crate::component::{Pager, Picture, Seal, cell, empty, number_cell, pager, seal, stepper, table_card};
use crate::format;
use crate::text::{Speaks, named, t};
use crate::visit::{Desk, Sent, Visit};
use crate::{Page, Problem, Section, see_other};

/// Imports on a page of the list.
const PAGE: usize = 30;

pub(crate) fn routes() -> Routes {
    let import = Action::ImportContacts;
    Routes::new()
        .get("/imports", import, all)
        .get("/imports/new", import, upload::ask)
        .upload("/imports/new", import, upload::take)
        .get("/imports/{import}", import, show)
        .get("/imports/{import}/progress", import, progress::part)
        .post("/imports/{import}/format", import, mapping::reread)
        .post("/imports/{import}/mapping", import, mapping::decide)
        .get("/imports/{import}/check", import, check::show)
        .post("/imports/{import}/check", import, check::start)
        .get("/imports/{import}/check/progress", import, check::part)
        .post("/imports/{import}/start", import, start)
        .post("/imports/{import}/pause", import, pause)
        .post("/imports/{import}/resume", import, resume)
        .post("/imports/{import}/cancel", import, cancel)
        .get("/imports/{import}/rejects", import, rejects)
        .get("/imports/{import}/undo", import, undo::ask)
        .post("/imports/{import}/undo", import, undo::start)
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        use letterkeep_audience::import::FileError;
        match error {
            // A button of a page that was shown before the import moved on.
            ImportError::State(..) => Self::Changed,
            ImportError::Missing | ImportError::File(FileError::Missing) => Self::NotFound,
            ImportError::Keys(error) | ImportError::File(FileError::Keys(error)) => Self::Keys(error),
            ImportError::Store(error) | ImportError::File(FileError::Store(error)) => Self::Store(error),
            other => Self::internal(other),
        }
    }
}

fn path(import: Id<kind::Import>) -> String {
    format!("/imports/{import}")
}

async fn found(visit: &Visit, tx: &mut letterkeep_store::Tx, import: &str) -> Result<Progress, Problem> {
    let (id, now) = (id_of(import)?, visit.frame.now);
    progress_of(tx, visit.ctx.account, id, now).await?.ok_or(Problem::NotFound)
}

/// The steps of the wizard.
fn steps(visit: &Visit, current: usize) -> maud::Markup {
    let names = [
        t!(visit, "import-step-file"),
        t!(visit, "import-step-columns"),
        t!(visit, "import-step-check"),
        t!(visit, "import-step-run"),
    ];
    stepper(visit, &names, current)
}

/// A page of one import.
fn page(visit: &Visit, title: &str) -> Page {
    Page::new(&visit.frame, title).crumb("/imports", t!(visit, "nav-imports")).section(Section::Imports)
}

fn state_seal(speaks: &impl Speaks, state: State) -> maud::Markup {
    let shape = match state {
        State::Done => Seal::Good,
        State::Running | State::Undoing | State::Paused => Seal::Warn,
        State::Failed => Seal::Bad,
        State::Mapping | State::Cancelled | State::Undone => Seal::Off,
    };
    seal(shape, &named(speaks, "import-state", state.name()))
}

/// What is wrong with a file, in the reader's language.
fn wrong_file(speaks: &impl Speaks, error: &SourceError) -> String {
    match error {
        SourceError::Encoding { encoding, row, .. } => {
            t!(speaks, "import-source-encoding", encoding = *encoding, row = *row)
        }
        other => named(speaks, "import-source", other.code()),
    }
}

async fn all(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let query = query(&visit);
    let before = query.text("before").parse().ok();
    let (account, now) = (visit.ctx.account, visit.frame.now);
    let mut imports = newest(&mut tx, account, before, PAGE as i64 + 1, now).await?;
    let more = imports.len() > PAGE;
    imports.truncate(PAGE);
    let new = html! { a class="button button-primary" href="/imports/new" { (t!(visit, "contacts-import")) } };
    let page =
        Page::new(&visit.frame, &t!(visit, "nav-imports")).section(Section::Imports).lead(&t!(visit, "imports-lead"));
    if imports.is_empty() && before.is_none() {
        let nothing = empty(Picture::People, &t!(visit, "imports-none"), &t!(visit, "imports-none-text"), &new);
        return Ok(page.body(&nothing));
    }
    let (state, rows) = (t!(visit, "imports-state"), t!(visit, "import-rows"));
    let (created, updated, rejected) =
        (t!(visit, "import-created"), t!(visit, "import-updated"), t!(visit, "import-rejected"));
    let head = html! {
        th scope="col" { (t!(visit, "imports-when")) } th scope="col" { (state) } th scope="col" class="number" { (rows) }
        th scope="col" class="number" { (created) } th scope="col" class="number" { (updated) } th scope="col" class="number" { (rejected) }
    };
    let count = |count: u64| format::whole(&visit, count as i64);
    let lines = html! {
        @for import in &imports {
            tr {
                th scope="row" { a href=(path(import.import)) { (format::moment(&visit, &visit.frame.zone, import.created_at)) } }
                (cell(&state, &state_seal(&visit, import.state)))
                (number_cell(&rows, &count(import.rows_done)))
                (number_cell(&created, &count(import.created)))
                (number_cell(&updated, &count(import.updated)))
                (number_cell(&rejected, &count(import.rejected + import.duplicate)))
            }
        }
    };
    let last = imports.last().filter(|_| more).map(|import| import.import.to_string());
    let line = Pager {
        text: String::new(),
        first: before.map(|_| "/imports".to_owned()),
        next: last.map(|last| address("/imports", &[("before", &last)])),
    };
    let body = html! {
        (done(&visit, &query))
        (table_card(&t!(visit, "nav-imports"), &head, &lines))
        @if line.first.is_some() || line.next.is_some() { (pager(&visit, &line)) }
    };
    Ok(page.actions(new).body(&body))
}

/// One address for an import from its file to its end: it shows what comes next.
async fn show(
    Path(import): Path<String>,
    headers: HeaderMap,
    Desk { visit, mut tx }: Desk,
) -> Result<Response, Problem> {
    let import = found(&visit, &mut tx, &import).await?;
    match import.state {
        State::Mapping => {
            drop(tx);
            mapping::show(&visit, import.import).await
        }
        State::Running | State::Paused | State::Undoing => {
            Ok(progress::show(&visit, &mut tx, &headers, &import).await?.into_response())
        }
        State::Done | State::Cancelled | State::Failed | State::Undone => {
            Ok(progress::result(&visit, &mut tx, &import).await?.into_response())
        }
    }
}

async fn start(Path(import): Path<String>, Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    stage::start(&visit.ctx, &visit.house.store, import).await?;
    Ok(see_other(&path(import)))
}

async fn pause(Path(import): Path<String>, Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    stage::pause(&visit.ctx, &visit.house.store, import).await?;
    Ok(see_other(&path(import)))
}

async fn resume(Path(import): Path<String>, Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    stage::resume(&visit.ctx, &visit.house.store, import).await?;
    Ok(see_other(&path(import)))
}

async fn cancel(Path(import): Path<String>, Sent { visit, .. }: Sent) -> Result<Response, Problem> {
    let import = id_of(&import)?;
    stage::cancel(&visit.ctx, &visit.house.store, import).await?;
    Ok(see_other(&path(import)))
}

/// The rows that were refused, each with its reason, as they stood in the file.
async fn rejects(Path(import): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Response, Problem> {
    let import = found(&visit, &mut tx, &import).await?;
    drop(tx);
    let file = import.rejects.ok_or(Problem::NotFound)?;
    let file = FileStream::open(&visit.house.store, visit.ctx.account, file).await.map_err(ImportError::from)?;
    let pieces = stream::unfold(Some(file), async |file| {
        let mut file = file?;
        match file.next().await {
            Ok(Some(piece)) => Some((Ok(piece.to_vec()), Some(file))),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(error = %error, "a file of refused rows broke off");
                Some((Err(std::io::Error::other("the file broke off")), None))
            }
        }
    });
    let day = import.created_at.to_string().chars().take(10).collect::<String>();
    // Compression asks once more after the end.
    Ok(download("text/csv; charset=utf-8", &format!("letterkeep-refused-{day}.csv"), Body::from_stream(pieces.fuse())))
}

#[cfg(test)]
mod tests {
    use letterkeep_model::Locale;

    use super::*;

    #[test]
    fn every_name_that_is_put_together_has_its_words() {
        let mut keys: Vec<String> = State::ALL.map(|state| format!("import-state-{}", state.name())).into();
        let sources = ["workbook", "zip-bomb", "too-many-strings", "foreign", "empty", "too-many-rows", "read"];
        keys.extend(sources.map(|code| format!("import-source-{code}")));
        keys.extend(["comma", "semicolon", "tab", "pipe"].map(|name| format!("import-delimiter-{name}")));
        for key in keys {
            for locale in Locale::ALL {
                assert_ne!(crate::text::say(locale, &key, None), key, "{locale}");
            }
        }
    }
}
