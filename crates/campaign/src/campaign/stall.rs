//! Pausing what cannot go on by itself, so that its people see it, mend the cause and resume.

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::{Tx, campaign as rows};

use super::schedule::{hold, set_activity};
use super::write::{log, save};
use super::{ActivityState, CampaignError, read_state};
use crate::{State, Step, transition};

/// Pauses the campaign that is being sent by `activity`; why stands in its `state_reason`. `false` if it is not being
/// sent any more: somebody paused or cancelled it, or it has finished.
pub async fn stall(
    ctx: &Ctx,
    tx: &mut Tx,
    activity: Id<kind::CampaignActivity>,
    reason: &'static str,
) -> Result<bool, CampaignError> {
    let found = rows::find_activity(tx, ctx.account, activity).await?.ok_or(CampaignError::Missing)?;
    let campaign = Id::from_uuid(found.campaign_id);
    let mut row = rows::lock(tx, ctx.account, campaign).await?.ok_or(CampaignError::Missing)?;
    if row.activity_id != Some(activity.uuid()) {
        return Ok(false);
    }
    let Some(state) = transition(read_state(&row.state)?, Step::Pause) else { return Ok(false) };
    state.name().clone_into(&mut row.state);
    reason.clone_into(&mut row.state_reason);
    set_activity(ctx, tx, &row, ActivityState::Paused).await?;
    save(ctx, tx, &mut row).await?;
    log(ctx, tx, "campaign.hold", &row, &format!(r#"{{"reason":"{reason}"}}"#)).await?;
    Ok(true)
}

/// Pauses a scheduled campaign that could not be begun; `false` if it is not scheduled any more.
pub async fn stall_scheduled(
    ctx: &Ctx,
    tx: &mut Tx,
    campaign: Id<kind::Campaign>,
    reason: &'static str,
) -> Result<bool, CampaignError> {
    let row = rows::lock(tx, ctx.account, campaign).await?.ok_or(CampaignError::Missing)?;
    if row.state != State::Scheduled.name() {
        return Ok(false);
    }
    hold(ctx, tx, row, reason).await?;
    Ok(true)
}
