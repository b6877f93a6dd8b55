//! The web service as browsers meet it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod audience;
mod campaign;
mod campaign_look;
mod large_check;
mod look;
mod story;
mod support;
mod table;
