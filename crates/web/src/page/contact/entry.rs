//! The fields of a contact in a form: shown, and read back.

use jiff::Timestamp as Instant;
use letterkeep_audience::record::{LINE_CHARS, NOTES_CHARS, PHONE_CHARS, POSTAL_CODE_CHARS, STREET_CHARS};
use letterkeep_audience::value::{TEXT_AREA_CHARS, TEXT_CHARS, single_line};
use letterkeep_audience::{
    AddressKind, ContactRecord, CustomField, FieldKind, FieldValue, Foreign, Notation, Phone, PhoneKind, RecordError,
    StandardField,
};
use letterkeep_model::Locale;
use maud::{Markup, html};

use crate::component::{Choice, Fields, Input, boxes, field, select, text_area};
use crate::page::audience::wrong;
use crate::text::{named, t};
use crate::visit::Visit;

/// What everybody has.
const PERSON: [StandardField; 6] = [
    StandardField::FirstName,
    StandardField::LastName,
    StandardField::JobTitle,
    StandardField::Company,
    StandardField::Birthday,
    StandardField::Anniversary,
];

/// The form's name of a custom field; standard fields stand under their own names, which no merge key can be.
fn name_of(field: &CustomField) -> String {
    format!("custom.{}", field.merge_key)
}

/// A form filled with what is known.
pub(in crate::page) fn filled(visit: &Visit, fields: &[CustomField], record: &ContactRecord) -> Fields {
    let mut pairs = Vec::new();
    for standard in StandardField::all() {
        let text = match (standard, record.birthday) {
            (StandardField::Birthday, Some(day)) if visit.frame.locale == Locale::De => {
                format!("{}.{}.", day.day(), day.month())
            }
            _ => record.text(standard),
        };
        pairs.push((standard.name().to_owned(), text));
    }
    for field in fields {
        let Some(value) = record.custom.get(&field.merge_key).filter(|value| value.fits(field.kind)) else { continue };
        match value {
            FieldValue::Options(options) => {
                pairs.extend(options.iter().map(|option| (name_of(field), option.clone())));
            }
            FieldValue::Number(_) | FieldValue::Money(_) if visit.frame.locale == Locale::De => {
                pairs.push((name_of(field), value.text().replace('.', ",")));
            }
            FieldValue::DateTime(at) => pairs.push((name_of(field), local(visit, *at))),
            _ => pairs.push((name_of(field), value.text())),
        }
    }
    Fields::from_pairs(pairs)
}

fn local(visit: &Visit, at: letterkeep_model::Timestamp) -> String {
    Instant::from_microsecond(at.micros())
        .map(|instant| visit.frame.zone.to_datetime(instant).strftime("%Y-%m-%dT%H:%M").to_string())
        .unwrap_or_default()
}

/// Reads the form into `record`, whose address is read already; says beside each field what is wrong with it.
pub(in crate::page) fn read(visit: &Visit, fields: &[CustomField], form: &mut Fields, record: &mut ContactRecord) {
    for standard in StandardField::all() {
        let text = form.text(standard.name()).to_owned();
        let put = match standard {
            StandardField::Email => Ok(()),
            StandardField::Phone(kind) => numbers(&text, kind, record),
            _ => record.put(standard, &text),
        };
        if let Err(error) = put {
            form.refuse(standard.name(), wrong(visit, error));
        }
    }
    let notation = if visit.frame.locale == Locale::De { Notation::German } else { Notation::English };
    let foreign = Foreign { notation, time_zone: visit.frame.zone.clone() };
    for field in fields {
        let name = name_of(field);
        let value = if field.kind == FieldKind::MultiSelect {
            // Not by way of text: an option may contain the separator.
            let chosen = field.options.iter().filter(|option| form.all(&name).any(|value| value == *option));
            let chosen = chosen.cloned().collect::<Vec<_>>();
            Ok((!chosen.is_empty()).then_some(FieldValue::Options(chosen)))
        } else {
            field.parse(form.text(&name), &foreign)
        };
        match value {
            Ok(Some(value)) => {
                record.custom.insert(field.merge_key.clone(), value);
            }
            Ok(None) => {}
            Err(error) => form.refuse(&name, wrong(visit, error)),
        }
    }
}

/// Several numbers of a kind stand beside each other, with a semicolon between.
fn numbers(text: &str, kind: PhoneKind, record: &mut ContactRecord) -> Result<(), letterkeep_audience::ValueError> {
    for number in text.split(';').filter(|number| !number.trim().is_empty()) {
        record.phones.push(Phone { kind, number: single_line(number, PHONE_CHARS)? });
    }
    Ok(())
}

