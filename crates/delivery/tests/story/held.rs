//! A sending that cannot go on says why, is paused in the end, and goes on when somebody has mended it.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use letterkeep_audience::Permission;
use letterkeep_campaign::State;
use letterkeep_delivery::relay;
use letterkeep_delivery::sender::{STINT, gave_up, run_job};
use letterkeep_delivery::smtp::SmtpError;
use letterkeep_delivery::trouble::{self, Trouble};
use letterkeep_model::{Id, kind};
use letterkeep_store::queue::{self, ClaimedJob, Outcome};
use letterkeep_testkit::for_each_database;

use crate::house::{Story, relay_input, story, sum};

const LEASE: Duration = Duration::from_mins(5);

async fn claim(story: &Story<'_>) -> Option<ClaimedJob> {
    queue::claim(&story.house.store.db, story.ctx.now(), LEASE).await.unwrap()
}

/// Does the next job as the worker does, and settles it.
async fn work(story: &Story<'_>) -> Option<(ClaimedJob, Outcome)> {
    let job = claim(story).await?;
    let outcome = run_job(&story.house.store, &story.ctx, &story.outbound, &job, &|_| {}).await;
    let mut tx = story.house.store.db.write().await.unwrap();
    if queue::settle(&mut tx, &job, &outcome, story.ctx.now()).await.unwrap() {
        gave_up(&story.ctx, &mut tx, &job).await.unwrap();
    }
    tx.commit().await.unwrap();
    Some((job, outcome))
}

async fn trouble(story: &Story<'_>, activity: Id<kind::CampaignActivity>) -> Option<Trouble> {
    let mut tx = story.house.store.db.read().await.unwrap();
    trouble::find(&story.ctx, &mut tx, &story.keyring, activity).await.unwrap().map(|(trouble, _)| trouble)
}

async fn set_port(story: &Story<'_>, port: u16) {
    let mut tx = story.house.store.db.write().await.unwrap();
    relay::save(&story.ctx, &mut tx, &story.keyring, relay_input(port, 2, 0)).await.unwrap();
    tx.commit().await.unwrap();
}

