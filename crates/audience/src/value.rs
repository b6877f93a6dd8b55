//! Typed values of custom fields, and the parsers that read them from foreign text.
//!
//! A parser never guesses: a text with two readings (`1.234`, `03/04/2026`) is refused with an error that names both,
//! unless the caller knows the notation of the file.

mod date;
mod decimal;
mod flag;
mod money;
#[cfg(test)]
mod tests;
mod text;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use letterkeep_model::{EmailError, Timestamp};

pub use date::{Birthday, parse_date, parse_date_time};
pub use decimal::Decimal;
pub use flag::parse_boolean;
pub use money::{Currency, Money};
pub use text::{multi_line, single_line};

/// Characters in a text field, at most.
pub const TEXT_CHARS: usize = 255;
/// Characters in a text area, at most.
pub const TEXT_AREA_CHARS: usize = 5_000;
/// Options of a select field, at most.
pub const OPTIONS: usize = 200;
/// Characters in an option, at most.
pub const OPTION_CHARS: usize = 100;

/// What a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One line, at most [`TEXT_CHARS`] characters.
    Text,
    /// Several lines, at most [`TEXT_AREA_CHARS`] characters.
    TextArea,
    /// A decimal number.
    Number,
    /// An amount of money.
    Currency,
    /// Yes or no.
    Boolean,
    /// A day.
    Date,
    /// An instant.
    DateTime,
    /// One of the field's options.
    Select,
    /// Any of the field's options.
    MultiSelect,
}

impl FieldKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Text,
        Self::TextArea,
        Self::Number,
        Self::Currency,
        Self::Boolean,
        Self::Date,
        Self::DateTime,
        Self::Select,
        Self::MultiSelect,
    ];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::TextArea => "text_area",
            Self::Number => "number",
            Self::Currency => "currency",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "date_time",
            Self::Select => "select",
            Self::MultiSelect => "multi_select",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the kind has options.
    pub const fn has_options(self) -> bool {
        matches!(self, Self::Select | Self::MultiSelect)
    }
}

/// A value of a custom field. Personal data: no `Debug`.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FieldValue {
    /// Of a text or text area.
    #[serde(rename = "text")]
    Text(String),
    /// Of a number.
    #[serde(rename = "number")]
    Number(Decimal),
    /// Of an amount of money.
    #[serde(rename = "money")]
    Money(Money),
    /// Of a yes or no.
    #[serde(rename = "bool")]
    Boolean(bool),
    /// Of a day.
    #[serde(rename = "date")]
    Date(Date),
    /// Of an instant.
    #[serde(rename = "at")]
    DateTime(Timestamp),
    /// Of a single select.
    #[serde(rename = "option")]
    Option(String),
    /// Of a multi select; in the order of the field's options, none twice.
    #[serde(rename = "options")]
    Options(Vec<String>),
}

impl std::fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FieldValue(hidden)")
    }
}

/// Which signs numbers and dates are written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notation {
    /// Not known: a text with two readings is refused.
    #[default]
    Any,
    /// `1.234,56`
    German,
    /// `1,234.56`
    English,
}

/// How a foreign text is to be read.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// The signs in numbers.
    pub notation: Notation,
    /// The time zone of times that name none.
    pub time_zone: TimeZone,
}

impl Default for Foreign {
    /// Any notation, UTC.
    fn default() -> Self {
        Self { notation: Notation::Any, time_zone: TimeZone::UTC }
    }
}

/// What a custom field's kind needs to read a value.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The kind.
    pub kind: FieldKind,
    /// The options of a select.
    pub options: &'a [String],
    /// The currency of amounts that name none.
    pub currency: Option<Currency>,
}

/// Why a text is not a value of the wanted kind. Contains nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Too many characters.
    #[error("longer than {0} characters")]
    TooLong(usize),
    /// A control character.
    #[error("contains a control character")]
    Control,
    /// Not a number.
    #[error("not a number; write 1234.56 or 1234,56")]
    Number,
    /// A single separator before exactly three digits.
    #[error(
        "the sign before the last three digits could separate thousands or decimals; say which notation the file uses, or write the number without it"
    )]
    AmbiguousNumber,
    /// Too many digits.
    #[error("a number may have at most 15 digits, 9 of them after the decimal sign")]
    NumberSize,
    /// No known currency.
    #[error("not a currency; write the three letters of ISO 4217, for example EUR")]
    Currency,
    /// No currency in the text, and the field has none.
    #[error("the amount names no currency; write for example 12.50 EUR")]
    NoCurrency,
    /// `$` and `kr` stand for several currencies.
    #[error("the currency sign stands for several currencies; write three letters, for example USD")]
    AmbiguousCurrency,
    /// More decimals than the currency has.
    #[error("the currency has only {0} decimals")]
    MinorUnits(u8),
    /// Neither yes nor no.
    #[error("neither yes nor no; write yes, no, ja, nein, true, false, 1 or 0")]
    Boolean,
    /// Not a day.
    #[error("not a date; write 2026-12-31 or 31.12.2026")]
    Date,
    /// Day and month could be swapped.
    #[error("the first two numbers could be day and month or month and day; write 2026-12-31 or 31.12.2026")]
    AmbiguousDate,
    /// Not an instant.
    #[error("not a date with a time; write 2026-12-31 14:30 or 31.12.2026 14:30")]
    DateTime,
    /// The time zone's clock shows this time twice or never.
    #[error("the clocks change at that time, so that it happens twice or never; add the offset, for example +01:00")]
    ClockChange,
    /// Not a birthday.
    #[error("not a birthday; write 24.12. or 12-24")]
    Birthday,
    /// Not one of the options.
    #[error("not one of the field's options")]
    Option,
    /// Not an address.
    #[error(transparent)]
    Email(#[from] EmailError),
}

