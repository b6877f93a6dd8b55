//! How many messages go to one recipient domain in a minute.
//!
//! The places are counted in memory, for all sendings of an account in this process. A durable count, shared by
//! several processes, can take the place of [`Destinations`] without a change to its callers.

use std::collections::HashMap;
use std::sync::Mutex;

use letterkeep_model::{Id, Timestamp, kind};

/// Domains that are remembered; the ones that have been idle longest are forgotten beyond that.
const REMEMBERED: usize = 20_000;

/// The state of one destination: the generic cell rate algorithm (ITU-T I.371).
#[derive(Clone, Copy)]
struct Cell {
    /// When the next message would conform if none had come early.
    conforming: i64,
    /// Until when messages that came too early have been given a place.
    promised: i64,
}

/// Counts messages by account and destination.
#[derive(Default)]
pub struct Destinations(Mutex<HashMap<(Id<kind::Account>, String), Cell>>);

impl Destinations {
    /// Whether a message to `domain` may go now; if not, when it should be tried again. `per_minute` 0 is no limit.
    ///
    /// A tenth of a minute's messages may go at once.
    pub fn take(
        &self,
        account: Id<kind::Account>,
        domain: &str,
        per_minute: u32,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        if per_minute == 0 {
            return Ok(());
        }
        let interval = 60_000_000 / i64::from(per_minute);
        let burst = interval * i64::from(per_minute / 10).max(1);
        let now = now.micros();
        // A poisoned count is still a count.
        let mut cells = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cells.len() >= REMEMBERED {
            cells.retain(|_, cell| cell.conforming.max(cell.promised) > now);
            if cells.len() >= REMEMBERED {
                return Err(Timestamp::from_micros(now + 1_000_000));
            }
        }
        let cell = cells.entry((account, domain.to_owned())).or_insert(Cell { conforming: now, promised: now });
        if cell.conforming - now < burst {
            cell.conforming = cell.conforming.max(now) + interval;
            return Ok(());
        }
        // Each message that must wait gets an instant of its own, so that it is looked at once and not every second.
        cell.promised = cell.promised.max(cell.conforming - burst).max(now) + interval;
        Err(Timestamp::from_micros(cell.promised))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_holds_what_it_may_and_each_destination_is_counted_alone() {
        let destinations = Destinations::default();
        let at = |second: i64| Timestamp::from_seconds(1_000 + second);
        let take = |domain, now| destinations.take(Id::NIL, domain, 60, now);
        let burst = (0..100).filter(|_| take("example.com", at(0)).is_ok()).count();
        assert_eq!(burst, 6);
        assert!(take("example.org", at(0)).is_ok());
        // The 94 others were given places one second apart.
        let last = take("example.com", at(0)).unwrap_err();
        assert!(last >= at(90) && last <= at(100), "{last}");
        let mut sent = burst;
        for second in 1..=60 {
            sent += (0..10).filter(|_| take("example.com", at(second)).is_ok()).count();
        }
        assert_eq!(sent, 66);
        assert!((0..1000).all(|_| destinations.take(Id::NIL, "example.com", 0, at(0)).is_ok()));
    }
}
