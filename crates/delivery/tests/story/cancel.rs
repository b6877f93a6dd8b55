//! Whatever a campaign is doing when somebody cancels it: every recipient ends somewhere, and the sum is the audience.

use std::time::Duration;

use letterkeep_audience::Permission;
use letterkeep_campaign::{State, When};
use letterkeep_delivery::report;
use letterkeep_delivery::sender::run_job;
use letterkeep_model::{Id, kind};
use letterkeep_store::queue;
use letterkeep_testkit::for_each_database;

use crate::house::{Story, story, sum};

/// Does the jobs that are due, as the worker does, until none is left.
async fn work(story: &Story<'_>) {
    let store = &story.house.store;
    while let Some(job) = queue::claim(&store.db, story.ctx.now(), Duration::from_mins(5)).await.unwrap() {
        assert_eq!(job.kind, "delivery.run");
        let outcome = run_job(store, &story.ctx, &story.outbound, &job, &|_| {}).await;
        let mut tx = store.db.write().await.unwrap();
        queue::settle(&mut tx, &job, &outcome, story.ctx.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// A campaign to 30 readers of whom only a few may be written to in a minute: it has begun, the rest waits.
async fn begun(story: &Story<'_>) -> (Id<kind::CampaignActivity>, Id<kind::Campaign>) {
    let names: Vec<String> = (0..30).map(|number| format!("reader-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    story.contacts(&names, Permission::Explicit, false).await;
    let activity = story.launch().await;
    work(story).await;
    let mut tx = story.house.store.db.read().await.unwrap();
    let found = letterkeep_campaign::find_activity(&story.ctx, &mut tx, &story.keyring, activity).await.unwrap();
    (activity, found.unwrap().campaign)
}

async fn cancel(story: &Story<'_>, campaign: Id<kind::Campaign>) {
    let mut tx = story.house.store.db.write().await.unwrap();
    letterkeep_campaign::cancel(&story.ctx, &mut tx, campaign).await.unwrap();
    tx.commit().await.unwrap();
}

/// Nobody waits in the ledger itself, and what has left and what was skipped is everybody.
async fn all_ended(story: &Story<'_>, activity: Id<kind::CampaignActivity>, accepted: i64) {
    let report = story.report(activity).await;
    assert_eq!((report.recipients, sum(&report), report.accepted), (30, 30, accepted), "{report:?}");
    assert_eq!(report.skipped_by_reason["cancelled"], 30 - accepted, "{report:?}");
    let mut tx = story.house.store.db.read().await.unwrap();
    let skipped = report::recipients(&story.ctx, &mut tx, activity, "skipped", None).await.unwrap();
    assert_eq!(skipped.iter().filter(|one| one.reason == "cancelled").count() as i64, 30 - accepted);
    assert!(report::recipients(&story.ctx, &mut tx, activity, "planned", None).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sending_campaign_that_is_cancelled_leaves_nobody_waiting() {
    for_each_database(async |house| {
        let story = story(house, 1, 10).await;
        let (activity, campaign) = begun(&story).await;
        let before = story.report(activity).await;
        assert!(before.accepted >= 1 && before.planned > 0, "{before:?}");
        // The rate comes from the last seconds, and goes when nothing happens any more.
        let totals = async || {
            let mut tx = house.store.db.read().await.unwrap();
            report::totals(&story.ctx, &mut tx, activity).await.unwrap()
        };
        house.clock.advance(Duration::from_secs(2));
        assert_eq!(totals().await.rate, Some(before.accepted as f64 / 2.0));
        house.clock.advance(Duration::from_mins(2));
        assert_eq!(totals().await.rate, None);

        cancel(&story, campaign).await;
        work(&story).await;
        all_ended(&story, activity, before.accepted).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_campaign_that_is_cancelled_leaves_nobody_waiting() {
    for_each_database(async |house| {
        let story = story(house, 1, 10).await;
        let (activity, campaign) = begun(&story).await;
        let accepted = story.report(activity).await.accepted;
        let mut tx = house.store.db.write().await.unwrap();
        letterkeep_campaign::pause(&story.ctx, &mut tx, campaign).await.unwrap();
        tx.commit().await.unwrap();
        // The job that sends finds the pause and ends: nothing works on the campaign any more.
        house.clock.advance(Duration::from_mins(1));
        work(&story).await;
        let mut tx = house.store.db.read().await.unwrap();
        assert_eq!(queue::count(&mut tx, story.ctx.account, "delivery.run").await.unwrap(), 0);
        drop(tx);

        cancel(&story, campaign).await;
        work(&story).await;
        all_ended(&story, activity, accepted).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_campaign_that_is_cancelled_never_begins() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        story.contacts(&["a", "b"], Permission::Explicit, false).await;
        let campaign = story.campaign().await;
        let at = When::At(story.ctx.now().plus(Duration::from_hours(1)));
        let examined = story.examine(campaign).await;
        let mut tx = house.store.db.write().await.unwrap();
        letterkeep_campaign::launch(&story.ctx, &mut tx, &story.keyring, &examined, at).await.unwrap();
        tx.commit().await.unwrap();
        cancel(&story, campaign).await;

        house.clock.advance(Duration::from_hours(2));
        let mut tx = house.store.db.write().await.unwrap();
        let begun = letterkeep_campaign::begin(&story.ctx, &mut tx, &story.keyring, &examined).await.unwrap();
        assert_eq!(begun, letterkeep_campaign::Scheduled::NotDue);
        let found = letterkeep_campaign::find(&story.ctx, &mut tx, &story.keyring, campaign).await.unwrap().unwrap();
        assert_eq!((found.state, found.activity), (State::Cancelled, None), "there is nobody to account for");
        assert_eq!(queue::count(&mut tx, story.ctx.account, "delivery.run").await.unwrap(), 0);
    })
    .await;
}
