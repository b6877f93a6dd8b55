//! Custom fields: typed fields that an account defines for its contacts.

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::custom_field::{self as rows, CustomFieldRow};
use letterkeep_store::{Error, Tx, audit};

use crate::value::{OPTION_CHARS, OPTIONS, Shape, single_line};
use crate::{Currency, FieldKind, FieldValue, Foreign, StandardField, ValueError};

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

/// Custom fields of an account, at most.
pub const FIELDS: usize = 100;
/// Characters in a merge key, at most.
pub const KEY_CHARS: usize = 50;
/// Characters in a label, at most.
pub const LABEL_CHARS: usize = 100;

/// Merge keys that mean something else in templates, besides the standard fields.
const RESERVED: [&str; 30] = [
    "account",
    "and",
    "campaign",
    "contact",
    "custom",
    "date",
    "elif",
    "else",
    "endfor",
    "endif",
    "false",
    "fields",
    "for",
    "id",
    "if",
    "in",
    "is",
    "lists",
    "loop",
    "none",
    "not",
    "or",
    "permission",
    "postal_address",
    "recursive",
    "sender_name",
    "tags",
    "true",
    "unsubscribe_url",
    "view_url",
];
/// How the names begin that the template engine keeps for itself.
pub(crate) const RESERVED_PREFIX: &str = "lk_";

/// A field to define.
#[derive(Debug, Clone)]
pub struct NewField {
    /// `[a-z][a-z0-9_]*`, at most [`KEY_CHARS`]; not a standard field's name.
    pub merge_key: String,
    /// What people see.
    pub label: String,
    /// What it holds.
    pub kind: FieldKind,
    /// The options of a select.
    pub options: Vec<String>,
    /// The currency of amounts that name none.
    pub currency: Option<Currency>,
}

/// A field is not defined or changed.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// No such field.
    #[error("there is no field with this id; it was deleted in the meantime")]
    Missing,
    /// Not a merge key.
    #[error(
        "a merge key has small letters a to z, digits and underscores, begins with a letter, and has at most 50 characters"
    )]
    Key,
    /// A standard field, or a word of the template language's context.
    #[error("this merge key is reserved; choose another one")]
    Reserved,
    /// Another field has the key.
    #[error("another field has this merge key")]
    Taken,
    /// No label.
    #[error("the field needs a name")]
    NoLabel,
    /// The label is not a text of that length.
    #[error("the name is {0}")]
    Label(ValueError),
    /// A select without options, or options elsewhere.
    #[error("a select needs between 1 and 200 different options; other fields have none")]
    Options,
    /// An option is not a text of that length.
    #[error("an option is {0}")]
    Option(ValueError),
    /// Too many.
    #[error("an account has at most 100 custom fields; delete one that is not needed")]
    TooMany,
    /// The order does not name every field once.
    #[error("the order must name every field exactly once; load the page again")]
    Order,
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What the column `options` holds.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Settings {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
}

impl Settings {
    fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|_| Error::Shape("custom_field.options"))
    }
}

/// Proposes a merge key for a label: `Größe (cm)` becomes `groesse_cm`. May be empty, reserved or taken.
pub fn merge_key_for(label: &str) -> String {
    let mut key = String::new();
    for character in label.chars().take(4 * KEY_CHARS) {
        let lower = character.to_lowercase().next().unwrap_or(character);
        match lower {
            'ä' => key.push_str("ae"),
            'ö' => key.push_str("oe"),
            'ü' => key.push_str("ue"),
            'ß' => key.push_str("ss"),
            'a'..='z' => key.push(lower),
            '0'..='9' if !key.is_empty() => key.push(lower),
            _ if !key.is_empty() && !key.ends_with('_') => key.push('_'),
            _ => {}
        }
    }
    key.truncate(KEY_CHARS);
    key.trim_end_matches('_').to_owned()
}

/// Whether a text may be a custom field's merge key.
pub fn check_key(key: &str) -> Result<(), FieldError> {
    let mut bytes = key.bytes();
    let sound = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !sound || key.len() > KEY_CHARS {
        return Err(FieldError::Key);
    }
    let standard = StandardField::from_name(key).is_some() || crate::contact::MERGE_NAMES.contains(&key);
    if standard || RESERVED.contains(&key) || key.starts_with(RESERVED_PREFIX) {
        Err(FieldError::Reserved)
    } else {
        Ok(())
    }
}

fn check_label(label: &str) -> Result<String, FieldError> {
    let label = single_line(label, LABEL_CHARS).map_err(FieldError::Label)?;
    if label.is_empty() { Err(FieldError::NoLabel) } else { Ok(label) }
}

