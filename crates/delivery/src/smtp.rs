//! An SMTP client for bulk: one round trip for each message (RFC 5321, 2920, 3207, 4954).
//!
//! Commands are made from [`EmailAddress`](letterkeep_model::EmailAddress) and checked host names alone, so nothing
//! can be smuggled into them; replies are read by a parser with limits. Certificates are always verified.

mod classify;
mod connection;
mod error;
mod reach;
mod reply;
mod stream;
mod tls;
mod transaction;

use std::time::Duration;

use zeroize::Zeroizing;

pub use classify::{Failure, Verdict, back_off, verdict};
pub use connection::Connection;
pub use error::{SmtpError, Stage};
pub use reach::Reach;
pub use reply::{Enhanced, Parsed, Reply, ReplyError, parse_reply};
pub use tls::{Trust, TrustError};
pub use transaction::{Body, BodyError, Delivered, Mail};

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// TLS from the first byte (RFC 8314 §3.3); usually port 465.
    ImplicitTls,
    /// TLS after STARTTLS, which the server must offer; usually port 587.
    StartTls,
    /// None: only to a server on the same machine, and only where the operator has named that in [`Reach`].
    None,
}

impl Security {
    /// Every kind, best first.
    pub const ALL: [Self; 3] = [Self::ImplicitTls, Self::StartTls, Self::None];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImplicitTls => "implicit_tls",
            Self::StartTls => "starttls",
            Self::None => "none",
        }
    }

    /// From the stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|security| security.name() == name)
    }
}

/// What a relay asks for. Cannot be printed.
#[derive(Clone)]
pub struct Credentials {
    /// The user name.
    pub user_name: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// A server to connect to. Holds a password: no `Debug`.
#[derive(Clone)]
pub struct Server {
    /// Host name or IP address; also the name that its certificate must carry.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// How to log in, if at all.
    pub credentials: Option<Credentials>,
    /// The name that we give in EHLO.
    pub hello: String,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Where it may be.
    pub reach: Reach,
}

/// How long to wait for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection and for TLS.
    pub connect: Duration,
    /// For the reply to a command, and for a block of data to leave.
    pub command: Duration,
    /// For the reply after the message.
    pub message: Duration,
}

impl Default for Timeouts {
    /// RFC 5321 §4.5.3.2: 5 minutes for a command, 10 for the reply to a message.
    fn default() -> Self {
        Self { connect: Duration::from_secs(30), command: Duration::from_mins(5), message: Duration::from_mins(10) }
    }
}

impl Timeouts {
    /// For somebody who waits in front of the screen.
    pub fn impatient() -> Self {
        let wait = Duration::from_secs(15);
        Self { connect: wait, command: wait, message: Duration::from_mins(1) }
    }
}
