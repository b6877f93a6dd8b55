//! Which column goes where.

use std::fmt;
use std::str::FromStr;

use letterkeep_model::{Id, kind};

use super::{heading, limits};
use crate::value::{parse_boolean, parse_date};
use crate::{Decimal, FieldKind, Money, Notation, StandardField};

/// Where the cells of a column go. In text form (forms, JSON): `skip`, `field:first_name`, `custom:field_…`,
/// `create:number:Customer number`, `tags`, `permission`, `tracking`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    Skip,
    /// Into a standard field.
    Field(StandardField),
    /// Into a custom field that the account has.
    Custom(Id<kind::CustomField>),
    /// Into a custom field that the start of the import makes.
    Create {
        /// What kind of values it holds.
        kind: FieldKind,
        /// What it is called.
        label: String,
    },
    /// Tags by name, several separated by `,`, `;` or `|`.
    Tags,
    /// The permission to send: yes, no, or a permission's name.
    Permission,
    /// The consent to having opens and clicks recorded: yes or no.
    Tracking,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => f.write_str("skip"),
            Self::Field(field) => write!(f, "field:{}", field.name()),
            Self::Custom(id) => write!(f, "custom:{id}"),
            Self::Create { kind, label } => write!(f, "create:{}:{label}", kind.name()),
            Self::Tags => f.write_str("tags"),
            Self::Permission => f.write_str("permission"),
            Self::Tracking => f.write_str("tracking"),
        }
    }
}

/// The text names no target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "unknown target of a column; known are skip, field:NAME, custom:ID, create:KIND:LABEL, tags, permission, tracking"
)]
pub struct UnknownTarget;

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        match text.split_once(':') {
            None => match text {
                "skip" | "" => Ok(Self::Skip),
                "tags" => Ok(Self::Tags),
                "permission" => Ok(Self::Permission),
                "tracking" => Ok(Self::Tracking),
                _ => Err(UnknownTarget),
            },
            Some(("field", name)) => StandardField::from_name(name).map(Self::Field).ok_or(UnknownTarget),
            Some(("custom", id)) => id.parse().map(Self::Custom).map_err(|_| UnknownTarget),
            Some(("create", rest)) => {
                let (kind, label) = rest.split_once(':').ok_or(UnknownTarget)?;
                let kind = FieldKind::from_name(kind).ok_or(UnknownTarget)?;
                Ok(Self::Create { kind, label: label.trim().to_owned() })
            }
            Some(_) => Err(UnknownTarget),
        }
    }
}

impl serde::Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a mapping cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Not as many targets as columns.
    #[error("the mapping names {found} columns, the file has {expected}")]
    Width {
        /// Columns of the file.
        expected: usize,
        /// Targets named.
        found: usize,
    },
    /// No column with addresses.
    #[error("no column is mapped to the e-mail address; choose the one that holds it")]
    NoEmail,
    /// Two columns with the same target.
    #[error("columns {first} and {second} go to the same field; skip one of them")]
    Twice {
        /// A column, from 1.
        first: usize,
        /// Another one, from 1.
        second: usize,
    },
    /// A new custom field without a name, or of a kind that needs options.
    #[error("the new field for column {0} needs a name, and may not be a selection: make that field first")]
    Create(usize),
    /// A custom field that is not there any more.
    #[error("the custom field for column {0} does not exist any more; choose another one")]
    NoField(usize),
}

/// Checks a mapping: as wide as the file, exactly one column of addresses, no target twice. Several columns may be
/// skipped, and several may hold tags.
pub fn check(mapping: &[Target], columns: usize) -> Result<(), MappingError> {
    if mapping.len() != columns || columns > limits::COLUMNS {
        return Err(MappingError::Width { expected: columns, found: mapping.len() });
    }
    for (index, target) in mapping.iter().enumerate() {
        if let Target::Create { kind, label } = target
            && (label.trim().is_empty() || kind.has_options())
        {
            return Err(MappingError::Create(index + 1));
        }
        if matches!(target, Target::Skip | Target::Tags) {
            continue;
        }
        let same = |other: &Target| match (target, other) {
            (Target::Create { label, .. }, Target::Create { label: other, .. }) => {
                heading::normalise(label) == heading::normalise(other)
            }
            (target, other) => target == other,
        };
        if let Some(first) = mapping[..index].iter().position(same) {
            return Err(MappingError::Twice { first: first + 1, second: index + 1 });
        }
    }
    if mapping.contains(&Target::Field(StandardField::Email)) { Ok(()) } else { Err(MappingError::NoEmail) }
}

/// A custom field that the account has, as far as a mapping needs it.
#[derive(Debug, Clone)]
pub struct KnownField {
    /// The field.
    pub id: Id<kind::CustomField>,
    /// What people call it.
    pub label: String,
    /// What templates call it.
    pub merge_key: String,
}

/// What happens to columns that no field fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// They are skipped: what nobody asked for is not kept.
    #[default]
    Skip,
    /// They become custom fields.
    Create,
}

