//! What the guard of a connection and the service behind hyper tell each other about the request whose turn it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use http::StatusCode;

use crate::head::RawHead;

#[derive(Default)]
struct State {
    /// The head that hyper was handed and the service has not taken.
    head: Option<Arc<RawHead>>,
    /// Whether the request has no complete answer yet.
    open: bool,
    /// Whether the service has begun to answer.
    answered: bool,
    upgrade: bool,
    /// Whether the connection has left HTTP.
    raw: bool,
    waiting: Option<Waker>,
}

/// The request of a connection whose turn it is. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<Mutex<State>>);

impl Turn {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, head: Arc<RawHead>, upgrade: bool) {
        let mut state = self.state();
        *state = State { head: Some(head), open: true, upgrade, waiting: state.waiting.take(), ..State::default() };
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().open
    }

    pub(super) fn is_answered(&self) -> bool {
        self.state().answered
    }

    pub(super) fn is_raw(&self) -> bool {
        self.state().raw
    }

    pub(super) fn wake_later(&self, waker: &Waker) {
        self.state().waiting = Some(waker.clone());
    }

    pub(super) fn wake(&self) {
        let waiting = self.state().waiting.take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// The head of the request that hyper has just read; none if it was taken.
    pub(crate) fn take(&self) -> Option<(Arc<RawHead>, Open)> {
        let head = self.state().head.take();
        head.map(|head| (head, Open(self.clone())))
    }
}

/// A request that is being answered, until the body of its answer has been handed over or given up.
pub(crate) struct Open(Turn);

impl Open {
    /// The service answers with this status.
    pub(crate) fn answer(&self, status: StatusCode) {
        let mut state = self.0.state();
        state.answered = true;
        state.raw = state.upgrade && status == StatusCode::SWITCHING_PROTOCOLS;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.state().open = false;
        self.0.wake();
    }
}
