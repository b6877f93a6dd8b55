//! Why a sending is held up: kept while it is, so that its people see what to mend. Sealed: mail servers quote user names
//! and addresses in their answers.

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::sealed::column::SENDING_TROUBLE;
use letterkeep_store::{Tx, sending_trouble};
use letterkeep_vault::Keyring;
use serde::{Deserialize, Serialize};

use crate::domain::SignerError;
use crate::sender::SendError;
use crate::smtp::{Reply, SmtpError};

/// Of a server's answer so much is kept.
const KEPT_LINES: usize = 5;
/// And so much of each line, in bytes; an answer is ASCII.
const KEPT_LINE: usize = 300;

/// Why a sending is held up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The sender's domain is no sending domain any more.
    NoDomain,
    /// No relay is set up.
    NoRelay,
    /// The signing keys of the domain cannot be used.
    Signer,
    /// The frozen content cannot be rendered.
    Content,
    /// The relay cannot be reached, or refuses the log-in.
    Relay(SmtpError),
    /// The relay takes nothing from this sender.
    Sender(Reply),
    /// Not a matter of the account: the operator's log says more.
    Service,
}

impl Trouble {
    pub(crate) fn relay(error: &SmtpError) -> Self {
        Self::Relay(match error {
            SmtpError::Refused { stage, reply } => SmtpError::Refused { stage: *stage, reply: shortened(reply) },
            error => error.clone(),
        })
    }

    pub(crate) fn sender(reply: &Reply) -> Self {
        Self::Sender(shortened(reply))
    }
}

impl From<&SendError> for Trouble {
    fn from(error: &SendError) -> Self {
        match error {
            SendError::NoDomain => Self::NoDomain,
            SendError::NoRelay => Self::NoRelay,
            SendError::Signer(SignerError::Mismatch | SignerError::Key(_)) => Self::Signer,
            SendError::Content(_) => Self::Content,
            SendError::Missing
            | SendError::Signer(SignerError::Open(_) | SignerError::Store(_))
            | SendError::Relay(_)
            | SendError::Campaign(_)
            | SendError::Keys(_)
            | SendError::People(_)
            | SendError::Store(_) => Self::Service,
        }
    }
}

/// A stranger sends it; enough to act upon is kept.
fn shortened(reply: &Reply) -> Reply {
    let lines = reply.lines.iter().take(KEPT_LINES).map(|line| line.chars().take(KEPT_LINE).collect());
    Reply { lines: lines.collect(), ..reply.clone() }
}

/// Keeps why the sending is held up, replacing what was kept before.
pub(crate) async fn keep(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    activity: Id<kind::CampaignActivity>,
    trouble: &Trouble,
) -> Result<(), letterkeep_store::Error> {
    let sealed = keyring.seal_json(&SENDING_TROUBLE.slot(&activity.uuid()), trouble, ctx.entropy());
    sending_trouble::put(tx, ctx.account, activity, &sealed, keyring.version(), ctx.now()).await
}

/// Why the sending was held up the last time, and when; `None` if it goes on.
pub async fn find(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<(Trouble, Timestamp)>, letterkeep_store::Error> {
    let Some((sealed, at)) = sending_trouble::find(tx, ctx.account, activity).await? else { return Ok(None) };
    let opened = keyring.open_json(&SENDING_TROUBLE.slot(&activity.uuid()), &sealed);
    // That it is held up is still true if the reason does not open.
    let trouble = opened.unwrap_or_else(|error| {
        tracing::error!(%activity, %error, "why a sending is held up does not open");
        Trouble::Service
    });
    Ok(Some((trouble, at)))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::smtp::{ReplyError, Stage, TrustError};

    #[test]
    fn whatever_is_kept_comes_back() {
        let reply = Reply { code: 535, enhanced: None, lines: vec!["5.7.8 no".to_owned()] };
        let host = || "smtp.example".to_owned();
        let errors = [
            SmtpError::Resolve(host()),
            SmtpError::Connect { host: host(), port: 25, reason: ErrorKind::HostUnreachable },
            SmtpError::Broken(Stage::Message, ErrorKind::UnexpectedEof),
            SmtpError::Timeout(Stage::Greeting),
            SmtpError::Closed(Stage::End),
            SmtpError::Tls("expired".to_owned()),
            SmtpError::NoStartTls,
            SmtpError::Refused { stage: Stage::Auth, reply: reply.clone() },
            SmtpError::Protocol(Stage::Hello, ReplyError::ManyLines),
            SmtpError::Trust(TrustError::Empty),
        ];
        let all = errors.iter().map(Trouble::relay).chain([
            Trouble::sender(&reply),
            Trouble::NoDomain,
            Trouble::NoRelay,
            Trouble::Signer,
            Trouble::Content,
            Trouble::Service,
        ]);
        for trouble in all {
            let text = serde_json::to_string(&trouble).unwrap();
            assert_eq!(serde_json::from_str::<Trouble>(&text).unwrap(), trouble, "{text}");
        }
    }

    #[test]
    fn a_long_answer_is_cut() {
        let long = Reply { code: 550, enhanced: None, lines: vec!["x".repeat(2000); 100] };
        let Trouble::Sender(kept) = Trouble::sender(&long) else { panic!("another trouble") };
        assert_eq!((kept.lines.len(), kept.lines[0].len()), (5, 300));
    }
}
