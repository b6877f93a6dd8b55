//! Opens and clicks of contacts who agreed to be tracked. No address, no network address, no browser is stored.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    // The recipient row is locked on PostgreSQL, so that two hits at the same time cannot both be the first.
    LOCK = "SELECT 1 FROM recipient WHERE account_id = $1 AND activity_id = $2 AND contact_id = $3"
        => "SELECT 1::bigint FROM recipient WHERE account_id = $1 AND activity_id = $2 AND contact_id = $3 FOR UPDATE";
    SEEN = "SELECT COUNT(*) FROM engagement WHERE account_id = $1 AND contact_id = $2 AND activity_id = $3
        AND kind = $4 AND link_number = $5";
    SEEN_ANY = "SELECT COUNT(*) FROM engagement WHERE account_id = $1 AND contact_id = $2 AND activity_id = $3
        AND kind = $4";
    INSERT = "INSERT INTO engagement
        (account_id, activity_id, engagement_id, contact_id, kind, link_number, first, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    TOTALS = "SELECT kind, COUNT(*), SUM(CASE WHEN first THEN 1 ELSE 0 END) FROM engagement
        WHERE account_id = $1 AND activity_id = $2 GROUP BY kind";
    READERS = "SELECT kind, COUNT(*) FROM engagement WHERE account_id = $1 AND activity_id = $2 AND first GROUP BY kind";
    BY_LINK = "SELECT l.link_number, l.url, l.label, COUNT(e.engagement_id), COUNT(DISTINCT e.contact_id)
        FROM campaign_link l LEFT JOIN engagement e
            ON e.account_id = l.account_id AND e.activity_id = l.activity_id AND e.link_number = l.link_number
            AND e.kind = 'click'
        WHERE l.account_id = $1 AND l.activity_id = $2
        GROUP BY l.link_number, l.url, l.label ORDER BY l.link_number";
    SERIES = "SELECT at / $3 * $3, kind, COUNT(*) FROM engagement
        WHERE account_id = $1 AND activity_id = $2 GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 2000";
    SPAN = "SELECT MIN(at), MAX(at) FROM engagement WHERE account_id = $1 AND activity_id = $2";
}

/// One hit on a link or pixel.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The row's id.
    pub engagement_id: Uuid,
    /// The sending.
    pub activity_id: Uuid,
    /// The recipient.
    pub contact_id: Uuid,
    /// `open`, `click` or `unsubscribe`.
    pub kind: &'static str,
    /// Which link, for a click.
    pub link_number: Option<i64>,
    /// Microseconds UTC.
    pub at: i64,
}

/// How often something happened, and how many contacts did it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LinkRow {
    /// The link's number in the content.
    pub link_number: i64,
    /// Where it leads.
    pub url: String,
    /// What it says.
    pub label: String,
    /// All clicks.
    pub total: i64,
    /// Contacts that clicked.
    pub contacts: i64,
}

/// Records a hit and whether it is the contact's first of its kind (and, for a unique count over the whole message,
/// of any link). Yields `None` if the contact is no recipient of the sending: then nothing is recorded. At most
/// `most` rows of one kind are kept for one contact and sending.
pub async fn record(tx: &mut Tx, account: Id<kind::Account>, hit: &Hit, most: i64) -> Result<Option<bool>, Error> {
    if optional!(tx, LOCK => (i64,), account.uuid(), hit.activity_id, hit.contact_id)?.is_none() {
        return Ok(None);
    }
    let (seen,) = one!(tx, SEEN_ANY => (i64,), account.uuid(), hit.contact_id, hit.activity_id, hit.kind)?;
    if seen >= most {
        return Ok(Some(false));
    }
    let first = seen == 0;
    exec!(
        tx,
        INSERT,
        account.uuid(),
        hit.activity_id,
        hit.engagement_id,
        hit.contact_id,
        hit.kind,
        hit.link_number,
        first,
        hit.at
    )?;
    Ok(Some(first))
}

/// How often the contact has followed this link.
pub async fn clicks(tx: &mut Tx, account: Id<kind::Account>, hit: &Hit) -> Result<i64, Error> {
    let number = hit.link_number.unwrap_or(0);
    Ok(one!(tx, SEEN => (i64,), account.uuid(), hit.contact_id, hit.activity_id, hit.kind, number)?.0)
}

/// For each kind: its name, all hits, contacts.
pub async fn totals(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Vec<(String, i64, i64)>, Error> {
    all!(tx, TOTALS => (String, i64, i64), account.uuid(), activity.uuid())
}

/// For each kind: its name, and how many contacts did it. Reads one row of an index a contact.
pub async fn readers(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Vec<(String, i64)>, Error> {
    all!(tx, READERS => (String, i64), account.uuid(), activity.uuid())
}

/// The links of the sending with their clicks, by number.
pub async fn by_link(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Vec<LinkRow>, Error> {
    let rows = all!(tx, BY_LINK => (i64, String, String, i64, i64), account.uuid(), activity.uuid())?;
    Ok(rows
        .into_iter()
        .map(|(link_number, url, label, total, contacts)| LinkRow { link_number, url, label, total, contacts })
        .collect())
}

/// The first and the last hit, microseconds UTC; `None` if there is none.
pub async fn span(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<(i64, i64)>, Error> {
    let (first, last) = one!(tx, SPAN => (Option<i64>, Option<i64>), account.uuid(), activity.uuid())?;
    Ok(first.zip(last))
}

/// Hits in buckets of `width` microseconds: the bucket's start, the kind, how many.
pub async fn series(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    width: i64,
) -> Result<Vec<(i64, String, i64)>, Error> {
    all!(tx, SERIES => (i64, String, i64), account.uuid(), activity.uuid(), width)
}
