use std::fmt;
use std::io::ErrorKind;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Reply, ReplyError, TrustError};

/// Where in the dialogue something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// The server's greeting.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// The log-in.
    Auth,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The message itself.
    Message,
    /// RSET or QUIT.
    End,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "the log-in",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "the message",
            Self::End => "the end of the session",
        })
    }
}

/// Why the conversation with an SMTP server failed. Texts name no recipient. Is kept, for the page that shows it later:
/// what may change of its form is what old rows still mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SmtpError {
    /// The name does not resolve.
    #[error("the server {0} cannot be found; check its name")]
    Resolve(String),
    /// It is at a private address. The address is not told: it says something about the network behind this service.
    #[error(
        "the server {0} is at a private or local address; the operator can allow its network with relay.private_networks"
    )]
    OutOfReach(String),
    /// Nobody answers there.
    #[error("no connection to {host}, port {port}: {reason}")]
    Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        #[serde(serialize_with = "write_kind", deserialize_with = "read_kind")]
        reason: ErrorKind,
    },
    /// The server did not answer in time.
    #[error("the server did not answer {0} in time")]
    Timeout(Stage),
    /// The server closed the connection.
    #[error("the server closed the connection at {0}")]
    Closed(Stage),
    /// The connection broke.
    #[error("the connection broke at {0}: {1}")]
    Broken(Stage, #[serde(serialize_with = "write_kind", deserialize_with = "read_kind")] ErrorKind),
    /// TLS failed: usually the certificate.
    #[error("no protected connection: {0}")]
    Tls(String),
    /// The server's name cannot stand in a certificate.
    #[error("the server's name {0} cannot be checked against a certificate")]
    TlsName(String),
    /// STARTTLS is demanded and not offered.
    #[error("the server does not offer STARTTLS; try TLS on port 465, or another port")]
    NoStartTls,
    /// Somebody put commands or replies behind STARTTLS (CVE-2011-0411 and its kin).
    #[error("the server sent data in the clear after STARTTLS; somebody may be tampering with the connection")]
    Injection,
    /// The server offers no way to log in that we speak.
    #[error("the server offers neither AUTH PLAIN nor AUTH LOGIN; check the port and the security setting")]
    NoAuth,
    /// The server said no.
    #[error("the server refused {stage}: {reply}")]
    Refused {
        /// What it refused.
        stage: Stage,
        /// Its words.
        reply: Reply,
    },
    /// The server's answer is no SMTP.
    #[error("the server's answer to {0} is no SMTP: {1}")]
    Protocol(Stage, ReplyError),
    /// The certificates to trust could not be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl SmtpError {
    /// The text for logs and operators: without the server's words, which quote user names and addresses.
    pub fn without_words(&self) -> String {
        match self {
            Self::Refused { stage, reply } => format!("the server refused {stage} with code {}", reply.code),
            error => error.to_string(),
        }
    }
}

/// What the system says, as far as anybody can act on it.
const KINDS: [(&str, ErrorKind); 9] = [
    ("refused", ErrorKind::ConnectionRefused),
    ("timed_out", ErrorKind::TimedOut),
    ("host_unreachable", ErrorKind::HostUnreachable),
    ("network_unreachable", ErrorKind::NetworkUnreachable),
    ("network_down", ErrorKind::NetworkDown),
    ("reset", ErrorKind::ConnectionReset),
    ("aborted", ErrorKind::ConnectionAborted),
    ("broken_pipe", ErrorKind::BrokenPipe),
    ("unexpected_end", ErrorKind::UnexpectedEof),
];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn write_kind<S: Serializer>(kind: &ErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(KINDS.iter().find(|(_, known)| known == kind).map_or("other", |(name, _)| name))
}

fn read_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ErrorKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    Ok(KINDS.iter().find(|(known, _)| *known == name).map_or(ErrorKind::Other, |(_, kind)| *kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_said_is_not_for_logs() {
        let reply = Reply { code: 535, enhanced: None, lines: vec!["5.7.8 no such user erika@example.org".to_owned()] };
        let refused = SmtpError::Refused { stage: Stage::Auth, reply };
        assert!(refused.to_string().contains("erika@example.org"));
        assert_eq!(refused.without_words(), "the server refused the log-in with code 535");
        assert_eq!(SmtpError::NoAuth.without_words(), SmtpError::NoAuth.to_string());
    }
}
