//! The audit log: what was done, by whom, to what; a hash chain for each account.
//!
//! An entry's hash covers its own fields and the hash before it, so that no entry can be changed, removed or
//! inserted without breaking every later one. The head stands in `audit_head`; a copy kept elsewhere also reveals a
//! chain that was rewritten whole.

use letterkeep_model::{Actor, Ctx, Id, Timestamp, kind};
use letterkeep_vault::Sha256;
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    HEAD = "SELECT seq, hash FROM audit_head WHERE account_id = $1"
        => "SELECT seq, hash FROM audit_head WHERE account_id = $1 FOR UPDATE";
    LAST = "SELECT seq, hash FROM audit_head WHERE account_id = $1";
    START = "INSERT INTO audit_head (account_id, seq, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING";
    ADVANCE = "UPDATE audit_head SET seq = $2, hash = $3 WHERE account_id = $1";
    INSERT = "INSERT INTO audit_entry
        (account_id, seq, at, actor, action, object, detail, request_id, prev_hash, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    PAGE = "SELECT seq, at, actor, action, object, detail, request_id, prev_hash, hash
        FROM audit_entry WHERE account_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
    // What changes who would get a campaign: contacts, their permission, their place in lists and tags, fields.
    AUDIENCE_SINCE = "SELECT seq FROM audit_entry WHERE account_id = $1 AND seq > $2
        AND (action LIKE 'contact.%' OR action LIKE 'list.%' OR action LIKE 'tag.%' OR action LIKE 'field.%'
            OR action LIKE 'suppression.%' OR action LIKE 'import.%')
        AND action NOT LIKE 'contact.export%'
        ORDER BY seq LIMIT 1";
    CHAINS = "SELECT account_id FROM audit_head WHERE account_id > $1
        UNION SELECT account_id FROM account WHERE account_id > $1 ORDER BY account_id LIMIT $2";
    FORWARD = "SELECT seq, at, actor, action, object, detail, request_id, prev_hash, hash
        FROM audit_entry WHERE account_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
}

/// One entry, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AuditRow {
    /// 1, 2, 3 … within the account.
    pub seq: i64,
    /// When, microseconds UTC.
    pub at: i64,
    /// `user_…`, `system` or `public`.
    pub actor: String,
    /// What was done, for example `contact.create`.
    pub action: String,
    /// The id of what it was done to; may be empty.
    pub object: String,
    /// JSON; ids, counts and names of settings, never contact data.
    pub detail: String,
    /// The request or job that did it.
    pub request_id: Uuid,
    /// The hash of the entry before.
    pub prev_hash: Vec<u8>,
    /// The hash of this entry.
    pub hash: Vec<u8>,
}

/// What an entry says besides who and when.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// What was done: room and verb, for example `campaign.start`.
    pub action: &'a str,
    /// The id of what it was done to, in text form; empty where there is none.
    pub object: &'a str,
    /// JSON; ids, counts and names of settings, never contact data.
    pub detail: &'a str,
}

/// Appends an entry to the account's chain, in the transaction of the change that it records.
pub async fn append(ctx: &Ctx, tx: &mut Tx, event: Event<'_>) -> Result<(), Error> {
    let actor = match ctx.actor {
        Actor::User { id, .. } => id.to_string(),
        Actor::System => "system".to_owned(),
        Actor::Public => "public".to_owned(),
    };
    append_as(ctx, tx, ctx.account, &actor, event).await
}

