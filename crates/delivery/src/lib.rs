//! Delivery: from a frozen audience to every recipient's end.

pub mod dkim;
pub mod domain;
pub mod message;
pub mod relay;
pub mod sink;
pub mod smtp;
