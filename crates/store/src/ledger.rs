//! The ledger: one row for each recipient of a sending, from planned to its end.
//!
//! `UNIQUE (account, activity, contact)` is the primary key: that nobody is planned twice is a constraint. A worker
//! takes rows under a lease with an epoch that rises with every claim; whoever writes names the epoch it claimed, so
//! that a worker whose lease ran out changes nothing. How an audience becomes rows stands in `ledger/freeze.rs`. Whatever
//! ends a recipient is counted in [`sending_total`](crate::sending_total) in the same transaction.

pub(crate) mod freeze;

use letterkeep_model::{Id, Timestamp, kind};
use uuid::Uuid;

use crate::sending_total::{self, Ended};
use crate::{Error, Tx};

pub use freeze::{Source, freeze_end, members, plan_batch};

statements! {
    ACTIVITY_STATE = "SELECT state FROM campaign_activity WHERE account_id = $1 AND activity_id = $2";
    CLAIM = "UPDATE recipient SET state = 'leased', lease_epoch = lease_epoch + 1, lease_until = $4, updated_at = $3
        WHERE account_id = $1 AND activity_id = $2 AND contact_id IN
            (SELECT contact_id FROM recipient WHERE account_id = $1 AND activity_id = $2
                AND state IN ('planned', 'deferred') AND next_at <= $3 ORDER BY next_at, contact_id LIMIT $5)
        RETURNING contact_id, lease_epoch, attempts"
        => "WITH due AS MATERIALIZED (SELECT contact_id FROM recipient WHERE account_id = $1 AND activity_id = $2
                AND state IN ('planned', 'deferred') AND next_at <= $3 ORDER BY next_at, contact_id LIMIT $5
                FOR UPDATE SKIP LOCKED)
        UPDATE recipient r SET state = 'leased', lease_epoch = lease_epoch + 1, lease_until = $4, updated_at = $3
        FROM due WHERE r.account_id = $1 AND r.activity_id = $2 AND r.contact_id = due.contact_id
        RETURNING r.contact_id, r.lease_epoch, r.attempts";
    EXPIRE_LEASED = "UPDATE recipient SET state = 'planned', updated_at = $3
        WHERE account_id = $1 AND activity_id = $2 AND state = 'leased' AND lease_until < $3";
    EXPIRE_SENDING = "UPDATE recipient SET state = 'in_doubt', reason = 'worker_lost', updated_at = $3
        WHERE account_id = $1 AND activity_id = $2 AND state = 'sending' AND lease_until < $3";
    CANCEL_DUE = "UPDATE recipient SET state = 'skipped', reason = 'cancelled', updated_at = $3
        WHERE account_id = $1 AND activity_id = $2 AND contact_id IN
            (SELECT contact_id FROM recipient WHERE account_id = $1 AND activity_id = $2
                AND state IN ('planned', 'deferred') ORDER BY next_at, contact_id LIMIT $4)
            AND state IN ('planned', 'deferred')";
    CANCEL_HELD = "UPDATE recipient SET state = 'skipped', reason = 'cancelled', updated_at = $3
        WHERE account_id = $1 AND activity_id = $2 AND state = 'leased'";
    TOTALS = "SELECT state, reason, COUNT(*) FROM recipient WHERE account_id = $1 AND activity_id = $2
        GROUP BY state, reason";
    NEXT_DUE = "SELECT MIN(next_at) FROM recipient WHERE account_id = $1 AND activity_id = $2
        AND state IN ('planned', 'deferred')";
    NEXT_EXPIRY = "SELECT MIN(lease_until) FROM recipient WHERE account_id = $1 AND activity_id = $2
        AND state IN ('leased', 'sending')";
    SERIES = "SELECT updated_at / $3 * $3, state, COUNT(*) FROM recipient
        WHERE account_id = $1 AND activity_id = $2 AND state IN ('accepted', 'failed')
        GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 2000";
    SPAN = "SELECT MIN(updated_at), MAX(updated_at) FROM recipient
        WHERE account_id = $1 AND activity_id = $2 AND state IN ('accepted', 'failed')";
    PAGE = "SELECT contact_id, state, reason, attempts, next_at, reply_code, enhanced_code, updated_at FROM recipient
        WHERE account_id = $1 AND activity_id = $2 AND state = $3 AND contact_id > $4 ORDER BY contact_id LIMIT $5";
    FIND = "SELECT contact_id, state, reason, attempts, next_at, reply_code, enhanced_code, updated_at FROM recipient
        WHERE account_id = $1 AND activity_id = $2 AND contact_id = $3";
}

