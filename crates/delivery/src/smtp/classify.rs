//! What a reply means for the recipient, by enhanced status code (RFC 3463 and the IANA registry).

use std::time::Duration;

use super::{Enhanced, Reply, Stage};

/// Why a message was refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// The address does not exist: suppress it.
    HardBounce,
    /// The mailbox is disabled.
    Disabled,
    /// The mailbox is full.
    Full,
    /// The receiver distrusts the sender: not the contact's fault.
    SenderFault,
    /// The message is too large or malformed.
    Content,
    /// Refused without a reason that we know.
    Rejected,
    /// Put off until we gave up.
    Expired,
}

impl Failure {
    /// Every reason.
    pub const ALL: [Self; 7] =
        [Self::HardBounce, Self::Disabled, Self::Full, Self::SenderFault, Self::Content, Self::Rejected, Self::Expired];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::Disabled => "mailbox_disabled",
            Self::Full => "mailbox_full",
            Self::SenderFault => "sender_fault",
            Self::Content => "content",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// What to do after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The server has taken the message.
    Accepted,
    /// Try again later.
    Deferred,
    /// Do not try again.
    Failed(Failure),
    /// The server takes nothing from this sender, whoever the recipient is: the quota is used up, the address is not
    /// confirmed, a log-in is missing.
    SenderRefused,
}

/// Judges a reply to `stage`. Anything but 2xx and 5xx is worth another try.
pub fn verdict(stage: Stage, reply: &Reply) -> Verdict {
    match reply.code / 100 {
        2 if stage == Stage::Message => Verdict::Accepted,
        5 if concerns_sender(stage, reply) => Verdict::SenderRefused,
        5 => Verdict::Failed(failure(reply.enhanced)),
        _ => Verdict::Deferred,
    }
}

/// Whatever is refused at MAIL FROM; 530, no log-in (RFC 4954 §6); 1.7 and 1.8, the sender's address.
fn concerns_sender(stage: Stage, reply: &Reply) -> bool {
    stage == Stage::Sender || reply.code == 530 || matches!(reply.enhanced, Some(Enhanced(_, 1, 7 | 8)))
}

fn failure(enhanced: Option<Enhanced>) -> Failure {
    match enhanced {
        // Policy: often that of one receiver.
        Some(Enhanced(_, 7, _)) => Failure::SenderFault,
        // No such mailbox, system or syntax; moved without a new address; null MX (RFC 7505).
        Some(Enhanced(_, 1, 1 | 2 | 3 | 6 | 10)) => Failure::HardBounce,
        Some(Enhanced(_, 2, 1)) => Failure::Disabled,
        Some(Enhanced(_, 2, 2)) => Failure::Full,
        Some(Enhanced(_, 3, 4) | Enhanced(_, 2, 3) | Enhanced(_, 6, _)) => Failure::Content,
        _ => Failure::Rejected,
    }
}

/// How long to wait after the given number of attempts; `None` when two days are over.
pub fn back_off(attempts: i64) -> Option<Duration> {
    const MINUTES: [u64; 9] = [5, 15, 30, 60, 120, 240, 480, 720, 1200];
    let index = usize::try_from(attempts.max(1) - 1).ok()?;
    MINUTES.get(index).map(|minutes| Duration::from_mins(*minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_exactly_this() {
        let reply = |text: &str| match super::super::parse_reply(format!("{text}\r\n").as_bytes()).unwrap() {
            super::super::Parsed::Whole(reply, _) => reply,
            super::super::Parsed::More => panic!("not whole"),
        };
        for (stage, text, expected) in [
            (Stage::Message, "250 2.0.0 queued", Verdict::Accepted),
            (Stage::Recipient, "550 5.1.1 unknown", Verdict::Failed(Failure::HardBounce)),
            (Stage::Recipient, "556 5.1.10 null MX", Verdict::Failed(Failure::HardBounce)),
            (Stage::Recipient, "550 no such user", Verdict::Failed(Failure::Rejected)),
            (Stage::Recipient, "550 5.2.1 disabled", Verdict::Failed(Failure::Disabled)),
            (Stage::Recipient, "552 5.2.2 full", Verdict::Failed(Failure::Full)),
            (Stage::Recipient, "450 4.2.1 greylisted", Verdict::Deferred),
            (Stage::Recipient, "421 bye", Verdict::Deferred),
            (Stage::Message, "550 5.7.26 not aligned", Verdict::Failed(Failure::SenderFault)),
            (Stage::Message, "552 5.3.4 too big", Verdict::Failed(Failure::Content)),
            (Stage::Sender, "550 5.1.1 odd", Verdict::SenderRefused),
            (Stage::Sender, "552 5.2.2 quota", Verdict::SenderRefused),
            (Stage::Sender, "451 4.7.1 later", Verdict::Deferred),
            (Stage::Recipient, "530 5.7.0 log in first", Verdict::SenderRefused),
            (Stage::Recipient, "553 5.1.8 sender", Verdict::SenderRefused),
            (Stage::Recipient, "550 5.7.1 not you", Verdict::Failed(Failure::SenderFault)),
            (Stage::Recipient, "250 not the end", Verdict::Deferred),
        ] {
            assert_eq!(verdict(stage, &reply(text)), expected, "{text}");
        }
    }

    #[test]
    fn gives_up_after_two_days() {
        let waits: Vec<Duration> = (1..).map_while(back_off).collect();
        assert_eq!(waits[0], Duration::from_mins(5));
        let all: Duration = waits.iter().sum();
        assert!(all > Duration::from_hours(47) && all <= Duration::from_hours(48));
    }
}
