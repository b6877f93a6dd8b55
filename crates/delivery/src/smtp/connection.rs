//! Connecting, protecting, logging in.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::stream::Stream;
use super::{Credentials, Reply, Security, Server, SmtpError, Stage, Timeouts, Trust};

/// A connection that has been greeted, protected and logged in.
pub struct Connection {
    pub(super) stream: Stream,
    pub(super) timeouts: Timeouts,
    pub(super) pipelining: bool,
    /// MAIL, RCPT and DATA of the next message have been written already.
    pub(super) primed: bool,
    /// A transaction was left open; RSET comes first.
    pub(super) unclean: bool,
    /// The server has said 421 or the dialogue is out of step.
    pub(super) spent: bool,
}

/// What the server said it can do.
#[derive(Default)]
struct Extensions {
    starttls: bool,
    pipelining: bool,
    plain: bool,
    login: bool,
}

impl Extensions {
    fn read(reply: &Reply) -> Self {
        let mut found = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split([' ', '=']);
            match words.next() {
                Some("STARTTLS") => found.starttls = true,
                Some("PIPELINING") => found.pipelining = true,
                Some("AUTH") => {
                    for word in words {
                        found.plain |= word == "PLAIN";
                        found.login |= word == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        found
    }
}

impl Connection {
    /// Connects and logs in.
    pub async fn open(server: &Server, trust: &Trust) -> Result<Self, SmtpError> {
        let stream = match server.security {
            Security::ImplicitTls => {
                let mut stream = dial(server).await?.protect(&server.host, trust, server.timeouts.connect).await?;
                greet(&mut stream, server).await?;
                stream
            }
            Security::StartTls => {
                let mut stream = dial(server).await?;
                greet(&mut stream, server).await?;
                if !hello(&mut stream, server).await?.starttls {
                    return Err(SmtpError::NoStartTls);
                }
                expect(&mut stream, b"STARTTLS\r\n", Stage::StartTls, 2, server.timeouts.command).await?;
                stream.protect(&server.host, trust, server.timeouts.connect).await?
            }
            Security::None => {
                let mut stream = dial(server).await?;
                greet(&mut stream, server).await?;
                stream
            }
        };
        let mut stream = stream;
        // What was offered in the clear is forgotten (RFC 3207 §4.2).
        let extensions = hello(&mut stream, server).await?;
        if let Some(credentials) = &server.credentials {
            log_in(&mut stream, &extensions, credentials, server.timeouts.command).await?;
        }
        stream.unasked(Stage::Hello)?;
        Ok(Self {
            stream,
            timeouts: server.timeouts,
            pipelining: extensions.pipelining,
            primed: false,
            unclean: false,
            spent: false,
        })
    }

    /// Whether the server takes commands in groups.
    pub fn pipelines(&self) -> bool {
        self.pipelining
    }

    /// Whether it can carry another message.
    pub fn is_usable(&self) -> bool {
        !self.spent
    }

    /// Says goodbye; whether the server answers does not matter any more.
    pub async fn quit(mut self) {
        // QUIT inside a primed transaction would be read as the message.
        if !self.primed && self.stream.write(b"QUIT\r\n", Stage::End, Duration::from_secs(5)).await.is_ok() {
            let _ = self.stream.reply(Stage::End, Duration::from_secs(5)).await;
        }
    }
}

async fn dial(server: &Server) -> Result<Stream, SmtpError> {
    let addresses = timeout(server.timeouts.connect, tokio::net::lookup_host((server.host.as_str(), server.port)))
        .await
        .map_err(|_| SmtpError::Resolve(server.host.clone()))?
        .map_err(|_| SmtpError::Resolve(server.host.clone()))?;
    let mut failure = SmtpError::Resolve(server.host.clone());
    for address in addresses.take(8) {
        // Judged is the very address that is dialled: what a name led to a moment ago says nothing.
        if !server.reach.permits(address.ip()) {
            failure = SmtpError::OutOfReach(server.host.clone());
            continue;
        }
        // A name that stands for this machine must not lead an unprotected connection elsewhere.
        if server.security == Security::None && !address.ip().to_canonical().is_loopback() {
            failure = SmtpError::Tls("an unprotected connection leads to another machine".to_owned());
            continue;
        }
        let reason = match timeout(server.timeouts.connect, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                // Without it Nagle's algorithm and delayed acknowledgements cost 40 ms a message.
                let _ = socket.set_nodelay(true);
                return Ok(Stream::plain(socket));
            }
            Ok(Err(error)) => error.kind(),
            Err(_) => std::io::ErrorKind::TimedOut,
        };
        failure = SmtpError::Connect { host: server.host.clone(), port: server.port, reason };
    }
    Err(failure)
}

async fn greet(stream: &mut Stream, server: &Server) -> Result<(), SmtpError> {
    let reply = stream.reply(Stage::Greeting, server.timeouts.command).await?;
    if reply.is_positive() { Ok(()) } else { Err(SmtpError::Refused { stage: Stage::Greeting, reply }) }
}

async fn hello(stream: &mut Stream, server: &Server) -> Result<Extensions, SmtpError> {
    let line = format!("EHLO {}\r\n", hello_name(&server.hello));
    let reply = expect(stream, line.as_bytes(), Stage::Hello, 2, server.timeouts.command).await?;
    Ok(Extensions::read(&reply))
}

/// The name in EHLO comes from the configuration: whatever is no host name is left out.
fn hello_name(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':'))
        .take(255)
        .collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Writes a command and wants a reply of a class.
async fn expect(
    stream: &mut Stream,
    command: &[u8],
    stage: Stage,
    class: u16,
    wait: Duration,
) -> Result<Reply, SmtpError> {
    stream.write(command, stage, wait).await.map_err(|cut| cut.error)?;
    let reply = stream.reply(stage, wait).await?;
    if reply.code / 100 == class { Ok(reply) } else { Err(SmtpError::Refused { stage, reply }) }
}

async fn log_in(
    stream: &mut Stream,
    extensions: &Extensions,
    credentials: &Credentials,
    wait: Duration,
) -> Result<(), SmtpError> {
    let Credentials { user_name, password } = credentials;
    let line = |text: &str| Zeroizing::new(format!("{}\r\n", *Zeroizing::new(STANDARD.encode(text))));
    if extensions.plain {
        let secret = Zeroizing::new(format!("\0{user_name}\0{}", **password));
        let command = Zeroizing::new(format!("AUTH PLAIN {}", *line(&secret)));
        expect(stream, command.as_bytes(), Stage::Auth, 2, wait).await?;
    } else if extensions.login {
        expect(stream, b"AUTH LOGIN\r\n", Stage::Auth, 3, wait).await?;
        expect(stream, line(user_name).as_bytes(), Stage::Auth, 3, wait).await?;
        expect(stream, line(password).as_bytes(), Stage::Auth, 2, wait).await?;
    } else {
        return Err(SmtpError::NoAuth);
    }
    Ok(())
}
