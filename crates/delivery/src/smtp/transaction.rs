//! One message: MAIL, RCPT, DATA, the message; with PIPELINING in one round trip (RFC 2920 §3.1 lets a message be
//! followed by the next commands in one group).

use letterkeep_model::EmailAddress;

use super::stream::Cut;
use super::{Connection, Reply, SmtpError, Stage};

/// A message as it goes over the wire: CRLF line ends, dots doubled, the final dot at its end.
pub struct Body(Vec<u8>);

/// The message cannot go over the wire as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A CR without LF or the other way round: the seam that SMTP smuggling uses.
    #[error("the message contains a bare carriage return or line feed")]
    BareLineEnd,
    /// A line longer than 998 bytes.
    #[error("the message contains a line longer than 998 bytes")]
    LongLine,
}

impl Body {
    /// From a message with CRLF line ends.
    pub fn new(message: &[u8]) -> Result<Self, BodyError> {
        let mut wire = Vec::with_capacity(message.len() + 64);
        let mut rest = message;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let line = &rest[..end.unwrap_or(rest.len())];
            if line.len() > 998 {
                return Err(BodyError::LongLine);
            }
            if line.first() == Some(&b'.') {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
            wire.extend_from_slice(b"\r\n");
            rest = match end {
                None => &[],
                Some(end) => rest[end..].strip_prefix(b"\r\n").ok_or(BodyError::BareLineEnd)?,
            };
        }
        wire.extend_from_slice(b".\r\n");
        Ok(Self(wire))
    }

    /// How many bytes go over the wire.
    pub fn wire_len(&self) -> usize {
        self.0.len()
    }
}

/// A message with its envelope.
pub struct Mail {
    /// The envelope sender.
    pub from: EmailAddress,
    /// The one recipient.
    pub to: EmailAddress,
    /// The message.
    pub body: Body,
}

/// What became of a message.
#[derive(Debug)]
pub enum Delivered {
    /// The server answered; [`verdict`](super::verdict) says what that means.
    Answered(Stage, Reply),
    /// The connection was lost before the message can have been taken.
    LostBefore(SmtpError),
    /// The connection was lost after the last byte had left and before the answer: the server may have taken it.
    LostAfter(SmtpError),
}

impl Connection {
    /// Sends one message. If the server pipelines, the envelope of `next` goes out behind it; then the next call must
    /// be for `next`. Without [`Connection::is_usable`] afterwards the connection must be dropped.
    pub async fn deliver(&mut self, mail: &Mail, next: Option<&Mail>) -> Delivered {
        let outcome = self.attempt(mail, next).await;
        match &outcome {
            Delivered::LostBefore(_) | Delivered::LostAfter(_) => self.spent = true,
            // 421: the server is about to close (RFC 5321 §3.8).
            Delivered::Answered(_, reply) if reply.code == 421 => self.spent = true,
            Delivered::Answered(..) => {}
        }
        outcome
    }

    async fn attempt(&mut self, mail: &Mail, next: Option<&Mail>) -> Delivered {
        match self.envelope(mail).await {
            Ok(None) => {}
            Ok(Some((stage, reply))) => return Delivered::Answered(stage, reply),
            Err(error) => return Delivered::LostBefore(error),
        }
        let body = &mail.body.0;
        let group = match next.filter(|_| self.pipelining) {
            Some(next) => {
                let mut group = Vec::with_capacity(body.len() + 600);
                group.extend_from_slice(body);
                group.extend_from_slice(commands(next).concat().as_bytes());
                std::borrow::Cow::Owned(group)
            }
            None => std::borrow::Cow::Borrowed(body.as_slice()),
        };
        if let Err(Cut { written, error }) = self.stream.write(&group, Stage::Message, self.timeouts.command).await {
            // From the final dot on the server may have seen the end of the message.
            return if written + 3 > body.len() { Delivered::LostAfter(error) } else { Delivered::LostBefore(error) };
        }
        self.primed = matches!(group, std::borrow::Cow::Owned(_));
        match self.stream.reply(Stage::Message, self.timeouts.message).await {
            Ok(reply) => Delivered::Answered(Stage::Message, reply),
            Err(error) => Delivered::LostAfter(error),
        }
    }

    /// Makes the server ready for the message, or yields its refusal.
    async fn envelope(&mut self, mail: &Mail) -> Result<Option<(Stage, Reply)>, SmtpError> {
        const STAGES: [Stage; 3] = [Stage::Sender, Stage::Recipient, Stage::Data];
        let wait = self.timeouts.command;
        if !self.primed {
            // Nothing may be left of an earlier dialogue: an old reply would be taken for a new one.
            self.stream.unasked(Stage::Sender)?;
            if std::mem::take(&mut self.unclean) {
                self.stream.write(b"RSET\r\n", Stage::End, wait).await.map_err(|cut| cut.error)?;
                let reply = self.stream.reply(Stage::End, wait).await?;
                if !reply.is_positive() {
                    return Err(SmtpError::Refused { stage: Stage::End, reply });
                }
            }
            if self.pipelining {
                let group = commands(mail).concat();
                self.stream.write(group.as_bytes(), Stage::Sender, wait).await.map_err(|cut| cut.error)?;
            }
        }
        self.primed = false;
        let mut refused = None;
        for (stage, command) in STAGES.into_iter().zip(commands(mail)) {
            if !self.pipelining {
                self.stream.write(command.as_bytes(), stage, wait).await.map_err(|cut| cut.error)?;
            }
            let reply = match self.stream.reply(stage, wait).await {
                Ok(reply) => reply,
                // The first refusal says more than the end of the connection after it.
                Err(error) => match refused {
                    Some(refused) => {
                        self.spent = true;
                        return Ok(Some(refused));
                    }
                    None => return Err(error),
                },
            };
            let ready = if stage == Stage::Data { reply.code == 354 } else { reply.is_positive() };
            match (&refused, ready) {
                (None, false) => {
                    self.unclean = true;
                    refused = Some((stage, reply));
                    if !self.pipelining {
                        break;
                    }
                }
                // The server waits for a message that has no recipient: end it at once (RFC 2920 §3.1).
                (Some(_), true) if stage == Stage::Data => {
                    self.stream.write(b".\r\n", Stage::Data, wait).await.map_err(|cut| cut.error)?;
                    self.stream.reply(Stage::Data, wait).await?;
                }
                (Some(_), _) | (None, true) => {}
            }
        }
        Ok(refused)
    }
}

/// MAIL, RCPT and DATA. An [`EmailAddress`] has neither control characters nor angle brackets.
fn commands(mail: &Mail) -> [String; 3] {
    [format!("MAIL FROM:<{}>\r\n", mail.from), format!("RCPT TO:<{}>\r\n", mail.to), "DATA\r\n".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_and_bare_line_ends_refused() {
        let wire = |text: &str| Body::new(text.as_bytes()).map(|body| String::from_utf8(body.0).unwrap());
        assert_eq!(wire("a\r\n.b\r\n..\r\n").unwrap(), "a\r\n..b\r\n...\r\n.\r\n");
        assert_eq!(wire("no end").unwrap(), "no end\r\n.\r\n");
        assert_eq!(wire("").unwrap(), ".\r\n");
        for text in ["a\nb\r\n", "a\rb\r\n", "a\n.\r\n", "a\r\n.\n", "a\r\r\n"] {
            assert_eq!(wire(text), Err(BodyError::BareLineEnd), "{text:?}");
        }
        assert_eq!(wire(&"x".repeat(999)), Err(BodyError::LongLine));
    }
}
