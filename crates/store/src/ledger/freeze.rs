//! Freezing an audience: its contacts become rows of the ledger, piece by piece, before anything is sent.

use letterkeep_model::{Id, Timestamp, kind};
use uuid::Uuid;

use crate::{Error, Tx, sending_total};

statements! {
    PLAN_ALL = "INSERT INTO recipient (account_id, activity_id, contact_id, state, reason, attempts, next_at,
            lease_epoch, lease_until, updated_at)
        SELECT account_id, $2, contact_id, 'planned', '', 0, 0, 0, 0, $4 FROM contact
        WHERE account_id = $1 AND contact_id > $3 AND contact_id <= $5
        ON CONFLICT DO NOTHING";
    PLAN_LIST = "INSERT INTO recipient (account_id, activity_id, contact_id, state, reason, attempts, next_at,
            lease_epoch, lease_until, updated_at)
        SELECT account_id, $2, contact_id, 'planned', '', 0, 0, 0, 0, $4 FROM list_member
        WHERE account_id = $1 AND list_id = $6 AND contact_id > $3 AND contact_id <= $5
        ON CONFLICT DO NOTHING";
    PLAN_TAG = "INSERT INTO recipient (account_id, activity_id, contact_id, state, reason, attempts, next_at,
            lease_epoch, lease_until, updated_at)
        SELECT account_id, $2, contact_id, 'planned', '', 0, 0, 0, 0, $4 FROM contact_tag
        WHERE account_id = $1 AND tag_id = $6 AND contact_id > $3 AND contact_id <= $5
        ON CONFLICT DO NOTHING";
    EXCLUDE_TAG = "DELETE FROM recipient WHERE account_id = $1 AND activity_id = $2 AND contact_id IN
        (SELECT contact_id FROM contact_tag WHERE account_id = $1 AND tag_id = $5
            AND contact_id > $3 AND contact_id <= $4)";
    // The end of a keyset batch: the id of the last of the next rows.
    END_ALL = "SELECT contact_id FROM contact WHERE account_id = $1 AND contact_id > $2
        ORDER BY contact_id LIMIT 1 OFFSET $3";
    END_LIST = "SELECT contact_id FROM list_member WHERE account_id = $1 AND list_id = $4 AND contact_id > $2
        ORDER BY contact_id LIMIT 1 OFFSET $3";
    END_TAG = "SELECT contact_id FROM contact_tag WHERE account_id = $1 AND tag_id = $4 AND contact_id > $2
        ORDER BY contact_id LIMIT 1 OFFSET $3";
    MEMBERS_ALL = "SELECT contact_id FROM contact WHERE account_id = $1 AND contact_id > $2 ORDER BY contact_id LIMIT $3";
    MEMBERS_LIST = "SELECT contact_id FROM list_member WHERE account_id = $1 AND list_id = $4 AND contact_id > $2
        ORDER BY contact_id LIMIT $3";
    MEMBERS_TAG = "SELECT contact_id FROM contact_tag WHERE account_id = $1 AND tag_id = $4 AND contact_id > $2
        ORDER BY contact_id LIMIT $3";
    FREEZE_END = "UPDATE campaign_activity SET frozen_at = $3, recipients =
            (SELECT COUNT(*) FROM recipient WHERE account_id = $1 AND activity_id = $2)
        WHERE account_id = $1 AND activity_id = $2 AND frozen_at IS NULL";
}

/// Where recipients come from while an audience is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Every contact of the account.
    Everybody,
    /// The members of a list.
    List(Uuid),
    /// The contacts with a tag.
    Tag(Uuid),
    /// The contacts with a tag, taken out again.
    Without(Uuid),
}

/// Plans (or, for [`Source::Without`], takes out) the next `limit` contacts of `source` after `after`. Yields how many
/// rows changed, and the id after which the next batch begins, `None` when the source is used up.
pub async fn plan_batch(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    source: Source,
    after: Uuid,
    limit: i64,
    now: Timestamp,
) -> Result<(i64, Option<Uuid>), Error> {
    let (of, sending) = (account, activity);
    let (account, activity, skip) = (account.uuid(), activity.uuid(), limit.max(1) - 1);
    let end = match source {
        Source::Everybody => optional!(tx, END_ALL => (Uuid,), account, after, skip)?,
        Source::List(list) => optional!(tx, END_LIST => (Uuid,), account, after, skip, list)?,
        Source::Tag(tag) | Source::Without(tag) => optional!(tx, END_TAG => (Uuid,), account, after, skip, tag)?,
    }
    .map(|(end,)| end);
    let upto = end.unwrap_or(Uuid::max());
    let at = now.micros();
    let rows = match source {
        Source::Everybody => exec!(tx, PLAN_ALL, account, activity, after, at, upto)?,
        Source::List(list) => exec!(tx, PLAN_LIST, account, activity, after, at, upto, list)?,
        Source::Tag(tag) => exec!(tx, PLAN_TAG, account, activity, after, at, upto, tag)?,
        Source::Without(tag) => exec!(tx, EXCLUDE_TAG, account, activity, after, upto, tag)?,
    } as i64;
    let planned = if matches!(source, Source::Without(_)) { -rows } else { rows };
    sending_total::add_planned(tx, of, sending, planned).await?;
    Ok((rows, end))
}

/// The contacts of a source by id after `after`; those of [`Source::Without`] are those who bear the tag.
pub async fn members(
    tx: &mut Tx,
    account: Id<kind::Account>,
    source: Source,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let account = account.uuid();
    let rows = match source {
        Source::Everybody => all!(tx, MEMBERS_ALL => (Uuid,), account, after, limit)?,
        Source::List(list) => all!(tx, MEMBERS_LIST => (Uuid,), account, after, limit, list)?,
        Source::Tag(tag) | Source::Without(tag) => all!(tx, MEMBERS_TAG => (Uuid,), account, after, limit, tag)?,
    };
    Ok(rows.into_iter().map(|(contact,)| contact).collect())
}

/// Ends the freezing and counts the recipients.
pub async fn freeze_end(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    now: Timestamp,
) -> Result<(), Error> {
    exec!(tx, FREEZE_END, account.uuid(), activity.uuid(), now.micros())?;
    Ok(())
}
