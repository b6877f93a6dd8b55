//! Who still needs a list or tag.

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::{Error, Tx, campaign};

/// A campaign that waits for its time, goes out or is paused, and that names a list or tag in its audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedBy {
    /// The campaign.
    pub campaign: Id<kind::Campaign>,
    /// Its name.
    pub name: String,
}

/// Rows read in one piece.
const PIECE: i64 = 200;

/// The campaigns that still need the list or tag with this id, newest first. An audience is stored as JSON with the ids
/// of what it names as texts; no id is a part of another one.
pub(crate) async fn campaigns_naming(ctx: &Ctx, tx: &mut Tx, id: &str) -> Result<Vec<UsedBy>, Error> {
    let mut found = Vec::new();
    let mut before = uuid::Uuid::max();
    loop {
        let rows = campaign::unfinished(tx, ctx.account, before, PIECE).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        before = last.campaign_id;
        found.extend(
            rows.into_iter()
                .filter(|row| row.audience.contains(id))
                .map(|row| UsedBy { campaign: Id::from_uuid(row.campaign_id), name: row.name }),
        );
    }
}