impl ValueError {
    /// A stable name, for translated texts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong(_) => "too-long",
            Self::Control => "control",
            Self::Number => "number",
            Self::AmbiguousNumber => "ambiguous-number",
            Self::NumberSize => "number-size",
            Self::Currency => "currency",
            Self::NoCurrency => "no-currency",
            Self::AmbiguousCurrency => "ambiguous-currency",
            Self::MinorUnits(_) => "minor-units",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::AmbiguousDate => "ambiguous-date",
            Self::DateTime => "date-time",
            Self::ClockChange => "clock-change",
            Self::Birthday => "birthday",
            Self::Option => "option",
            Self::Email(EmailError::Empty) => "email-empty",
            Self::Email(EmailError::At) => "email-at",
            Self::Email(EmailError::Control) => "email-control",
            Self::Email(EmailError::Local) => "email-local",
            Self::Email(EmailError::Domain) => "email-domain",
            Self::Email(EmailError::Length) => "email-length",
        }
    }
}

impl FieldValue {
    /// Reads a value of `shape` from a foreign text; `None` if there is nothing but white space.
    ///
    /// # Errors
    /// The text is not a value of that kind, or has two readings.
    pub fn parse(shape: &Shape<'_>, text: &str, foreign: &Foreign) -> Result<Option<Self>, ValueError> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let value = match shape.kind {
            FieldKind::Text => Self::Text(single_line(text, TEXT_CHARS)?),
            FieldKind::TextArea => Self::Text(multi_line(text, TEXT_AREA_CHARS)?),
            FieldKind::Number => Self::Number(Decimal::parse(text, foreign.notation)?),
            FieldKind::Currency => Self::Money(Money::parse(text, foreign.notation, shape.currency)?),
            FieldKind::Boolean => Self::Boolean(parse_boolean(text)?),
            FieldKind::Date => Self::Date(parse_date(text)?),
            FieldKind::DateTime => Self::DateTime(parse_date_time(text, &foreign.time_zone)?),
            FieldKind::Select => Self::Option(find_option(shape.options, text)?.clone()),
            FieldKind::MultiSelect => {
                let mut chosen = vec![false; shape.options.len()];
                // A single option may contain the separators.
                if let Ok(whole) = find_option(shape.options, text) {
                    return Ok(Some(Self::Options(vec![whole.clone()])));
                }
                for part in text.split([';', ',', '|']).filter(|part| !part.trim().is_empty()) {
                    let option = find_option(shape.options, part)?;
                    if let Some(at) = shape.options.iter().position(|candidate| candidate == option) {
                        chosen[at] = true;
                    }
                }
                let options = shape.options.iter().zip(chosen).filter(|(_, chosen)| *chosen);
                let options = options.map(|(option, _)| option.clone()).collect::<Vec<_>>();
                if options.is_empty() {
                    return Err(ValueError::Option);
                }
                Self::Options(options)
            }
        };
        Ok(Some(value))
    }

    /// Whether the value is one that a field of `kind` holds.
    pub const fn fits(&self, kind: FieldKind) -> bool {
        matches!(
            (self, kind),
            (Self::Text(_), FieldKind::Text | FieldKind::TextArea)
                | (Self::Number(_), FieldKind::Number)
                | (Self::Money(_), FieldKind::Currency)
                | (Self::Boolean(_), FieldKind::Boolean)
                | (Self::Date(_), FieldKind::Date)
                | (Self::DateTime(_), FieldKind::DateTime)
                | (Self::Option(_), FieldKind::Select)
                | (Self::Options(_), FieldKind::MultiSelect)
        )
    }

    /// The value as text that [`parse`](Self::parse) reads back: ISO 8601 dates, decimal points, `yes` and `no`,
    /// options joined by `;`.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Option(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Money(money) => money.to_string(),
            Self::Boolean(true) => "yes".into(),
            Self::Boolean(false) => "no".into(),
            Self::Date(date) => date.to_string(),
            Self::DateTime(instant) => instant.to_string(),
            Self::Options(options) => options.join("; "),
        }
    }
}

fn find_option<'a>(options: &'a [String], text: &str) -> Result<&'a String, ValueError> {
    let wanted = text.trim();
    options
        .iter()
        .find(|option| *option == wanted)
        .or_else(|| options.iter().find(|option| option.to_lowercase() == wanted.to_lowercase()))
        .ok_or(ValueError::Option)
}
