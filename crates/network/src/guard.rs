//! What stands between TLS and hyper on an HTTP/1 connection: it reads every request strictly before hyper sees a byte
//! of it, hands over one request at a time, and ends what is too slow.
//!
//! The next head is handed over only when the answer to the one before has left hyper. So what belongs to a request is
//! one slot, not a queue that could get out of step, and a refusal of our own never runs into an answer of hyper's.

mod turn;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::head::{HeadLimits, Refusal, Requests, Step};
pub(crate) use turn::Turn;

/// For the client to read the last answer: closing with unread bytes in the socket would reset the connection and take
/// the answer away.
const LINGER: Duration = Duration::from_secs(2);

/// Read and thrown away meanwhile, in bytes.
const LINGER_BYTES: usize = 1024 * 1024;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Between two requests.
    pub(crate) idle: Duration,
    /// For a head, from its first byte.
    pub(crate) head: Duration,
    /// For a body to be slower than its rate, or to stand still.
    pub(crate) body_grace: Duration,
    /// Bytes of a body in a second.
    pub(crate) body_rate: u32,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Request,
    Head,
    Body,
    Linger,
}

/// The orderly end of a connection.
struct End {
    /// What is still to be written, from here.
    answer: Vec<u8>,
    written: usize,
    is_shut: bool,
    drained: usize,
    /// What hyper is told then; nothing is the end of the stream.
    error: Option<io::ErrorKind>,
}

