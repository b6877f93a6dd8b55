//! The web service as browsers meet it.

mod audience;
mod look;
mod story;
mod support;
mod table;
