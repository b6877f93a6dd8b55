//! Which upstreams are well, by what they were asked and by what happened to requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::upstream::Upstream;

/// The last results that count.
const WINDOW: usize = 3;
/// Failures among them that take an upstream out.
const FAILURES: usize = 2;
/// Successes one after the other that bring it back.
const SUCCESSES: usize = 2;

/// The upstreams of a service, and whose turn it is.
pub(super) struct Members {
    members: Vec<(Upstream, Mutex<Health>)>,
    turn: AtomicUsize,
}

/// What is known of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Health {
    is_well: bool,
    /// The last results, the newest first.
    last: [bool; WINDOW],
}

impl Default for Health {
    fn default() -> Self {
        Self { is_well: true, last: [true; WINDOW] }
    }
}

impl Health {
    /// Takes a result; whether the upstream is well now.
    fn mark(&mut self, success: bool) -> bool {
        self.last.rotate_right(1);
        self.last[0] = success;
        if self.is_well {
            self.is_well = self.last.iter().filter(|success| !**success).count() < FAILURES;
        } else if self.last[..SUCCESSES].iter().all(|success| *success) {
            *self = Self::default();
        }
        self.is_well
    }
}

impl Members {
    pub(super) fn new(upstreams: Vec<Upstream>) -> Self {
        let members = upstreams.into_iter().map(|upstream| (upstream, Mutex::default())).collect();
        Self { members, turn: AtomicUsize::new(0) }
    }

    /// The upstream that is next among those that are well, but not `other`.
    pub(super) fn next(&self, other: Option<usize>) -> Option<usize> {
        let count = self.members.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut candidates = (0..count).map(|step| first.wrapping_add(step) % count);
        candidates.find(|number| Some(*number) != other && self.health(*number).is_well)
    }

    /// A connection could not be made, or a check has ended. What a request alone can bring about (a slow or failed
    /// answer) does not count: a client could take the service away from everybody.
    pub(super) fn mark(&self, number: usize, success: bool) {
        let mut health = self.health(number);
        let before = health.is_well;
        let after = health.mark(success);
        drop(health);
        let upstream = &self.members[number].0;
        match (before, after) {
            (true, false) => tracing::warn!(%upstream, "an upstream does not answer and gets no requests"),
            (false, true) => tracing::info!(%upstream, "an upstream answers again"),
            _ => {}
        }
    }

    pub(super) fn well(&self) -> Vec<Upstream> {
        let well = self.members.iter().enumerate().filter(|(number, _)| self.health(*number).is_well);
        well.map(|(_, (upstream, _))| upstream.clone()).collect()
    }

    fn health(&self, number: usize) -> std::sync::MutexGuard<'_, Health> {
        self.members[number].1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_failures_of_three_take_out_and_two_successes_bring_back() {
        let mut health = Health::default();
        let mut marks = |results: &[bool]| results.iter().map(|result| health.mark(*result)).collect::<Vec<_>>();
        assert_eq!(marks(&[false, true, true, false]), [true; 4], "one of three is no reason");
        assert_eq!(marks(&[true, false]), [true, false]);
        assert_eq!(marks(&[true, false, true, true]), [false, false, false, true]);
        assert_eq!(marks(&[false]), [true], "what was before is forgotten");
    }

    #[test]
    fn turns_go_round_those_that_are_well() {
        let members = Members::new(["http://a", "http://b", "http://c"].map(|text| text.parse().unwrap()).into());
        let turns = |count: usize| (0..count).filter_map(|_| members.next(None)).collect::<Vec<_>>();
        assert_eq!(turns(4), [0, 1, 2, 0]);
        members.mark(1, false);
        members.mark(1, false);
        assert_eq!(members.well().len(), 2);
        assert!(!turns(30).contains(&1));
        assert!((0..6).all(|_| members.next(Some(0)) == Some(2)));
        for number in [0, 2] {
            members.mark(number, false);
            members.mark(number, false);
        }
        assert_eq!(members.next(None), None);
    }
}
