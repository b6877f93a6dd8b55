//! Who may come in now: places for requests that are worked on, and limits of rate.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use letterkeep_model::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::BoxError;

use super::{EdgeSettings, ForAccount, answer};
use crate::client;
use crate::rate::{Limiter, Standing};
use crate::route::Policy;

/// Keys that each limit remembers.
const KEYS: usize = 100_000;

pub(super) struct Gate {
    places: Arc<Semaphore>,
    per_client: usize,
    clients: Arc<Clients>,
    client: Option<Limiter<IpAddr>>,
    session: Option<Limiter<u64>>,
    account: Option<Limiter<ForAccount>>,
    /// Whose sessions these are, as the service has told.
    accounts: Mutex<HashMap<u64, ForAccount>>,
}

/// How many requests of each client are worked on.
#[derive(Default)]
struct Clients(Mutex<HashMap<IpAddr, usize>>);

/// A place for a request. It is free again when this is dropped.
pub(super) struct Place {
    _all: Option<OwnedSemaphorePermit>,
    own: Option<(Arc<Clients>, IpAddr)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((clients, client)) = self.own.take() else { return };
        let mut clients = clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&client);
            }
        }
    }
}

/// A request that may not come in.
pub(super) enum Refused {
    /// Too many requests of this client at once.
    Crowded,
    /// Too many requests of everybody.
    Overloaded,
    /// A limit of rate.
    Rate(Standing),
}

impl Refused {
    pub(super) fn answer(&self, id: &str) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        let (status, wait) = match self {
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(2)),
            Self::Crowded => (StatusCode::TOO_MANY_REQUESTS, Duration::from_secs(1)),
            Self::Rate(standing) => (StatusCode::TOO_MANY_REQUESTS, standing.wait.unwrap_or_default()),
        };
        let mut response = answer::refusal(status, id);
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        if let Self::Rate(standing) = self {
            answer::tell(&mut response, standing);
        }
        response
    }
}

impl Gate {
    pub(super) fn new(settings: &EdgeSettings) -> Self {
        Self {
            places: Arc::new(Semaphore::new(settings.in_flight)),
            per_client: settings.in_flight_per_client,
            clients: Arc::default(),
            client: settings.client_rate.map(|rate| Limiter::new(rate, KEYS)),
            session: settings.session_rate.map(|rate| Limiter::new(rate, KEYS)),
            account: settings.account_rate.map(|rate| Limiter::new(rate, KEYS)),
            accounts: Mutex::default(),
        }
    }

    /// A place, and how the tightest limit of rate stands. What is vital always comes in.
    pub(super) fn enter(
        &self,
        client: IpAddr,
        session: Option<u64>,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<(Option<Standing>, Place), Refused> {
        if policy.vital {
            return Ok((None, Place { _all: None, own: None }));
        }
        let client = client::network_of(client);
        let account = session
            .and_then(|session| self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(&session).cloned());
        let mut tightest: Option<Standing> = None;
        let limits = [
            self.client.as_ref().filter(|_| !policy.shared_addresses).map(|limiter| limiter.take(client, now)),
            self.session.as_ref().zip(session).map(|(limiter, session)| limiter.take(session, now)),
            self.account.as_ref().zip(account).map(|(limiter, account)| limiter.take(account, now)),
        ];
        for standing in limits.into_iter().flatten() {
            if standing.wait.is_some() {
                return Err(Refused::Rate(standing));
            }
            let share = |standing: &Standing| u64::from(standing.remaining) * 1000 / u64::from(standing.limit.max(1));
            if tightest.is_none_or(|tightest| share(&standing) < share(&tightest)) {
                tightest = Some(standing);
            }
        }
        let all = self.places.clone().try_acquire_owned().map_err(|_| Refused::Overloaded)?;
        let mut clients = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_insert(0);
        if *count >= self.per_client {
            return Err(Refused::Crowded);
        }
        *count += 1;
        drop(clients);
        Ok((tightest, Place { _all: Some(all), own: Some((self.clients.clone(), client)) }))
    }

    /// The service has told whose session this is.
    pub(super) fn belongs(&self, session: u64, account: ForAccount) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        // The service tells it again with every answer: forgetting all of them now and then costs nothing.
        if accounts.len() >= KEYS {
            accounts.clear();
        }
        accounts.insert(session, account);
    }
}

/// The session's cookie as a number that cannot be turned back: hashed with a key of this process.
pub(super) fn session_of(headers: &HeaderMap, cookie: Option<&str>) -> Option<u64> {
    static KEY: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    let name = cookie?;
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    Some(KEY.hash_one(value))
}
