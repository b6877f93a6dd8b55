//! Pauses that grow with failure. Counted in the database, so that they survive a restart and hold for all nodes.

use std::net::IpAddr;
use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::{Store, Tx, throttle};
use letterkeep_vault::{IndexField, Keyring};

use crate::Fault;

/// The longest window of any budget: what is older counts for nothing.
pub(crate) const LONGEST_WINDOW: Duration = Duration::from_hours(24);

/// What attempts are counted by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counter<'a> {
    /// Passwords from one browser that has completed a log-in of this person.
    Device(Id<kind::Device>),
    /// Passwords for one (folded) user name, existing or not, from all other browsers together.
    Name(&'a str),
    /// Passwords from one network.
    Network(IpAddr),
    /// Passwords from all unknown browsers.
    Everybody,
    /// Codes from one browser that has completed a log-in of this person.
    FactorDevice(Id<kind::Device>),
    /// Codes for one person from all other browsers together.
    FactorUser(Id<kind::User>),
    /// Recovery codes from one browser that has completed a log-in of this person.
    RecoveryDevice(Id<kind::Device>),
    /// Recovery codes for one person from one network. Not from all together: somebody else's guesses, which are
    /// hopeless anyway, must not close the owner's last way in.
    RecoveryNetwork(Id<kind::User>, IpAddr),
    /// Sign-ups from one network.
    SignUp(IpAddr),
}

struct Budget {
    /// Failures without a pause.
    free: i64,
    /// The first pause; each further failure doubles it …
    first: Duration,
    /// … up to this.
    longest: Duration,
    /// Failures older than this are forgotten.
    window: Duration,
}

impl Counter<'_> {
    const fn budget(self) -> Budget {
        let (free, first, longest, window) = match self {
            // PCI DSS 8.3.4 asks for a stop after ten; here it is a pause, so that nobody is locked out for good.
            // Recovery codes cannot be guessed; there the pauses bound the work and the entries in the audit log.
            Self::Device(_) | Self::FactorDevice(_) | Self::RecoveryDevice(_) | Self::RecoveryNetwork(..) => {
                (10, 5, 900, 24 * 3600)
            }
            Self::Name(_) | Self::FactorUser(_) => (5, 5, 1800, 24 * 3600),
            Self::Network(_) => (20, 5, 3600, 3600),
            Self::Everybody => (1000, 1, 30, 600),
            Self::SignUp(_) => (10, 60, 3600, 3600),
        };
        Budget {
            free,
            first: Duration::from_secs(first),
            longest: Duration::from_secs(longest),
            window: Duration::from_secs(window),
        }
    }

    /// The key in the table: a blind index, so that the table names nobody.
    fn key(self, system: &Keyring) -> [u8; 16] {
        let mut text = Vec::with_capacity(80);
        if let Self::RecoveryNetwork(user, _) = &self {
            text.extend_from_slice(user.as_bytes());
        }
        let (label, value): (&[u8], &[u8]) = match &self {
            Self::Device(id) => (b"device", id.as_bytes()),
            Self::Name(name) => (b"name", name.as_bytes()),
            Self::Network(IpAddr::V4(v4)) => (b"network4", &v4.octets()),
            Self::Network(IpAddr::V6(v6)) => (b"network6", &v6.octets()),
            Self::Everybody => (b"everybody", b""),
            Self::FactorDevice(id) => (b"factor device", id.as_bytes()),
            Self::FactorUser(id) => (b"factor user", id.as_bytes()),
            Self::RecoveryDevice(id) => (b"recovery device", id.as_bytes()),
            Self::RecoveryNetwork(_, IpAddr::V4(v4)) => (b"recovery4", &v4.octets()),
            Self::RecoveryNetwork(_, IpAddr::V6(v6)) => (b"recovery6", &v6.octets()),
            Self::SignUp(IpAddr::V4(v4)) => (b"sign-up4", &v4.octets()),
            Self::SignUp(IpAddr::V6(v6)) => (b"sign-up6", &v6.octets()),
        };
        text.extend_from_slice(label);
        text.push(0);
        text.extend_from_slice(value);
        system.blind_index(IndexField::Throttle, &text)
    }
}

/// Whether an attempt may go on.
pub(crate) enum Attempt {
    /// It may, and has been counted under these keys.
    Counted(Vec<[u8; 16]>),
    /// Not before this instant. Nothing was counted.
    Paused(Timestamp),
}

/// Counts an attempt before it is judged.
pub(crate) async fn count(ctx: &Ctx, store: &Store, counters: &[Counter<'_>]) -> Result<Attempt, Fault> {
    let system = store.keys.system().await?;
    let mut keyed: Vec<_> = counters.iter().map(|counter| (counter.key(&system), counter.budget())).collect();
    // Always in the same order, so that two attempts cannot wait for each other's rows.
    keyed.sort_by_key(|(key, _)| *key);
    let now = ctx.now();
    let mut tx = store.db.write().await?;
    for (key, budget) in &keyed {
        let window_from = now.minus(budget.window).micros();
        let Some(failures) = throttle::charge(&mut tx, key, now.micros(), window_from).await? else {
            let until = throttle::blocked_until(&mut tx, key).await?;
            return Ok(Attempt::Paused(Timestamp::from_micros(until)));
        };
        if let Some(pause) = pause(budget, failures) {
            throttle::block(&mut tx, key, now.plus(pause).micros()).await?;
        }
    }
    tx.commit().await?;
    Ok(Attempt::Counted(keyed.into_iter().map(|(key, _)| key).collect()))
}

/// Takes a counted attempt back, because it did not fail.
pub(crate) async fn refund(store: &Store, keys: &[[u8; 16]]) -> Result<(), Fault> {
    let mut tx = store.db.write().await?;
    for key in keys {
        throttle::refund(&mut tx, key).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Forgets failures, because the person has proven everything.
pub(crate) async fn clear(tx: &mut Tx, system: &Keyring, counters: &[Counter<'_>]) -> Result<(), Fault> {
    let mut keys: Vec<_> = counters.iter().map(|counter| counter.key(system)).collect();
    keys.sort_unstable();
    for key in &keys {
        throttle::clear(tx, key).await?;
    }
    Ok(())
}

fn pause(budget: &Budget, failures: i64) -> Option<Duration> {
    let beyond = u32::try_from(failures - budget.free).ok()?;
    Some(budget.first.saturating_mul(1u32.checked_shl(beyond.min(31)).unwrap_or(u32::MAX)).min(budget.longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit() {
        let budget = Counter::Name("x").budget();
        let seconds = |failures| pause(&budget, failures).map(|pause| pause.as_secs());
        assert_eq!(seconds(4), None);
        assert_eq!([5, 6, 7, 8, 20, 4_000_000].map(seconds), [5, 10, 20, 40, 1800, 1800].map(Some));
    }
}
