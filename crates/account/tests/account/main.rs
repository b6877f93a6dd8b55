//! The account room as its users and its attackers meet it, on both databases.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod attack;
mod fixture;
mod people;
mod session;
mod story;
