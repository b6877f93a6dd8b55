//! Counting an audience that is too large to be counted while a page waits.

use std::time::Duration;

use letterkeep_audience::{Permission, contact};
use letterkeep_delivery::check::{self, AT_ONCE, Counting, Wanted, pre_send};
use letterkeep_model::{Id, kind};
use letterkeep_store::queue::{self, Outcome};
use letterkeep_testkit::for_each_database;

use crate::house::{Story, story};

/// Starts counting, as a page does.
async fn start_count(story: &Story<'_>, campaign: Id<kind::Campaign>) {
    let mut tx = story.house.store.db.write().await.unwrap();
    check::start(&story.ctx, &mut tx, &story.keyring, campaign).await.unwrap();
    tx.commit().await.unwrap();
}

async fn claim(story: &Story<'_>) -> queue::ClaimedJob {
    let lease = Duration::from_mins(5);
    queue::claim(&story.house.store.db, story.ctx.now(), lease).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_audience_is_counted_by_a_job() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        let names: Vec<String> = (0..1_200).map(|number| format!("reader-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        story.contacts(&names, Permission::Explicit, false).await;
        let left = story.contacts(&["gone"], Permission::Unsubscribed, false).await[0];
        let campaign = story.campaign().await;
        let look = async || pre_send(&story.ctx, &house.store, campaign, 1_000).await.unwrap();

        let found = look().await;
        assert_eq!(found.audience, Counting::Wanted { total: 1_201, why: Wanted::NotAsked });
        assert!(!found.is_ready(), "what was not counted is not sent");
        start_count(&story, campaign).await;
        assert!(matches!(look().await.audience, Counting::UnderWay { checked: 0, total: 1_201, .. }));
        let job = claim(&story).await;
        assert_eq!(job.kind, check::JOB);

        // The worker vanishes; another one takes over, and the first one ends too late to say anything.
        house.clock.advance(Duration::from_mins(6));
        let second = claim(&story).await;
        assert_eq!((second.job_id, second.epoch), (job.job_id, job.epoch + 1));
        assert_eq!(check::run_job(&house.store, &story.ctx, &job).await, Outcome::Done);
        assert!(matches!(look().await.audience, Counting::UnderWay { .. }), "a lost lease writes nothing");
        assert_eq!(check::run_job(&house.store, &story.ctx, &second).await, Outcome::Done);
        let found = look().await;
        assert!(found.is_ready(), "{found:?}");
        let count = found.count().unwrap().clone();
        assert_eq!((count.would_send, count.would_skip["unsubscribed"]), (1_200, 1));
        assert!(matches!(found.audience, Counting::Done { at: Some(_), moved_on: false, .. }));
        assert_eq!(pre_send(&story.ctx, &house.store, campaign, AT_ONCE).await.unwrap().count(), Some(&count));

        // Something about contacts changes: the figures say so. They are still no reason to refuse: permission is
        // looked at again when each message is made.
        let mut tx = house.store.db.write().await.unwrap();
        contact::delete(&story.ctx, &mut tx, &[left]).await.unwrap();
        tx.commit().await.unwrap();
        let found = look().await;
        assert!(found.is_ready() && matches!(found.audience, Counting::Done { moved_on: true, .. }), "{found:?}");

        // A count that another one has replaced says nothing any more.
        start_count(&story, campaign).await;
        let old = claim(&story).await;
        start_count(&story, campaign).await;
        let new = claim(&story).await;
        assert_eq!(check::run_job(&house.store, &story.ctx, &old).await, Outcome::Done);
        assert!(matches!(look().await.audience, Counting::UnderWay { .. }));
        assert_eq!(check::run_job(&house.store, &story.ctx, &new).await, Outcome::Done);
        let found = look().await;
        assert!(found.count().unwrap().would_skip.is_empty(), "{found:?}");

        // The campaign changes: the count is none for it.
        let mut tx = house.store.db.write().await.unwrap();
        let open = letterkeep_campaign::find(&story.ctx, &mut tx, &story.keyring, campaign).await.unwrap().unwrap();
        letterkeep_campaign::rename(&story.ctx, &mut tx, &story.keyring, campaign, open.revision, "Other")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let found = look().await;
        assert_eq!(found.audience, Counting::Wanted { total: 1_200, why: Wanted::CampaignChanged });

        // One that never gets on is offered again.
        start_count(&story, campaign).await;
        house.clock.advance(Duration::from_mins(11));
        assert_eq!(look().await.audience, Counting::Wanted { total: 1_200, why: Wanted::Failed });
    })
    .await;
}
