//! The web service as browsers meet it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod audience;
mod campaign;
mod campaign_care;
mod contention;
mod held;
mod large_check;
mod large_import;
mod locked;
mod operator;
mod report_look;
mod story;
mod support;
mod table;
