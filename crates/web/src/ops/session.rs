//! The operator's session: one at a time, in memory alone. A new log-in ends the one before, so a fresh link is also the
//! way to end a session that was left open somewhere.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use letterkeep_model::{Entropy, Timestamp};
use letterkeep_vault::{Token, constant_time_eq};

use super::link::OneTimeLink;

/// Without a request for so long, it has ended.
const IDLE: Duration = Duration::from_mins(15);
/// It ends after so long in any case.
const LONGEST: Duration = Duration::from_hours(8);
/// So many wrong links in [`WINDOW`] may be tried.
const TRIES: usize = 5;
const WINDOW: Duration = Duration::from_mins(1);

/// The session, if somebody has logged in, and the wrong links that were tried.
#[derive(Default)]
pub(super) struct Session(Mutex<State>);

#[derive(Default)]
struct State {
    open: Option<Open>,
    wrong: VecDeque<Timestamp>,
}

struct Open {
    hash: [u8; 32],
    begun: Timestamp,
    seen: Timestamp,
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The link is none, or none any more; which of it is not told.
    Wrong,
    /// Too many wrong links; after how long to come back.
    TooMany(Duration),
}

impl Session {
    /// Opens a session for whoever brings the secret of `link`.
    pub(super) fn open(
        &self,
        link: &OneTimeLink,
        secret: &str,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Token, Refused> {
        let mut state = self.state();
        while state.wrong.front().is_some_and(|tried| now.since(*tried) >= WINDOW) {
            state.wrong.pop_front();
        }
        if let Some(first) = state.wrong.front().filter(|_| state.wrong.len() >= TRIES) {
            return Err(Refused::TooMany(WINDOW.saturating_sub(now.since(*first))));
        }
        if !Token::parse(secret).is_some_and(|secret| link.redeem(&secret, now)) {
            state.wrong.push_back(now);
            return Err(Refused::Wrong);
        }
        let token = Token::generate(entropy);
        state.open = Some(Open { hash: token.hash(), begun: now, seen: now });
        Ok(token)
    }

    /// Whether this is the session's cookie. It counts as a sign of life.
    pub(super) fn holds(&self, token: &Token, now: Timestamp) -> bool {
        let mut state = self.state();
        let Some(open) = &mut state.open else { return false };
        if now.since(open.seen) >= IDLE || now.since(open.begun) >= LONGEST {
            state.open = None;
            return false;
        }
        let is_same = constant_time_eq(&open.hash, &token.hash());
        if is_same {
            open.seen = now;
        }
        is_same
    }

    /// Ends it.
    pub(super) fn close(&self) {
        self.state().open = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use letterkeep_model::SystemEntropy;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_417_200);

    fn later(minutes: u64) -> Timestamp {
        NOW.plus(Duration::from_mins(minutes))
    }

    fn log_in(session: &Session, link: &OneTimeLink, now: Timestamp) -> Token {
        let address = link.issue("https://127.0.0.1:8444", &SystemEntropy, now).unwrap();
        let secret = address.split("token=").nth(1).unwrap();
        session.open(link, secret, &SystemEntropy, now).unwrap()
    }

    #[test]
    fn it_ends_when_nobody_is_there_after_eight_hours_and_with_the_next_log_in() {
        let data = tempfile::tempdir().unwrap();
        let (session, link) = (Session::default(), OneTimeLink::of(data.path()));
        let first = log_in(&session, &link, NOW);
        assert!(!session.holds(&Token::generate(&SystemEntropy), NOW), "another cookie");
        assert!(session.holds(&first, later(14)) && session.holds(&first, later(28)));
        assert!(!session.holds(&first, later(43)), "nobody was there for a quarter of an hour");
        assert!(!session.holds(&first, later(28)), "what has ended does not begin again");

        let second = log_in(&session, &link, NOW);
        for minutes in (0..480).step_by(10) {
            assert!(session.holds(&second, later(minutes)), "{minutes}");
        }
        assert!(!session.holds(&second, later(480)));

        let (third, fourth) = (log_in(&session, &link, NOW), log_in(&session, &link, NOW));
        assert!(!session.holds(&third, NOW) && session.holds(&fourth, NOW));
        session.close();
        assert!(!session.holds(&fourth, NOW));
    }

    #[test]
    fn wrong_links_are_tried_five_times_a_minute() {
        let data = tempfile::tempdir().unwrap();
        let (session, link) = (Session::default(), OneTimeLink::of(data.path()));
        let address = link.issue("https://127.0.0.1:8444", &SystemEntropy, NOW).unwrap();
        let secret = address.split("token=").nth(1).unwrap();
        let open = |secret: &str, seconds| {
            session.open(&link, secret, &SystemEntropy, NOW.plus(Duration::from_secs(seconds))).map(|_| ())
        };
        let guess = Token::generate(&SystemEntropy).text();
        for (seconds, guess) in [(0, "x"), (1, ""), (2, guess.as_str()), (3, "x"), (4, "x")] {
            assert_eq!(open(guess, seconds), Err(Refused::Wrong));
        }
        assert_eq!(open(secret, 5), Err(Refused::TooMany(Duration::from_secs(55))), "whatever it is");
        assert_eq!(open(secret, 60), Ok(()), "the link is as good as before");
    }
}
