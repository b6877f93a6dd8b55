//! Freezing: the audience becomes rows of the ledger.

use letterkeep_campaign::{Activity, ActivityState};
use letterkeep_model::{Ctx, Id};
use letterkeep_store::ledger::{self, Source};
use letterkeep_store::queue::{self, ClaimedJob};
use letterkeep_store::{Store, campaign as campaign_rows};
use uuid::Uuid;

use super::{JOB_LEASE, Progress, SendError};

/// Contacts planned in one transaction.
const BATCH: i64 = 5_000;

/// Plans every contact of the audience; `false` if somebody stopped the sending meanwhile, or if it was paused because a
/// list or tag of the audience is gone. Begins anew after a crash: nobody can be planned twice, the key of the ledger
/// forbids it.
pub(super) async fn freeze(
    store: &Store,
    ctx: &Ctx,
    activity: &Activity,
    job: Option<&ClaimedJob>,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<bool, SendError> {
    let audience = &activity.audience;
    let mut tx = store.db.read().await?;
    let whole = audience.is_whole(ctx, &mut tx).await?;
    drop(tx);
    if !whole {
        return pause(store, ctx, activity).await;
    }
    let mut sources = Vec::new();
    if audience.everybody {
        sources.push(Source::Everybody);
    } else {
        sources.extend(audience.lists.iter().map(|list| Source::List(list.uuid())));
        sources.extend(audience.tags.iter().map(|tag| Source::Tag(tag.uuid())));
    }
    // Last, so that they are taken out whatever they came in by.
    sources.extend(audience.excluded_tags.iter().map(|tag| Source::Without(tag.uuid())));
    let account = ctx.account;
    let mut planned = 0;
    for source in sources {
        let mut after = Uuid::nil();
        loop {
            let mut tx = store.db.write().await?;
            let state = campaign_rows::lock_activity(&mut tx, account, activity.id).await?;
            let wanted = [ActivityState::Freezing, ActivityState::Sending];
            if !state.is_some_and(|state| wanted.iter().any(|wanted| wanted.name() == state)) {
                return Ok(false);
            }
            if let Some(job) = job {
                queue::extend(&mut tx, job, ctx.now().plus(JOB_LEASE)).await?;
            }
            let (rows, end) =
                ledger::plan_batch(&mut tx, account, activity.id, source, after, BATCH, ctx.now()).await?;
            tx.commit().await?;
            planned += if matches!(source, Source::Without(_)) { -rows } else { rows };
            progress(Progress { recipients: planned, ..Progress::default() });
            match end {
                Some(end) => after = end,
                None => break,
            }
        }
    }
    let mut tx = store.db.write().await?;
    let state = campaign_rows::lock_activity(&mut tx, account, activity.id).await?;
    // An excluded tag that was deleted meanwhile has kept out nobody or not everybody. What exists now has existed all
    // the time.
    if !audience.is_whole(ctx, &mut tx).await? {
        drop(tx);
        return pause(store, ctx, activity).await;
    }
    ledger::freeze_end(&mut tx, account, activity.id, ctx.now()).await?;
    let begins = state.as_deref() == Some(ActivityState::Freezing.name());
    if begins {
        let sending = ActivityState::Sending.name();
        campaign_rows::set_activity_state(&mut tx, account, Id::from_uuid(activity.id.uuid()), sending, None).await?;
    }
    tx.commit().await?;
    Ok(begins || state.as_deref() == Some(ActivityState::Sending.name()))
}

/// Nobody gets anything before somebody has looked at it.
async fn pause(store: &Store, ctx: &Ctx, activity: &Activity) -> Result<bool, SendError> {
    let mut tx = store.db.write().await?;
    letterkeep_campaign::stall(ctx, &mut tx, activity.id, "audience_gone").await?;
    tx.commit().await?;
    Ok(false)
}
