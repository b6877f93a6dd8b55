//! A sending from launch to report, on both databases, against the sink over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "story/bounce.rs"]
mod bounce;
#[path = "story/cancel.rs"]
mod cancel;
#[path = "story/count.rs"]
mod count;
#[path = "story/field.rs"]
mod field;
#[path = "story/gone.rs"]
mod gone;
#[path = "story/held.rs"]
mod held;
#[path = "story/house.rs"]
mod house;
#[path = "story/rotation.rs"]
mod rotation;
#[path = "story/signatures.rs"]
mod signatures;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use house::{Story, story, sum};
use letterkeep_audience::permission::{self, Source};
use letterkeep_audience::{Permission, TrackingConsent};
use letterkeep_delivery::check::{AT_ONCE, pre_send};
use letterkeep_delivery::domain::{self, RemoveDomainError};
use letterkeep_delivery::sender::{LEASE, run_activity};
use letterkeep_delivery::test_send::{Sample, test_send};
use letterkeep_delivery::tracking::{self, TrackError};
use letterkeep_model::{EmailAddress, Id, kind};
use letterkeep_store::queue::Outcome;
use letterkeep_testkit::for_each_database;
use mail_parser::MessageParser;
use signatures::{Published, judge};

async fn run(story: &Story<'_>, activity: Id<kind::CampaignActivity>) -> Outcome {
    run_activity(&story.house.store, &story.ctx, activity, &story.outbound, None, &|_| {}).await
}