fn check_options(kind: FieldKind, options: &[String]) -> Result<Vec<String>, FieldError> {
    let mut checked = Vec::<String>::with_capacity(options.len());
    for option in options {
        let option = single_line(option, OPTION_CHARS).map_err(FieldError::Option)?;
        // Two options that differ in case alone could not be told apart in a file.
        if option.is_empty() || checked.iter().any(|other| other.to_lowercase() == option.to_lowercase()) {
            return Err(FieldError::Options);
        }
        checked.push(option);
    }
    let sound = if kind.has_options() { (1..=OPTIONS).contains(&checked.len()) } else { checked.is_empty() };
    if sound { Ok(checked) } else { Err(FieldError::Options) }
}

/// The account's fields in their order.
pub async fn all(ctx: &Ctx, tx: &mut Tx) -> Result<Vec<CustomField>, Error> {
    let rows = rows::all(tx, ctx.account, FIELDS as i64).await?;
    rows.into_iter()
        .map(|row| {
            let settings =
                serde_json::from_str::<Settings>(&row.options).map_err(|_| Error::Shape("custom_field.options"))?;
            Ok(CustomField {
                id: Id::from_uuid(row.field_id),
                merge_key: row.merge_key,
                label: row.label,
                kind: FieldKind::from_name(&row.kind).ok_or(Error::Shape("custom_field.kind"))?,
                options: settings.options,
                currency: settings.currency,
                position: row.position,
            })
        })
        .collect()
}

/// Defines a field, behind the others.
pub async fn create(ctx: &Ctx, tx: &mut Tx, new: &NewField) -> Result<Id<kind::CustomField>, FieldError> {
    check_key(&new.merge_key)?;
    let label = check_label(&new.label)?;
    let options = check_options(new.kind, &new.options)?;
    let existing = all(ctx, tx).await?;
    if existing.len() >= FIELDS {
        return Err(FieldError::TooMany);
    }
    let currency = new.currency.filter(|_| new.kind == FieldKind::Currency);
    let id = ctx.new_id::<kind::CustomField>();
    let row = CustomFieldRow {
        field_id: id.uuid(),
        merge_key: new.merge_key.clone(),
        label,
        kind: new.kind.name().to_owned(),
        options: Settings { options, currency }.text()?,
        position: existing.iter().map(|field| field.position).max().unwrap_or(0) + 1,
        created_at: ctx.now().micros(),
    };
    if !rows::insert(tx, ctx.account, &row).await? {
        return Err(FieldError::Taken);
    }
    note(ctx, tx, "field.create", id, &format!(r#"{{"kind":"{}"}}"#, new.kind.name())).await?;
    Ok(id)
}

/// Changes the label. The merge key never changes: records and templates use it.
pub async fn rename(ctx: &Ctx, tx: &mut Tx, field: Id<kind::CustomField>, label: &str) -> Result<(), FieldError> {
    let label = check_label(label)?;
    if !rows::rename(tx, ctx.account, field, &label).await? {
        return Err(FieldError::Missing);
    }
    Ok(note(ctx, tx, "field.rename", field, "{}").await?)
}

/// Changes the options of a select. A value that is no option any more stays until its contact is edited.
pub async fn set_options(
    ctx: &Ctx,
    tx: &mut Tx,
    field: Id<kind::CustomField>,
    options: &[String],
) -> Result<(), FieldError> {
    let fields = all(ctx, tx).await?;
    let current = fields.iter().find(|known| known.id == field).ok_or(FieldError::Missing)?;
    let options = check_options(current.kind, options)?;
    let detail = format!(r#"{{"options":{}}}"#, options.len());
    let settings = Settings { options, currency: current.currency }.text()?;
    rows::set_options(tx, ctx.account, field, &settings).await?;
    Ok(note(ctx, tx, "field.options", field, &detail).await?)
}

/// Puts the fields in the order of `order`, which names each of them once.
pub async fn reorder(ctx: &Ctx, tx: &mut Tx, order: &[Id<kind::CustomField>]) -> Result<(), FieldError> {
    let fields = all(ctx, tx).await?;
    let complete = fields.len() == order.len() && fields.iter().all(|field| order.contains(&field.id));
    if !complete {
        return Err(FieldError::Order);
    }
    for (at, field) in order.iter().enumerate() {
        rows::place(tx, ctx.account, *field, at as i64 + 1).await?;
    }
    let detail = format!(r#"{{"fields":{}}}"#, order.len());
    Ok(audit::append(ctx, tx, audit::Event { action: "field.reorder", object: "", detail: &detail }).await?)
}

/// Forgets a field. Values of it are shown nowhere any more, and leave a record when it is next edited.
pub async fn delete(ctx: &Ctx, tx: &mut Tx, field: Id<kind::CustomField>) -> Result<(), FieldError> {
    if !rows::delete(tx, ctx.account, field).await? {
        return Err(FieldError::Missing);
    }
    Ok(note(ctx, tx, "field.delete", field, "{}").await?)
}

async fn note(ctx: &Ctx, tx: &mut Tx, action: &str, field: Id<kind::CustomField>, detail: &str) -> Result<(), Error> {
    audit::append(ctx, tx, audit::Event { action, object: &field.to_string(), detail }).await
}
