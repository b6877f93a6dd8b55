use std::borrow::Cow;

use letterkeep_model::{Id, kind};

use super::{ExportError, names};
use crate::contact::Contact;
use crate::{CustomField, FieldValue, StandardField};

/// Columns behind the standard fields and before the custom ones.
const STATE: [&str; 7] =
    ["permission", "permission_source", "permission_at", "tracking", "lists", "tags", "created_at"];

/// Keeps a spreadsheet from running a text as a formula (OWASP, CSV injection): a text that begins with `=`, `+`, `-`,
/// `@`, a tab, a carriage return, a line feed or the full-width form of a sign gets an apostrophe in front.
///
/// So that [`unguard`] restores every text, one that begins with apostrophes before such a sign gets one more.
/// Two kinds of cells are left alone, because nothing in them can name a cell or a function: numbers and amounts written by this
/// program, and phone numbers in the phone columns that consist of `+`, digits, spaces, `( ) . / -`: `+49 30 1234` stays
/// readable.
pub fn guard(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// Undoes [`guard`].
pub fn unguard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => text,
    }
}

fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

fn is_phone(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('+') else { return false };
    rest.starts_with(|c: char| c.is_ascii_digit()) && rest.chars().all(|c| c.is_ascii_digit() || " ()./-".contains(c))
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::with_capacity(64 * 1024))
}

pub(super) fn head(bom: bool, fields: &[CustomField]) -> Result<Vec<u8>, ExportError> {
    let mut writer = writer();
    let mut names = StandardField::all().map(StandardField::name).chain(STATE).collect::<Vec<&str>>();
    names.extend(fields.iter().map(|field| &field.merge_key[..]));
    writer.write_record(names).map_err(|_| ExportError::Text)?;
    let line = writer.into_inner().map_err(|_| ExportError::Text)?;
    let mark: &[u8] = if bom { b"\xef\xbb\xbf" } else { b"" };
    Ok([mark, &line].concat())
}

pub(super) fn rows(
    contacts: &[Contact],
    fields: &[CustomField],
    lists: &[(Id<kind::List>, String)],
    tags: &[(Id<kind::Tag>, String)],
) -> Result<Vec<u8>, ExportError> {
    let mut writer = writer();
    let mut cells = Vec::<String>::new();
    for contact in contacts {
        cells.clear();
        for field in StandardField::all() {
            let text = contact.record.text(field);
            // A lone number, or several joined by `; `.
            let plain = matches!(field, StandardField::Phone(_)) && text.split("; ").all(is_phone);
            cells.push(if plain { text } else { guarded(text) });
        }
        cells.extend([
            contact.permission.name().to_owned(),
            contact.permission_source.name().to_owned(),
            contact.permission_at.to_string(),
            contact.tracking.name().to_owned(),
            guarded(names(&contact.lists, lists).join("; ")),
            guarded(names(&contact.tags, tags).join("; ")),
            contact.created_at.to_string(),
        ]);
        for field in fields {
            let value = contact.record.custom.get(&field.merge_key).filter(|value| value.fits(field.kind));
            cells.push(match value {
                None => String::new(),
                Some(value @ (FieldValue::Number(_) | FieldValue::Money(_))) => value.text(),
                Some(value) => guarded(value.text()),
            });
        }
        writer.write_record(&cells).map_err(|_| ExportError::Text)?;
    }
    writer.into_inner().map_err(|_| ExportError::Text)
}

fn guarded(text: String) -> String {
    match guard(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(guarded) => guarded,
    }
}
