//! The check before sending where the audience is too large to be counted while the page waits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use letterkeep_delivery::check;
use letterkeep_model::{Clock as _, Ctx};
use letterkeep_store::queue;
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_web::{House, Settings, router};

use crate::campaign::{Ready, draft, hidden, make_draft, ready};
use crate::support::{ORIGIN, Visitor, house};

/// Does what the background worker does with one job.
async fn work(test: &TestHouse, ctx: &Ctx) {
    let now = test.clock.now();
    let job = queue::claim(&test.store.db, now, Duration::from_mins(5)).await.unwrap().expect("a job waits");
    assert_eq!(job.kind, check::JOB);
    let outcome = check::run_job(&test.store, ctx, &job).await;
    let mut tx = test.store.db.write().await.unwrap();
    queue::settle(&mut tx, &job, &outcome, now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_large_audience_is_counted_in_the_background() {
    for_each_database(async |test| {
        let plain = house(test, ORIGIN);
        let settings = Settings { check_at_once: 2, ..Settings::clone(&plain.settings) };
        let mut erika = Visitor::at(router(House { settings: Arc::new(settings), ..plain }));
        erika.sign_up(test, "erika").await;
        let Ready { mut erika, ctx, .. } = ready(test, erika).await;
        let home = make_draft(&mut erika).await;
        let (edit, check) = (format!("{home}/edit"), format!("{home}/check"));
        let revision = hidden(&erika.get(&edit).await, "revision");
        erika.post(&edit, &draft(&revision, "Hello")).await;

        // Looking starts nothing: the page offers it, and nothing can be sent.
        let offered = erika.get(&check).await;
        assert!(offered.has("have not been counted yet") && offered.has("about 4 contacts"), "{}", offered.body);
        assert!(!offered.has("name=\"when\"") && !offered.headers.contains_key(header::REFRESH));
        assert_eq!(erika.get(&format!("{home}/send?when=now")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(erika.get(&check).await.has("have not been counted yet"));

        let asked = erika.post(&check, &[]).await;
        assert_eq!((asked.status, asked.location()), (StatusCode::SEE_OTHER, check.as_str()), "{}", asked.body);
        let counting = erika.get(&check).await;
        assert!(counting.has("0 of 4") && counting.headers.contains_key(header::REFRESH), "{}", counting.body);
        assert!(counting.has(&format!("hx-get=\"{check}/progress\"")) && !counting.has("name=\"when\""));
        let part = erika.get(&format!("{check}/progress")).await;
        assert!(part.has("<progress") && !part.has("<html"), "{}", part.body);
        work(test, &ctx).await;
        let ended = erika.get(&format!("{check}/progress")).await;
        assert_eq!(ended.headers["hx-redirect"], check.as_str());

        let counted = erika.get(&check).await;
        assert!(counted.has("3 contacts would get this message") && counted.has("Recipients checked on"));
        assert!(counted.has("name=\"when\"") && !counted.headers.contains_key(header::REFRESH));
        assert!(erika.get(&format!("{home}/send?when=now")).await.has("Send to 3 contacts?"));

        // A contact changes: said, with the offer to check again, in both languages.
        let mut tx = test.store.db.write().await.unwrap();
        letterkeep_audience::list::create(&ctx, &mut tx, "Regulars", "").await.unwrap();
        tx.commit().await.unwrap();
        let moved = erika.get(&check).await;
        assert!(moved.has("Contacts have changed since") && moved.has("Check again"), "{}", moved.body);
        assert!(erika.get(&format!("{home}/send?when=now")).await.has("Send to 3 contacts?"));

        // The letter changes: the old count is worth nothing. Going on to the check starts the new one by itself.
        let revision = hidden(&erika.get(&edit).await, "revision");
        erika.post(&edit, &draft(&revision, "Hello again")).await;
        let changed = erika.get(&check).await;
        assert!(changed.has("was changed since the last check") && !changed.has("name=\"when\""), "{}", changed.body);
        assert_eq!(erika.get(&format!("{home}/send?when=now")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        let revision = hidden(&erika.get(&edit).await, "revision");
        let mut again = draft(&revision, "Hello {{ first_name }}");
        again.push(("then", "check"));
        assert_eq!(erika.post(&edit, &again).await.location(), check);
        assert!(erika.get(&check).await.has("0 of 4"));
        work(test, &ctx).await;
        assert!(erika.get(&check).await.has("3 contacts would get this message"));
    })
    .await;
}

/// A campaign that is cancelled before its time has a page of its own, not a report.
#[tokio::test]
async fn a_scheduled_campaign_can_be_cancelled_and_still_be_looked_at() {
    let test = &TestHouse::sqlite().await;
    let mut erika = Visitor::new(test);
    erika.sign_up(test, "erika").await;
    let Ready { mut erika, .. } = ready(test, erika).await;
    let home = make_draft(&mut erika).await;
    let revision = hidden(&erika.get(&format!("{home}/edit")).await, "revision");
    erika.post(&format!("{home}/edit"), &draft(&revision, "Hello")).await;
    let ask = erika.get(&format!("{home}/send?when=at&at=2026-12-24T08:00")).await;
    let (revision, at) = (hidden(&ask, "revision"), hidden(&ask, "at"));
    let sent = erika.post(&format!("{home}/send"), &[("revision", &revision), ("when", "at"), ("at", &at)]).await;
    assert_eq!(sent.location(), format!("{home}/progress"), "{}", sent.body);
    erika.get(&format!("{home}/cancel")).await;
    let gone = erika.post(&format!("{home}/cancel"), &[("confirm", "cancel")]).await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER, "{}", gone.body);
    let mut address = home.clone();
    for _ in 0..3 {
        let page = erika.get(&address).await;
        if page.status == StatusCode::OK {
            assert!(page.has("cancelled before anything was sent") && !page.has("every 2s"), "{}", page.body);
            return;
        }
        page.location().clone_into(&mut address);
    }
    panic!("the pages send each other in a circle: {address}");
}
