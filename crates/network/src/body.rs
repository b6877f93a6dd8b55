//! Bodies of requests as the service behind the edge gets them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use crate::inspection::Inspection;

/// A body that was looked at: complete, or piece by piece.
pub struct EdgeBody(Kind);

enum Kind {
    /// With the room that it takes in the edge's memory.
    Whole {
        bytes: Option<Bytes>,
        _room: Option<OwnedSemaphorePermit>,
    },
    Streamed(Streamed),
}

/// A body is not handed on, or not further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefused {
    /// By the firewall.
    #[error("the body was refused")]
    Refused,
    /// It has more bytes than the route takes.
    #[error("the body is too large")]
    TooLarge,
    /// Too many bodies are kept at this moment.
    #[error("there is no room for the body now")]
    NoRoom,
    /// The client went away, or sent what is no body.
    #[error("the body did not arrive")]
    Broken,
}

/// What became of a body that is handed on piece by piece, for the edge that waits for the answer.
#[derive(Clone, Default)]
pub(crate) struct Fate(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    inspection: Option<Inspection>,
    refused: Option<StatusCode>,
}

impl Fate {
    pub(crate) fn of(inspection: Option<Inspection>) -> Self {
        Self(Arc::new(Mutex::new(Inner { inspection, refused: None })))
    }

    /// The answer that the client must get instead of the service's.
    pub(crate) fn refused(&self) -> Option<StatusCode> {
        self.lock().refused
    }

    /// The inspection, when the body is at its end or nobody reads it further.
    pub(crate) fn take(&self) -> Option<Inspection> {
        self.lock().inspection.take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, status: StatusCode, why: BodyRefused) -> BodyRefused {
        self.lock().refused = Some(status);
        why
    }
}

/// Hands on every piece but the last, which waits for the verdict: whoever reads to the end knows that the whole body
/// was looked at, and a refused one never ends.
struct Streamed {
    incoming: Incoming,
    held: Option<Bytes>,
    left: u64,
    fate: Fate,
    ended: bool,
}

impl EdgeBody {
    /// A complete body. `room` is free again when the service has done with it.
    pub(crate) fn whole(bytes: Bytes, room: Option<OwnedSemaphorePermit>) -> Self {
        Self(Kind::Whole { bytes: (!bytes.is_empty()).then_some(bytes), _room: room })
    }

    /// A body of at most `limit` bytes that is looked at while it arrives.
    pub(crate) fn streamed(incoming: Incoming, limit: u64, fate: Fate) -> Self {
        Self(Kind::Streamed(Streamed { incoming, held: None, left: limit, fate, ended: false }))
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = BodyRefused;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyRefused>>> {
        match &mut self.get_mut().0 {
            Kind::Whole { bytes, .. } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Streamed(streamed) => streamed.poll(context).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole { bytes, .. } => bytes.is_none(),
            Kind::Streamed(streamed) => streamed.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole { bytes, .. } => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            // What is left of it plus the piece that is held: known if the client has told the length.
            Kind::Streamed(streamed) => {
                let held = streamed.held.as_ref().map_or(0, |held| held.len() as u64);
                let inner = streamed.incoming.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(inner.lower() + held);
                if let Some(upper) = inner.upper() {
                    hint.set_upper(upper + held);
                }
                hint
            }
        }
    }
}

impl Streamed {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyRefused>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            let piece = match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(self.end()),
                Poll::Ready(Some(Err(_))) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(BodyRefused::Broken)));
                }
                // Trailers are not handed on: nobody has looked at them.
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) if piece.is_empty() => continue,
                    Ok(piece) => piece,
                    Err(_) => continue,
                },
            };
            if piece.len() as u64 > self.left {
                self.ended = true;
                let refused = self.fate.refuse(StatusCode::PAYLOAD_TOO_LARGE, BodyRefused::TooLarge);
                return Poll::Ready(Some(Err(refused)));
            }
            self.left -= piece.len() as u64;
            let verdict = self.fate.lock().inspection.as_mut().and_then(|inspection| inspection.body(&piece));
            if let Some(interruption) = verdict {
                return Poll::Ready(Some(Err(self.refuse(interruption.status))));
            }
            if let Some(held) = self.held.replace(piece) {
                return Poll::Ready(Some(Ok(held)));
            }
        }
    }

    fn end(&mut self) -> Option<Result<Bytes, BodyRefused>> {
        self.ended = true;
        let verdict = self.fate.lock().inspection.as_mut().and_then(Inspection::end_body);
        match verdict {
            Some(interruption) => Some(Err(self.refuse(interruption.status))),
            None => self.held.take().map(Ok),
        }
    }

    fn refuse(&mut self, status: u16) -> BodyRefused {
        self.ended = true;
        self.fate.refuse(StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN), BodyRefused::Refused)
    }
}
