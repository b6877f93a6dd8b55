//! Contacts and what belongs to them: custom fields, lists, tags, permission to send, suppression, import and export.
//!
//! # What it owns
//! * [`ContactRecord`]: what is known about a contact, sealed as one record. The database sees the record's length, the
//!   blind index of its address, its permission, its memberships, and nothing else.
//! * [`permission`]: who may be written to, and why. An unsubscribed contact comes back only by a new explicit
//!   permission with evidence; neither an edit nor an import can do that.
//! * [`suppression`]: addresses that are never written to, as blind indexes. They outlive the contact.
//! * [`value`]: the parsers of foreign text (numbers, dates, amounts in German and English notation).
//!
//! # Invariants
//! A record is checked against its limits ([`ContactRecord::check`]) before it is sealed. Every change appends an audit
//! entry with ids and counts only. `list.members`, `tag.members` and `contact_count` are changed in the transaction
//! that changes what they count, by the number of rows that were really inserted or deleted.
//! Callers authorize; nothing here asks who may do what.
//!
//! # The most common change
//! Another standard field: add it to [`ContactRecord`] (with `skip_serializing_if`), to [`StandardField`] with its name
//! and limit, and to `contact/merge.rs` if templates may use it.

pub mod contact;
pub mod export;
pub mod field;
pub mod formula;
pub mod import;
pub mod list;
pub mod permission;
pub mod record;
mod standard;
pub mod suppression;
pub mod tag;
mod usage;
pub mod value;

pub use contact::Contact;
pub use field::CustomField;
pub use permission::{Permission, TrackingConsent};
pub use record::{AddressKind, ContactRecord, Phone, PhoneKind, RecordError, StreetAddress};
pub use standard::StandardField;
pub use suppression::SuppressionReason;
pub use usage::UsedBy;
pub use value::{Birthday, Currency, Decimal, FieldKind, FieldValue, Foreign, Money, Notation, ValueError};
