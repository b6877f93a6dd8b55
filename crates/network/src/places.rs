//! Who may be connected: so many clients in all, so many from one network, and some places that only the operator's
//! own networks can take.
//!
//! A client for whom there is no place is let go at once. Only after accepting it is known who it is, and a connection
//! that waited to be accepted would make honest clients wait behind those of a flood.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use letterkeep_model::Network;

/// One place in so many is kept for trusted networks.
const RESERVED: usize = 20;

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// The places of a listener.
#[derive(Debug)]
pub struct Places {
    all: usize,
    for_network: usize,
    trusted: Vec<Network>,
    taken: Mutex<Taken>,
    refused: AtomicU64,
}

impl Places {
    /// So many places in all and for one network. Clients in `trusted` may take every place.
    pub(crate) fn new(all: usize, for_network: usize, trusted: Vec<Network>) -> Self {
        Self { all, for_network, trusted, taken: Mutex::default(), refused: AtomicU64::new(0) }
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.taken().all
    }

    /// Connections that were let go for want of a place, since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Counts are changed together, without anything between that could panic.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this client, if there is one.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let client = client.to_canonical();
        let is_trusted = self.trusted.iter().any(|network| network.contains(client));
        let network = (!is_trusted).then(|| network_of(client));
        let all = if is_trusted { self.all } else { self.all - self.all / RESERVED };
        let mut taken = self.taken();
        let of_network = network.map_or(0, |network| taken.by_network.get(&network).copied().unwrap_or(0));
        if taken.all >= all || of_network >= self.for_network {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        taken.all += 1;
        if let Some(network) = network {
            taken.by_network.insert(network, of_network + 1);
        }
        Some(Place { places: self.clone(), network })
    }
}

/// What one client is likely to have for itself: an IPv4 address, 64 bits of an IPv6 address.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// A place that is taken until this is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    network: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        let Some(network) = self.network else { return };
        match taken.by_network.get_mut(&network) {
            Some(count) if *count > 1 => *count -= 1,
            // Networks that are gone leave nothing behind.
            _ => drop(taken.by_network.remove(&network)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_takes_its_share_and_no_more() {
        let places = Arc::new(Places::new(100, 2, vec!["192.0.2.0/24".parse().unwrap()]));
        let taken = [places.take(ip("2001:db8::1")), places.take(ip("2001:db8::ffff:2"))];
        assert!(taken.iter().all(Option::is_some));
        assert!(places.take(ip("2001:db8::3")).is_none(), "the same /64");
        assert!(places.take(ip("2001:db8:0:1::1")).is_some(), "the next /64");
        let mapped = [places.take(ip("203.0.113.1")), places.take(ip("::ffff:203.0.113.1"))];
        assert!(mapped.iter().all(Option::is_some));
        assert!(places.take(ip("203.0.113.1")).is_none(), "an IPv4 address in either clothes");
        assert!(places.take(ip("203.0.113.2")).is_some());
        let proxies: Vec<_> = (0..9).map(|_| places.take(ip("192.0.2.1"))).collect();
        assert!(proxies.iter().all(Option::is_some), "a trusted proxy speaks for many");
        assert_eq!((places.open(), places.refused()), (13, 2));
        drop((taken, mapped, proxies));
        assert!(places.take(ip("2001:db8::3")).is_some());
        assert_eq!((places.open(), places.taken().by_network.len()), (0, 0), "nothing is left behind");
    }

    #[test]
    fn a_flood_leaves_places_for_the_operator() {
        let places = Arc::new(Places::new(40, 100, vec!["192.0.2.1".parse().unwrap()]));
        let flood: Vec<_> = (0..60).filter_map(|n| places.take(ip(&format!("198.51.100.{n}")))).collect();
        assert_eq!(flood.len(), 38);
        let own: Vec<_> = (0..3).filter_map(|_| places.take(ip("192.0.2.1"))).collect();
        assert_eq!(own.len(), 2);
    }
}