/// A port on which nobody listens.
fn dead_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_gone_is_told_at_once_and_pauses_the_campaign_in_the_end() {
    for_each_database(async |house| {
        let story = story(house, 2, 0).await;
        story.contacts(&["a", "b", "c"], Permission::Explicit, false).await;
        let activity = story.launch().await;
        assert_eq!(trouble(&story, activity).await, None);
        set_port(&story, dead_port()).await;
        let (first, outcome) = work(&story).await.unwrap();
        assert!(matches!(outcome, Outcome::Retry(_)), "{outcome:?}");
        let told = trouble(&story, activity).await;
        assert!(matches!(told, Some(Trouble::Relay(SmtpError::Connect { .. }))), "{told:?}");
        assert_eq!(story.sent_by(activity).await.state, State::Sending);

        let mut attempts = 1;
        while story.sent_by(activity).await.state == State::Sending {
            house.clock.advance(Duration::from_hours(1));
            work(&story).await.unwrap();
            attempts += 1;
        }
        assert_eq!(attempts, first.max_attempts);
        let held = story.sent_by(activity).await;
        assert_eq!((held.state, held.state_reason.as_str()), (State::Paused, "gave_up"));
        assert!(work(&story).await.is_none(), "nothing more is tried by itself");
        assert!(trouble(&story, activity).await.is_some(), "the reason stays");
        assert_eq!(story.report(activity).await.planned, 3);

        // Mended and resumed, it goes on, and the reason is gone.
        set_port(&story, story.sink.address().port()).await;
        story.resume(held.id).await;
        while work(&story).await.is_some() {}
        assert_eq!((story.report(activity).await.accepted, trouble(&story, activity).await), (3, None));
        assert!(story.sent_by(activity).await.state_reason.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_in_the_settings_is_told() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        story.contacts(&["a"], Permission::Explicit, false).await;
        let activity = story.launch().await;
        let mut tx = house.store.db.write().await.unwrap();
        relay::remove(&story.ctx, &mut tx).await.unwrap();
        tx.commit().await.unwrap();
        work(&story).await.unwrap();
        assert_eq!(trouble(&story, activity).await, Some(Trouble::NoRelay));
        let mut tx = house.store.db.write().await.unwrap();
        letterkeep_store::sending_domain::delete(&mut tx, story.ctx.account, story.domain.id).await.unwrap();
        tx.commit().await.unwrap();
        house.clock.advance(Duration::from_hours(1));
        work(&story).await.unwrap();
        assert_eq!(trouble(&story, activity).await, Some(Trouble::NoDomain));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_sender_costs_no_recipient() {
    for_each_database(async |house| {
        let story = story(house, 2, 0).await;
        let names: Vec<String> = (0..300).map(|number| format!("reader-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        story.contacts(&names, Permission::Explicit, false).await;
        let activity = story.launch().await;
        let answer = "550 5.7.1 the quota of news@example is used up";
        story.on_sender.set(move |number| (number > 20).then(|| answer.to_owned()));
        assert_eq!(work(&story).await.unwrap().1, Outcome::Done);
        let held = story.sent_by(activity).await;
        assert_eq!((held.state, held.state_reason.as_str()), (State::Paused, "sender_refused"));
        let told = trouble(&story, activity).await;
        assert!(matches!(&told, Some(Trouble::Sender(reply)) if reply.text().contains("quota")), "{told:?}");
        let mut tx = house.store.db.read().await.unwrap();
        let stored = letterkeep_store::sending_trouble::find(&mut tx, story.ctx.account, activity).await.unwrap();
        let (stored, _) = stored.unwrap();
        assert!(!stored.windows(5).any(|window| window == b"quota"), "what the server said is sealed");
        drop(tx);
        let report = story.report(activity).await;
        assert_eq!((report.accepted, report.planned, report.failed), (20, 280, 0), "{report:?}");
        assert!(work(&story).await.is_none());

        story.on_sender.set(|_| None);
        story.resume(held.id).await;
        while work(&story).await.is_some() {}
        let report = story.report(activity).await;
        assert_eq!((report.accepted, sum(&report)), (300, 300), "{report:?}");
        assert!(story.taken_by_recipient().values().all(|times| *times == 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_refusals_of_the_sender_stop_nothing_and_the_only_recipient_is_not_burnt() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        story.contacts(&["a", "b", "c", "d", "e"], Permission::Explicit, false).await;
        let activity = story.launch().await;
        story.on_sender.set(|number| (number <= 2).then(|| "550 not now".to_owned()));
        while work(&story).await.is_some() {}
        let report = story.report(activity).await;
        assert_eq!((report.accepted, story.sent_by(activity).await.state), (5, State::Finished), "{report:?}");

        story.on_sender.set(|_| Some("530 5.7.0 log in first".to_owned()));
        let mut tx = house.store.db.write().await.unwrap();
        let left: Vec<Id<kind::Contact>> = letterkeep_store::ledger::page(
            &mut tx,
            story.ctx.account,
            activity,
            "accepted",
            Id::<kind::Contact>::NIL.uuid(),
            200,
        )
        .await
        .unwrap()
        .iter()
        .skip(1)
        .map(|row| Id::from_uuid(row.contact_id))
        .collect();
        for contact in left {
            letterkeep_audience::list::remove(&story.ctx, &mut tx, story.list, &[contact]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let alone = story.launch().await;
        while work(&story).await.is_some() {}
        let report = story.report(alone).await;
        assert_eq!((report.recipients, report.planned), (1, 1), "{report:?}");
        assert_eq!(story.sent_by(alone).await.state_reason, "sender_refused");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_sending_makes_room_for_others_and_counts_no_attempt() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        let names: Vec<String> = (0..300).map(|number| format!("reader-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        story.contacts(&names, Permission::Explicit, false).await;
        let activity = story.launch().await;
        let clock = house.clock.clone();
        story.on_take.set(move |number| {
            if number == 10 {
                clock.advance(STINT + Duration::from_secs(1));
            }
            None
        });
        let (job, outcome) = work(&story).await.unwrap();
        assert_eq!(outcome, Outcome::Again(story.ctx.now()));
        let report = story.report(activity).await;
        assert!((10..40).contains(&report.accepted), "{report:?}");
        assert_eq!(report.accepted + report.planned, 300, "what was ready waits again: {report:?}");
        let (next, outcome) = work(&story).await.unwrap();
        assert_eq!((next.job_id, next.attempts, outcome), (job.job_id, 1, Outcome::Done));
        assert_eq!(story.report(activity).await.accepted, 300);
        assert!(story.taken_by_recipient().values().all(|times| *times == 1));
    })
    .await;
}
