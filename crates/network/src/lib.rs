//! The edge of the service: the TLS listener, its certificate and its limits.
//!
//! TLS 1.2 and 1.3 only, by rustls with aws-lc-rs. A connection that does not finish its handshake, or a client that
//! sends its request headers too slowly, is closed; the number of connections is bounded; what arrives is handed to one
//! [`tower`] service. There is no plain-HTTP listener.
//!
//! The most common change is a new limit: add it to [`Limits`], enforce it in `listener.rs`, and give it a test that
//! crosses it on a real socket.

mod certificate;
mod listener;
pub mod rules;

pub use certificate::{Certificate, CertificateError};
pub use listener::{Limits, ListenError, Listener, Peer};
