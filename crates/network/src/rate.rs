//! How often: limits of rate by client, session and account, as a leaky bucket that remembers one instant for each
//! (the generic cell rate algorithm, ITU-T I.371).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use letterkeep_model::Timestamp;

/// So many requests in a period, all of them at once if need be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub requests: u32,
    /// The period.
    pub per: Duration,
}

impl Rate {
    /// Microseconds that one request costs.
    fn cost(self) -> i64 {
        (i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX) / i64::from(self.requests.max(1))).max(1)
    }

    /// Microseconds that may be owed.
    fn depth(self) -> i64 {
        self.cost().saturating_mul(i64::from(self.requests.max(1)))
    }
}

/// What a limit says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests in a period.
    pub(crate) limit: u32,
    /// Requests that are left at this instant.
    pub(crate) remaining: u32,
    /// Until all are there again.
    pub(crate) reset: Duration,
    /// Refused: how long to wait.
    pub(crate) wait: Option<Duration>,
}

/// One limit for many keys.
pub(crate) struct Limiter<K> {
    rate: Rate,
    /// Where in time each key has its requests paid until.
    shards: Vec<Mutex<HashMap<K, i64>>>,
    keys: RandomState,
    /// Keys that one shard remembers.
    capacity: usize,
}

const SHARDS: usize = 16;

impl<K: Hash + Eq> Limiter<K> {
    /// For at most about `capacity` keys at a time.
    pub(crate) fn new(rate: Rate, capacity: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect();
        Self { rate, shards, keys: RandomState::new(), capacity: capacity.div_ceil(SHARDS) }
    }

    /// Counts a request of `key`. A refused one costs nothing.
    pub(crate) fn take(&self, key: K, now: Timestamp) -> Standing {
        let (cost, depth, now) = (self.rate.cost(), self.rate.depth(), now.micros());
        let shard = &self.shards[self.keys.hash_one(&key) as usize % SHARDS];
        let mut paid = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if paid.len() >= self.capacity && !paid.contains_key(&key) {
            paid.retain(|_, until| *until > now);
            // Full of keys that all owe something: those who owe least are forgotten, which only ever favours them.
            if paid.len() >= self.capacity {
                let mut debts: Vec<i64> = paid.values().copied().collect();
                let middle = debts.len() / 2;
                let (_, median, _) = debts.select_nth_unstable(middle);
                let median = *median;
                paid.retain(|_, until| *until > median);
            }
        }
        let entry = paid.entry(key);
        let until = match &entry {
            Entry::Occupied(found) => (*found.get()).max(now),
            Entry::Vacant(_) => now,
        };
        let micros = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        let limit = self.rate.requests;
        let left = |until: i64| u32::try_from((depth - (until - now)) / cost).unwrap_or(0);
        if until - now + cost > depth {
            let wait = Some(micros(until - now + cost - depth));
            return Standing { limit, remaining: 0, reset: micros(until - now), wait };
        }
        let until = until + cost;
        entry.insert_entry(until);
        Standing { limit, remaining: left(until), reset: micros(until - now), wait: None }
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { requests: 5, per: Duration::from_secs(10) };

    #[test]
    fn a_burst_is_let_through_then_one_at_a_time() {
        let limiter = Limiter::new(RATE, 100);
        let now = Timestamp::from_seconds(1000);
        let left: Vec<u32> = (0..5).map(|_| limiter.take("a", now).remaining).collect();
        assert_eq!(left, [4, 3, 2, 1, 0]);
        let refused = limiter.take("a", now);
        assert_eq!((refused.wait, refused.reset), (Some(Duration::from_secs(2)), Duration::from_secs(10)));
        assert_eq!(limiter.take("b", now).wait, None, "another key is not concerned");
        assert!(limiter.take("a", now.plus(Duration::from_millis(1999))).wait.is_some());
        let later = now.plus(Duration::from_secs(2));
        assert_eq!(limiter.take("a", later).wait, None, "what is refused costs nothing");
        assert!(limiter.take("a", later).wait.is_some());
        assert_eq!(limiter.take("a", now.plus(Duration::from_mins(1))).remaining, 4);
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory_and_frees_no_debtor() {
        let limiter = Limiter::new(RATE, 1600);
        let now = Timestamp::from_seconds(1000);
        for _ in 0..5 {
            limiter.take(u32::MAX, now);
        }
        for key in 0..100_000 {
            limiter.take(key, now);
        }
        assert!(limiter.remembered() <= 1600, "{}", limiter.remembered());
        assert!(limiter.take(u32::MAX, now).wait.is_some());
    }
}
