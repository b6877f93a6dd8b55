use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, header};
use letterkeep_audience::export::{Export, ExportError, Format, Options};
use maud::html;

use super::{around, filter_of, known_count};
use crate::component::{Choice, Fields, Tone, csrf_field, hidden, notice, radios};
use crate::page::audience::query;
use crate::text::t;
use crate::visit::{Desk, Sent, Visit};
use crate::{Page, Problem, Section};

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Read(error) => error.into(),
            ExportError::Store(error) => error.into(),
            ExportError::Keys(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

pub(super) async fn ask(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let query = query(&visit);
    let filter = filter_of(&query);
    let count = known_count(&visit, &filter, &around(&visit, &mut tx).await?);
    let filtered = filter != letterkeep_audience::contact::Filter::default();
    let choices = [
        (Choice::new("excel", t!(visit, "export-excel")), t!(visit, "export-excel-help")),
        (Choice::new("csv", t!(visit, "export-csv")), t!(visit, "export-csv-help")),
        (Choice::new("json", t!(visit, "export-json")), t!(visit, "export-json-help")),
    ];
    let body = html! {
        (notice(Tone::Warn, "", &html! { p { (t!(visit, "export-care")) } }))
        form class="form card" method="post" action="/contacts/export" data-again="yes" {
            (csrf_field(&visit.frame))
            @for name in ["list", "tag", "permission"] { (hidden(name, query.text(name))) }
            @if filtered { p { (t!(visit, "export-filtered")) " " (count) } } @else { p { (count) } }
            (radios(&Fields::new(), "format", &t!(visit, "export-format"), "excel", &choices))
            div class="form-actions" {
                button class="button button-primary" type="submit" { (t!(visit, "export-button")) }
                a class="button button-plain" href="/contacts" { (t!(visit, "cancel")) }
            }
        }
    };
    Ok(Page::new(&visit.frame, &t!(visit, "export-title"))
        .crumb("/contacts", t!(visit, "nav-contacts"))
        .section(Section::Contacts)
        .body(&body))
}

pub(super) async fn send(Sent { visit, form, .. }: Sent) -> Result<Response, Problem> {
    let (format, kind, ending) = match form.text("format") {
        "excel" => (Format::Csv { bom: true }, "text/csv; charset=utf-8", "csv"),
        "csv" => (Format::Csv { bom: false }, "text/csv; charset=utf-8", "csv"),
        "json" => (Format::Json, "application/json", "json"),
        _ => return Err(Problem::Unreadable),
    };
    let options = Options { format, filter: filter_of(&form) };
    let export = Export::begin(&visit.ctx, &visit.house.store, options).await?;
    let pieces = stream::unfold(Some(export), async |export| {
        let mut export = export?;
        match export.chunk().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(export))),
            Ok(None) => None,
            Err(error) => {
                // The browser sees that the file breaks off: it is not whole, and must not look as if it were.
                tracing::error!(error = %error, "an export broke off");
                Some((Err(std::io::Error::other("the export broke off")), None))
            }
        }
    });
    // Compression asks once more after the end.
    Ok(download(kind, &format!("letterkeep-contacts-{}.{ending}", day(&visit)), Body::from_stream(pieces.fuse())))
}

fn day(visit: &Visit) -> String {
    visit.frame.now.to_string().chars().take(10).collect()
}

/// A file to keep. `name` is ours and plain ASCII.
pub(in crate::page) fn download(kind: &'static str, name: &str, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