bulk_statements! {
    MARK_SENDING = "WITH mark (account_id, activity_id, contact_id, epoch, lease_until, at) AS ("
        ["uuid", "uuid", "uuid", "bigint", "bigint", "bigint"]
        ") UPDATE recipient SET state = 'sending', lease_until = mark.lease_until, updated_at = mark.at FROM mark
        WHERE recipient.account_id = mark.account_id AND recipient.activity_id = mark.activity_id
            AND recipient.contact_id = mark.contact_id AND recipient.lease_epoch = mark.epoch
            AND recipient.state = 'leased'
            AND EXISTS (SELECT 1 FROM contact c WHERE c.account_id = mark.account_id AND c.contact_id = mark.contact_id
                AND c.permission IN ('explicit', 'implicit'))
        RETURNING recipient.contact_id";
    EXTEND = "WITH mark (account_id, activity_id, contact_id, epoch, lease_until) AS ("
        ["uuid", "uuid", "uuid", "bigint", "bigint"]
        ") UPDATE recipient SET lease_until = mark.lease_until FROM mark
        WHERE recipient.account_id = mark.account_id AND recipient.activity_id = mark.activity_id
            AND recipient.contact_id = mark.contact_id AND recipient.lease_epoch = mark.epoch
            AND recipient.state IN ('leased', 'sending')";
    SETTLE = "WITH outcome (account_id, activity_id, contact_id, epoch, state, reason, attempts, next_at, reply_code,
            enhanced_code, at) AS ("
        ["uuid", "uuid", "uuid", "bigint", "text", "text", "bigint", "bigint", "bigint", "text", "bigint"]
        ") UPDATE recipient SET state = outcome.state, reason = outcome.reason, attempts = outcome.attempts,
            next_at = outcome.next_at, reply_code = outcome.reply_code, enhanced_code = outcome.enhanced_code,
            updated_at = outcome.at FROM outcome
        WHERE recipient.account_id = outcome.account_id AND recipient.activity_id = outcome.activity_id
            AND recipient.contact_id = outcome.contact_id AND recipient.lease_epoch = outcome.epoch
            AND recipient.state IN ('leased', 'sending')
        RETURNING recipient.state";
    LAST_REPLIES = "WITH wanted (account_id, activity_id, contact_id) AS ("
        ["uuid", "uuid", "uuid"]
        ") SELECT r.contact_id, r.reply_id, r.reply FROM wanted w JOIN delivery_reply r ON r.account_id = w.account_id
        AND r.reply_id = (SELECT l.reply_id FROM delivery_reply l WHERE l.account_id = w.account_id
            AND l.activity_id = w.activity_id AND l.contact_id = w.contact_id ORDER BY l.reply_id DESC LIMIT 1)";
    INSERT_REPLIES = "INSERT INTO delivery_reply
        (account_id, reply_id, activity_id, contact_id, attempt, reply_code, reply, key_version, at)"
        ["uuid", "uuid", "uuid", "uuid", "bigint", "bigint", "bytea", "bigint", "bigint"]
        "";
}

/// A recipient under a lease.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Claimed {
    /// Who.
    pub contact_id: Uuid,
    /// Fences this claim against later ones.
    pub lease_epoch: i64,
    /// How often it was tried before.
    pub attempts: i64,
}

/// What became of a claimed recipient.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Who.
    pub contact_id: Uuid,
    /// The epoch of the claim.
    pub epoch: i64,
    /// The new state.
    pub state: &'static str,
    /// Why, as a short word; empty for accepted.
    pub reason: &'static str,
    /// How often it has been tried now.
    pub attempts: i64,
    /// When it may be claimed again, microseconds UTC.
    pub next_at: i64,
    /// The server's reply code, where it gave one.
    pub reply_code: Option<i64>,
    /// The server's enhanced code, where it gave one.
    pub enhanced_code: Option<String>,
    /// When, microseconds UTC.
    pub at: i64,
}

