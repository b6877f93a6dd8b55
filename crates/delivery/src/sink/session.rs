//! One client of the sink.

use std::io::{Error, ErrorKind, Result};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Behaviour, Reaction, SinkTls, Taken};

/// The longest command line (RFC 5321 §4.5.3.1.4 demands 512; AUTH needs more).
const LINE: usize = 4096;
/// Recipients of one message.
const RECIPIENTS: usize = 100;

trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

struct Client {
    socket: Box<dyn Transport>,
    input: BytesMut,
    output: Vec<u8>,
}

impl Client {
    /// Adds a line to what is said when the client is listened to next: replies to a group leave in one packet.
    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> Result<()> {
        if !self.output.is_empty() {
            self.socket.write_all(&self.output).await?;
            self.socket.flush().await?;
            self.output.clear();
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        self.flush().await?;
        self.input.reserve(16 * 1024);
        if self.socket.read_buf(&mut self.input).await? == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// One command without its line end.
    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.input.iter().take(LINE).position(|byte| *byte == b'\n') {
                let line = self.input.split_to(end + 1);
                return Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
            if self.input.len() >= LINE {
                self.say("500 5.5.6 the line is too long");
                self.flush().await?;
                return Err(Error::from(ErrorKind::InvalidData));
            }
            self.fill().await?;
        }
    }

    /// The message up to its final dot, or `None` if it is larger than `limit`.
    async fn message(&mut self, limit: usize) -> Result<Option<Vec<u8>>> {
        let mut message = Vec::with_capacity(8192);
        let mut fits = true;
        let mut start = true;
        loop {
            // Line by line, as far as whole lines have come in.
            while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line = &self.input[..=end];
                if start && line == b".\r\n" {
                    self.input.advance(end + 1);
                    return Ok(fits.then_some(message));
                }
                let content = if start { line.strip_prefix(b".").unwrap_or(line) } else { line };
                fits &= message.len() + content.len() <= limit;
                if fits {
                    message.extend_from_slice(content);
                }
                // Only CRLF ends a line: a bare line feed must not make a dot the end (SMTP smuggling).
                start = line.ends_with(b"\r\n");
                self.input.advance(end + 1);
            }
            if self.input.len() > 64 * 1024 {
                return Err(ErrorKind::InvalidData.into());
            }
            self.fill().await?;
        }
    }
}

