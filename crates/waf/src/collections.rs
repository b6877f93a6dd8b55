//! What rules remember between requests: counters by client address and the like, in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::variable::Variable;

/// Collections that outlive a transaction (`initcol`), shared by all of a host's transactions. They are in memory and
/// bounded: when they are full, the collection that was opened longest ago goes.
#[derive(Debug)]
pub struct Collections {
    capacity: usize,
    all: Mutex<HashMap<Key, Collection>>,
}

/// Which collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) collection: Variable,
    /// What it was opened under.
    pub(crate) under: Vec<u8>,
}

#[derive(Debug, Default)]
struct Collection {
    opened: u64,
    values: HashMap<Vec<u8>, Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    value: Vec<u8>,
    /// The second from which it is gone.
    expires: Option<u64>,
}

impl Collections {
    /// Room for so many collections.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), all: Mutex::default() }
    }

    /// Opens a collection at the second `now`: its values, by name.
    pub(crate) fn open(&self, key: &Key, now: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(key) && all.len() >= self.capacity {
            let oldest = all.iter().min_by_key(|(_, collection)| collection.opened).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let collection = all.entry(key.clone()).or_default();
        collection.opened = now;
        collection.values.retain(|_, kept| kept.expires.is_none_or(|expires| expires > now));
        collection.values.iter().map(|(name, kept)| (name.clone(), kept.value.clone())).collect()
    }

    /// Changes a value under the lock, so that two requests at once count as two.
    pub(crate) fn change(
        &self,
        key: &Key,
        name: &[u8],
        change: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let collection = all.get_mut(key)?;
        let before = collection.values.get(name);
        let expires = before.and_then(|kept| kept.expires);
        let after = change(before.map(|kept| &kept.value[..]));
        match &after {
            Some(value) => drop(collection.values.insert(name.to_vec(), Kept { value: value.clone(), expires })),
            None => drop(collection.values.remove(name)),
        }
        after
    }

    /// Lets a value go at the second `expires`.
    pub(crate) fn expire(&self, key: &Key, name: &[u8], expires: u64) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = all.get_mut(key).and_then(|collection| collection.values.get_mut(name)) {
            kept.expires = Some(expires);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> Key {
        Key { collection: Variable::Ip, under: address.as_bytes().to_vec() }
    }

    #[test]
    fn values_are_kept_counted_and_let_go_in_time() {
        let collections = Collections::new(8);
        let one = key("192.0.2.1");
        assert!(collections.open(&one, 100).is_empty());
        for expected in ["1", "2"] {
            let after = collections.change(&one, b"hits", |before| {
                let before = before.map_or(0, |text| text[0] - b'0');
                Some((before + 1).to_string().into_bytes())
            });
            assert_eq!(after.as_deref(), Some(expected.as_bytes()));
        }
        collections.expire(&one, b"hits", 160);
        assert_eq!(collections.open(&one, 159), [(b"hits".to_vec(), b"2".to_vec())]);
        assert!(collections.open(&one, 160).is_empty());
        assert!(collections.open(&key("192.0.2.2"), 100).is_empty(), "of another client");
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let collections = Collections::new(2);
        for (address, now) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            collections.open(&key(address), now);
            collections.change(&key(address), b"seen", |_| Some(b"1".to_vec()));
        }
        assert_eq!(collections.open(&key("a"), 5).len(), 1);
        assert!(collections.open(&key("b"), 6).is_empty());
    }
}
