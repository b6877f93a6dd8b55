//! Sending, stopping and going on. Every step is one transaction: the campaign's state, the activity's state, the
//! audit entry, and the job that does what follows.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::campaign::{self as rows, ActivityRow, CampaignRow, LinkRow};
use letterkeep_store::queue::{self, NewJob};
use letterkeep_store::sealed::column;
use letterkeep_store::{Error as StoreError, Tx};
use letterkeep_vault::Keyring;

use super::write::{log, save};
use super::{ActivityState, CampaignError, Examined, read_state};
use crate::{State, Step, transition};

/// How much too late a scheduled campaign still begins by itself. After that somebody has to say so: an invitation
/// that arrives the day after the feast does harm.
pub const LATEST: Duration = Duration::from_hours(12);
/// How far ahead a campaign can be scheduled.
const FARTHEST: Duration = Duration::from_hours(366 * 24);

/// When to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// At this instant.
    At(Timestamp),
}

/// What a launch led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launched {
    /// The sending has been made and its work enqueued.
    Begun(Id<kind::CampaignActivity>),
    /// It waits for its time.
    Waiting(Timestamp),
}

/// What became of a scheduled campaign when its job ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduled {
    /// The sending has been made and its work enqueued.
    Begun(Id<kind::CampaignActivity>),
    /// It has been paused instead; why stands in the campaign's `state_reason`: `overdue`, `incomplete`,
    /// `no_audience` or `audience_gone`.
    Held(&'static str),
    /// It is not due: it was unscheduled, cancelled, moved or begun already. The job has nothing to do.
    NotDue,
}