pub(super) async fn session(socket: TcpStream, behaviour: &Behaviour) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut encrypted = false;
    let mut logged_in = false;
    let mut socket: Box<dyn Transport> = Box::new(socket);
    if let Some((SinkTls::Implicit, config)) = &behaviour.tls {
        socket = Box::new(TlsAcceptor::from(config.clone()).accept(socket).await?);
        encrypted = true;
    }
    let mut client = Client { socket, input: BytesMut::new(), output: Vec::new() };
    client.say("220 sink.localhost ESMTP");
    let mut sender: Option<String> = None;
    let mut recipients: Vec<(String, Reaction)> = Vec::new();
    loop {
        let line = client.line().await?;
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => {
                client.say("250-sink.localhost");
                if behaviour.pipelining {
                    client.say("250-PIPELINING");
                }
                if !encrypted && behaviour.tls.is_some() {
                    client.say("250-STARTTLS");
                }
                if behaviour.login.is_some() {
                    client.say("250-AUTH PLAIN LOGIN");
                }
                client.say("250 ENHANCEDSTATUSCODES");
            }
            "STARTTLS" if !encrypted => {
                let Some((SinkTls::StartTls, config)) = &behaviour.tls else {
                    client.say("502 5.5.1 no TLS here");
                    continue;
                };
                if !client.input.is_empty() {
                    // Commands behind STARTTLS came in the clear (RFC 3207 §4.2).
                    return Err(ErrorKind::InvalidData.into());
                }
                client.say("220 2.0.0 go ahead");
                client.flush().await?;
                let plain = client.socket;
                let socket = Box::new(TlsAcceptor::from(config.clone()).accept(plain).await?);
                client = Client { socket, input: BytesMut::new(), output: Vec::new() };
                encrypted = true;
            }
            "AUTH" => logged_in = log_in(&mut client, rest, behaviour).await?,
            "MAIL" if behaviour.login.is_some() && !logged_in => client.say("530 5.7.0 log in first"),
            "MAIL" => match address(rest, "FROM:") {
                Some(_) if sender.is_some() => client.say("503 5.5.1 one MAIL at a time"),
                Some(address) => {
                    if let Reaction::AnswerSender(answer) = (behaviour.react_to_sender)(&address) {
                        client.say(&answer);
                    } else {
                        sender = Some(address);
                        client.say("250 2.1.0 ok");
                    }
                }
                None => client.say("501 5.1.7 no such sender"),
            },
            "RCPT" if sender.is_none() => client.say("503 5.5.1 MAIL first"),
            "RCPT" if recipients.len() >= RECIPIENTS => client.say("452 4.5.3 too many recipients"),
            "RCPT" => match address(rest, "TO:") {
                Some(address) => match (behaviour.react)(&address) {
                    Reaction::AnswerRecipient(answer) => client.say(&answer),
                    // What was answered before still counts.
                    Reaction::CloseAtRecipient => return client.flush().await,
                    reaction => {
                        recipients.push((address, reaction));
                        client.say("250 2.1.5 ok");
                    }
                },
                None => client.say("501 5.1.3 no such recipient"),
            },
            "DATA" => {
                if recipients.is_empty() {
                    client.say("554 5.5.1 no valid recipients");
                    continue;
                }
                client.say("354 end with a dot");
                if recipients.iter().any(|(_, reaction)| *reaction == Reaction::CloseInMessage) {
                    client.flush().await?;
                    client.fill().await?;
                    return Ok(());
                }
                let message = client.message(behaviour.max_message).await?;
                let from = sender.take().unwrap_or_default();
                let to = std::mem::take(&mut recipients);
                let Some(message) = message else {
                    client.say("552 5.3.4 the message is too large");
                    continue;
                };
                let answer = to.iter().find_map(|(_, reaction)| match reaction {
                    Reaction::AnswerMessage(answer) => Some(answer.clone()),
                    _ => None,
                });
                if let Some(answer) = answer {
                    client.say(&answer);
                    continue;
                }
                let close = to.iter().any(|(_, reaction)| *reaction == Reaction::CloseAfterMessage);
                let to = to.into_iter().map(|(address, _)| address).collect();
                (behaviour.take)(Taken { from, to, message, encrypted, logged_in });
                if close {
                    return Ok(());
                }
                client.say("250 2.0.0 taken");
            }
            "RSET" => {
                sender = None;
                recipients.clear();
                client.say("250 2.0.0 ok");
            }
            "NOOP" => client.say("250 2.0.0 ok"),
            "QUIT" => {
                client.say("221 2.0.0 bye");
                return client.flush().await;
            }
            _ => client.say("502 5.5.1 unknown command"),
        }
    }
}

async fn log_in(client: &mut Client, rest: &str, behaviour: &Behaviour) -> Result<bool> {
    let Some((user, password)) = &behaviour.login else {
        client.say("502 5.5.1 no log-in here");
        return Ok(false);
    };
    let decode = |text: &str| STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let right = match rest.split_once(' ') {
        Some((mechanism, initial)) if mechanism.eq_ignore_ascii_case("PLAIN") => {
            decode(initial).is_some_and(|text| text == format!("\0{user}\0{password}"))
        }
        None if rest.eq_ignore_ascii_case("LOGIN") => {
            client.say("334 VXNlcm5hbWU6");
            let name = decode(&client.line().await?);
            client.say("334 UGFzc3dvcmQ6");
            let word = decode(&client.line().await?);
            name.as_deref() == Some(user) && word.as_deref() == Some(password)
        }
        _ => false,
    };
    client.say(if right { "235 2.7.0 welcome" } else { "535 5.7.8 user name or password is wrong" });
    Ok(right)
}

/// The address between angle brackets after `FROM:` or `TO:`.
fn address(rest: &str, keyword: &str) -> Option<String> {
    let start = rest.get(..keyword.len()).filter(|start| start.eq_ignore_ascii_case(keyword))?;
    let rest = rest[start.len()..].trim_start().strip_prefix('<')?;
    let (address, _) = rest.split_once('>')?;
    (address.len() <= 320 && address.is_ascii()).then(|| address.to_owned())
}
