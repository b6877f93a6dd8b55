use serde_json::{Map, Value};

use super::{Contact, OpenContact};
use crate::{ContactRecord, CustomField, FieldValue, StreetAddress};

/// The names that every contact offers to templates. The account's custom fields come in addition.
///
/// `phone` is the first number, `street` to `country` belong to the first address. Notes are not offered: they are the
/// account's own.
pub const MERGE_NAMES: [&str; 15] = [
    "email",
    "first_name",
    "last_name",
    "full_name",
    "job_title",
    "company",
    "birthday",
    "anniversary",
    "phone",
    "street",
    "city",
    "region",
    "postal_code",
    "country",
    "email_domain",
];

impl Contact {
    /// What templates may use of this contact.
    pub fn merge_fields(&self, fields: &[CustomField]) -> Map<String, Value> {
        self.record.merge_fields(fields)
    }
}

impl OpenContact {
    /// What templates may use of this contact.
    pub fn merge_fields(&self, fields: &[CustomField]) -> Map<String, Value> {
        self.record.merge_fields(fields)
    }
}

impl ContactRecord {
    /// What templates may use: every one of [`MERGE_NAMES`] and every merge key of `fields`, with `""` for what is not
    /// known. Numbers are JSON numbers, yes and no booleans, multi selects arrays, dates ISO 8601; everything else text.
    pub fn merge_fields(&self, fields: &[CustomField]) -> Map<String, Value> {
        let first = self.addresses.first();
        let address = |text: fn(&StreetAddress) -> &String| first.map_or_else(String::new, |found| text(found).clone());
        let mut map = Map::new();
        for (name, text) in [
            ("email", self.email.as_str().to_owned()),
            ("email_domain", self.email.domain().to_owned()),
            ("first_name", self.first_name.clone()),
            ("last_name", self.last_name.clone()),
            ("full_name", self.full_name()),
            ("job_title", self.job_title.clone()),
            ("company", self.company.clone()),
            ("birthday", self.birthday.map_or_else(String::new, |day| day.to_string())),
            ("anniversary", self.anniversary.map_or_else(String::new, |day| day.to_string())),
            ("phone", self.phones.first().map_or_else(String::new, |phone| phone.number.clone())),
            ("street", address(|found| &found.street)),
            ("city", address(|found| &found.city)),
            ("region", address(|found| &found.region)),
            ("postal_code", address(|found| &found.postal_code)),
            ("country", address(|found| &found.country)),
        ] {
            map.insert(name.to_owned(), Value::String(text));
        }
        for field in fields {
            let value = self.custom.get(&field.merge_key).filter(|value| value.fits(field.kind));
            map.insert(field.merge_key.clone(), value.map_or_else(|| Value::String(String::new()), FieldValue::json));
        }
        map
    }
}

impl FieldValue {
    /// The value as a template or an export in JSON sees it.
    pub fn json(&self) -> Value {
        match self {
            Self::Number(number) if number.scale() == 0 => Value::from(number.units()),
            // At most 15 digits: the nearest floating-point number prints as the same digits.
            Self::Number(number) => number.to_string().parse::<f64>().map_or(Value::Null, Value::from),
            Self::Boolean(flag) => Value::Bool(*flag),
            Self::Options(options) => Value::from(options.clone()),
            other => Value::String(other.text()),
        }
    }
}
