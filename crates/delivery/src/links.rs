//! The addresses in a message: signed tokens behind the service's public address.

use letterkeep_campaign::Links;
use letterkeep_model::{Id, kind};
use letterkeep_vault::{Keyring, Link, Purpose};
use url::Url;

/// In front of the token of the page that unsubscribes.
pub const UNSUBSCRIBE_PATH: &str = "/u/";
/// In front of the token of the message in the browser.
pub const VIEW_PATH: &str = "/v/";
/// In front of the token of a counted click.
pub const CLICK_PATH: &str = "/c/";
/// In front of the token of the picture that notices opens.
pub const OPEN_PATH: &str = "/o/";

/// The service's public address, as the links in messages begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBase(String);

/// The public address cannot stand in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the public address must be like https://mail.example.org, without query, fragment or user name")]
pub struct LinkBaseError;

impl LinkBase {
    /// From the configured address: `https` with a host, at most 200 characters (RFC 8058 §3.1 demands https).
    pub fn new(url: &Url) -> Result<Self, LinkBaseError> {
        let fits = url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let text = url.as_str().trim_end_matches('/');
        if fits && text.len() <= 200 { Ok(Self(text.to_owned())) } else { Err(LinkBaseError) }
    }

    /// Without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The links of one recipient's message.
pub(crate) struct MessageLinks<'a> {
    pub(crate) base: &'a LinkBase,
    pub(crate) keyring: &'a Keyring,
    pub(crate) activity: Id<kind::CampaignActivity>,
    pub(crate) contact: Id<kind::Contact>,
    /// Whether the contact agreed to opens and clicks being recorded.
    pub(crate) track: bool,
}

impl MessageLinks<'_> {
    fn address(&self, path: &str, purpose: Purpose) -> String {
        let link = Link { account: self.keyring.account(), activity: self.activity, contact: self.contact, purpose };
        format!("{}{path}{}", self.base.0, self.keyring.link_token(&link))
    }
}

impl Links for MessageLinks<'_> {
    fn click(&self, number: u16) -> Option<String> {
        self.track.then(|| self.address(CLICK_PATH, Purpose::Click(number)))
    }
    fn unsubscribe(&self) -> String {
        self.address(UNSUBSCRIBE_PATH, Purpose::Unsubscribe)
    }
    fn view(&self) -> String {
        self.address(VIEW_PATH, Purpose::View)
    }
    fn open_pixel(&self) -> Option<String> {
        self.track.then(|| self.address(OPEN_PATH, Purpose::Open))
    }
}
