//! The standard fields by name: what a column of a file can be mapped to, and what a column of an export is called.

use letterkeep_model::EmailAddress;

use crate::record::{LINE_CHARS, NOTES_CHARS, PHONE_CHARS, POSTAL_CODE_CHARS, STREET_CHARS};
use crate::value::{multi_line, parse_date, single_line};
use crate::{AddressKind, Birthday, ContactRecord, Phone, PhoneKind, StreetAddress, ValueError};

/// A standard field of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StandardField {
    /// The address.
    Email,
    /// The first name.
    FirstName,
    /// The family name.
    LastName,
    /// The job title.
    JobTitle,
    /// The company.
    Company,
    /// Month and day of birth.
    Birthday,
    /// A day with its year.
    Anniversary,
    /// A phone number of a kind.
    Phone(PhoneKind),
    /// Street and number of an address.
    Street(AddressKind),
    /// The town of an address.
    City(AddressKind),
    /// State, canton or province of an address.
    Region(AddressKind),
    /// The postal code of an address.
    PostalCode(AddressKind),
    /// The country of an address.
    Country(AddressKind),
    /// The account's own notes.
    Notes,
}

use AddressKind as A;
use PhoneKind as P;
use StandardField as F;

/// Every standard field with its stable name, in the order of an export's columns.
const NAMES: [(F, &str); 28] = [
    (F::Email, "email"),
    (F::FirstName, "first_name"),
    (F::LastName, "last_name"),
    (F::JobTitle, "job_title"),
    (F::Company, "company"),
    (F::Birthday, "birthday"),
    (F::Anniversary, "anniversary"),
    (F::Phone(P::Mobile), "phone_mobile"),
    (F::Phone(P::Work), "phone_work"),
    (F::Phone(P::Home), "phone_home"),
    (F::Phone(P::Fax), "phone_fax"),
    (F::Phone(P::Other), "phone_other"),
    (F::Street(A::Home), "home_street"),
    (F::City(A::Home), "home_city"),
    (F::Region(A::Home), "home_region"),
    (F::PostalCode(A::Home), "home_postal_code"),
    (F::Country(A::Home), "home_country"),
    (F::Street(A::Work), "work_street"),
    (F::City(A::Work), "work_city"),
    (F::Region(A::Work), "work_region"),
    (F::PostalCode(A::Work), "work_postal_code"),
    (F::Country(A::Work), "work_country"),
    (F::Street(A::Other), "other_street"),
    (F::City(A::Other), "other_city"),
    (F::Region(A::Other), "other_region"),
    (F::PostalCode(A::Other), "other_postal_code"),
    (F::Country(A::Other), "other_country"),
    (F::Notes, "notes"),
];

impl StandardField {
    /// Every standard field, in the order of an export's columns.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(field, _)| field)
    }

    /// The stable name, for example `first_name`, `phone_mobile`, `home_city`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(field, _)| *field == self).map_or("", |(_, name)| name)
    }

    /// The field of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(field, _)| *field)
    }
}

impl ContactRecord {
    /// Sets a standard field from a foreign text. Nothing but white space leaves the field as it is.
    ///
    /// A phone number replaces the first one of its kind.
    pub fn put(&mut self, field: StandardField, text: &str) -> Result<(), ValueError> {
        if text.trim().is_empty() {
            return Ok(());
        }
        match field {
            F::Email => self.email = EmailAddress::parse(text)?,
            F::FirstName => self.first_name = single_line(text, LINE_CHARS)?,
            F::LastName => self.last_name = single_line(text, LINE_CHARS)?,
            F::JobTitle => self.job_title = single_line(text, LINE_CHARS)?,
            F::Company => self.company = single_line(text, LINE_CHARS)?,
            F::Birthday => self.birthday = Some(Birthday::parse(text)?),
            F::Anniversary => self.anniversary = Some(parse_date(text)?),
            F::Phone(kind) => {
                let number = single_line(text, PHONE_CHARS)?;
                match self.phones.iter_mut().find(|phone| phone.kind == kind) {
                    Some(phone) => phone.number = number,
                    None => self.phones.push(Phone { kind, number }),
                }
            }
            F::Street(kind) => self.address(kind).street = multi_line(text, STREET_CHARS)?,
            F::City(kind) => self.address(kind).city = single_line(text, LINE_CHARS)?,
            F::Region(kind) => self.address(kind).region = single_line(text, LINE_CHARS)?,
            F::PostalCode(kind) => self.address(kind).postal_code = single_line(text, POSTAL_CODE_CHARS)?,
            F::Country(kind) => self.address(kind).country = single_line(text, LINE_CHARS)?,
            F::Notes => self.notes = multi_line(text, NOTES_CHARS)?,
        }
        Ok(())
    }

    /// The text of a standard field, which [`put`](Self::put) reads back; empty if it is not known. Several phone
    /// numbers of a kind are joined by `; `.
    pub fn text(&self, field: StandardField) -> String {
        let address = |kind, text: fn(&StreetAddress) -> &String| {
            self.addresses
                .iter()
                .find(|address| address.kind == kind)
                .map_or_else(String::new, |found| text(found).clone())
        };
        match field {
            F::Email => self.email.as_str().to_owned(),
            F::FirstName => self.first_name.clone(),
            F::LastName => self.last_name.clone(),
            F::JobTitle => self.job_title.clone(),
            F::Company => self.company.clone(),
            F::Birthday => self.birthday.map_or_else(String::new, |day| day.to_string()),
            F::Anniversary => self.anniversary.map_or_else(String::new, |day| day.to_string()),
            F::Phone(kind) => {
                let numbers = self.phones.iter().filter(|phone| phone.kind == kind);
                numbers.map(|phone| phone.number.as_str()).collect::<Vec<_>>().join("; ")
            }
            F::Street(kind) => address(kind, |found| &found.street),
            F::City(kind) => address(kind, |found| &found.city),
            F::Region(kind) => address(kind, |found| &found.region),
            F::PostalCode(kind) => address(kind, |found| &found.postal_code),
            F::Country(kind) => address(kind, |found| &found.country),
            F::Notes => self.notes.clone(),
        }
    }

    /// The address of a kind, made if there is none.
    fn address(&mut self, kind: AddressKind) -> &mut StreetAddress {
        let at = self.addresses.iter().position(|address| address.kind == kind).unwrap_or_else(|| {
            self.addresses.push(StreetAddress::empty(kind));
            self.addresses.len() - 1
        });
        &mut self.addresses[at]
    }
}
