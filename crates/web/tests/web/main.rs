//! The web service as browsers meet it.

mod audience;
mod campaign;
mod campaign_look;
mod look;
mod story;
mod support;
mod table;
