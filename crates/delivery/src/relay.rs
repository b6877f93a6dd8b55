//! The SMTP server that an account sends through: its settings, its sealed password, the test of the connection.

use std::net::IpAddr;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::Tx;
use letterkeep_store::audit::{self, Event};
use letterkeep_store::relay::{self, RelayRow};
use letterkeep_store::sealed::column::RELAY_PASSWORD;
use letterkeep_vault::{Keyring, OpenError};
use zeroize::Zeroizing;

use crate::smtp::{Connection, Credentials, Reach, Security, Server, SmtpError, Timeouts, Trust};

/// Connections to one relay at most.
pub const MAX_CONNECTIONS: u16 = 64;

/// What becomes of the stored password.
pub enum PasswordChange {
    /// It stays as it is.
    Keep,
    /// It is replaced.
    Set(Zeroizing<String>),
    /// It is removed.
    Clear,
}

/// The settings of a relay as somebody writes them.
pub struct RelayInput {
    /// Host name or IP address.
    pub host: String,
    /// TCP port: usually 465 for implicit TLS, 587 for STARTTLS.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The user name to log in with; empty for none.
    pub user_name: String,
    /// The password.
    pub password: PasswordChange,
    /// Connections at the same time, 1 to [`MAX_CONNECTIONS`].
    pub connections: u16,
    /// Messages to one recipient domain in a minute; 0 for no limit.
    pub per_destination_per_minute: u32,
}

/// The settings of a relay as people see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Its id.
    pub id: Id<kind::Relay>,
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The user name to log in with; empty for none.
    pub user_name: String,
    /// Whether a password is stored.
    pub has_password: bool,
    /// Connections at the same time.
    pub connections: u16,
    /// Messages to one recipient domain in a minute; 0 for no limit.
    pub per_destination_per_minute: u32,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Why the settings of a relay are refused.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Not a host.
    #[error("the server's name is neither a host name nor an IP address")]
    Host,
    /// Port 0.
    #[error("the port must be between 1 and 65535; usual are 465 (TLS) and 587 (STARTTLS)")]
    Port,
    /// A password would travel in the clear, and so would every message.
    #[error("without TLS only a server on this machine (127.0.0.1, ::1 or localhost) may be used")]
    Unprotected,
    /// A user name without a password or the other way round.
    #[error("user name and password belong together: give both or neither")]
    Login,
    /// A control character, or longer than SMTP can carry.
    #[error("user name and password may not contain control characters and have at most 500 bytes each")]
    LoginText,
    /// The number of connections.
    #[error("the number of connections must be between 1 and {MAX_CONNECTIONS}")]
    Connections,
    /// The limit per destination.
    #[error("the limit per destination must be 0 (none) or between 1 and 1000000 messages a minute")]
    Limit,
    /// The stored password does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// Stores the account's relay; an account has one.
pub async fn save(ctx: &Ctx, tx: &mut Tx, keyring: &Keyring, input: RelayInput) -> Result<Relay, RelayError> {
    let host = host(&input.host)?;
    if input.port == 0 {
        return Err(RelayError::Port);
    }
    if input.security == Security::None && !is_loopback(&host) {
        return Err(RelayError::Unprotected);
    }
    if !(1..=MAX_CONNECTIONS).contains(&input.connections) {
        return Err(RelayError::Connections);
    }
    if input.per_destination_per_minute > 1_000_000 {
        return Err(RelayError::Limit);
    }
    let user_name = input.user_name.trim().to_owned();
    let before = relay::current(tx, ctx.account).await?;
    let id = before.as_ref().map_or_else(|| ctx.new_id::<kind::Relay>().uuid(), |row| row.relay_id);
    let slot = RELAY_PASSWORD.slot(&id);
    let seal = |password: &[u8]| keyring.seal(&slot, password, ctx.entropy());
    let password = match (&input.password, before.as_ref().and_then(|row| row.password.as_deref())) {
        (PasswordChange::Set(password), _) => {
            if password.len() > 500 || password.chars().any(char::is_control) {
                return Err(RelayError::LoginText);
            }
            if password.is_empty() { None } else { Some(seal(password.as_bytes())) }
        }
        // A kept password never follows to another server: whoever may change the host must not be able to read it there.
        (PasswordChange::Keep, Some(sealed))
            if before.as_ref().is_some_and(|row| row.host == host && row.security == input.security.name()) =>
        {
            // The row has one key version for all its columns.
            Some(seal(&keyring.open(&slot, sealed)?))
        }
        (PasswordChange::Keep | PasswordChange::Clear, _) => None,
    };
    if user_name.len() > 500 || user_name.chars().any(char::is_control) {
        return Err(RelayError::LoginText);
    }
    if user_name.is_empty() == password.is_some() {
        return Err(RelayError::Login);
    }
    let now = ctx.now().micros();
    let row = RelayRow {
        relay_id: id,
        host,
        port: i64::from(input.port),
        security: input.security.name().to_owned(),
        user_name,
        password,
        key_version: i64::from(keyring.version()),
        connections: i64::from(input.connections),
        per_destination_per_minute: i64::from(input.per_destination_per_minute),
        created_at: before.map_or(now, |row| row.created_at),
        updated_at: now,
    };
    relay::put(tx, ctx.account, &row).await?;
    let object = Id::<kind::Relay>::from_uuid(id).to_string();
    audit::append(ctx, tx, Event { action: "relay.save", object: &object, detail: "{}" }).await?;
    Ok(relay_from(&row)?)
}

