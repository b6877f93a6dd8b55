//! Delivery: from a frozen audience to every recipient's end, and what recipients do with their messages.
//!
//! # What it owns
//! * [`domain`] and [`relay`]: where messages come from and which server takes them; keys and passwords stay sealed.
//! * [`sender`]: the worker of `delivery.run`. It writes the ledger: one row for each recipient.
//! * [`message`], [`dkim`], [`smtp`]: one message, its signatures, its way over the wire.
//! * [`check`] and [`test_send`](mod@test_send): before a campaign is sent; [`report`](mod@report): what became of it.
//! * [`trouble`]: why a sending is held up.
//! * [`tracking`]: what recipients do with their links, as far as they agreed to that.
//! * [`limit`]: how many messages go to one destination in a minute.
//! * [`sink`]: an SMTP server for the demonstration and for tests, on loopback alone.
//!
//! # Invariants
//! * The sum of all states of a sending is its frozen audience; nobody is accepted twice.
//! * `sending` is committed before a byte of the message leaves; without an answer after the last byte the message is
//!   in doubt and is never sent again by itself.
//! * Permission and suppression are looked at when a message is made, and the permission once more in the commit that
//!   lets it leave.
//! * Whoever lost its lease changes nothing: every write names the epoch of its claim.
//! * Nothing that a contact or user wrote becomes a header line or an SMTP command.
//!
//! # The most common change
//! Another reason not to send: add it to `Person::refusal` with its word, and the word to the report's translations.

pub mod check;
pub mod dkim;
pub mod domain;
pub mod limit;
mod links;
pub mod message;
mod person;
pub mod relay;
pub mod report;
pub mod sender;
pub mod sink;
pub mod smtp;
pub mod test_send;
pub mod tracking;
pub mod trouble;

pub use links::{CLICK_PATH, LinkBase, LinkBaseError, OPEN_PATH, UNSUBSCRIBE_PATH, VIEW_PATH};
pub use person::{PeopleError, known as merge_keys};
