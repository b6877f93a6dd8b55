//! A custom field that is deleted while a campaign that shows it goes out.

use std::time::Duration;

use letterkeep_audience::field::{self, NewField};
use letterkeep_audience::value::FieldKind;
use letterkeep_delivery::tracking;
use letterkeep_model::{Id, kind};
use letterkeep_store::queue::Outcome;
use letterkeep_testkit::for_each_database;

use crate::house::{Story, story, sum};
use crate::{message_to, run, text, token};

async fn define(story: &Story<'_>, key: &str) -> Id<kind::CustomField> {
    let new = NewField {
        merge_key: key.into(),
        label: key.into(),
        kind: FieldKind::Text,
        options: Vec::new(),
        currency: None,
    };
    let mut tx = story.house.store.db.write().await.unwrap();
    let made = field::create(&story.ctx, &mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    made
}

async fn delete(story: &Story<'_>, wanted: Id<kind::CustomField>) {
    let mut tx = story.house.store.db.write().await.unwrap();
    field::delete(&story.ctx, &mut tx, wanted).await.unwrap();
    tx.commit().await.unwrap();
}

/// Sends to thirty readers of whom a few get their message before `wanted` is deleted; yields how many, and the name of
/// one of them.
async fn sent_across(
    story: &Story<'_>,
    activity: Id<kind::CampaignActivity>,
    wanted: Id<kind::CustomField>,
) -> (i64, String) {
    assert!(matches!(run(story, activity).await, Outcome::Again(_)));
    let before = story.report(activity).await;
    assert!(before.accepted >= 1 && before.planned > 0, "{before:?}");
    let first = story.taken.lock().unwrap()[0].to[0].split('@').next().unwrap().to_owned();
    delete(story, wanted).await;
    let mut rounds = 0;
    loop {
        story.house.clock.advance(Duration::from_mins(1));
        match run(story, activity).await {
            Outcome::Done => break,
            outcome => assert!(matches!(outcome, Outcome::Again(_)), "{outcome:?}"),
        }
        rounds += 1;
        assert!(rounds < 30);
    }
    (before.accepted, first)
}

/// What the reader sees behind the link of the message that was sent.
async fn view(story: &Story<'_>, name: &str) -> String {
    let shown = token(&message_to(story, name), "/v/").unwrap();
    tracking::view(&story.ctx, &story.house.store, &story.outbound.link_base, &shown).await.unwrap().html
}

const VIEW: &str = "<a href=\"{{ view_url }}\">Ansehen</a></p>";

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_deleted_meanwhile_is_empty_from_then_on() {
    for_each_database(async |house| {
        let story = story(house, 1, 10).await;
        story.readers(30, serde_json::json!({"place": {"text": "am Fenster"}})).await;
        let place = define(&story, "place").await;
        let beginning = format!("<html><body><p>Ihr Platz: {{{{ place|default('frei') }}}} {VIEW}");
        let campaign = story.campaign_with(&beginning, story.everybody_listed()).await;
        let activity = story.launch_of(campaign).await;
        let (early, first) = sent_across(&story, activity, place).await;
        let report = story.report(activity).await;
        assert_eq!((report.recipients, sum(&report), report.accepted), (30, 30, 30), "{report:?}");
        let texts: Vec<_> = story.taken.lock().unwrap().iter().map(|one| text(&one.message)).collect();
        assert_eq!(texts.iter().filter(|text| text.contains("am Fenster")).count() as i64, early);
        assert_eq!(texts.iter().filter(|text| text.contains("frei")).count() as i64, 30 - early);
        assert!(view(&story, &first).await.contains("Ihr Platz: frei"), "the message can still be looked at");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_would_get_a_gap_instead_of_a_deleted_field_is_skipped_with_the_reason() {
    for_each_database(async |house| {
        let story = story(house, 1, 10).await;
        story.readers(30, serde_json::json!({"place": {"text": "am Fenster"}})).await;
        let place = define(&story, "place").await;
        let beginning = format!("<html><body><p>Ihr Platz: {{{{ place }}}}. {VIEW}");
        let campaign = story.campaign_with(&beginning, story.everybody_listed()).await;
        let activity = story.launch_of(campaign).await;
        let (early, first) = sent_across(&story, activity, place).await;
        let report = story.report(activity).await;
        assert_eq!((report.recipients, sum(&report), report.accepted), (30, 30, early), "{report:?}");
        assert_eq!(report.skipped_by_reason["missing_field"], 30 - early, "{report:?}");
        assert!(view(&story, &first).await.contains("Ihr Platz: . "), "the message can still be looked at");
    })
    .await;
}
