//! What every handler stands in: the store, the clock, chance and the settings.

use std::sync::Arc;
use std::time::Duration;

use letterkeep_account::Passwords;
use letterkeep_delivery::check::AT_ONCE;
use letterkeep_delivery::sender::Outbound;
use letterkeep_model::{Clock, Ctx, Entropy, Locale};
use letterkeep_store::Store;

/// The service as the web sees it. Cheap to clone.
#[derive(Clone)]
pub struct House {
    /// Data and keys.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The password policy and the hashing.
    pub passwords: Passwords,
    /// Where the service is reached, and its limits.
    pub settings: Arc<Settings>,
}

/// Where the service is reached, and its limits.
#[derive(Clone)]
pub struct Settings {
    /// `https://post.example.org`, without a slash at the end: stands in links, and `Origin` is compared with it.
    pub public_url: String,
    /// The largest form, in bytes.
    pub form_bytes: usize,
    /// The largest uploaded file, in bytes.
    pub upload_bytes: usize,
    /// After how long a page is given up.
    pub page_timeout: Duration,
    /// After how long an upload is given up.
    pub upload_timeout: Duration,
    /// The largest audience that the check before sending counts while its page waits.
    pub check_at_once: i64,
    /// Whether strangers may open an account; otherwise people come by invitation alone.
    pub sign_up_open: bool,
    /// The largest import file, in bytes, that is checked while its page waits.
    pub import_check_at_once: u64,
    /// How mail leaves, for test messages and tests of a connection; `None` where nothing is sent.
    pub outbound: Option<Outbound>,
}

impl Settings {
    /// The usual limits, for a service reached at `public_url`.
    pub fn new(public_url: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            form_bytes: 2 * 1024 * 1024,
            upload_bytes: 2 * 1024 * 1024 * 1024,
            page_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_hours(1),
            check_at_once: AT_ONCE,
            sign_up_open: true,
            import_check_at_once: 512 * 1024,
            outbound: None,
        }
    }

    /// The host of the public address, without its port.
    pub(crate) fn host(&self) -> &str {
        let authority = self.public_url.split_once("://").map_or(self.public_url.as_str(), |(_, rest)| rest);
        authority.split(['/', ':']).next().unwrap_or_default()
    }

    /// Whether the public address is one that only this machine has. Such a name is shared by everything that is
    /// developed here, so it is not promised to be HTTPS for ever (RFC 6797 §8.3 applies to all its ports).
    pub(crate) fn is_local(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.starts_with("127.") || host.ends_with(".localhost")
    }
}

impl House {
    /// A context for somebody who is not logged in.
    pub fn public(&self, locale: Locale) -> Ctx {
        Ctx::public(self.clock.clone(), self.entropy.clone(), locale)
    }
}
