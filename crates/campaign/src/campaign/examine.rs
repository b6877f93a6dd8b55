//! Looking at a campaign before it is sent. Compiling takes its time, and the database must not wait for it: so it is
//! done before the transaction that sends, and holds for the revision that was looked at.

use std::collections::BTreeSet;

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::Tx;
use letterkeep_store::campaign::CampaignRow;

use super::{Campaign, CampaignError, read_audience};
use crate::compile::{CampaignLink, Problem, Severity, compile_apart};

/// What was found out about a campaign as it was at one revision.
#[derive(Debug, Clone)]
pub struct Examined {
    pub(super) campaign: Id<kind::Campaign>,
    revision: i64,
    outcome: Result<Vec<CampaignLink>, Vec<Problem>>,
}

/// Compiles the content of a campaign, for [`launch`](super::launch), [`begin`](super::begin) and
/// [`resume`](super::resume). `known` holds the merge keys of the account's fields.
pub async fn examine(campaign: &Campaign, known: BTreeSet<String>) -> Examined {
    let outcome = compile_apart(campaign.content.clone(), known).await.and_then(|compiled| {
        let to_mend = compiled.problems().iter().filter(|problem| problem.severity >= Severity::Incomplete);
        let to_mend: Vec<_> = to_mend.cloned().collect();
        if to_mend.is_empty() { Ok(compiled.links().to_vec()) } else { Err(to_mend) }
    });
    Examined { campaign: campaign.id, revision: campaign.revision, outcome }
}

impl Examined {
    /// Whether the campaign can be sent as it is now: yields the links of its content.
    pub(super) async fn admit(
        &self,
        ctx: &Ctx,
        tx: &mut Tx,
        row: &CampaignRow,
    ) -> Result<&[CampaignLink], CampaignError> {
        if row.revision != self.revision {
            return Err(CampaignError::Changed(row.revision));
        }
        let links = self.outcome.as_deref().map_err(|problems| CampaignError::Problems(problems.clone()))?;
        let audience = read_audience(&row.audience)?;
        if audience.is_empty() {
            return Err(CampaignError::NoAudience);
        }
        if audience.is_whole(ctx, tx).await? { Ok(links) } else { Err(CampaignError::AudienceGone) }
    }
}