/// The account's relay.
pub async fn find(ctx: &Ctx, tx: &mut Tx) -> Result<Option<Relay>, letterkeep_store::Error> {
    relay::current(tx, ctx.account).await?.as_ref().map(relay_from).transpose()
}

/// Removes the account's relay; `false` if there is none.
pub async fn remove(ctx: &Ctx, tx: &mut Tx) -> Result<bool, letterkeep_store::Error> {
    let Some(row) = relay::current(tx, ctx.account).await? else { return Ok(false) };
    let id = Id::<kind::Relay>::from_uuid(row.relay_id);
    let removed = relay::delete(tx, ctx.account, id).await?;
    audit::append(ctx, tx, Event { action: "relay.remove", object: &id.to_string(), detail: "{}" }).await?;
    Ok(removed)
}

/// The account's relay with its password opened; [`Outbound::equip`](crate::sender::Outbound::equip) completes it.
pub async fn open(ctx: &Ctx, tx: &mut Tx, keyring: &Keyring) -> Result<Option<(Relay, Server)>, RelayError> {
    let Some(row) = relay::current(tx, ctx.account).await? else { return Ok(None) };
    let relay = relay_from(&row)?;
    let credentials = match &row.password {
        Some(sealed) => {
            let password = keyring.open(&RELAY_PASSWORD.slot(&row.relay_id), sealed)?;
            let password = std::str::from_utf8(&password).map_err(|_| OpenError::Shape)?.to_owned();
            Some(Credentials { user_name: row.user_name, password: Zeroizing::new(password) })
        }
        None => None,
    };
    let server = Server {
        host: relay.host.clone(),
        port: relay.port,
        security: relay.security,
        credentials,
        hello: "localhost".to_owned(),
        timeouts: Timeouts::default(),
        reach: Reach::default(),
    };
    Ok(Some((relay, server)))
}

/// What a test of the connection found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// Whether the server accepted the log-in; `None` if no user name is set.
    pub logged_in: Option<bool>,
    /// Whether the server takes commands in groups; without, sending is slower.
    pub pipelining: bool,
}

/// Connects, protects the connection, logs in, and leaves. Sends no mail.
pub async fn test(mut server: Server, trust: &Trust) -> Result<TestReport, SmtpError> {
    server.timeouts = Timeouts::impatient();
    let connection = Connection::open(&server, trust).await?;
    let report = TestReport {
        encrypted: server.security != Security::None,
        logged_in: server.credentials.as_ref().map(|_| true),
        pipelining: connection.pipelines(),
    };
    connection.quit().await;
    Ok(report)
}

fn relay_from(row: &RelayRow) -> Result<Relay, letterkeep_store::Error> {
    const SHAPE: letterkeep_store::Error = letterkeep_store::Error::Shape("relay");
    Ok(Relay {
        id: Id::from_uuid(row.relay_id),
        host: row.host.clone(),
        port: u16::try_from(row.port).map_err(|_| SHAPE)?,
        security: Security::from_name(&row.security).ok_or(SHAPE)?,
        user_name: row.user_name.clone(),
        has_password: row.password.is_some(),
        connections: u16::try_from(row.connections).map_err(|_| SHAPE)?,
        per_destination_per_minute: u32::try_from(row.per_destination_per_minute).map_err(|_| SHAPE)?,
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

/// A host name (RFC 1123 §2.1) or IP address, in lower case.
fn host(text: &str) -> Result<String, RelayError> {
    let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let sound = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // All digits and dots would be a badly written address.
    let named = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    if text.len() <= 253 && named && text.split('.').all(sound) { Ok(text) } else { Err(RelayError::Host) }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        for (text, expected) in [
            ("SMTP.Example.org.", "smtp.example.org"),
            ("localhost", "localhost"),
            ("[::1]", "::1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(host(text).unwrap(), expected);
        }
        for text in ["", "a b", "a\r\nb", "1.2.3", "-a.de", "a_b.de", "mail.example.org:25", "https://x.org"] {
            assert!(host(text).is_err(), "{text:?}");
        }
    }
}
