use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use letterkeep_model::{Id, Kind, kind};

use crate::{Keyring, constant_time_eq};

/// What a link in a message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The message was displayed.
    Open,
    /// A link was followed: the number of the link in the campaign's content.
    Click(u16),
    /// The contact leaves (RFC 8058).
    Unsubscribe,
    /// The message is shown in the browser.
    View,
}

impl Purpose {
    const fn code(self) -> (u8, u16) {
        match self {
            Self::Open => (1, 0),
            Self::Click(number) => (2, number),
            Self::Unsubscribe => (3, 0),
            Self::View => (4, 0),
        }
    }

    const fn from_code(code: u8, number: u16) -> Option<Self> {
        match (code, number) {
            (1, 0) => Some(Self::Open),
            (2, number) => Some(Self::Click(number)),
            (3, 0) => Some(Self::Unsubscribe),
            (4, 0) => Some(Self::View),
            _ => None,
        }
    }
}

/// What a link token says, once its signature has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The account that sent the message.
    pub account: Id<kind::Account>,
    /// The sending.
    pub activity: Id<kind::CampaignActivity>,
    /// The recipient.
    pub contact: Id<kind::Contact>,
    /// What the link does.
    pub purpose: Purpose,
}

/// A link token does not hold. Answer both cases alike to the outside.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LinkError {
    /// The token names another account than the ring's.
    #[error("the link belongs to another account")]
    OtherAccount,
    /// The signature is wrong: the token was changed or made up.
    #[error("the link was changed or made up")]
    Refused,
}

const FORMAT: u8 = 1;
const BODY_LEN: usize = 1 + 16 + 16 + 16 + 1 + 2;
/// 128 bits: a forger is left with guessing over the network.
const TAG_LEN: usize = 16;
const LABEL: &[u8] = b"letterkeep link";

/// A link token that has the right shape. Nothing in it may be believed before
/// [`Keyring::read_link`] has checked the signature.
pub struct LinkToken {
    body: [u8; BODY_LEN],
    tag: [u8; TAG_LEN],
    link: Link,
}

impl LinkToken {
    /// Reads the text form; `None` if it is not exactly that.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BODY_LEN + TAG_LEN + 2];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        if length != BODY_LEN + TAG_LEN {
            return None;
        }
        let body: [u8; BODY_LEN] = bytes[..BODY_LEN].try_into().ok()?;
        let tag: [u8; TAG_LEN] = bytes[BODY_LEN..length].try_into().ok()?;
        if body[0] != FORMAT {
            return None;
        }
        let link = Link {
            account: id(&body[1..17])?,
            activity: id(&body[17..33])?,
            contact: id(&body[33..49])?,
            purpose: Purpose::from_code(body[49], u16::from_be_bytes([body[50], body[51]]))?,
        };
        Some(Self { body, tag, link })
    }

    /// The account whose ring can check the token. Not checked yet: use it to find the ring, for nothing else.
    pub fn account(&self) -> Id<kind::Account> {
        self.link.account
    }
}

impl Keyring {
    /// Signs a link: 91 characters that stand in a URL path as they are. Whoever holds the token may do what
    /// it says, for that recipient and purpose alone.
    ///
    /// `link.account` must be the ring's account; a token for another account would not be readable.
    pub fn link_token(&self, link: &Link) -> String {
        let mut bytes = [0; BODY_LEN + TAG_LEN];
        let (code, number) = link.purpose.code();
        bytes[0] = FORMAT;
        bytes[1..17].copy_from_slice(link.account.as_bytes());
        bytes[17..33].copy_from_slice(link.activity.as_bytes());
        bytes[33..49].copy_from_slice(link.contact.as_bytes());
        bytes[49] = code;
        bytes[50..52].copy_from_slice(&number.to_be_bytes());
        let tag = self.link_tag(&bytes[..BODY_LEN]);
        bytes[BODY_LEN..].copy_from_slice(&tag.as_ref()[..TAG_LEN]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says, if this account signed it.
    pub fn read_link(&self, token: &LinkToken) -> Result<Link, LinkError> {
        if token.link.account != self.account {
            return Err(LinkError::OtherAccount);
        }
        let tag = self.link_tag(&token.body);
        if constant_time_eq(&tag.as_ref()[..TAG_LEN], &token.tag) { Ok(token.link) } else { Err(LinkError::Refused) }
    }

    fn link_tag(&self, body: &[u8]) -> hmac::Tag {
        let mut signed = [0; LABEL.len() + BODY_LEN];
        signed[..LABEL.len()].copy_from_slice(LABEL);
        signed[LABEL.len()..].copy_from_slice(body);
        hmac::sign(&self.link, &signed)
    }
}

fn id<K: Kind>(bytes: &[u8]) -> Option<Id<K>> {
    Some(Id::from_uuid(uuid::Uuid::from_slice(bytes).ok()?))
}
