//! Custom fields: typed fields that an account defines for its contacts.

use letterkeep_model::{Id, kind};

use crate::value::Shape;
use crate::{Currency, FieldKind, FieldValue, Foreign, ValueError};

/// A field that an account has defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    /// The field.
    pub id: Id<kind::CustomField>,
    /// The name that templates and records use; unique in the account, never changes.
    pub merge_key: String,
    /// The name that people see.
    pub label: String,
    /// What it holds.
    pub kind: FieldKind,
    /// The options of a select; empty for every other kind.
    pub options: Vec<String>,
    /// The currency of amounts that name none.
    pub currency: Option<Currency>,
    /// Fields are shown in this order.
    pub position: i64,
}

impl CustomField {
    /// Reads a value of this field from a foreign text; `None` if there is nothing but white space.
    pub fn parse(&self, text: &str, foreign: &Foreign) -> Result<Option<FieldValue>, ValueError> {
        let shape = Shape { kind: self.kind, options: &self.options, currency: self.currency };
        FieldValue::parse(&shape, text, foreign)
    }
}