/// A connection whose requests are read strictly.
pub(crate) struct Guarded<IO> {
    io: IO,
    requests: Requests,
    turn: Turn,
    times: Times,
    /// A head that was accepted and that hyper has not taken yet, from there.
    head: Vec<u8>,
    handed: usize,
    /// Whether every answer so far has left hyper.
    quiet: bool,
    /// What is waited for, and until when.
    wait: Option<(Wait, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
    /// For how long the body may still keep us waiting.
    patience: Duration,
    end: Option<End>,
}

impl<IO> Guarded<IO>
where
    IO: AsyncBufRead + AsyncWrite + Unpin,
{
    /// Guards `io`; what `turn` has to say goes to the service.
    pub(crate) fn new(io: IO, limits: HeadLimits, times: Times, turn: Turn) -> Self {
        Self {
            io,
            requests: Requests::new(limits),
            turn,
            times,
            head: Vec::new(),
            handed: 0,
            quiet: true,
            wait: None,
            timer: None,
            patience: Duration::ZERO,
            end: None,
        }
    }

    /// Waits until `wait` has taken too long.
    fn poll_late(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<()> {
        let deadline = match self.wait {
            Some((same, deadline)) if same == wait => deadline,
            _ => {
                let time = match wait {
                    Wait::Request => self.times.idle,
                    Wait::Head => self.times.head,
                    Wait::Body => self.patience,
                    Wait::Linger => LINGER,
                };
                let deadline = Instant::now() + time;
                self.wait = Some((wait, deadline));
                deadline
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }

    /// So many bytes of a body have come.
    fn count_body(&mut self, bytes: usize) {
        if let Some((Wait::Body, deadline)) = self.wait.take() {
            self.patience = deadline.saturating_duration_since(Instant::now());
        }
        let earned = Duration::from_secs_f64(bytes as f64 / f64::from(self.times.body_rate.max(1)));
        self.patience = self.times.body_grace.min(self.patience + earned);
    }

    /// Ends the connection with an answer of our own, unless the service has begun one.
    fn refuse(&mut self, refusal: Refusal) {
        tracing::debug!(status = refusal.status().as_u16(), reason = %refusal, "a request was refused");
        let in_body = self.requests.is_in_body();
        let answer = if in_body && self.turn.is_answered() { Vec::new() } else { refusal.answer() };
        let kind = if refusal == Refusal::TooSlow { io::ErrorKind::TimedOut } else { io::ErrorKind::InvalidData };
        self.end = Some(End { answer, written: 0, is_shut: false, drained: 0, error: in_body.then_some(kind) });
    }

    /// Writes what is left of the end, then reads until the client closes too, but neither long nor much.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(end) = &mut self.end else { return Poll::Ready(Ok(())) };
        let error = end.error;
        while !end.is_shut {
            let rest = &end.answer[end.written..];
            let step = if rest.is_empty() {
                Pin::new(&mut self.io).poll_shutdown(cx).map_ok(|()| end.is_shut = true)
            } else {
                Pin::new(&mut self.io).poll_write(cx, rest).map_ok(|written| end.written += written)
            };
            ready!(step)?;
        }
        while end.drained < LINGER_BYTES {
            match Pin::new(&mut self.io).poll_fill_buf(cx) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => {
                    let length = bytes.len();
                    end.drained += length;
                    Pin::new(&mut self.io).consume(length);
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(self.poll_late(cx, Wait::Linger));
                    break;
                }
            }
        }
        Poll::Ready(error.map_or(Ok(()), |error| Err(error.into())))
    }

    /// Before the answer to the request before has left: only the client's leaving is of interest.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.turn.wake_later(cx.waker());
        match ready!(Pin::new(&mut self.io).poll_fill_buf(cx)) {
            Ok([]) => Poll::Ready(Ok(())),
            Ok(_) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<IO> AsyncRead for Guarded<IO>
where
    IO: AsyncBufRead + AsyncWrite + Unpin,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.end.is_some() {
                return this.poll_end(cx);
            }
            if this.handed < this.head.len() {
                let piece = &this.head[this.handed..];
                let length = piece.len().min(buf.remaining());
                buf.put_slice(&piece[..length]);
                this.handed += length;
                if this.handed == this.head.len() {
                    // An idle connection shall not keep it.
                    (this.head, this.handed) = (Vec::new(), 0);
                }
                return Poll::Ready(Ok(()));
            }
            if this.turn.is_raw() {
                return Pin::new(&mut this.io).poll_read(cx, buf);
            }
            if this.requests.is_between() && !this.quiet {
                return this.poll_gone(cx);
            }
            let in_body = this.requests.is_in_body();
            let bytes = match Pin::new(&mut this.io).poll_fill_buf(cx)? {
                Poll::Ready(bytes) => bytes,
                Poll::Pending => {
                    let wait = match () {
                        () if in_body => Wait::Body,
                        () if this.requests.is_between() => Wait::Request,
                        () => Wait::Head,
                    };
                    ready!(this.poll_late(cx, wait));
                    if wait == Wait::Request {
                        return Poll::Ready(Ok(()));
                    }
                    this.refuse(Refusal::TooSlow);
                    continue;
                }
            };
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let bytes = if in_body { &bytes[..bytes.len().min(buf.remaining())] } else { bytes };
            let (taken, step) = match this.requests.read(bytes) {
                Ok(read) => read,
                Err(refusal) => {
                    this.refuse(refusal);
                    continue;
                }
            };
            match step {
                Step::More => {
                    Pin::new(&mut this.io).consume(taken);
                    if !matches!(this.wait, Some((Wait::Head, _))) {
                        // The time runs from the first byte.
                        this.wait = Some((Wait::Head, Instant::now() + this.times.head));
                    }
                }
                Step::Head(head) => {
                    Pin::new(&mut this.io).consume(taken);
                    this.turn.begin(head.raw, head.upgrade);
                    this.head = head.wire;
                    (this.quiet, this.wait, this.patience) = (false, None, this.times.body_grace);
                }
                Step::Content | Step::Framing => {
                    buf.put_slice(&bytes[..taken]);
                    Pin::new(&mut this.io).consume(taken);
                    this.count_body(taken);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<IO> AsyncWrite for Guarded<IO>
where
    IO: AsyncBufRead + AsyncWrite + Unpin,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut this.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.end.is_some() {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        // hyper flushes what is below it only after it has written all it has.
        if !this.quiet && !this.turn.is_open() {
            this.quiet = true;
            this.turn.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turn.is_raw() {
            return Pin::new(&mut this.io).poll_shutdown(cx);
        }
        if this.end.is_none() {
            this.end = Some(End { answer: Vec::new(), written: 0, is_shut: false, drained: 0, error: None });
        }
        // What was to be said of a refusal, the reading side has said.
        this.poll_end(cx).map(|_| Ok(()))
    }
}
