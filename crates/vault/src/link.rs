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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{account, ring};

    fn link(purpose: Purpose) -> Link {
        let id = |byte| uuid::Uuid::from_bytes([byte; 16]);
        Link { account: account(1), activity: Id::from_uuid(id(7)), contact: Id::from_uuid(id(8)), purpose }
    }

    fn read(text: &str) -> Option<Link> {
        ring(1).read_link(&LinkToken::parse(text)?).ok()
    }

    /// The token with one byte of its body replaced and its signature kept.
    fn with_byte(text: &str, at: usize, byte: u8) -> String {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        bytes[at] = byte;
        URL_SAFE_NO_PAD.encode(bytes)
    }

    const PURPOSES: [Purpose; 6] = [
        Purpose::Open,
        Purpose::Click(0),
        Purpose::Click(1),
        Purpose::Click(u16::MAX),
        Purpose::Unsubscribe,
        Purpose::View,
    ];

    #[test]
    fn says_what_was_signed_and_fits_a_url() {
        for purpose in PURPOSES {
            let text = ring(1).link_token(&link(purpose));
            assert_eq!(read(&text), Some(link(purpose)));
            assert_eq!(text.len(), 91);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        }
    }

    #[test]
    fn every_single_bit_counts() {
        let bytes = URL_SAFE_NO_PAD.decode(ring(1).link_token(&link(Purpose::Click(3)))).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&URL_SAFE_NO_PAD.encode(&changed)), None, "bit {bit}");
        }
        assert!(read(&URL_SAFE_NO_PAD.encode(&bytes)).is_some());
    }

    #[test]
    fn a_token_has_one_spelling() {
        let text = ring(1).link_token(&link(Purpose::Open));
        let last = text.as_bytes()[90];
        for byte in (b'0'..=b'z').filter(|byte| *byte != last) {
            assert_eq!(read(&format!("{}{}", &text[..90], char::from(byte))), None);
        }
        for other in [format!("{text}="), format!("{text} "), format!(" {text}"), format!("{text}A"), text[1..].into()]
        {
            assert_eq!(read(&other), None, "{other}");
        }
        assert!(read(&text).is_some());
    }

    #[test]
    fn no_part_can_be_exchanged() {
        let text = ring(1).link_token(&link(Purpose::Click(3)));
        for (what, at, byte) in
            [("account", 1, 9), ("activity", 17, 9), ("contact", 33, 9), ("purpose", 49, 3), ("link number", 51, 4)]
        {
            assert_eq!(read(&with_byte(&text, at, byte)), None, "{what}");
        }
        assert!(read(&with_byte(&text, 51, 3)).is_some());

        // An unsubscribe token is no click, even where the rest agrees.
        let unsubscribe = ring(1).link_token(&link(Purpose::Unsubscribe));
        let claimed = LinkToken::parse(&with_byte(&unsubscribe, 49, 4)).expect("has the right shape");
        assert_eq!(ring(1).read_link(&claimed), Err(LinkError::Refused));
    }

    #[test]
    fn accounts_with_the_same_key_do_not_read_each_others_tokens() {
        let text = ring(1).link_token(&link(Purpose::Open));
        let token = LinkToken::parse(&text).unwrap();
        assert_eq!(token.account(), account(1));
        assert_eq!(ring(2).read_link(&token), Err(LinkError::OtherAccount));
        // The second account's id written into the first one's token.
        let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        bytes[1..17].copy_from_slice(account(2).as_bytes());
        let moved = LinkToken::parse(&URL_SAFE_NO_PAD.encode(bytes)).unwrap();
        assert_eq!(ring(2).read_link(&moved), Err(LinkError::Refused));
        assert!(ring(1).read_link(&token).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_refused_calmly(text in "[A-Za-z0-9_=-]{0,120}|.{0,120}") {
            prop_assert_eq!(read(&text), None);
        }

        #[test]
        fn arbitrary_bytes_of_the_right_length_are_refused_calmly(bytes in prop::collection::vec(any::<u8>(), 68)) {
            let mut bytes = bytes;
            bytes[0] = FORMAT;
            bytes[1..17].copy_from_slice(account(1).as_bytes());
            prop_assert_eq!(read(&URL_SAFE_NO_PAD.encode(&bytes)), None);
        }
    }
}
