//! What people see of a sending that does not go on, and what strangers see where sign-up is closed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use letterkeep_delivery::sender::{Outbound, gave_up, run_job};
use letterkeep_model::{Clock as _, Ctx};
use letterkeep_store::queue::{self, Outcome};
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_web::{House, Settings, router};

use crate::campaign::{Ready, draft, hidden, make_draft, ready};
use crate::support::{ORIGIN, PASSWORD, Visitor, house};

/// Does what the background worker does with the next job that is due; whatever fails in the `last` attempt is over.
async fn work(test: &TestHouse, ctx: &Ctx, outbound: &Outbound, last: bool) {
    let job = queue::claim(&test.store.db, test.clock.now(), Duration::from_mins(5)).await.unwrap().expect("a job");
    let outcome = match run_job(&test.store, ctx, outbound, &job, &|_| {}).await {
        Outcome::Retry(reason) if last => Outcome::Dead(reason),
        outcome => outcome,
    };
    let mut tx = test.store.db.write().await.unwrap();
    if queue::settle(&mut tx, &job, &outcome, test.clock.now()).await.unwrap() {
        gave_up(ctx, &mut tx, &job).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_sending_that_is_held_up_says_why_and_can_be_resumed() {
    for_each_database(async |test| {
        let mut erika = Visitor::new(test);
        erika.sign_up(test, "erika").await;
        let Ready { mut erika, ctx, mut outbound, taken, sink } = ready(test, erika).await;
        let home = make_draft(&mut erika).await;
        let revision = hidden(&erika.get(&format!("{home}/edit")).await, "revision");
        erika.post(&format!("{home}/edit"), &draft(&revision, "Hello")).await;
        let confirmed = hidden(&erika.get(&format!("{home}/send?when=now")).await, "revision");
        erika.post(&format!("{home}/send"), &[("revision", &confirmed), ("when", "now")]).await;
        let progress = format!("{home}/progress");
        assert!(!erika.get(&progress).await.has("held up"), "nothing has failed yet");

        // A relay at a private address, where the operator allows none.
        let allowed = std::mem::take(&mut outbound.reach);
        work(test, &ctx, &outbound, false).await;
        let told = erika.get(&progress).await;
        assert!(told.has("Sending is held up") && told.has("private or local address"), "{}", told.body);
        assert!(told.has("href=\"/relay\"") && told.has("tries again by itself"), "{}", told.body);

        // Until it gives up.
        test.clock.advance(Duration::from_secs(10));
        work(test, &ctx, &outbound, true).await;
        let held = erika.get(&progress).await;
        assert!(held.has("Letterkeep has paused this campaign") && held.has("tried many times"), "{}", held.body);
        assert!(
            held.has("private or local address") && held.has(&format!("action=\"{home}/resume\"")),
            "{}",
            held.body
        );

        // Mended and resumed.
        outbound.reach = allowed;
        assert_eq!(erika.post(&format!("{home}/resume"), &[]).await.status, StatusCode::SEE_OTHER);
        work(test, &ctx, &outbound, true).await;
        assert_eq!(taken.lock().unwrap().len(), 2);
        assert_eq!(erika.get(&progress).await.location(), format!("{home}/report"));
        drop(sink);
    })
    .await;
}

#[tokio::test]
async fn where_sign_up_is_closed_invitations_alone_open_the_door() {
    let test = &TestHouse::sqlite().await;
    let mut erika = Visitor::new(test);
    erika.sign_up(test, "erika").await;
    erika.get("/users").await;
    let made = erika.post("/users/invitations", &[("role", "viewer")]).await;
    let link = made.body.split("id=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();

    let open = house(test, ORIGIN);
    let settings = Settings { sign_up_open: false, ..Settings::clone(&open.settings) };
    let closed = router(House { settings: Arc::new(settings), ..open });
    let mut stranger = Visitor::at(closed.clone());
    for page in ["/", "/log-in", "/help"] {
        let seen = stranger.get(page).await;
        assert!(seen.status == StatusCode::OK && !seen.has("href=\"/sign-up\""), "{page}: {}", seen.body);
        // Positive control: where it is open, the same page leads there.
        assert!(Visitor::new(test).get(page).await.has("href=\"/sign-up\""), "{page}");
    }
    let told = stranger.get("/sign-up").await;
    assert!(told.has("No accounts can be created here") && !told.has("name=\"password\""), "{}", told.body);
    let fields =
        [("organisation", "Fremde"), ("user_name", "fremd"), ("email", "fremd@example.com"), ("password", PASSWORD)];
    let refused = stranger.post("/sign-up", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    assert!(refused.has("No accounts can be created here"), "{}", refused.body);

    let mut max = Visitor::at(closed);
    let path = link.strip_prefix(ORIGIN).unwrap();
    max.get(path).await;
    max.post(path, &[("user_name", "max"), ("email", "max@sonnenberg.example"), ("password", PASSWORD)]).await;
    max.finish_sign_up(test).await;
    assert_eq!(max.get("/dashboard").await.status, StatusCode::OK);
}
