//! Reading the audit log: what was done in an account, by whom, to what.

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::audit::{self, AuditRow, Event};
use letterkeep_store::{Error, Tx};

use crate::Session;

pub use letterkeep_store::audit::Chain;

/// The most entries on one page.
pub const PAGE: i64 = 200;

/// One entry.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// 1, 2, 3 … within the account.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: AuditActor,
    /// What was done, for example `campaign.start`.
    pub action: String,
    /// The id of what it was done to; may be empty.
    pub object: String,
    /// Ids, counts and names of settings.
    pub detail: serde_json::Value,
    /// Joins it with the log lines of the same request.
    pub request: Id<kind::Request>,
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditActor {
    /// A person.
    User(Id<kind::User>),
    /// The service itself.
    System,
    /// Somebody who was not logged in.
    Public,
    /// Not readable: the entry was tampered with. [`verify`] says so too.
    Unknown,
}

/// The newest entries of the account before `before` (none: from the newest), newest first; at most [`PAGE`].
pub async fn page(ctx: &Ctx, tx: &mut Tx, before: Option<i64>, limit: i64) -> Result<Vec<AuditEntry>, Error> {
    let rows = audit::page(tx, ctx.account, before.unwrap_or(i64::MAX), limit.clamp(1, PAGE)).await?;
    Ok(rows.into_iter().map(entry).collect())
}

/// Recomputes the account's whole chain.
pub async fn verify(ctx: &Ctx, tx: &mut Tx) -> Result<Chain, Error> {
    audit::verify(tx, ctx.account).await
}

fn entry(row: AuditRow) -> AuditEntry {
    let actor = match row.actor.as_str() {
        "system" => AuditActor::System,
        "public" => AuditActor::Public,
        user => user.parse().map_or(AuditActor::Unknown, AuditActor::User),
    };
    AuditEntry {
        seq: row.seq,
        at: row.instant(),
        actor,
        action: row.action,
        object: row.object,
        // A tampered entry must still be shown: `verify` says that it does not fit.
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        request: Id::from_uuid(row.request_id),
    }
}

/// Appends an entry for whoever the context names.
pub(crate) async fn append(
    ctx: &Ctx,
    tx: &mut Tx,
    action: &str,
    object: &str,
    detail: &serde_json::Value,
) -> Result<(), Error> {
    audit::append(ctx, tx, Event { action, object, detail: &detail.to_string() }).await
}

/// Appends an entry for the person of a session about themselves.
pub(crate) async fn append_for(
    ctx: &Ctx,
    tx: &mut Tx,
    session: &Session,
    action: &str,
    detail: &serde_json::Value,
) -> Result<(), Error> {
    append_about(ctx, tx, session.account, session.user, action, detail).await
}

/// Appends an entry for a person about themselves.
pub(crate) async fn append_about(
    ctx: &Ctx,
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
    action: &str,
    detail: &serde_json::Value,
) -> Result<(), Error> {
    let user = user.to_string();
    audit::append_as(ctx, tx, account, &user, Event { action, object: &user, detail: &detail.to_string() }).await
}

/// Appends an entry about somebody who has not proven to be the person.
pub(crate) async fn append_refusal(
    ctx: &Ctx,
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Option<Id<kind::User>>,
    action: &str,
    detail: &serde_json::Value,
) -> Result<(), Error> {
    let object = user.map(|user| user.to_string()).unwrap_or_default();
    audit::append_as(ctx, tx, account, "public", Event { action, object: &object, detail: &detail.to_string() }).await
}
