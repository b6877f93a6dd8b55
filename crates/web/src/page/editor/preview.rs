//! The message in its sandboxed frame.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use letterkeep_audience::CustomField;
use letterkeep_audience::value::FieldKind;
use letterkeep_campaign::{Content, Fields, Problem as ContentProblem, apart, compile, preview};
use letterkeep_model::Locale;
use maud::{DOCTYPE, html};
use serde_json::{Value, json};

use crate::page::campaigns;
use crate::protect::MESSAGE_POLICY;
use crate::text::t;
use crate::visit::Visit;

/// The content, filled with `fields`.
pub(in crate::page) async fn frame(
    visit: &Visit,
    content: Content,
    custom: &[CustomField],
    fields: Fields,
) -> Response {
    let known = campaigns::known(custom);
    let rendered = apart(move || match compile(&content, &known) {
        Ok(compiled) => preview(&compiled, &fields).map_err(|error| error.to_string()),
        Err(problems) => Err(problems.first().map(ContentProblem::to_string).unwrap_or_default()),
    });
    match rendered.await {
        Ok(message) => framed(StatusCode::OK, message.html),
        Err(reason) => sentence(visit, &t!(visit, "preview-refused"), &reason),
    }
}

/// A sentence where the message cannot be shown.
pub(in crate::page) fn sentence(visit: &Visit, text: &str, reason: &str) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(visit.frame.locale.tag()) {
            head { meta charset="utf-8"; title { (text) } }
            body { p { strong { (text) } } p lang="en" { (reason) } }
        }
    };
    framed(StatusCode::UNPROCESSABLE_ENTITY, page.into_string())
}

fn framed(status: StatusCode, html: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, MESSAGE_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, html).into_response()
}

/// Made-up values for every field: nobody's data.
pub(in crate::page) fn sample(visit: &Visit, custom: &[CustomField]) -> Fields {
    let german = visit.frame.locale == Locale::De;
    let pick = |de: &str, en: &str| Value::from(if german { de } else { en });
    let mut fields: Fields = [
        ("email", pick("erika@beispiel.example", "erin@sample.example")),
        ("email_domain", pick("beispiel.example", "sample.example")),
        ("first_name", pick("Erika", "Erin")),
        ("last_name", pick("Mustermann", "Sample")),
        ("full_name", pick("Erika Mustermann", "Erin Sample")),
        ("job_title", pick("Inhaberin", "Owner")),
        ("company", pick("Muster GmbH", "Sample Ltd")),
        ("birthday", Value::from("03-12")),
        ("anniversary", Value::from("06-01")),
        ("phone", pick("+49 30 1234567", "+44 20 7946 0000")),
        ("street", pick("Musterweg 1", "1 Sample Street")),
        ("city", pick("Musterstadt", "Sampleton")),
        ("region", pick("Hessen", "Kent")),
        ("postal_code", pick("12345", "AB1 2CD")),
        ("country", pick("Deutschland", "United Kingdom")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    for field in custom {
        let option = field.options.first().cloned().unwrap_or_else(|| field.label.clone());
        let value = match field.kind {
            FieldKind::Number => json!(12),
            FieldKind::Boolean => json!(true),
            FieldKind::Date => json!("2026-12-24"),
            FieldKind::DateTime => json!("2026-12-24T18:00:00Z"),
            FieldKind::Currency => pick("12,50 €", "€12.50"),
            FieldKind::MultiSelect => json!([option]),
            FieldKind::Select => json!(option),
            FieldKind::Text | FieldKind::TextArea => json!(field.label),
        };
        fields.insert(field.merge_key.clone(), value);
    }
    fields
}
