//! A test message of a campaign to one address: signed and sent as in earnest, counted nowhere.

use letterkeep_audience::contact::{self, ReadError};
use letterkeep_audience::field;
use letterkeep_campaign::{CampaignError, Fields, Problem, RenderError, compile_apart, preview};
use letterkeep_model::{Ctx, EmailAddress, Id, kind};
use letterkeep_store::audit::{self, Event};
use letterkeep_store::{KeyStoreError, Store};

use crate::dkim::SignError;
use crate::domain::{self, SignerError};
use crate::message::{Letter, MessageError, MessageIdentity};
use crate::person;
use crate::relay::{self, RelayError};
use crate::sender::Outbound;
use crate::smtp::{Body, BodyError, Connection, Delivered, Mail, Reply, SmtpError, Stage, Timeouts, Verdict, verdict};

/// Why a test message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum TestSendError {
    /// There is no such campaign.
    #[error("there is no such campaign")]
    NoCampaign,
    /// There is no such contact to fill in the merge tags with.
    #[error("the contact whose data fills the test message is gone; choose another one")]
    NoContact,
    /// The content cannot be shown.
    #[error("the content cannot be shown yet: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Content(Vec<Problem>),
    /// The sender's domain is no sending domain.
    #[error("the sender's domain is not among the sending domains; add it and publish its DNS records")]
    NoDomain,
    /// No relay.
    #[error("no mail server is set up; enter one under sending domains")]
    NoRelay,
    /// The server did not take it.
    #[error("the mail server refused {0}: {1}")]
    Refused(Stage, Reply),
    /// The conversation failed.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    /// Rendering failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The message cannot be written.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It cannot go over the wire.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A signing key.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The relay's settings.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The campaign.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The contact.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// Whose data fill the merge tags of a test message.
pub enum Sample {
    /// A contact's.
    Contact(Id<kind::Contact>),
    /// Nobody's.
    MadeUp(Fields),
}

/// Sends the campaign as it is now to `to`, with the data of `sample`. Its links lead nowhere, it carries no fields of
/// bulk mail, and nothing is counted. The audit log tells of it before anything leaves.
pub async fn test_send(
    ctx: &Ctx,
    store: &Store,
    outbound: &Outbound,
    campaign: Id<kind::Campaign>,
    to: &EmailAddress,
    sample: Sample,
) -> Result<(), TestSendError> {
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.read().await?;
    let found = letterkeep_campaign::find(ctx, &mut tx, &keyring, campaign).await?;
    let content = found.ok_or(TestSendError::NoCampaign)?.content;
    let custom = field::all(ctx, &mut tx).await?;
    let (fields, detail) = match sample {
        Sample::MadeUp(fields) => (fields, "{}".to_owned()),
        Sample::Contact(sample) => {
            let contact = contact::find(ctx, &mut tx, &keyring, sample).await?.ok_or(TestSendError::NoContact)?;
            (Fields::new(contact.merge_fields(&custom)), format!(r#"{{"contact":"{sample}"}}"#))
        }
    };
    let signer = domain::signer(ctx, &mut tx, &keyring, &content.from_address).await?.ok_or(TestSendError::NoDomain)?;
    let (_, mut server) = relay::open(ctx, &mut tx, &keyring).await?.ok_or(TestSendError::NoRelay)?;
    drop(tx);
    outbound.equip(&mut server);
    server.timeouts = Timeouts::impatient();
    let compiled = compile_apart(content.clone(), person::known(&custom)).await.map_err(TestSendError::Content)?;
    let rendered = preview(&compiled, &fields)?;
    let identity = MessageIdentity::random(ctx.entropy(), signer.domain());
    let letter = Letter {
        from_name: &content.from_name,
        from: &content.from_address,
        to,
        reply_to: content.reply_to.as_ref(),
        subject: &rendered.subject,
        date: ctx.now(),
        identity: &identity,
        text: &rendered.text,
        html: &rendered.html,
        bulk: None,
    };
    let message = letter.write()?;
    let mut signed = signer.sign(&message, ctx.now())?;
    signed.extend_from_slice(&message);
    let mail = Mail { from: content.from_address.clone(), to: to.clone(), body: Body::new(&signed)? };
    let mut tx = store.db.write().await?;
    let object = campaign.to_string();
    audit::append(ctx, &mut tx, Event { action: "campaign.test_send", object: &object, detail: &detail }).await?;
    tx.commit().await?;
    let mut connection = Connection::open(&server, &outbound.trust).await?;
    match connection.deliver(&mail, None).await {
        Delivered::Answered(stage, reply) if verdict(stage, &reply) == Verdict::Accepted => {}
        Delivered::Answered(stage, reply) => return Err(TestSendError::Refused(stage, reply)),
        Delivered::LostBefore(error) | Delivered::LostAfter(error) => return Err(error.into()),
    }
    if connection.is_usable() {
        connection.quit().await;
    }
    Ok(())
}
