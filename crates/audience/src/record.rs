//! What is sealed about a contact.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use letterkeep_model::EmailAddress;
use serde::{Deserialize, Serialize};

use crate::{Birthday, FieldValue};

/// Characters in a name, job title, company, city, region, country or phone number, at most.
pub const LINE_CHARS: usize = 255;
/// Characters in a street (several lines), at most.
pub const STREET_CHARS: usize = 500;
/// Characters in a postal code, at most.
pub const POSTAL_CODE_CHARS: usize = 32;
/// Characters in a phone number, at most.
pub const PHONE_CHARS: usize = 64;
/// Characters in the notes, at most.
pub const NOTES_CHARS: usize = 5_000;
/// Phone numbers of one contact, at most.
pub const PHONES: usize = 10;
/// Street addresses of one contact, at most.
pub const ADDRESSES: usize = 5;
/// Bytes of a whole record before it is sealed, at most: a hundred text fields and a few text areas.
pub const RECORD_BYTES: usize = 64 * 1024;

/// What is known about a contact. Sealed as one record; personal data, so `Debug` shows nothing.
///
/// In JSON, what is empty is left out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRecord {
    /// The address.
    pub email: EmailAddress,
    /// Empty if not known; so are all texts here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub first_name: String,
    /// The family name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_name: String,
    /// The job title.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job_title: String,
    /// The company or organisation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub company: String,
    /// Month and day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthday: Option<Birthday>,
    /// A day to celebrate, with its year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anniversary: Option<Date>,
    /// At most [`PHONES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Phone>,
    /// At most [`ADDRESSES`], one of a kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<StreetAddress>,
    /// What the account notes for itself; templates cannot use it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Values of custom fields by merge key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, FieldValue>,
}

/// Where a phone rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneKind {
    /// In a pocket.
    Mobile,
    /// At work.
    Work,
    /// At home.
    Home,
    /// A fax machine.
    Fax,
    /// Anywhere else.
    Other,
}

impl PhoneKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Mobile, Self::Work, Self::Home, Self::Fax, Self::Other];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Work => "work",
            Self::Home => "home",
            Self::Fax => "fax",
            Self::Other => "other",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A phone number, as somebody wrote it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// Where it rings.
    pub kind: PhoneKind,
    /// At most [`PHONE_CHARS`] characters.
    pub number: String,
}

/// What a street address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// Where the contact lives.
    Home,
    /// Where the contact works.
    Work,
    /// Anything else.
    Other,
}

impl AddressKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Home, Self::Work, Self::Other];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Work => "work",
            Self::Other => "other",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A street address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreetAddress {
    /// What it is for.
    pub kind: AddressKind,
    /// Street and number; may have several lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub street: String,
    /// The town.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub city: String,
    /// State, canton or province.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The postal code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub postal_code: String,
    /// The country, as somebody wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub country: String,
}

impl StreetAddress {
    /// An address without any line.
    pub const fn empty(kind: AddressKind) -> Self {
        Self {
            kind,
            street: String::new(),
            city: String::new(),
            region: String::new(),
            postal_code: String::new(),
            country: String::new(),
        }
    }

    /// Whether nothing but the kind is known.
    pub const fn is_empty(&self) -> bool {
        self.street.is_empty()
            && self.city.is_empty()
            && self.region.is_empty()
            && self.postal_code.is_empty()
            && self.country.is_empty()
    }
}

macro_rules! hidden {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    )*};
}
hidden!(ContactRecord Phone StreetAddress);