/// What is wrong with a record as a whole.
pub(in crate::page) fn refused(visit: &Visit, error: &RecordError) -> String {
    match error {
        RecordError::TooLong { field, chars } => {
            t!(visit, "contact-field-too-long", field = field.as_str(), chars = *chars)
        }
        RecordError::TooMany { most, .. } => t!(visit, "contact-too-many", most = *most),
        _ => t!(visit, "contact-too-large"),
    }
}

fn line(visit: &Visit, form: &Fields, standard: StandardField, chars: usize) -> Markup {
    let label = named(visit, "standard", standard.name());
    field(visit, form, &Input::text(standard.name(), &label).max(chars).optional().autocomplete("off"))
}

/// Address and name.
pub(in crate::page) fn first(visit: &Visit, form: &Fields) -> Markup {
    let email = named(visit, "standard", "email");
    html! {
        div class="card stack" {
            h2 { (t!(visit, "contact-person")) }
            (field(visit, form, &Input::email("email", &email).max(320).autocomplete("off")))
            div class="pairs" {
                @for standard in PERSON {
                    @match standard {
                        StandardField::Birthday => {
                            (field(visit, form, &Input::text("birthday", &named(visit, "standard", "birthday")).help(t!(visit, "contact-birthday-help")).max(40).optional().autocomplete("off")))
                        }
                        StandardField::Anniversary => {
                            (field(visit, form, &Input::new("date", "anniversary", &named(visit, "standard", "anniversary")).optional().autocomplete("off")))
                        }
                        _ => (line(visit, form, standard, LINE_CHARS)),
                    }
                }
            }
        }
    }
}

/// Custom fields, telephone, street addresses and notes.
pub(in crate::page) fn rest(visit: &Visit, fields: &[CustomField], form: &Fields) -> Markup {
    html! {
        @if !fields.is_empty() {
            div class="card stack" {
                h2 { (t!(visit, "nav-fields")) }
                div class="pairs" { @for one in fields { (custom(visit, form, one)) } }
            }
        }
        div class="card stack" {
            h2 { (t!(visit, "contact-phones")) }
            div class="pairs" { @for kind in PhoneKind::ALL { (line(visit, form, StandardField::Phone(kind), 400)) } }
        }
        @for kind in AddressKind::ALL {
            @let parts = [
                (StandardField::PostalCode(kind), POSTAL_CODE_CHARS),
                (StandardField::City(kind), LINE_CHARS),
                (StandardField::Region(kind), LINE_CHARS),
                (StandardField::Country(kind), LINE_CHARS),
            ];
            @let street = StandardField::Street(kind).name();
            @let open = std::iter::once(street).chain(parts.iter().map(|(part, _)| part.name())).any(|name| !form.text(name).is_empty());
            details class="card" open[open] {
                summary { (named(visit, "contact-address", kind.name())) }
                div class="stack" {
                    (text_area(visit, form, &Input::text(street, &named(visit, "standard", street)).max(STREET_CHARS).optional(), 2, false))
                    div class="pairs" { @for (part, chars) in parts { (line(visit, form, part, chars)) } }
                }
            }
        }
        div class="card stack" {
            (text_area(visit, form, &Input::text("notes", &named(visit, "standard", "notes")).help(t!(visit, "contact-notes-help")).max(NOTES_CHARS).optional(), 4, false))
        }
    }
}

fn custom(visit: &Visit, form: &Fields, of: &CustomField) -> Markup {
    let name = name_of(of);
    let input = |kind: &'static str| Input::new(kind, &name, &of.label).optional().autocomplete("off");
    match of.kind {
        FieldKind::Text => field(visit, form, &input("text").max(TEXT_CHARS)),
        FieldKind::TextArea => text_area(visit, form, &input("text").max(TEXT_AREA_CHARS), 3, false),
        FieldKind::Number => field(visit, form, &input("text").inputmode("decimal").max(32)),
        FieldKind::Currency => {
            let usual = of.currency.map_or_else(|| "EUR".to_owned(), |currency| currency.code().to_owned());
            field(visit, form, &input("text").max(40).help(t!(visit, "contact-money-help", currency = usual)))
        }
        FieldKind::Date => field(visit, form, &input("date")),
        FieldKind::DateTime => field(visit, form, &input("datetime-local")),
        FieldKind::Boolean => {
            let choices =
                [Choice::new("", "–"), Choice::new("yes", t!(visit, "yes")), Choice::new("no", t!(visit, "no"))];
            select(visit, form, &input("text"), &choices)
        }
        FieldKind::Select => {
            let mut choices = vec![Choice::new("", "–")];
            choices.extend(of.options.iter().map(|option| Choice::new(option, option)));
            select(visit, form, &input("text"), &choices)
        }
        FieldKind::MultiSelect => {
            let choices = of.options.iter().map(|option| Choice::new(option, option)).collect::<Vec<_>>();
            boxes(form, &name, &of.label, &choices, "")
        }
    }
}