/// The token behind `path` in the text or HTML of a message.
fn token(message: &[u8], path: &str) -> Option<String> {
    let parsed = MessageParser::default().parse(message).unwrap();
    let html = parsed.body_html(0).unwrap();
    let at = html.find(&format!("https://mail.example.org{path}"))? + "https://mail.example.org".len() + path.len();
    Some(html[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect())
}

/// The text part of a message.
fn text(message: &[u8]) -> String {
    MessageParser::default().parse(message).unwrap().body_text(0).unwrap().into_owned()
}

fn message_to(story: &Story<'_>, name: &str) -> Vec<u8> {
    let to = format!("{name}@example.com");
    story.taken.lock().unwrap().iter().find(|taken| taken.to.contains(&to)).unwrap().message.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recipient_ends_somewhere_and_every_signature_holds() {
    for_each_database(async |house| {
        // DKIM verifiers compare the time of signing with their own clock.
        house.clock.set(letterkeep_model::Timestamp::from_seconds(1_767_225_600));
        let story = story(house, 3, 0).await;
        let names: Vec<String> = (0..20).map(|number| format!("reader-{number}")).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.extend(["unknown", "later", "policy", "rcptcut", "doubt"]);
        story.contacts(&names, Permission::Explicit, false).await;
        story.contacts(&["tracked"], Permission::Explicit, true).await;
        story.contacts(&["silent"], Permission::NotSet, false).await;
        story.contacts(&["gone"], Permission::Unsubscribed, false).await;
        let activity = story.launch().await;

        let first = run(&story, activity).await;
        assert!(matches!(first, Outcome::Again(at) if at >= story.ctx.now().plus(Duration::from_mins(5))), "{first:?}");
        let report = story.report(activity).await;
        assert_eq!((report.recipients, sum(&report)), (28, 28), "{report:?}");
        assert_eq!((report.accepted, report.in_doubt, report.deferred), (21, 1, 2), "{report:?}");
        assert_eq!((report.failed, report.bounces, report.failed_by_reason["sender_fault"]), (2, 1, 1));
        assert_eq!((report.skipped_by_reason["no_permission"], report.skipped_by_reason["unsubscribed"]), (1, 1));
        assert_eq!(report.series.iter().map(|bucket| bucket.accepted).sum::<i64>(), 21);
        assert!(story.taken_by_recipient().values().all(|times| *times == 1));
        let mut tx = house.store.db.read().await.unwrap();
        let unknown = EmailAddress::parse("unknown@example.com").unwrap();
        let suppressed = letterkeep_audience::suppression::check(&story.ctx, &mut tx, &story.keyring, &unknown).await;
        assert!(suppressed.unwrap().is_some(), "an address that does not exist is suppressed");
        let mut remove = house.store.db.write().await.unwrap();
        let removed = domain::remove(&story.ctx, &mut remove, &story.keyring, story.domain.id).await;
        assert!(matches!(removed, Err(RemoveDomainError::InUse)));
        drop((tx, remove));

        // The two that are put off are tried until two days have passed.
        let mut rounds = 0;
        while let Outcome::Again(at) = run(&story, activity).await {
            house.clock.set(at);
            rounds += 1;
            assert!(rounds < 50);
        }
        let report = story.report(activity).await;
        assert_eq!((report.accepted, report.failed_by_reason["expired"], report.deferred), (21, 2, 0), "{report:?}");
        assert_eq!(sum(&report), 28);
        let mut tx = house.store.db.read().await.unwrap();
        let ended = letterkeep_campaign::find_activity(&story.ctx, &mut tx, &story.keyring, activity).await.unwrap();
        assert_eq!(ended.unwrap().state, letterkeep_campaign::ActivityState::Finished);
        drop(tx);

        let records = story.domain.dns_records(None);
        let published = Published::new(&records);
        let messages: Vec<Vec<u8>> = story.taken.lock().unwrap().iter().map(|taken| taken.message.clone()).collect();
        for message in &messages {
            assert_eq!(judge(message, &published).await, (2, 2));
        }
        // What tampering would gain an attacker: another link, another sender, another text.
        let honest = String::from_utf8(messages[0].clone()).unwrap();
        for (what, forged) in [
            ("unsubscribe", honest.replacen("List-Unsubscribe: <https://mail", "List-Unsubscribe: <https://evil", 1)),
            ("one-click", honest.replacen("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", 1)),
            ("second from", format!("From: ceo@example.net\r\n{honest}")),
            ("second subject", format!("Subject: urgent\r\n{honest}")),
            ("body", honest.replacen("shop.example", "shop.evil", 1)),
        ] {
            assert_ne!(forged, honest, "{what}");
            assert_eq!(judge(forged.as_bytes(), &published).await.1, 0, "{what}");
        }
        let txt: Vec<(String, String)> = records.iter().map(|r| (r.host.clone(), r.value.clone())).collect();
        if let Some(opinions) = letterkeep_testkit::dkimpy::verify(&messages, &txt) {
            for opinion in opinions {
                assert_eq!(opinion.len(), 2);
                assert!(opinion.iter().all(|one| one.refused.is_none()), "{opinion:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_counted_only_with_their_consent_and_leave_with_one_click() {
    for_each_database(async |house| {
        let story = story(house, 2, 0).await;
        let tracked = story.contacts(&["tracked"], Permission::Explicit, true).await[0];
        story.contacts(&["private"], Permission::Explicit, false).await;
        let activity = story.launch().await;
        assert_eq!(run(&story, activity).await, Outcome::Done);
        let (ctx, store) = (house.public(), &house.store);
        let private = message_to(&story, "private");
        assert!(token(&private, "/o/").is_none() && token(&private, "/c/").is_none());
        assert!(String::from_utf8_lossy(&private).contains("shop.example/brot"));

        let message = message_to(&story, "tracked");
        let (open, click) = (token(&message, "/o/").unwrap(), token(&message, "/c/").unwrap());
        for _ in 0..3 {
            tracking::open(&ctx, store, &open).await.unwrap();
            let target = tracking::click(&ctx, store, &click).await.unwrap();
            assert_eq!(target, "https://shop.example/brot?a=1&b=2");
        }
        let report = story.report(activity).await;
        assert_eq!((report.opens.total, report.opens.unique), (3, 1));
        assert_eq!((report.clicks.total, report.clicks.unique), (3, 1));
        assert_eq!((report.links[0].clicks.total, report.links[0].clicks.unique), (3, 1));

        // One purpose is not another, and a changed token is none at all.
        assert!(matches!(tracking::click(&ctx, store, &open).await, Err(TrackError::Unknown)));
        let mut forged = click.clone().into_bytes();
        forged[40] = if forged[40] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert!(matches!(tracking::click(&ctx, store, &forged).await, Err(TrackError::Unknown)));

        // Withdrawn consent holds for messages sent before; the link still leads where it led.
        let mut tx = store.db.write().await.unwrap();
        let withdrawn = TrackingConsent::Withdrawn;
        permission::set_tracking(&story.ctx, &mut tx, &story.keyring, tracked, withdrawn, Source::Manual, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        tracking::open(&ctx, store, &open).await.unwrap();
        tracking::click(&ctx, store, &click).await.unwrap();
        let report = story.report(activity).await;
        assert_eq!((report.opens.total, report.clicks.total), (3, 3));

        let leave = token(&private, "/u/").unwrap();
        assert!(!tracking::unsubscribe_page(&ctx, store, &leave).await.unwrap().done);
        let view = token(&private, "/v/").expect("every message has a link to its page");
        let page = tracking::view(&ctx, store, &story.outbound.link_base, &view).await.unwrap();
        assert!(page.html.contains("J\u{f6}rg &lt;b&gt;"));
        for _ in 0..2 {
            tracking::unsubscribe(&ctx, store, &leave, Source::OneClick).await.unwrap();
        }
        assert!(tracking::unsubscribe_page(&ctx, store, &leave).await.unwrap().done);
        assert_eq!(story.report(activity).await.unsubscribes, 1);
        let next = story.launch().await;
        assert_eq!(run(&story, next).await, Outcome::Done);
        assert_eq!(story.report(next).await.skipped_by_reason["unsubscribed"], 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_vanishes_loses_nobody_and_repeats_nobody() {
    for_each_database(async |house| {
        let story = story(house, 2, 0).await;
        let names: Vec<String> = (0..150).map(|number| format!("reader-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        story.contacts(&names, Permission::Explicit, false).await;
        let activity = story.launch().await;
        // The worker is dropped in the middle of its work.
        let sent = story.taken.clone();
        tokio::select! {
            outcome = run(&story, activity) => panic!("it was not dropped: {outcome:?}"),
            () = async { while sent.lock().unwrap().len() < 20 { tokio::time::sleep(Duration::from_millis(1)).await } } => {}
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let report = story.report(activity).await;
        assert_eq!(sum(&report), 150, "{report:?}");
        assert!(report.under_way > 0, "{report:?}");
        // Leases end, another worker goes on.
        let mut rounds = 0;
        loop {
            house.clock.advance(LEASE + Duration::from_secs(1));
            if run(&story, activity).await == Outcome::Done {
                break;
            }
            rounds += 1;
            assert!(rounds < 10);
        }
        let report = story.report(activity).await;
        assert_eq!((report.recipients, sum(&report)), (150, 150));
        assert_eq!(report.accepted + report.in_doubt, 150, "{report:?}");
        let taken = story.taken_by_recipient();
        assert!(taken.values().all(|times| *times == 1), "nobody got it twice");
        assert!(taken.len() as i64 >= report.accepted);
        assert!(report.in_doubt <= 2 * 2 * 4, "in doubt is what was on its way: connections times windows");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_stops_resume_goes_on_and_cancel_ends() {
    for_each_database(async |house| {
        // Ten a minute and destination: only a few of them go at once.
        let story = story(house, 1, 10).await;
        let names: Vec<String> = (0..30).map(|number| format!("reader-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        story.contacts(&names, Permission::Explicit, false).await;
        let activity = story.launch().await;
        let first = run(&story, activity).await;
        assert!(matches!(first, Outcome::Again(_)), "{first:?}");
        let before = story.report(activity).await;
        assert!(before.accepted >= 1 && before.accepted <= 3, "{before:?}");
        let mut tx = house.store.db.write().await.unwrap();
        let found = letterkeep_campaign::find_activity(&story.ctx, &mut tx, &story.keyring, activity).await.unwrap();
        let campaign = found.unwrap().campaign;
        letterkeep_campaign::pause(&story.ctx, &mut tx, campaign).await.unwrap();
        tx.commit().await.unwrap();
        house.clock.advance(Duration::from_mins(1));
        assert_eq!(run(&story, activity).await, Outcome::Done);
        assert_eq!(story.report(activity).await.accepted, before.accepted);
        let examined = story.examine(campaign).await;
        let mut tx = house.store.db.write().await.unwrap();
        letterkeep_campaign::resume(&story.ctx, &mut tx, &story.keyring, &examined).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(run(&story, activity).await, Outcome::Again(_)));
        assert!(story.report(activity).await.accepted > before.accepted);
        let mut tx = house.store.db.write().await.unwrap();
        letterkeep_campaign::cancel(&story.ctx, &mut tx, campaign).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(run(&story, activity).await, Outcome::Done);
        let report = story.report(activity).await;
        assert_eq!((sum(&report), report.accepted + report.skipped_by_reason["cancelled"]), (30, 30));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_before() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        let sample = story.contacts(&["a", "b", "c"], Permission::Explicit, false).await[0];
        story.contacts(&["d"], Permission::NotSet, false).await;
        let campaign = story.campaign().await;
        let found = pre_send(&story.ctx, &house.store, campaign, AT_ONCE).await.unwrap();
        assert!(found.is_ready(), "{found:?}");
        let count = found.count().unwrap();
        assert_eq!((count.would_send, count.would_skip["no_permission"]), (3, 1));
        let to = EmailAddress::parse("owner@example.org").unwrap();
        test_send(&story.ctx, &house.store, &story.outbound, campaign, &to, Sample::Contact(sample)).await.unwrap();
        let taken = story.taken.lock().unwrap();
        assert_eq!(taken[0].to, ["owner@example.org"]);
        assert!(!String::from_utf8_lossy(&taken[0].message).contains("List-Unsubscribe"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_gone_keeps_everybody_planned() {
    for_each_database(async |house| {
        let story = story(house, 2, 0).await;
        story.contacts(&["a", "b", "c"], Permission::Explicit, false).await;
        let activity = story.launch().await;
        let Story { sink, .. } = story;
        drop(sink);
        // The accepting task ends at its next wait.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let asked = AtomicI64::new(0);
        let counted = |progress: letterkeep_delivery::sender::Progress| {
            asked.store(progress.recipients, Ordering::SeqCst);
        };
        let outcome = run_activity(&house.store, &story.ctx, activity, &story.outbound, None, &counted).await;
        assert!(matches!(&outcome, Outcome::Retry(why) if why.contains("127.0.0.1")), "{outcome:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        let mut tx = house.store.db.read().await.unwrap();
        let report = letterkeep_delivery::report::report(&story.ctx, &mut tx, activity).await.unwrap();
        assert_eq!((report.planned, report.recipients), (3, 3), "{report:?}");
    })
    .await;
}
