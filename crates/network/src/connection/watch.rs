//! Streams of one HTTP/2 connection: whether there are any, and whether the client fetches their answers. HTTP/2 has
//! windows of its own, so a client can leave an answer lying although the socket is free.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Buf, Bytes, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

struct State {
    next: u64,
    /// Since when a piece of the stream's answer waits to be fetched, if one does.
    streams: HashMap<u64, Option<Instant>>,
    /// Since when there is no stream.
    idle_since: Instant,
}

/// The streams of one connection.
pub(super) struct Watch(Mutex<State>);

impl Default for Watch {
    fn default() -> Self {
        Self(Mutex::new(State { next: 0, streams: HashMap::new(), idle_since: Instant::now() }))
    }
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins.
    pub(super) fn open(self: &Arc<Self>) -> Stream {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.streams.insert(id, None);
        Stream { watch: self.clone(), id }
    }

    /// Ends when there has been no stream for that long.
    pub(super) async fn idle(&self, time: Duration) {
        let since = || {
            let state = self.state();
            if state.streams.is_empty() { state.idle_since } else { Instant::now() }
        };
        until_past(since, time).await;
    }

    /// Ends when a piece of an answer has not been fetched for that long.
    pub(super) async fn stalled(&self, time: Duration) {
        let since = || self.state().streams.values().flatten().min().copied().unwrap_or_else(Instant::now);
        until_past(since, time).await;
    }
}

/// Ends when what `since` says is `time` ago.
async fn until_past(since: impl Fn() -> Instant, time: Duration) {
    loop {
        let deadline = since() + time;
        if deadline <= Instant::now() {
            return;
        }
        sleep_until(deadline).await;
    }
}

/// A stream that is being answered, until this is dropped.
pub(super) struct Stream {
    watch: Arc<Watch>,
    id: u64,
}

impl Stream {
    fn wait(&self, since: Option<Instant>) {
        self.watch.state().streams.insert(self.id, since);
    }

    pub(super) fn watch<B: Body>(self, body: B) -> Watched<B> {
        Watched { body, rest: None, stream: self }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        state.streams.remove(&self.id);
        state.idle_since = Instant::now();
    }
}

/// The size of the pieces in which an answer is handed over, in bytes: a large one is otherwise handed over whole, and
/// nothing would tell whether it is fetched.
const PIECE: usize = 16 * 1024;

pin_project_lite::pin_project! {
    /// The body of an answer. Who asks for the next piece has got rid of the one before.
    pub(super) struct Watched<B: Body> {
        #[pin]
        body: B,
        rest: Option<B::Data>,
        stream: Stream,
    }
}

impl<B: Body> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        if this.rest.is_none() {
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => {
                    this.stream.wait(None);
                    return other.map_ok(|frame| frame.map_data(|_| Bytes::new()));
                }
            };
            match frame.into_data() {
                Ok(data) => *this.rest = Some(data),
                Err(frame) => {
                    this.stream.wait(None);
                    return Poll::Ready(Some(Ok(frame.map_data(|_| Bytes::new()))));
                }
            }
        }
        let Some(data) = this.rest.as_mut() else { return Poll::Ready(None) };
        let piece = data.copy_to_bytes(data.remaining().min(PIECE));
        if !data.has_remaining() {
            *this.rest = None;
        }
        this.stream.wait(Some(Instant::now()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or(0, Buf::remaining) as u64;
        let (inner, mut hint) = (self.body.size_hint(), SizeHint::new());
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(inner.lower() + rest);
        hint
    }
}