/// Sends a draft now or at a time. Now: freezes content, audience and links into an activity and enqueues
/// `delivery.run` with payload `{"activity": "activity_…"}`. Later: enqueues `campaign.start` with payload
/// `{"campaign": "campaign_…"}`, whose handler calls [`begin`]. Refuses content that has problems to mend, an
/// empty audience, and one that names what does not exist any more.
pub async fn launch(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    examined: &Examined,
    when: When,
) -> Result<Launched, CampaignError> {
    let id = examined.campaign;
    let row = locked(ctx, tx, id).await?;
    match when {
        When::Now => {
            let state = step_from(&row, Step::Begin)?;
            Ok(Launched::Begun(send(ctx, tx, keyring, row, state, examined).await?))
        }
        When::At(at) => {
            let mut row = row;
            step_from(&row, Step::Schedule)?.name().clone_into(&mut row.state);
            if at <= ctx.now() || at > ctx.now().plus(FARTHEST) {
                return Err(CampaignError::Time);
            }
            examined.admit(ctx, tx, &row).await?;
            row.scheduled_at = Some(at.micros());
            save(ctx, tx, &mut row).await?;
            log(ctx, tx, "campaign.schedule", &row, &format!(r#"{{"at":"{at}"}}"#)).await?;
            let job = NewJob {
                kind: "campaign.start",
                payload: format!(r#"{{"campaign":"{id}"}}"#),
                run_at: at,
                // The revision: a campaign that is moved must not find the job of its old time in its way.
                dedup: Some(format!("campaign.start/{id}/{}", row.revision)),
                max_attempts: 20,
            };
            queue::enqueue(ctx, tx, job).await?;
            Ok(Launched::Waiting(at))
        }
    }
}

/// Begins a scheduled campaign whose time has come: what the handler of `campaign.start` calls. A campaign that is
/// more than [`LATEST`] too late, or that can no longer be sent as it is, is paused with the reason instead.
/// Running it twice does no harm.
pub async fn begin(ctx: &Ctx, tx: &mut Tx, keyring: &Keyring, examined: &Examined) -> Result<Scheduled, CampaignError> {
    let Some(row) = rows::lock(tx, ctx.account, examined.campaign).await? else { return Ok(Scheduled::NotDue) };
    let due = row.scheduled_at.map(Timestamp::from_micros);
    let Some(due) = due.filter(|due| row.state == State::Scheduled.name() && *due <= ctx.now()) else {
        return Ok(Scheduled::NotDue);
    };
    if ctx.now().since(due) > LATEST {
        return hold(ctx, tx, row, "overdue").await;
    }
    match examined.admit(ctx, tx, &row).await {
        Ok(_) => {}
        Err(CampaignError::Problems(_)) => return hold(ctx, tx, row, "incomplete").await,
        Err(CampaignError::NoAudience) => return hold(ctx, tx, row, "no_audience").await,
        Err(CampaignError::AudienceGone) => return hold(ctx, tx, row, "audience_gone").await,
        Err(error) => return Err(error),
    }
    let state = step_from(&row, Step::Begin)?;
    Ok(Scheduled::Begun(send(ctx, tx, keyring, row, state, examined).await?))
}

/// Takes the time of a scheduled campaign back: it is a draft again.
pub async fn unschedule(ctx: &Ctx, tx: &mut Tx, id: Id<kind::Campaign>) -> Result<(), CampaignError> {
    let mut row = locked(ctx, tx, id).await?;
    step_from(&row, Step::Unschedule)?.name().clone_into(&mut row.state);
    row.scheduled_at = None;
    save(ctx, tx, &mut row).await?;
    Ok(log(ctx, tx, "campaign.unschedule", &row, "{}").await?)
}

/// Stops a campaign for now. Workers claim nothing more of it; what is being handed over is finished.
pub async fn pause(ctx: &Ctx, tx: &mut Tx, id: Id<kind::Campaign>) -> Result<(), CampaignError> {
    let mut row = locked(ctx, tx, id).await?;
    step_from(&row, Step::Pause)?.name().clone_into(&mut row.state);
    set_activity(ctx, tx, &row, ActivityState::Paused).await?;
    save(ctx, tx, &mut row).await?;
    Ok(log(ctx, tx, "campaign.pause", &row, "{}").await?)
}

/// Lets a paused campaign go on. One that was held before it began begins now, whatever its time was.
pub async fn resume(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    examined: &Examined,
) -> Result<Id<kind::CampaignActivity>, CampaignError> {
    let mut row = locked(ctx, tx, examined.campaign).await?;
    let state = step_from(&row, Step::Resume)?;
    let Some(activity) = row.activity_id.map(Id::<kind::CampaignActivity>::from_uuid) else {
        return send(ctx, tx, keyring, row, state, examined).await;
    };
    state.name().clone_into(&mut row.state);
    row.state_reason.clear();
    let frozen = rows::find_activity(tx, ctx.account, activity).await?.is_some_and(|row| row.frozen_at.is_some());
    set_activity(ctx, tx, &row, if frozen { ActivityState::Sending } else { ActivityState::Freezing }).await?;
    save(ctx, tx, &mut row).await?;
    enqueue_run(ctx, tx, activity, row.revision).await?;
    log(ctx, tx, "campaign.resume", &row, "{}").await?;
    Ok(activity)
}

/// Stops a scheduled, sending or paused campaign for good. What has not left is written off by `delivery.run`, which is
/// enqueued even if the campaign was paused and nothing worked on it any more.
pub async fn cancel(ctx: &Ctx, tx: &mut Tx, id: Id<kind::Campaign>) -> Result<(), CampaignError> {
    let mut row = locked(ctx, tx, id).await?;
    step_from(&row, Step::Cancel)?.name().clone_into(&mut row.state);
    row.state_reason.clear();
    set_activity(ctx, tx, &row, ActivityState::Cancelled).await?;
    save(ctx, tx, &mut row).await?;
    if let Some(activity) = row.activity_id {
        enqueue_run(ctx, tx, Id::from_uuid(activity), row.revision).await?;
    }
    Ok(log(ctx, tx, "campaign.cancel", &row, "{}").await?)
}

/// Records that everybody has been dealt with: `delivery` calls it after the last recipient's outcome. `false` if the
/// campaign was finished or cancelled already.
pub async fn finish(ctx: &Ctx, tx: &mut Tx, activity: Id<kind::CampaignActivity>) -> Result<bool, CampaignError> {
    let found = rows::find_activity(tx, ctx.account, activity).await?.ok_or(CampaignError::Missing)?;
    let mut row = locked(ctx, tx, Id::from_uuid(found.campaign_id)).await?;
    if row.activity_id != Some(activity.uuid()) {
        return Ok(false);
    }
    let Some(state) = transition(read_state(&row.state)?, Step::Finish) else { return Ok(false) };
    state.name().clone_into(&mut row.state);
    row.state_reason.clear();
    set_activity(ctx, tx, &row, ActivityState::Finished).await?;
    save(ctx, tx, &mut row).await?;
    log(ctx, tx, "campaign.finish", &row, &format!(r#"{{"recipients":{}}}"#, found.recipients)).await?;
    Ok(true)
}

/// Freezes a campaign into an activity and enqueues its work.
async fn send(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    mut row: CampaignRow,
    state: State,
    examined: &Examined,
) -> Result<Id<kind::CampaignActivity>, CampaignError> {
    let links = examined.admit(ctx, tx, &row).await?;
    let activity = ctx.new_id::<kind::CampaignActivity>();
    let frozen = keyring.open(&column::CAMPAIGN_CONTENT.slot(&row.campaign_id), &row.content)?;
    let activity_row = ActivityRow {
        activity_id: activity.uuid(),
        campaign_id: row.campaign_id,
        state: ActivityState::Freezing.name().to_owned(),
        content: keyring.seal(&column::ACTIVITY_CONTENT.slot(&activity.uuid()), &frozen, ctx.entropy()),
        key_version: i64::from(keyring.version()),
        audience: row.audience.clone(),
        recipients: 0,
        freeze_cursor: None,
        frozen_at: None,
        started_at: ctx.now().micros(),
        finished_at: None,
    };
    rows::insert_activity(tx, ctx.account, &activity_row).await?;
    let links: Vec<LinkRow> = links
        .iter()
        .map(|link| LinkRow { link_number: i64::from(link.number), url: link.url.clone(), label: link.label.clone() })
        .collect();
    rows::insert_links(tx, ctx.account, activity, &links).await?;
    state.name().clone_into(&mut row.state);
    row.state_reason.clear();
    row.activity_id = Some(activity.uuid());
    save(ctx, tx, &mut row).await?;
    enqueue_run(ctx, tx, activity, row.revision).await?;
    log(ctx, tx, "campaign.start", &row, &format!(r#"{{"activity":"{activity}","links":{}}}"#, links.len())).await?;
    Ok(activity)
}

pub(super) async fn hold(
    ctx: &Ctx,
    tx: &mut Tx,
    mut row: CampaignRow,
    reason: &'static str,
) -> Result<Scheduled, CampaignError> {
    step_from(&row, Step::Hold)?.name().clone_into(&mut row.state);
    reason.clone_into(&mut row.state_reason);
    save(ctx, tx, &mut row).await?;
    log(ctx, tx, "campaign.hold", &row, &format!(r#"{{"reason":"{reason}"}}"#)).await?;
    Ok(Scheduled::Held(reason))
}

async fn enqueue_run(
    ctx: &Ctx,
    tx: &mut Tx,
    activity: Id<kind::CampaignActivity>,
    revision: i64,
) -> Result<(), StoreError> {
    let job = NewJob {
        kind: "delivery.run",
        payload: format!(r#"{{"activity":"{activity}"}}"#),
        run_at: ctx.now(),
        // The revision: a run that has seen the pause and is about to end must not swallow the one that resumes.
        dedup: Some(format!("delivery.run/{activity}/{revision}")),
        max_attempts: 100,
    };
    queue::enqueue(ctx, tx, job).await?;
    Ok(())
}

pub(super) async fn set_activity(
    ctx: &Ctx,
    tx: &mut Tx,
    row: &CampaignRow,
    state: ActivityState,
) -> Result<(), StoreError> {
    let Some(activity) = row.activity_id else { return Ok(()) };
    let ended = matches!(state, ActivityState::Finished | ActivityState::Cancelled).then(|| ctx.now().micros());
    rows::set_activity_state(tx, ctx.account, Id::from_uuid(activity), state.name(), ended).await?;
    Ok(())
}

async fn locked(ctx: &Ctx, tx: &mut Tx, id: Id<kind::Campaign>) -> Result<CampaignRow, CampaignError> {
    rows::lock(tx, ctx.account, id).await?.ok_or(CampaignError::Missing)
}

fn step_from(row: &CampaignRow, step: Step) -> Result<State, CampaignError> {
    let state = read_state(&row.state)?;
    transition(state, step).ok_or(CampaignError::State { state, step: Some(step) })
}