/// A record is larger than its limits. Names the field, never its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A text is too long.
    #[error("{field} is longer than {chars} characters")]
    TooLong {
        /// The field's name.
        field: String,
        /// What it may have.
        chars: usize,
    },
    /// A text contains a control character, which could reach a message header.
    #[error("{field} contains a line break or control character")]
    Control {
        /// The field's name.
        field: String,
    },
    /// Too many phone numbers, addresses or options.
    #[error("at most {most} {field} are allowed")]
    TooMany {
        /// What there are too many of.
        field: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// Two addresses of a kind.
    #[error("there are two street addresses of the kind {0}")]
    AddressTwice(&'static str),
    /// Everything together is too large.
    #[error("the contact's data together are larger than 64 KiB; shorten its notes or text areas")]
    Size,
}

impl ContactRecord {
    /// A record with an address and nothing else.
    pub const fn new(email: EmailAddress) -> Self {
        Self {
            email,
            first_name: String::new(),
            last_name: String::new(),
            job_title: String::new(),
            company: String::new(),
            birthday: None,
            anniversary: None,
            phones: Vec::new(),
            addresses: Vec::new(),
            notes: String::new(),
            custom: BTreeMap::new(),
        }
    }

    /// First and last name with a space between; empty if neither is known.
    pub fn full_name(&self) -> String {
        match (self.first_name.is_empty(), self.last_name.is_empty()) {
            (false, false) => format!("{} {}", self.first_name, self.last_name),
            (false, true) => self.first_name.clone(),
            (true, _) => self.last_name.clone(),
        }
    }

    /// Checks every limit. Whoever seals a record has checked it.
    pub fn check(&self) -> Result<(), RecordError> {
        let lines = [
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("job_title", &self.job_title),
            ("company", &self.company),
        ];
        for (field, text) in lines {
            line(field, text, LINE_CHARS)?;
        }
        lines_of_text("notes", &self.notes, NOTES_CHARS)?;
        if self.phones.len() > PHONES {
            return Err(RecordError::TooMany { field: "phone numbers", most: PHONES });
        }
        for phone in &self.phones {
            line("phone", &phone.number, PHONE_CHARS)?;
        }
        if self.addresses.len() > ADDRESSES {
            return Err(RecordError::TooMany { field: "street addresses", most: ADDRESSES });
        }
        for (at, address) in self.addresses.iter().enumerate() {
            if self.addresses[..at].iter().any(|other| other.kind == address.kind) {
                return Err(RecordError::AddressTwice(address.kind.name()));
            }
            lines_of_text("street", &address.street, STREET_CHARS)?;
            line("city", &address.city, LINE_CHARS)?;
            line("region", &address.region, LINE_CHARS)?;
            line("postal_code", &address.postal_code, POSTAL_CODE_CHARS)?;
            line("country", &address.country, LINE_CHARS)?;
        }
        for (key, value) in &self.custom {
            match value {
                FieldValue::Text(text) => lines_of_text(key, text, crate::value::TEXT_AREA_CHARS)?,
                FieldValue::Option(option) => line(key, option, crate::value::OPTION_CHARS)?,
                FieldValue::Options(options) => {
                    if options.len() > crate::value::OPTIONS {
                        return Err(RecordError::TooMany { field: "options", most: crate::value::OPTIONS });
                    }
                    options.iter().try_for_each(|option| line(key, option, crate::value::OPTION_CHARS))?;
                }
                FieldValue::Number(_)
                | FieldValue::Money(_)
                | FieldValue::Boolean(_)
                | FieldValue::Date(_)
                | FieldValue::DateTime(_) => {}
            }
        }
        if self.rough_size() > RECORD_BYTES {
            return Err(RecordError::Size);
        }
        Ok(())
    }

    /// Takes over every field of `newer` that is not empty, address excepted; whether anything changed.
    ///
    /// Phone numbers and street addresses are replaced kind by kind, so that a file with a mobile number does not
    /// drop the number at work.
    pub fn absorb(&mut self, newer: &Self) -> bool {
        let mut changed = false;
        let mut take = |old: &mut String, new: &String| {
            if !new.is_empty() && old != new {
                old.clone_from(new);
                changed = true;
            }
        };
        take(&mut self.first_name, &newer.first_name);
        take(&mut self.last_name, &newer.last_name);
        take(&mut self.job_title, &newer.job_title);
        take(&mut self.company, &newer.company);
        take(&mut self.notes, &newer.notes);
        for address in newer.addresses.iter().filter(|address| !address.is_empty()) {
            let at = self.addresses.iter().position(|old| old.kind == address.kind).unwrap_or_else(|| {
                self.addresses.push(StreetAddress::empty(address.kind));
                self.addresses.len() - 1
            });
            let old = &mut self.addresses[at];
            take(&mut old.street, &address.street);
            take(&mut old.city, &address.city);
            take(&mut old.region, &address.region);
            take(&mut old.postal_code, &address.postal_code);
            take(&mut old.country, &address.country);
        }
        for kind in PhoneKind::ALL {
            let of_kind =
                |phones: &[Phone]| phones.iter().filter(|phone| phone.kind == kind).cloned().collect::<Vec<_>>();
            let newer = of_kind(&newer.phones);
            if !newer.is_empty() && newer != of_kind(&self.phones) {
                self.phones.retain(|phone| phone.kind != kind);
                self.phones.extend(newer);
                changed = true;
            }
        }
        if newer.birthday.is_some() && self.birthday != newer.birthday {
            self.birthday = newer.birthday;
            changed = true;
        }
        if newer.anniversary.is_some() && self.anniversary != newer.anniversary {
            self.anniversary = newer.anniversary;
            changed = true;
        }
        for (key, value) in &newer.custom {
            if self.custom.get(key) != Some(value) {
                self.custom.insert(key.clone(), value.clone());
                changed = true;
            }
        }
        changed
    }

    /// The bytes of all texts, without writing the JSON.
    fn rough_size(&self) -> usize {
        let phones = self.phones.iter().map(|phone| phone.number.len() + 32).sum::<usize>();
        let addresses = self.addresses.iter().map(|address| {
            let texts = [&address.street, &address.city, &address.region, &address.postal_code, &address.country];
            texts.iter().map(|text| text.len() + 16).sum::<usize>()
        });
        let custom = self.custom.iter().map(|(key, value)| {
            key.len()
                + match value {
                    FieldValue::Text(text) | FieldValue::Option(text) => text.len() + 16,
                    FieldValue::Options(options) => options.iter().map(|option| option.len() + 3).sum::<usize>() + 16,
                    _ => 40,
                }
        });
        self.first_name.len()
            + self.last_name.len()
            + self.job_title.len()
            + self.company.len()
            + self.notes.len()
            + phones
            + addresses.sum::<usize>()
            + custom.sum::<usize>()
    }
}

fn line(field: &str, text: &str, chars: usize) -> Result<(), RecordError> {
    if text.chars().any(char::is_control) {
        return Err(RecordError::Control { field: field.to_owned() });
    }
    length(field, text, chars)
}

fn lines_of_text(field: &str, text: &str, chars: usize) -> Result<(), RecordError> {
    if text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t')) {
        return Err(RecordError::Control { field: field.to_owned() });
    }
    length(field, text, chars)
}

fn length(field: &str, text: &str, chars: usize) -> Result<(), RecordError> {
    // Counting characters is only needed where the bytes could exceed the limit.
    if text.len() > chars && text.chars().count() > chars {
        return Err(RecordError::TooLong { field: field.to_owned(), chars });
    }
    Ok(())
}
