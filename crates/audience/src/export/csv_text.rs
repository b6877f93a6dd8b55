use std::borrow::Cow;

use letterkeep_model::{Id, kind};

use super::{ExportError, names};
use crate::contact::Contact;
use crate::formula::guard;
use crate::{CustomField, FieldValue, StandardField};

/// Columns behind the standard fields and before the custom ones.
const STATE: [&str; 7] =
    ["permission", "permission_source", "permission_at", "tracking", "lists", "tags", "created_at"];

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
            cells.push(guarded(contact.record.text(field)));
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
                // Digits with a sign and a currency at most: readable without the guard.
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
