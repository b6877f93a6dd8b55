//! Bodies that go through, piece by piece, and what is noticed when they stand still.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;

use crate::body::{BodyRefused, EdgeBody};

/// When a request has moved last: a large upload must not be too late while it goes on.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Progress {
    fn moved(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// How much of `time` is left.
    fn left(&self, now: Instant, time: Duration) -> Duration {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (last + time).saturating_duration_since(now)
    }

    /// The outcome of `future`; none if `time` passes in which nothing moves.
    pub(super) async fn wait<T>(&self, future: impl Future<Output = T>, time: Duration) -> Option<T> {
        self.moved(Instant::now());
        let late = async {
            while let left = self.left(Instant::now(), time)
                && !left.is_zero()
            {
                sleep(left).await;
            }
        };
        tokio::select! {
            done = future => Some(done),
            () = late => None,
        }
    }
}

/// The body of a request on its way to an upstream.
#[derive(Default)]
pub(super) struct Sending(Option<(EdgeBody, Progress)>);

impl Sending {
    pub(super) fn new(body: EdgeBody, progress: Progress) -> Self {
        Self(Some((body, progress)))
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BodyRefused;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyRefused>>> {
        let Some((body, progress)) = &mut self.get_mut().0 else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if polled.is_ready() {
            progress.moved(Instant::now());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |(body, _)| body.size_hint())
    }
}

/// The body of an answer on its way to the client.
pub(super) struct Answering {
    body: Incoming,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// An answer stood still for too long.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's answer does not go on")]
struct StoodStill;

impl Answering {
    pub(super) fn new(body: Incoming, idle: Duration) -> Self {
        Self { body, idle, timer: None }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let idle = this.idle;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
        timer.as_mut().poll(context).map(|()| Some(Err(StoodStill.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_moves_is_not_late() {
        let (progress, time) = (Progress::default(), Duration::from_mins(1));
        let began = Instant::now();
        let later = |seconds| began + Duration::from_secs(seconds);
        progress.moved(began);
        assert_eq!(progress.left(later(50), time), Duration::from_secs(10));
        progress.moved(later(50));
        assert_eq!(progress.left(later(100), time), Duration::from_secs(10));
        assert!(progress.left(later(110), time).is_zero());
        assert_eq!(progress.wait(async { 7 }, time).await, Some(7));
        assert_eq!(progress.wait(std::future::pending::<()>(), Duration::from_millis(1)).await, None);
    }
}
