//! What a mail server answers.

use letterkeep_delivery::smtp::{Parsed, ReplyError, parse_reply};

/// A reply takes no more bytes than there are, means the same however the bytes arrive, and shows nothing that
/// could steer a terminal or start a line.
pub fn check(bytes: &[u8]) {
    holds(bytes, &parse_reply);
}

/// The check of any parser of replies.
pub(crate) fn holds(bytes: &[u8], parse_reply: &dyn Fn(&[u8]) -> Result<Parsed, ReplyError>) {
    let all = parse_reply(bytes);
    // What is known from the first bytes does not change when the rest arrives.
    for cut in cuts(bytes) {
        let early = parse_reply(&bytes[..cut]);
        assert!(early == Ok(Parsed::More) || early == all, "{early:?} became {all:?}");
    }
    let Ok(Parsed::Whole(reply, taken)) = all else { return };
    assert!(taken > 0 && taken <= bytes.len());
    assert_eq!(bytes[taken - 1], b'\n', "a reply ends with a line");
    assert_eq!(parse_reply(&bytes[..taken - 1]), Ok(Parsed::More), "a reply is whole only with its last byte");
    assert!((200..600).contains(&reply.code));
    assert_eq!(reply.lines.len(), bytes[..taken - 1].split(|byte| *byte == b'\n').count());
    assert!(reply.enhanced.is_none_or(|enhanced| u16::from(enhanced.0) == reply.code / 100));
    let shown = reply.to_string();
    assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{shown:?}");
    assert!(shown.len() <= 16 + taken + reply.lines.len(), "it shows more than the server said");
    // What follows a reply belongs to the next one.
    let followed = [&bytes[..taken], b"250 next\r\n"].concat();
    assert_eq!(parse_reply(&followed), Ok(Parsed::Whole(reply, taken)));
}

/// Some places to cut at: around each end of a line, at most a few dozen.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    ends.take(16).flat_map(|at| [at.saturating_sub(1), at, at + 1]).chain([bytes.len() / 2])
}
