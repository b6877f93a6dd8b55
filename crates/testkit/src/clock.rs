use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use letterkeep_model::{Clock, Timestamp};

/// A clock that stands still until the test moves it. Clones share the same hands.
///
/// ```
/// # use letterkeep_model::Clock; use letterkeep_testkit::MockClock; use std::time::Duration;
/// let clock = MockClock::default();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(clock.now().since(before), Duration::from_secs(30));
/// ```
#[derive(Debug, Clone)]
pub struct MockClock {
    micros: Arc<AtomicI64>,
}

impl MockClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { micros: Arc::new(AtomicI64::new(now.micros())) }
    }

    /// Moves the hands to `now`; backwards is allowed, machines do that too.
    pub fn set(&self, now: Timestamp) {
        self.micros.store(now.micros(), Ordering::SeqCst);
    }

    /// Moves the hands forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// The same clock as the product takes it.
    pub fn shared(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }
}

impl Default for MockClock {
    /// 2026-11-23T08:00:00Z, a Monday morning.
    fn default() -> Self {
        Self::at(Timestamp::from_seconds(1_795_420_800))
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_hands() {
        let clock = MockClock::default();
        let shared = clock.shared();
        clock.advance(Duration::from_secs(90));
        assert_eq!(shared.now().to_string(), "2026-11-23T08:01:30.000000Z");
    }
}