/// Guesses the mapping of a file from its headings, the account's fields and some rows.
pub fn guess(headings: &[String], samples: &[Vec<String>], fields: &[KnownField], unknown: Unknown) -> Vec<Target> {
    let mut mapping: Vec<Target> = Vec::with_capacity(headings.len());
    for (index, label) in headings.iter().enumerate() {
        let normal = heading::normalise(label);
        let own = fields.iter().find(|field| {
            !normal.is_empty()
                && (heading::normalise(&field.label) == normal || heading::normalise(&field.merge_key) == normal)
        });
        let cells = || samples.iter().filter_map(move |row| row.get(index)).map(String::as_str);
        let target = match (own, heading::guess(label)) {
            (Some(field), _) => Target::Custom(field.id),
            (None, Some(target)) => target,
            (None, None) if unknown == Unknown::Create && !normal.is_empty() => {
                Target::Create { kind: guess_kind(cells()), label: label.trim().chars().take(100).collect() }
            }
            (None, None) => Target::Skip,
        };
        let taken = !matches!(target, Target::Skip | Target::Tags) && mapping.contains(&target);
        mapping.push(if taken { Target::Skip } else { target });
    }
    // No heading names the address, but one column holds nothing else.
    if !mapping.contains(&Target::Field(StandardField::Email)) {
        let holds_addresses = |index: usize| {
            let cells = samples.iter().filter_map(|row| row.get(index)).filter(|cell| !cell.trim().is_empty());
            let (with, all) = cells.fold((0, 0), |(with, all), cell| (with + usize::from(cell.contains('@')), all + 1));
            all > 0 && with * 2 > all
        };
        if let Some(index) = (0..mapping.len()).find(|index| holds_addresses(*index)) {
            mapping[index] = Target::Field(StandardField::Email);
        }
    }
    mapping
}

/// The narrowest kind that every cell fits.
fn guess_kind<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> FieldKind {
    let filled = cells.filter(|cell| !cell.trim().is_empty());
    if filled.clone().next().is_none() {
        return FieldKind::Text;
    }
    // `1` and `0` are numbers unless words stand beside them.
    let words = filled.clone().any(|cell| cell.trim().parse::<i64>().is_err());
    if words && filled.clone().all(|cell| parse_boolean(cell).is_ok()) {
        FieldKind::Boolean
    } else if filled.clone().all(|cell| parse_date(cell).is_ok()) {
        FieldKind::Date
    } else if filled.clone().all(is_plain_number) {
        FieldKind::Number
    } else if filled.clone().all(|cell| Money::parse(cell, Notation::Any, None).is_ok()) {
        FieldKind::Currency
    } else if filled.clone().any(|cell| cell.contains('\n') || cell.len() > 255) {
        FieldKind::TextArea
    } else {
        FieldKind::Text
    }
}

/// A number that is not an identifier: leading zeros and a plus sign would be lost.
fn is_plain_number(cell: &str) -> bool {
    let cell = cell.trim();
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let identifier = cell.starts_with('+')
        || digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") && !digits.starts_with("0,");
    !identifier && Decimal::parse(cell, Notation::German).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn text_form_round_trips() {
        for text in ["skip", "field:first_name", "create:number:Kunden: Nr", "tags", "permission", "tracking"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["field:nothing", "custom:7", "create:number", "drop", "create:colour:x"] {
            assert_eq!(text.parse::<Target>(), Err(UnknownTarget), "{text}");
        }
    }

    #[test]
    fn a_mapping_needs_one_address_and_no_target_twice() {
        let email = Target::Field(StandardField::Email);
        assert_eq!(check(&[Target::Skip, email.clone()], 2), Ok(()));
        assert_eq!(check(std::slice::from_ref(&email), 2), Err(MappingError::Width { expected: 2, found: 1 }));
        assert_eq!(check(&[Target::Skip, Target::Tags], 2), Err(MappingError::NoEmail));
        assert_eq!(check(&[email.clone(), email.clone()], 2), Err(MappingError::Twice { first: 1, second: 2 }));
        let create = |label: &str| Target::Create { kind: FieldKind::Text, label: label.into() };
        assert_eq!(check(&[email.clone(), create(" ")], 2), Err(MappingError::Create(2)));
        assert_eq!(
            check(&[create("Größe"), email, create("grösse")], 3),
            Err(MappingError::Twice { first: 1, second: 3 })
        );
    }

    #[test]
    fn guesses_columns_and_kinds() {
        let names =
            headings(&["Mail", "Vorname", "E-Mail", "Kundennummer", "Umsatz", "Seit", "Farbe", "Stammkunde", ""]);
        let rows = vec![
            headings(&[
                "a@example.org",
                "Jörg",
                "b@example.org",
                "00123",
                "1.234,50 €",
                "2020-01-31",
                "rot",
                "ja",
                "x",
            ]),
            headings(&["c@example.org", "Ann", "", "00124", "9,00 €", "2021-02-28", "", "nein", ""]),
        ];
        let create = |kind, label: &str| Target::Create { kind, label: label.into() };
        assert_eq!(
            guess(&names, &rows, &[], Unknown::Create),
            [
                Target::Field(StandardField::Email),
                Target::Field(StandardField::FirstName),
                Target::Skip,
                create(FieldKind::Text, "Kundennummer"),
                create(FieldKind::Currency, "Umsatz"),
                create(FieldKind::Date, "Seit"),
                create(FieldKind::Text, "Farbe"),
                create(FieldKind::Boolean, "Stammkunde"),
                Target::Skip,
            ]
        );
        let unnamed = guess(&headings(&["x", "y"]), &[headings(&["1", "a@example.org"])], &[], Unknown::Skip);
        assert_eq!(unnamed, [Target::Skip, Target::Field(StandardField::Email)]);
    }
}
