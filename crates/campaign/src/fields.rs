use std::fmt;

use serde_json::{Map, Value};

/// The values of one contact that merge tags may name. Key: the merge key, for example `first_name`.
///
/// A value is a text, number, boolean, list of texts (multi select), or null. It holds personal data: `Debug` hides it.
#[derive(Clone, Default, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// From a JSON object.
    pub const fn new(values: Map<String, Value>) -> Self {
        Self(values)
    }

    /// The value of a field; `None` if the contact has none.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Sets a field.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(key.into(), value.into());
    }

    /// Whether a field has nothing to show: absent, null, blank text, empty list.
    pub fn is_empty_at(&self, key: &str) -> bool {
        match self.0.get(key) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.trim().is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(entries)) => entries.is_empty(),
            Some(Value::Bool(_) | Value::Number(_)) => false,
        }
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({} hidden)", self.0.len())
    }
}