/// Appends an entry for an account and actor that the context does not name yet (sign-up, log-in).
pub async fn append_as(
    ctx: &Ctx,
    tx: &mut Tx,
    account: Id<kind::Account>,
    actor: &str,
    event: Event<'_>,
) -> Result<(), Error> {
    let account = account.uuid();
    exec!(tx, START, account, &[0u8; 32][..])?;
    let (seq, prev_hash) = one!(tx, HEAD => (i64, Vec<u8>), account)?;
    let mut row = AuditRow {
        seq: seq + 1,
        at: ctx.now().micros(),
        actor: actor.to_owned(),
        action: event.action.to_owned(),
        object: event.object.to_owned(),
        detail: event.detail.to_owned(),
        request_id: ctx.request.uuid(),
        prev_hash,
        hash: Vec::new(),
    };
    row.hash = entry_hash(account, &row).to_vec();
    exec!(
        tx,
        INSERT,
        account,
        row.seq,
        row.at,
        &row.actor,
        &row.action,
        &row.object,
        &row.detail,
        row.request_id,
        &row.prev_hash,
        &row.hash
    )?;
    exec!(tx, ADVANCE, account, row.seq, &row.hash)?;
    Ok(())
}

/// The newest entries before `before` (use `i64::MAX` for the first page), newest first.
pub async fn page(tx: &mut Tx, account: Id<kind::Account>, before: i64, limit: i64) -> Result<Vec<AuditRow>, Error> {
    all!(tx, PAGE => AuditRow, account.uuid(), before, limit)
}

/// How many entries the account's chain has: the number of the latest.
pub async fn latest(tx: &mut Tx, account: Id<kind::Account>) -> Result<i64, Error> {
    let head = optional!(tx, LAST => (i64, Vec<u8>), account.uuid())?;
    Ok(head.map_or(0, |(seq, _)| seq))
}

/// Whether anything was done to contacts, or to what a campaign's audience is made of, after the entry `seq`.
pub async fn audience_changed_since(tx: &mut Tx, account: Id<kind::Account>, seq: i64) -> Result<bool, Error> {
    Ok(optional!(tx, AUDIENCE_SINCE => (i64,), account.uuid(), seq)?.is_some())
}

/// Whose chains there are after `after`, in order: every account's, also if its head is missing, and those of accounts
/// that are gone. The installation's own chain ([`Id::NIL`]) comes before all others and is not among them.
pub async fn chains(tx: &mut Tx, after: Id<kind::Account>, limit: i64) -> Result<Vec<Id<kind::Account>>, Error> {
    let rows = all!(tx, CHAINS => (Uuid,), after.uuid(), limit)?;
    Ok(rows.into_iter().map(|(id,)| Id::from_uuid(id)).collect())
}

/// How a chain was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Every hash fits; the number of entries.
    Whole(i64),
    /// The first entry that does not fit.
    BrokenAt(i64),
}

/// Recomputes the whole chain of an account.
pub async fn verify(tx: &mut Tx, account: Id<kind::Account>) -> Result<Chain, Error> {
    let mut seq = 0;
    let mut hash = vec![0u8; 32];
    loop {
        let rows = all!(tx, FORWARD => AuditRow, account.uuid(), seq, 500)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let fits = row.seq == seq + 1 && row.prev_hash == hash && row.hash == entry_hash(account.uuid(), &row);
            if !fits {
                return Ok(Chain::BrokenAt(seq + 1));
            }
            seq = row.seq;
            hash = row.hash;
        }
    }
    let head = optional!(tx, LAST => (i64, Vec<u8>), account.uuid())?;
    match head {
        None if seq == 0 => Ok(Chain::Whole(0)),
        Some((head_seq, head_hash)) if head_seq == seq && head_hash == hash => Ok(Chain::Whole(seq)),
        _ => Ok(Chain::BrokenAt(seq + 1)),
    }
}

/// SHA-256 over the entry's fields, each preceded by its length, so that no two entries have the same input.
fn entry_hash(account: Uuid, row: &AuditRow) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(b"letterkeep-audit-1");
    part(account.as_bytes());
    part(&row.seq.to_be_bytes());
    part(&row.at.to_be_bytes());
    part(row.actor.as_bytes());
    part(row.action.as_bytes());
    part(row.object.as_bytes());
    part(row.detail.as_bytes());
    part(row.request_id.as_bytes());
    part(&row.prev_hash);
    hash.finish()
}

impl AuditRow {
    /// When the entry was made.
    pub fn instant(&self) -> Timestamp {
        Timestamp::from_micros(self.at)
    }
}
