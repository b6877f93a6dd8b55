//! How far a sending has come, counted in memory while it runs.

use std::sync::atomic::{AtomicI64, Ordering};

/// How many recipients stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The frozen audience; while it is being frozen, those planned so far.
    pub recipients: i64,
    /// Taken by the relay.
    pub accepted: i64,
    /// Refused for good.
    pub failed: i64,
    /// Not sent, with a reason.
    pub skipped: i64,
    /// Sent, and no answer came.
    pub in_doubt: i64,
}

impl Progress {
    /// Those that nothing more will happen to.
    pub fn done(&self) -> i64 {
        self.accepted + self.failed + self.skipped + self.in_doubt
    }
}

/// An ending that is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Accepted,
    Failed,
    Skipped,
    InDoubt,
    Open,
}

impl Counted {
    pub(super) fn of(state: &str) -> Self {
        match state {
            "accepted" => Self::Accepted,
            "failed" => Self::Failed,
            "skipped" => Self::Skipped,
            "in_doubt" => Self::InDoubt,
            _ => Self::Open,
        }
    }
}

#[derive(Default)]
pub(super) struct Count {
    recipients: AtomicI64,
    accepted: AtomicI64,
    failed: AtomicI64,
    skipped: AtomicI64,
    in_doubt: AtomicI64,
}

impl Count {
    /// Starts from what stands in the ledger.
    pub(super) fn reset(&self, totals: &[(String, String, i64)]) {
        let sum = |wanted: Option<Counted>| {
            let found = totals.iter().filter(|(state, _, _)| wanted.is_none_or(|wanted| Counted::of(state) == wanted));
            found.map(|(_, _, number)| number).sum()
        };
        self.recipients.store(sum(None), Ordering::Relaxed);
        for counted in [Counted::Accepted, Counted::Failed, Counted::Skipped, Counted::InDoubt] {
            if let Some(counter) = self.counter(counted) {
                counter.store(sum(Some(counted)), Ordering::Relaxed);
            }
        }
    }

    pub(super) fn add(&self, counted: Counted) {
        if let Some(counter) = self.counter(counted) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let read = |counter: &AtomicI64| counter.load(Ordering::Relaxed);
        Progress {
            recipients: read(&self.recipients),
            accepted: read(&self.accepted),
            failed: read(&self.failed),
            skipped: read(&self.skipped),
            in_doubt: read(&self.in_doubt),
        }
    }

    fn counter(&self, counted: Counted) -> Option<&AtomicI64> {
        match counted {
            Counted::Accepted => Some(&self.accepted),
            Counted::Failed => Some(&self.failed),
            Counted::Skipped => Some(&self.skipped),
            Counted::InDoubt => Some(&self.in_doubt),
            Counted::Open => None,
        }
    }
}
