//! Why a sending is held up: one sealed row while it is, none otherwise.

use letterkeep_model::{Id, Timestamp, kind};

use crate::{Error, Tx};

statements! {
    PUT = "INSERT INTO sending_trouble (account_id, activity_id, trouble, key_version, at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account_id, activity_id) DO UPDATE SET trouble = excluded.trouble,
            key_version = excluded.key_version, at = excluded.at";
    FIND = "SELECT trouble, at FROM sending_trouble WHERE account_id = $1 AND activity_id = $2";
    CLEAR = "DELETE FROM sending_trouble WHERE account_id = $1 AND activity_id = $2";
}

/// Stores the trouble ([`SENDING_TROUBLE`](crate::sealed::column::SENDING_TROUBLE)), replacing an earlier one.
pub async fn put(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
    trouble: &[u8],
    key_version: u32,
    at: Timestamp,
) -> Result<(), Error> {
    exec!(tx, PUT, account.uuid(), activity.uuid(), trouble, i64::from(key_version), at.micros())?;
    Ok(())
}

/// The sealed trouble, if there is any, and when it came.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    activity: Id<kind::CampaignActivity>,
) -> Result<Option<(Vec<u8>, Timestamp)>, Error> {
    let found = optional!(tx, FIND => (Vec<u8>, i64), account.uuid(), activity.uuid())?;
    Ok(found.map(|(trouble, at)| (trouble, Timestamp::from_micros(at))))
}

/// The sending goes on.
pub async fn clear(tx: &mut Tx, account: Id<kind::Account>, activity: Id<kind::CampaignActivity>) -> Result<(), Error> {
    exec!(tx, CLEAR, account.uuid(), activity.uuid())?;
    Ok(())
}
