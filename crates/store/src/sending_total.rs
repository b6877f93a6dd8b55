//! How many recipients of a sending have come to which end: counters beside the sending, so that looking costs the same
//! however many they are. Every statement of [`ledger`](crate::ledger) that ends a recipient counts it here in the same
//! transaction. An end is for ever, so the counters only rise.

use letterkeep_model::{Id, Timestamp, kind};

use crate::{Error, Tx};

statements! {
    // The marks move on once the younger one is $8 old; $7 is now. Every right side sees the values before.
    ADD = "UPDATE campaign_activity SET accepted = accepted + $3, failed = failed + $4, skipped = skipped + $5,
            in_doubt = in_doubt + $6,
            past_at = CASE WHEN $7 - mark_at > $8 THEN mark_at ELSE past_at END,
            past_done = CASE WHEN $7 - mark_at > $8 THEN mark_done ELSE past_done END,
            mark_done = CASE WHEN $7 - mark_at > $8 THEN accepted + failed + skipped + in_doubt ELSE mark_done END,
            mark_at = CASE WHEN $7 - mark_at > $8 THEN $7 ELSE mark_at END
        WHERE account_id = $1 AND activity_id = $2";
    PLANNED = "UPDATE campaign_activity SET recipients = recipients + $3 WHERE account_id = $1 AND activity_id = $2";
    FIND = "SELECT state, recipients, accepted, failed, skipped, in_doubt,
            (SELECT COUNT(*) FROM recipient r WHERE r.account_id = $1 AND r.activity_id = $2 AND r.state = 'deferred')
                AS deferred,
            mark_at, mark_done, past_at, past_done
        FROM campaign_activity WHERE account_id = $1 AND activity_id = $2";
}

/// How far apart the marks are, in microseconds.
const MARKS_APART: i64 = 10_000_000;

/// Where the recipients of a sending stand, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SendingTotalRow {
    /// The state of the sending.
    pub state: String,
    /// All of them; while the audience is being frozen, those planned so far.
    pub recipients: i64,
    /// Taken by the mail server.
    pub accepted: i64,
    /// Refused for good.
    pub failed: i64,
    /// Not sent.
    pub skipped: i64,
    /// Sent, and no answer came.
    pub in_doubt: i64,
    /// Put off by the receiver.
    pub deferred: i64,
    /// A moment of the last seconds in which recipients came to their end, microseconds UTC; 0 for none yet.
    pub mark_at: i64,
    /// How many had ended by then.
    pub mark_done: i64,
    /// The mark before it.
    pub past_at: i64,
    /// How many had ended by then.
    pub past_done: i64,
}

/// Recipients that have come to their end in this transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ended {
    pub(crate) accepted: i64,
    pub(crate) failed: i64,
    pub(crate) skipped: i64,
    pub(crate) in_doubt: i64,
}

/// Counts recipients that have come to their end.
pub(crate) async fn add(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    ended: Ended,
    now: Timestamp,
) -> Result<(), Error> {
    if ended != Ended::default() {
        let Ended { accepted, failed, skipped, in_doubt } = ended;
        let (account, activity, now) = (account.uuid(), activity.uuid(), now.micros());
        exec!(tx, ADD, account, activity, accepted, failed, skipped, in_doubt, now, MARKS_APART)?;
    }
    Ok(())
}

/// Counts recipients that were planned, or, below zero, taken out again.
pub(crate) async fn add_planned(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    planned: i64,
) -> Result<(), Error> {
    exec!(tx, PLANNED, account.uuid(), activity.uuid(), planned)?;
    Ok(())
}

/// The counters of a sending.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<SendingTotalRow>, Error> {
    optional!(tx, FIND => SendingTotalRow, account.uuid(), activity.uuid())
}
