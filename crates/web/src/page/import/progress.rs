use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue};
use letterkeep_audience::import::undo::undone;
use letterkeep_audience::import::{ImportProblem, ProblemArg, Progress, State, stage};
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::{found, page, path, state_seal, steps};
use crate::component::{self, Stat, Tone, csrf_field, notice, stats};
use crate::format;
use crate::frame;
use crate::text::{self, Speaks, named, t};
use crate::visit::{Desk, Visit};
use crate::{Page, Problem};

fn title(visit: &Visit, import: &Progress) -> String {
    t!(visit, "import-of", date = format::date_time(visit, &visit.frame.zone, import.created_at))
}

/// An import or its undoing under way. It goes on in the background, whether anybody looks or not.
pub(super) async fn show(visit: &Visit, tx: &mut Tx, headers: &HeaderMap, import: &Progress) -> Result<Page, Problem> {
    let undoing = import.state == State::Undoing;
    let body = html! {
        @if !undoing { (steps(visit, 3)) }
        (bar(visit, tx, import).await?)
        p class="quiet" { (t!(visit, "import-goes-on")) }
        @if !undoing { (buttons(visit, import)) }
    };
    let page = page(visit, &title(visit, import)).body(&body);
    // The cookie with the time zone is written by our script: whoever sends it has htmx to fetch the figures.
    let plain = frame::cookie(headers, frame::ZONE).is_none();
    Ok(if plain && import.state != State::Paused { page.refresh(2) } else { page })
}

/// The figures alone, for htmx. Once the import has moved on, the whole page is asked for.
pub(super) async fn part(Path(import): Path<String>, Desk { visit, mut tx }: Desk) -> Result<Response, Problem> {
    let import = found(&visit, &mut tx, &import).await?;
    if !matches!(import.state, State::Running | State::Undoing) {
        let mut response = html! {}.into_response();
        if let Ok(address) = HeaderValue::from_str(&path(import.import)) {
            response.headers_mut().insert("hx-redirect", address);
        }
        return Ok(response);
    }
    Ok(bar(&visit, &mut tx, &import).await?.into_response())
}

async fn bar(visit: &Visit, tx: &mut Tx, import: &Progress) -> Result<Markup, Problem> {
    let polls = import.state != State::Paused;
    let address = format!("{}/progress", path(import.import));
    let work = if import.state == State::Undoing {
        let undone = undone(tx, visit.ctx.account, import.import).await?;
        let done = undone.map_or(0, |undone| undone.removed + undone.restored + undone.kept);
        component::Progress {
            name: t!(visit, "import-undoing"),
            done: done as i64,
            total: Some((import.created + import.updated).max(done) as i64),
            rate: None,
        }
    } else {
        component::Progress {
            name: named(visit, "import-state", import.state.name()),
            done: import.rows_done as i64,
            total: import.rows_total.map(|rows| rows.max(import.rows_done) as i64),
            rate: (import.rate > 0.0 && polls).then_some(import.rate),
        }
    };
    Ok(html! {
        div class="card" id="progress" hx-get=[polls.then_some(&address)] hx-trigger=[polls.then_some("every 1s")] hx-swap="outerMorph" {
            (component::progress(visit, &work))
            @if import.state != State::Undoing { (counts(visit, import)) }
        }
    })
}

fn counts(visit: &Visit, import: &Progress) -> Markup {
    let whole = |count: u64| format::whole(visit, count as i64);
    stats(&[
        Stat::new(whole(import.created), t!(visit, "import-created")),
        Stat::new(whole(import.updated), t!(visit, "import-updated")),
        Stat::new(whole(import.unchanged), t!(visit, "import-unchanged")),
        Stat::new(whole(import.duplicate), t!(visit, "import-duplicate")),
        Stat::new(whole(import.rejected), t!(visit, "import-rejected")),
    ])
}

fn buttons(visit: &Visit, import: &Progress) -> Markup {
    let home = path(import.import);
    let (verb, word) = if import.state == State::Paused {
        ("resume", t!(visit, "import-resume"))
    } else {
        ("pause", t!(visit, "import-pause"))
    };
    html! {
        div class="form-actions" {
            form method="post" action={ (home) "/" (verb) } { (csrf_field(&visit.frame)) button class="button" type="submit" { (word) } }
            form method="post" action={ (home) "/cancel" } { (csrf_field(&visit.frame)) button class="button button-plain" type="submit" { (t!(visit, "import-cancel")) } }
            span class="quiet small" { (t!(visit, "import-cancel-text")) }
        }
    }
}

