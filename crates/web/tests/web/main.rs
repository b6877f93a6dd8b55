//! The web service as browsers meet it.

mod look;
mod story;
mod support;
mod table;
