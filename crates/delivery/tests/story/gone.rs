//! A list or tag of the audience that is gone when the audience is frozen.

use letterkeep_audience::{Permission, tag};
use letterkeep_campaign::{Audience, State};
use letterkeep_delivery::check::{AT_ONCE, pre_send};
use letterkeep_model::{Id, kind};
use letterkeep_store::queue::Outcome;
use letterkeep_testkit::for_each_database;

use crate::house::{Story, story};
use crate::run;

async fn state(story: &Story<'_>, campaign: Id<kind::Campaign>) -> (State, String) {
    let mut tx = story.house.store.db.read().await.unwrap();
    let found = letterkeep_campaign::find(&story.ctx, &mut tx, &story.keyring, campaign).await.unwrap().unwrap();
    (found.state, found.state_reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_campaign_whose_excluded_tag_is_gone() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        let contacts = story.contacts(&["a", "b", "not-this-one"], Permission::Explicit, false).await;
        let mut tx = house.store.db.write().await.unwrap();
        let tag = tag::create(&story.ctx, &mut tx, "Not these").await.unwrap();
        tag::add(&story.ctx, &mut tx, tag, &contacts[2..]).await.unwrap();
        tx.commit().await.unwrap();
        let without = Audience { excluded_tags: vec![tag], ..Audience::everybody() };

        // Positive control: while the tag exists, everybody else gets the message.
        let campaign = story.campaign_with("<html><body><p>Eins", without.clone()).await;
        let activity = story.launch_of(campaign).await;
        assert_eq!(run(&story, activity).await, Outcome::Done);
        assert_eq!(story.report(activity).await.accepted, 2);

        let campaign = story.campaign_with("<html><body><p>Zwei", without).await;
        assert!(pre_send(&story.ctx, &house.store, campaign, AT_ONCE).await.unwrap().is_ready());
        let activity = story.launch_of(campaign).await;
        // The room refuses it now; a database that was put back may still be like this.
        let mut tx = house.store.db.write().await.unwrap();
        assert!(matches!(tag::delete(&story.ctx, &mut tx, tag).await, Err(tag::TagError::InUse(_))));
        assert!(letterkeep_store::tag::delete(&mut tx, story.ctx.account, tag).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(run(&story, activity).await, Outcome::Done);
        assert_eq!(state(&story, campaign).await, (State::Paused, "audience_gone".to_owned()));
        let examined = story.examine(campaign).await;
        let mut tx = house.store.db.write().await.unwrap();
        letterkeep_campaign::resume(&story.ctx, &mut tx, &story.keyring, &examined).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(run(&story, activity).await, Outcome::Done);
        assert_eq!(state(&story, campaign).await, (State::Paused, "audience_gone".to_owned()), "held again");
        assert_eq!(story.taken.lock().unwrap().len(), 2, "nobody got it");

        let audience = Audience { tags: vec![tag], ..story.everybody_listed() };
        let campaign = story.campaign_with("<html><body><p>Drei", audience).await;
        let found = pre_send(&story.ctx, &house.store, campaign, AT_ONCE).await.unwrap();
        assert!(!found.has_whole_audience && !found.is_ready(), "{found:?}");
    })
    .await;
}
