//! Bytes in and out, with or without TLS, each wait with its end.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Parsed, Reply, ReplyError, SmtpError, Stage, Trust, parse_reply};

pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(super) struct Stream {
    socket: Socket,
    buffer: BytesMut,
}

/// Why a write ended early, and how many bytes had been handed over by then.
pub(super) struct Cut {
    pub(super) written: usize,
    pub(super) error: SmtpError,
}

impl Stream {
    pub(super) fn plain(socket: TcpStream) -> Self {
        Self { socket: Socket::Plain(socket), buffer: BytesMut::with_capacity(4096) }
    }

    /// Protects the connection. Anything that came in the clear and was not asked for ends it (RFC 3207 §5, §6).
    pub(super) async fn protect(self, host: &str, trust: &Trust, wait: Duration) -> Result<Self, SmtpError> {
        if !self.buffer.is_empty() {
            return Err(SmtpError::Injection);
        }
        let Socket::Plain(socket) = self.socket else { return Ok(self) };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| SmtpError::TlsName(host.to_owned()))?;
        let handshake = trust.connector().connect(name, socket);
        let socket = timeout(wait, handshake)
            .await
            .map_err(|_| SmtpError::Timeout(Stage::StartTls))?
            .map_err(|error| SmtpError::Tls(error.to_string()))?;
        Ok(Self { socket: Socket::Tls(Box::new(socket)), buffer: self.buffer })
    }

    /// Reads one reply.
    pub(super) async fn reply(&mut self, stage: Stage, wait: Duration) -> Result<Reply, SmtpError> {
        let read = async {
            loop {
                match parse_reply(&self.buffer).map_err(|error| SmtpError::Protocol(stage, error))? {
                    Parsed::Whole(reply, used) => {
                        self.buffer.advance(used);
                        return Ok(reply);
                    }
                    Parsed::More => {}
                }
                self.buffer.reserve(4096);
                let read = match &mut self.socket {
                    Socket::Plain(socket) => socket.read_buf(&mut self.buffer).await,
                    Socket::Tls(socket) => socket.read_buf(&mut self.buffer).await,
                };
                match read {
                    Ok(0) => return Err(SmtpError::Closed(stage)),
                    Ok(_) => {}
                    Err(error) => return Err(broken(stage, &error)),
                }
            }
        };
        timeout(wait, read).await.map_err(|_| SmtpError::Timeout(stage))?
    }

    /// Whether bytes wait that no command has asked for.
    pub(super) fn unasked(&self, stage: Stage) -> Result<(), SmtpError> {
        if self.buffer.is_empty() { Ok(()) } else { Err(SmtpError::Protocol(stage, ReplyError::Unasked)) }
    }

    /// Writes everything; if it cannot, says how much was handed over.
    pub(super) async fn write(&mut self, bytes: &[u8], stage: Stage, wait: Duration) -> Result<(), Cut> {
        let mut written = 0;
        while written < bytes.len() {
            let piece = &bytes[written..];
            let write = async {
                match &mut self.socket {
                    Socket::Plain(socket) => socket.write(piece).await,
                    Socket::Tls(socket) => socket.write(piece).await,
                }
            };
            let error = match timeout(wait, write).await {
                Ok(Ok(0)) => SmtpError::Closed(stage),
                Ok(Ok(taken)) => {
                    written += taken;
                    continue;
                }
                Ok(Err(error)) => broken(stage, &error),
                Err(_) => SmtpError::Timeout(stage),
            };
            return Err(Cut { written, error });
        }
        let flush = async {
            match &mut self.socket {
                Socket::Plain(socket) => socket.flush().await,
                Socket::Tls(socket) => socket.flush().await,
            }
        };
        match timeout(wait, flush).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Cut { written, error: broken(stage, &error) }),
            Err(_) => Err(Cut { written, error: SmtpError::Timeout(stage) }),
        }
    }
}

fn broken(stage: Stage, error: &std::io::Error) -> SmtpError {
    match error.kind() {
        // A TLS close without close_notify is a close like any other here: what counts is which reply was missing.
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => {
            SmtpError::Closed(stage)
        }
        kind => SmtpError::Broken(stage, kind),
    }
}