/// What came of an import.
pub(super) async fn result(visit: &Visit, tx: &mut Tx, import: &Progress) -> Result<Page, Problem> {
    let home = path(import.import);
    let settings = stage::evidence(&visit.ctx, tx, &visit.keyring, import.import).await?;
    let list = settings.as_ref().and_then(|settings| settings.lists.first().copied());
    let contacts = list.map_or_else(|| "/contacts".to_owned(), |list| format!("/contacts?list={list}"));
    let undone = undone(tx, visit.ctx.account, import.import).await?;
    let changed = import.created + import.updated > 0;
    let body = html! {
        (outcome(visit, import))
        @if let Some(undone) = undone {
            (stats(&[
                Stat::new(format::whole(visit, undone.removed as i64), t!(visit, "import-undone-removed")),
                Stat::new(format::whole(visit, undone.restored as i64), t!(visit, "import-undone-restored")),
                Stat::new(format::whole(visit, undone.kept as i64), t!(visit, "import-undone-kept")).note(t!(visit, "import-undone-kept-note")),
            ]))
        }
        (counts(visit, import))
        @if import.rejects.is_some() {
            section class="card" {
                h2 { (t!(visit, "import-refused-then")) }
                p { (t!(visit, "import-rejects-text", count = import.duplicate + import.rejected)) }
                p { a class="button" href={ (home) "/rejects" } { (t!(visit, "import-rejects")) } }
            }
        }
        @if let Some(settings) = settings.filter(|settings| !settings.evidence.is_empty()) {
            section class="card" {
                h2 { (t!(visit, "import-origin")) }
                dl class="facts" {
                    dt { (t!(visit, "contacts-permission")) } dd { (named(visit, "permission", settings.permission.name())) }
                    dt { (t!(visit, "contact-evidence")) } dd class="lines" { (settings.evidence) }
                }
            }
        }
        @if changed && import.state != State::Undone {
            p { a class="button button-danger" href={ (home) "/undo" } { (t!(visit, "import-undo")) } }
        }
    };
    let actions = html! {
        @if import.state == State::Undone || !changed {
            a class="button button-primary" href="/imports/new" { (t!(visit, "import-again")) }
        } @else {
            a class="button button-primary" href=(contacts) { (t!(visit, "import-contacts")) }
        }
    };
    let lead = html! {
        (state_seal(visit, import.state)) " "
        @if let Some(finished) = import.finished_at { (format::moment(visit, &visit.frame.zone, finished)) }
    };
    Ok(page(visit, &title(visit, import)).lead_markup(lead).actions(actions).body(&body))
}

fn outcome(visit: &Visit, import: &Progress) -> Markup {
    let rows = import.rows_done;
    match import.state {
        State::Done => notice(Tone::Good, "", &html! { p { (t!(visit, "import-done-text", count = rows)) } }),
        State::Failed => notice(
            Tone::Bad,
            &t!(visit, "import-failed"),
            &html! {
                p { (t!(visit, "import-failed-text", count = rows)) }
                @if let Some(problem) = &import.problem { (why(visit, problem)) }
            },
        ),
        State::Cancelled => notice(Tone::Warn, "", &html! { p { (t!(visit, "import-cancelled-text", count = rows)) } }),
        State::Undone => notice(Tone::Plain, "", &html! { p { (t!(visit, "import-undone-text")) } }),
        State::Mapping | State::Running | State::Paused | State::Undoing => html! {},
    }
}

/// Why an import failed. What an earlier version has kept is an English sentence, shown as it is.
pub(super) fn why(speaks: &impl Speaks, problem: &ImportProblem) -> Markup {
    let mut args = text::args();
    for (name, value) in &problem.args {
        match value {
            ProblemArg::Number(number) => args.set(name.as_str(), *number),
            ProblemArg::Word(word) => args.set(name.as_str(), word.as_str()),
        }
    }
    // The sentences about files are those of the upload.
    let text = match problem.code.strip_prefix("source-") {
        Some(source) => text::told_if_known(speaks, "import-source", source, &args),
        None => text::told_if_known(speaks, "import-problem", &problem.code, &args),
    };
    html! {
        @if let Some(text) = text { p { (text) } }
        @else { p class="small" lang="en" { (problem.text) } }
    }
}

#[cfg(test)]
mod tests {
    use letterkeep_model::Locale;

    use super::*;

    #[test]
    fn a_failure_is_told_in_the_readers_language() {
        let args = [
            ("row".to_owned(), ProblemArg::Number(1_200)),
            ("encoding".to_owned(), ProblemArg::Word("UTF-8".to_owned())),
            ("column".to_owned(), ProblemArg::Number(2)),
            ("first".to_owned(), ProblemArg::Number(2)),
            ("second".to_owned(), ProblemArg::Number(3)),
        ];
        for code in [
            "source-encoding",
            "source-workbook",
            "source-zip-bomb",
            "source-too-many-strings",
            "source-foreign",
            "source-empty",
            "source-too-many-rows",
            "source-read",
            "columns-changed",
            "no-email",
            "twice",
            "create",
            "field-gone",
            "settings",
            "gave-up",
            "undo-gave-up",
        ] {
            let problem =
                ImportProblem { code: code.to_owned(), args: args.clone().into(), text: "in English".to_owned() };
            let [german, english] = [Locale::De, Locale::En].map(|locale| why(&locale, &problem).into_string());
            assert!(german != english && !german.contains("in English") && !english.contains("in English"), "{code}");
            assert!(!german.contains("{ "), "{german}");
        }
        let old = ImportProblem { code: String::new(), args: args.into(), text: "the file has <no> rows".to_owned() };
        let shown = why(&Locale::De, &old).into_string();
        assert_eq!(shown, "<p class=\"small\" lang=\"en\">the file has &lt;no&gt; rows</p>");
    }
}
