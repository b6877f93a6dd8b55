//! Two people change the same thing at the same time, and the database lets one of them through.

use std::time::Duration;

use http::{StatusCode, header};
use letterkeep_account::organisation;
use letterkeep_store::audit::{self, Event};
use letterkeep_testkit::TestHouse;

use crate::campaign::account_of;
use crate::support::Visitor;

/// A real deadlock on PostgreSQL; the embedded database has one writer at a time and knows none.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_a_deadlock_is_told_and_can_send_again() {
    let Some(test) = &TestHouse::postgres().await else { return };
    let mut erika = Visitor::new(test);
    erika.sign_up(test, "erika").await;
    let ctx = account_of(test, "erika").await;
    let fields =
        [("name", "Hofladen Neu"), ("postal_address", "Weg 1\n12345 Ort"), ("time_zone", "UTC"), ("locale", "en")];

    for (language, title, how) in [
        ("en", "Somebody else was changing the same thing", "Reload this page"),
        ("de", "Jemand anders war gleichzeitig daran", "Laden Sie diese Seite neu"),
    ] {
        erika.get("/organisation").await;
        let mut asking = erika.clone();
        let mut other = test.store.db.write().await.unwrap();
        // The other one holds the end of the audit log, which the page needs last …
        audit::append(&ctx, &mut other, Event { action: "test.hold", object: "", detail: "{}" }).await.unwrap();
        let page = tokio::spawn(async move { asking.post("/organisation", &fields).await });
        while !test.somebody_waits_for_a_lock().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // … and then wants the row that the page has changed. PostgreSQL ends whoever has waited longer: the page.
        let mut wanted = organisation::find(&ctx, &mut other).await.unwrap().unwrap();
        wanted.name = format!("Hofladen {language}");
        organisation::update(&ctx, &mut other, wanted).await.unwrap();
        other.commit().await.unwrap();

        let answer = page.await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
        assert_eq!(answer.headers[header::RETRY_AFTER], "1");
        assert!(answer.has(title) && answer.has(how), "{}", answer.body);
        assert!(!answer.has("href=\"/organisation\">Try again"), "the address of a form is no page");
        let mut tx = test.store.db.read().await.unwrap();
        let kept = organisation::find(&ctx, &mut tx).await.unwrap().unwrap();
        assert_eq!(kept.name, format!("Hofladen {language}"), "the other one's change, whole");
        drop(tx);
        if language == "en" {
            // What the browser sends again goes through; afterwards the person reads German.
            assert_eq!(erika.post("/organisation", &fields).await.status, StatusCode::SEE_OTHER);
            let german = [("locale", "de"), ("back", "/organisation")];
            assert_eq!(erika.post("/profile/preferences", &german).await.status, StatusCode::SEE_OTHER);
        }
    }
}
