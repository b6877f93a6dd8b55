//! Pictures of the campaign pages in real Chromium, with axe-core:
//! `cargo test -p letterkeep-web --test web campaign_look -- --ignored`. They are saved under `target/screenshots`.

use std::time::Duration;

use letterkeep_audience::permission::{self, Source};
use letterkeep_audience::{ContactRecord, Permission, TrackingConsent, contact};
use letterkeep_delivery::sender::run_activity;
use letterkeep_model::{Clock as _, Id, kind};
use letterkeep_testkit::TestHouse;
use letterkeep_testkit::browser::Browser;
use letterkeep_web::router;

use crate::campaign::{Ready, make_draft, ready, token};
use crate::look::shoot;
use crate::support::{ORIGIN, PASSWORD, Visitor, house};

#[tokio::test]
#[ignore = "makes pictures to look at; the browser test of the whole product runs in CI"]
async fn pictures_of_the_campaign_pages() {
    let Some(browser) = Browser::start("de").await else { return };
    let test = &TestHouse::sqlite().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let app = router(house(test, &base));
    let served = app.clone();
    let server = tokio::spawn(async move { axum::serve(listener, served).await });
    let mut erika = Visitor::at(router(house(test, ORIGIN)));
    erika.language = "de";
    let secret = erika.sign_up(test, "erika").await;

    browser.open(&format!("{base}/log-in")).await;
    browser.fill("#user_name", "erika").await;
    browser.fill("#password", PASSWORD).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for("#code").await;
    browser.fill("#code", &secret.code_at(test.clock.now())).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for(".sidebar").await;
    let mut found = vec![];
    shoot(&browser, "dashboard-new", &mut found).await;
    for path in ["/campaigns", "/domains", "/relay", "/reports"] {
        browser.open(&format!("{base}{path}")).await;
        shoot(&browser, &format!("empty{}", path.replace('/', "-")), &mut found).await;
    }

    let Ready { mut erika, ctx, outbound, taken, sink } = ready(test, erika).await;
    let keyring = test.store.keys.keyring(ctx.account).await.unwrap();
    let mut tx = test.store.db.write().await.unwrap();
    for number in 0..240 {
        let record = serde_json::json!({"email": format!("kunde{number}@example.com"), "first_name": "Jutta"});
        let record: ContactRecord = serde_json::from_value(record).unwrap();
        let (permission, source) = (Permission::Explicit, Source::Manual);
        let new = contact::NewRecord { record, permission, source, evidence: None };
        let id = contact::create(&ctx, &mut tx, &keyring, &new).await.unwrap();
        let given = TrackingConsent::Given;
        permission::set_tracking(&ctx, &mut tx, &keyring, id, given, source, None).await.unwrap();
    }
    tx.commit().await.unwrap();
    let home = make_draft(&mut erika).await;
    for page in ["/campaigns/new", &format!("{home}/edit")] {
        browser.open(&format!("{base}{page}")).await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        shoot(&browser, if page.ends_with("new") { "campaign-new" } else { "campaign-edit" }, &mut found).await;
    }
    browser.open(&format!("{base}{home}/check")).await;
    shoot(&browser, "campaign-check-not-ready", &mut found).await;
    browser.open(&format!("{base}{home}/edit")).await;
    browser.resize(1280, 860).await;
    browser.click("#who-everybody").await;
    browser.click(".page-actions button[value=check]").await;
    browser.wait_for("#when-now").await;
    shoot(&browser, "campaign-check", &mut found).await;
    browser.open(&format!("{base}{home}/send?when=now")).await;
    shoot(&browser, "campaign-send", &mut found).await;
    browser.resize(1280, 860).await;
    browser.click("main form.form button[type=submit]").await;
    browser.wait_for("#live").await;
    shoot(&browser, "campaign-progress", &mut found).await;

    let mut tx = test.store.db.read().await.unwrap();
    let id: Id<kind::Campaign> = home.rsplit('/').next().unwrap().parse().unwrap();
    let campaign = letterkeep_campaign::find(&ctx, &mut tx, &keyring, id).await.unwrap().unwrap();
    drop(tx);
    run_activity(&test.store, &ctx, campaign.activity.unwrap(), &outbound, None, &|_| {}).await;
    let messages: Vec<String> = taken
        .lock()
        .unwrap()
        .iter()
        .map(|one| String::from_utf8_lossy(one).replace("=\r\n", "").replace("\r\n ", ""))
        .collect();
    let mut reader = Visitor::new(test);
    for (place, message) in messages.iter().enumerate() {
        // Most open early, few late.
        if place % 3 != 0 {
            test.clock.advance(Duration::from_secs(place as u64 * place as u64 / 20));
            reader.get(&format!("/o/{}", token(message, "/o/").unwrap_or_default())).await;
        }
        if place % 7 == 0 {
            reader.get(&format!("/c/{}", token(message, "/c/").unwrap_or_default())).await;
        }
    }
    let leave = token(&messages[0], "/u/").unwrap();
    browser.open(&format!("{base}/u/{leave}")).await;
    shoot(&browser, "unsubscribe", &mut found).await;
    browser.open(&format!("{base}/u/x")).await;
    shoot(&browser, "link-unknown", &mut found).await;
    browser.open(&format!("{base}/v/{}", token(&messages[0], "/v/").unwrap())).await;
    browser.screenshot("look-view").await;
    let domains = erika.get("/domains").await;
    let domain = domains.body.split("href=\"/domains/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for (name, path) in [
        ("campaign-report", format!("{home}/report")),
        ("campaign-recipients", format!("{home}/recipients?state=failed")),
        ("campaigns", "/campaigns".to_owned()),
        ("dashboard", "/dashboard".to_owned()),
        ("domain", format!("/domains/{domain}")),
        ("domains", "/domains".to_owned()),
        ("relay", "/relay".to_owned()),
    ] {
        browser.open(&format!("{base}{path}")).await;
        shoot(&browser, name, &mut found).await;
    }
    found.extend(browser.script_errors().await);
    assert!(found.is_empty(), "{found:#?}");
    server.abort();
    drop(sink);
}
