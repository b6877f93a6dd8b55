//! What recipients do with the links in their messages.
//!
//! A hit counts only while the contact's consent to tracking is given: one that was withdrawn since is honoured for
//! messages sent before. Neither network address nor browser is stored. A redirect leads only to addresses that the
//! frozen content holds word for word.

use letterkeep_audience::contact::{self, ReadError};
use letterkeep_audience::field;
use letterkeep_audience::permission::{self, Evidence, SetError, Source};
use letterkeep_campaign::{CampaignError, Rendered, apart, compile_frozen};
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::engagement::{self, Hit};
use letterkeep_store::{KeyStoreError, Store, Tx, campaign as campaign_rows, ledger};
use letterkeep_vault::{Keyring, Link, LinkToken, Purpose};

use crate::links::{LinkBase, MessageLinks};
use crate::person::Person;

/// Hits of one kind that are kept for one contact and sending: a reader who opens a message every day fits, a flood
/// does not.
const HITS: i64 = 200;
/// How often an unsubscription is tried when somebody else changes the same rows at the same time.
const TRIES: u32 = 5;

/// Why a link is not followed. Answer [`TrackError::Unknown`] with 404, the rest with 500.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// Not a link that we made, or its account, sending or contact is gone.
    #[error("this link is not valid")]
    Unknown,
    /// The contact's record does not open.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The permission could not be changed.
    #[error(transparent)]
    Permission(#[from] SetError),
    /// The campaign.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// A checked token with the context of its account.
struct Checked {
    ctx: Ctx,
    keyring: std::sync::Arc<Keyring>,
    link: Link,
}

/// Reads a token: shape, account, signature. All that fails looks alike.
async fn check(ctx: &Ctx, store: &Store, token: &str) -> Result<Checked, TrackError> {
    let token = LinkToken::parse(token).ok_or(TrackError::Unknown)?;
    let keyring = match store.keys.keyring(token.account()).await {
        Ok(keyring) => keyring,
        Err(KeyStoreError::NoKeys) => return Err(TrackError::Unknown),
        Err(error) => return Err(error.into()),
    };
    let link = keyring.read_link(&token).map_err(|_| TrackError::Unknown)?;
    let mut ctx = ctx.clone();
    ctx.account = link.account;
    Ok(Checked { ctx, keyring, link })
}

/// Records that the message was displayed, if the contact agreed to that. The picture is shown in any case.
pub async fn open(ctx: &Ctx, store: &Store, token: &str) -> Result<(), TrackError> {
    let checked = check(ctx, store, token).await?;
    if checked.link.purpose != Purpose::Open {
        return Err(TrackError::Unknown);
    }
    record(&checked, store, "open", None).await
}

/// Where a link leads. Records nothing: for programs that only look whether it leads anywhere.
pub async fn target(ctx: &Ctx, store: &Store, token: &str) -> Result<String, TrackError> {
    leads_to(store, &check(ctx, store, token).await?).await.map(|(_, target)| target)
}

/// Records that a link was followed, if the contact agreed to that. Yields where it leads.
pub async fn click(ctx: &Ctx, store: &Store, token: &str) -> Result<String, TrackError> {
    let checked = check(ctx, store, token).await?;
    let (number, target) = leads_to(store, &checked).await?;
    // A full disk must not keep a reader from where the link leads.
    if let Err(error) = record(&checked, store, "click", Some(i64::from(number))).await {
        tracing::warn!(activity = %checked.link.activity, %error, "a click could not be recorded");
    }
    Ok(target)
}

/// The number of a link and where it leads.
async fn leads_to(store: &Store, checked: &Checked) -> Result<(u16, String), TrackError> {
    let Purpose::Click(number) = checked.link.purpose else { return Err(TrackError::Unknown) };
    let mut tx = store.db.read().await?;
    let found = campaign_rows::link(&mut tx, checked.ctx.account, checked.link.activity, number).await?;
    Ok((number, found.ok_or(TrackError::Unknown)?.url))
}

async fn record(
    checked: &Checked,
    store: &Store,
    kind: &'static str,
    link_number: Option<i64>,
) -> Result<(), TrackError> {
    let mut tx = store.db.write().await?;
    if may_track(checked, &mut tx).await? {
        hit(checked, &mut tx, kind, link_number).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn may_track(checked: &Checked, tx: &mut Tx) -> Result<bool, TrackError> {
    let row = letterkeep_store::contact::find(tx, checked.ctx.account, checked.link.contact).await?;
    let consent = row.and_then(|row| letterkeep_audience::TrackingConsent::from_name(&row.tracking));
    Ok(consent.is_some_and(letterkeep_audience::TrackingConsent::may_track))
}

async fn hit(
    checked: &Checked,
    tx: &mut Tx,
    kind: &'static str,
    link_number: Option<i64>,
) -> Result<(), letterkeep_store::Error> {
    let hit = Hit {
        engagement_id: checked.ctx.new_id::<kind::Engagement>().uuid(),
        activity_id: checked.link.activity.uuid(),
        contact_id: checked.link.contact.uuid(),
        kind,
        link_number,
        at: checked.ctx.now().micros(),
    };
    engagement::record(tx, checked.ctx.account, &hit, HITS).await.map(drop)
}

/// Unsubscribes the contact (RFC 8058: by POST alone, without cookie and without redirect). Doing it again changes
/// nothing. `source` tells the button of the mail program from the link in the message.
pub async fn unsubscribe(ctx: &Ctx, store: &Store, token: &str, source: Source) -> Result<(), TrackError> {
    let checked = check(ctx, store, token).await?;
    if checked.link.purpose != Purpose::Unsubscribe {
        return Err(TrackError::Unknown);
    }
    // Whoever leaves must not be held by an import that changes the same contact at this moment: nobody may be there to
    // try again.
    let mut tries = 0;
    loop {
        tries += 1;
        match leave(&checked, store, source).await {
            Err(TrackError::Store(error) | TrackError::Permission(SetError::Store(error)))
                if tries < TRIES && error.is_contended() => {}
            done => return done,
        }
    }
}

async fn leave(checked: &Checked, store: &Store, source: Source) -> Result<(), TrackError> {
    let evidence = Evidence::note(format!("link of {}", checked.link.activity));
    let mut tx = store.db.write().await?;
    let contact = checked.link.contact;
    match permission::unsubscribe(&checked.ctx, &mut tx, &checked.keyring, contact, source, Some(&evidence)).await {
        // Whoever has been erased is written to no more.
        Err(SetError::Missing) => return Ok(()),
        Ok(false) => {}
        Ok(true) => hit(checked, &mut tx, "unsubscribe", None).await?,
        Err(error) => return Err(error.into()),
    }
    Ok(tx.commit().await?)
}

/// What the page behind the unsubscribe link may show before anything is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubscribePage {
    /// The sender's name as in the message.
    pub sender: String,
    /// The language of the message.
    pub locale: letterkeep_model::Locale,
    /// Whether the contact has unsubscribed already.
    pub done: bool,
}

/// What the page behind the unsubscribe link shows. Changes nothing.
pub async fn unsubscribe_page(ctx: &Ctx, store: &Store, token: &str) -> Result<UnsubscribePage, TrackError> {
    let checked = check(ctx, store, token).await?;
    if checked.link.purpose != Purpose::Unsubscribe {
        return Err(TrackError::Unknown);
    }
    let mut tx = store.db.read().await?;
    let found = letterkeep_campaign::find_activity(&checked.ctx, &mut tx, &checked.keyring, checked.link.activity);
    let activity = found.await?.ok_or(TrackError::Unknown)?;
    let row = letterkeep_store::contact::find(&mut tx, checked.ctx.account, checked.link.contact).await?;
    let done = row.is_none_or(|row| row.permission == letterkeep_audience::Permission::Unsubscribed.name());
    Ok(UnsubscribePage { sender: activity.content.from_name.clone(), locale: activity.content.locale, done })
}

/// The message as its recipient got it, for a sandboxed frame in the browser.
pub async fn view(ctx: &Ctx, store: &Store, base: &LinkBase, token: &str) -> Result<Rendered, TrackError> {
    let checked = check(ctx, store, token).await?;
    if checked.link.purpose != Purpose::View {
        return Err(TrackError::Unknown);
    }
    let Checked { ctx, keyring, link } = checked;
    let mut tx = store.db.read().await?;
    // Only recipients have a message to look at.
    ledger::find(&mut tx, ctx.account, link.activity, link.contact).await?.ok_or(TrackError::Unknown)?;
    let found = letterkeep_campaign::find_activity(&ctx, &mut tx, &keyring, link.activity).await?;
    let activity = found.ok_or(TrackError::Unknown)?;
    let custom = field::all(&ctx, &mut tx).await?;
    let opened = contact::open_batch(&ctx, &mut tx, &keyring, &[link.contact]).await?;
    let opened = opened.first().ok_or(TrackError::Unknown)?;
    drop(tx);
    let person = Person::new(opened, &custom);
    let base = base.clone();
    // Large content takes a while: the threads that serve everybody must not wait for it.
    let rendered = apart(move || {
        let compiled = compile_frozen(&activity.content).ok()?;
        let links = MessageLinks {
            base: &base,
            keyring: &keyring,
            activity: link.activity,
            contact: link.contact,
            // Looking at it in the browser is no opening of the mail: no picture, no counted links.
            track: false,
        };
        compiled.render(&person.fields, &links).ok()
    });
    rendered.await.ok_or(TrackError::Unknown)
}

/// The contact that a token was made for, to write tests and the demonstration with.
pub fn recipient(keyring: &Keyring, token: &str) -> Option<Id<kind::Contact>> {
    Some(keyring.read_link(&LinkToken::parse(token)?).ok()?.contact)
}