/// A server's words about one attempt, sealed: they often quote the address.
#[derive(Debug, Clone)]
pub struct ReplyRow {
    /// The row's id.
    pub reply_id: Uuid,
    /// Who.
    pub contact_id: Uuid,
    /// Which attempt.
    pub attempt: i64,
    /// The reply code, if a reply came.
    pub reply_code: Option<i64>,
    /// The words, sealed.
    pub reply: Vec<u8>,
    /// Which key version sealed them.
    pub key_version: i64,
    /// When, microseconds UTC.
    pub at: i64,
}

/// A server's last words about a recipient, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredReply {
    /// Who.
    pub contact_id: Uuid,
    /// The row's id.
    pub reply_id: Uuid,
    /// The words, sealed.
    pub reply: Vec<u8>,
}

/// A recipient, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RecipientRow {
    /// Who.
    pub contact_id: Uuid,
    /// planned, leased, sending, accepted, deferred, failed, in_doubt or skipped.
    pub state: String,
    /// Why, as a short word.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it may be tried again, microseconds UTC.
    pub next_at: i64,
    /// The last reply code.
    pub reply_code: Option<i64>,
    /// The last enhanced code.
    pub enhanced_code: Option<String>,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// The state of a sending, to see whether somebody has stopped it.
pub async fn activity_state(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<String>, Error> {
    Ok(optional!(tx, ACTIVITY_STATE => (String,), account.uuid(), activity.uuid())?.map(|(state,)| state))
}

/// Claims up to `limit` recipients that are due, until `lease_until`.
pub async fn claim(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>, Error> {
    all!(tx, CLAIM => Claimed, account.uuid(), activity.uuid(), now.micros(), lease_until.micros(), limit)
}

/// Frees what a vanished worker held: leased rows are planned again, rows that were being sent are in doubt. Yields
/// how many of each.
pub async fn expire(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    now: Timestamp,
) -> Result<(u64, u64), Error> {
    let planned = exec!(tx, EXPIRE_LEASED, account.uuid(), activity.uuid(), now.micros())?;
    let in_doubt = exec!(tx, EXPIRE_SENDING, account.uuid(), activity.uuid(), now.micros())?;
    let ended = Ended { in_doubt: in_doubt as i64, ..Ended::default() };
    sending_total::add(tx, account, activity, ended, now).await?;
    Ok((planned, in_doubt))
}

/// Records that the messages are about to leave. Yields those whose lease still holds and whose contact still permits
/// it at this instant: only they may be sent, and only after the commit.
pub async fn mark_sending(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    rows: &[(Uuid, i64)],
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<Uuid>, Error> {
    let (account, activity) = (account.uuid(), activity.uuid());
    let (now, until) = (now.micros(), lease_until.micros());
    let marked = bulk_all!(tx, MARK_SENDING => (Uuid,), rows, |query, row| query
        .bind(account)
        .bind(activity)
        .bind(row.0)
        .bind(row.1)
        .bind(until)
        .bind(now))?;
    Ok(marked.into_iter().map(|(contact,)| contact).collect())
}

/// Prolongs the leases of rows that a living worker holds.
pub async fn extend(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    rows: &[(Uuid, i64)],
    lease_until: Timestamp,
) -> Result<u64, Error> {
    let (account, activity, until) = (account.uuid(), activity.uuid(), lease_until.micros());
    bulk_exec!(tx, EXTEND, rows, |query, row| query.bind(account).bind(activity).bind(row.0).bind(row.1).bind(until))
}

/// Writes what became of claimed recipients; rows whose lease was lost stay as they are. Yields how many changed.
pub async fn settle(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    rows: &[Settled],
) -> Result<u64, Error> {
    let (of, sending) = (account.uuid(), activity.uuid());
    let changed = bulk_all!(tx, SETTLE => (String,), rows, |query, row| query
        .bind(of)
        .bind(sending)
        .bind(row.contact_id)
        .bind(row.epoch)
        .bind(row.state)
        .bind(row.reason)
        .bind(row.attempts)
        .bind(row.next_at)
        .bind(row.reply_code)
        .bind(row.enhanced_code.as_deref())
        .bind(row.at))?;
    let number = |wanted: &str| changed.iter().filter(|(state,)| state == wanted).count() as i64;
    let ended = Ended {
        accepted: number("accepted"),
        failed: number("failed"),
        skipped: number("skipped"),
        in_doubt: number("in_doubt"),
    };
    let now = rows.iter().map(|row| row.at).max().unwrap_or_default();
    sending_total::add(tx, account, activity, ended, Timestamp::from_micros(now)).await?;
    Ok(changed.len() as u64)
}

/// Keeps what servers said.
pub async fn insert_replies(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    rows: &[ReplyRow],
) -> Result<(), Error> {
    let (account, activity) = (account.uuid(), activity.uuid());
    bulk_exec!(tx, INSERT_REPLIES, rows, |query, row| query
        .bind(account)
        .bind(row.reply_id)
        .bind(activity)
        .bind(row.contact_id)
        .bind(row.attempt)
        .bind(row.reply_code)
        .bind(row.reply.as_slice())
        .bind(row.key_version)
        .bind(row.at))?;
    Ok(())
}

/// Ends a cancelled sending: what has not left is skipped; of those who wait for their turn at most `limit`. Yields how
/// many of these there were: call it again as long as there are any.
pub async fn cancel(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    now: Timestamp,
    limit: i64,
) -> Result<u64, Error> {
    let held = exec!(tx, CANCEL_HELD, account.uuid(), activity.uuid(), now.micros())?;
    let due = exec!(tx, CANCEL_DUE, account.uuid(), activity.uuid(), now.micros(), limit)?;
    let ended = Ended { skipped: (held + due) as i64, ..Ended::default() };
    sending_total::add(tx, account, activity, ended, now).await?;
    Ok(due)
}

/// How many recipients stand in each state with each reason.
pub async fn totals(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Vec<(String, String, i64)>, Error> {
    all!(tx, TOTALS => (String, String, i64), account.uuid(), activity.uuid())
}

/// When the next waiting recipient is due.
pub async fn next_due(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<Timestamp>, Error> {
    let (at,) = one!(tx, NEXT_DUE => (Option<i64>,), account.uuid(), activity.uuid())?;
    Ok(at.map(Timestamp::from_micros))
}

/// When the next lease runs out.
pub async fn next_expiry(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<Timestamp>, Error> {
    let (at,) = one!(tx, NEXT_EXPIRY => (Option<i64>,), account.uuid(), activity.uuid())?;
    Ok(at.map(Timestamp::from_micros))
}

/// The first and last instant at which a recipient was accepted or failed.
pub async fn span(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<(i64, i64)>, Error> {
    let (first, last) = one!(tx, SPAN => (Option<i64>, Option<i64>), account.uuid(), activity.uuid())?;
    Ok(first.zip(last))
}

/// Accepted and failed recipients in buckets of `width` microseconds: the bucket's start, the state, how many.
pub async fn series(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    width: i64,
) -> Result<Vec<(i64, String, i64)>, Error> {
    all!(tx, SERIES => (i64, String, i64), account.uuid(), activity.uuid(), width)
}

/// The recipients in a state, by id after `after`.
pub async fn page(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    state: &str,
    after: Uuid,
    limit: i64,
) -> Result<Vec<RecipientRow>, Error> {
    all!(tx, PAGE => RecipientRow, account.uuid(), activity.uuid(), state, after, limit)
}

/// One recipient of a sending.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    contact: Id<kind::Contact>,
) -> Result<Option<RecipientRow>, Error> {
    optional!(tx, FIND => RecipientRow, account.uuid(), activity.uuid(), contact.uuid())
}

/// What servers said last about some recipients, in no particular order.
pub async fn last_replies(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    contacts: &[Uuid],
) -> Result<Vec<StoredReply>, Error> {
    let (account, activity) = (account.uuid(), activity.uuid());
    bulk_all!(tx, LAST_REPLIES => StoredReply, contacts, |query, contact| query.bind(account).bind(activity).bind(contact))
}
