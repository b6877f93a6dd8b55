//! The report of a campaign whose readers open it over two days, in real Chromium: what the browser test of the whole
//! program cannot show, because its clock is the real one. The picture in the README is `report-over-days.png` of this.

use std::time::Duration;

use http::StatusCode;
use letterkeep_audience::permission::{self, Source};
use letterkeep_audience::{ContactRecord, Permission, TrackingConsent, contact};
use letterkeep_delivery::sender::run_activity;
use letterkeep_model::{Clock as _, Id, kind};
use letterkeep_testkit::TestHouse;
use letterkeep_testkit::browser::{Browser, ColourScheme};
use letterkeep_web::router;

use crate::campaign::{Ready, draft, hidden, make_draft, ready, texts, token};
use crate::support::{ORIGIN, PASSWORD, Visitor, house};

const SOURCE: &str = "<html><body><p>Hello {{ first_name }}</p>\
    <p><a href=\"https://shop.example/kiste\">Order your box</a> <a href=\"https://shop.example/quitten\">Recipe: quince jelly</a> \
    <a href=\"https://shop.example/fest\">Come to the fair</a> <a href=\"{{ unsubscribe_url }}\">Unsubscribe</a></p>\
    <p>{{ postal_address }}</p></body></html>";

#[tokio::test]
async fn a_report_over_two_days() {
    let Some(browser) = Browser::start("en").await else { return };
    let test = &TestHouse::sqlite().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let app = router(house(test, &base));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let mut erika = Visitor::at(router(house(test, ORIGIN)));
    let secret = erika.sign_up(test, "erika").await;
    let Ready { mut erika, ctx, outbound, taken, sink } = ready(test, erika).await;
    let keyring = test.store.keys.keyring(ctx.account).await.unwrap();
    let mut tx = test.store.db.write().await.unwrap();
    for number in 0..220 {
        let record = serde_json::json!({"email": format!("kunde{number}@example.com"), "first_name": "Joan"});
        let record: ContactRecord = serde_json::from_value(record).unwrap();
        let (permission, source) = (Permission::Explicit, Source::Manual);
        let new = contact::NewRecord { record, permission, source, evidence: None };
        let id = contact::create(&ctx, &mut tx, &keyring, &new).await.unwrap();
        let given = TrackingConsent::Given;
        permission::set_tracking(&ctx, &mut tx, &keyring, id, given, source, None).await.unwrap();
    }
    tx.commit().await.unwrap();

    let home = make_draft(&mut erika).await;
    let fields: Vec<_> = draft("1", "The quinces are ripe")
        .into_iter()
        .map(|(name, value)| match name {
            "name" => (name, "Autumn letter 2026"),
            "source" => (name, SOURCE),
            _ => (name, value),
        })
        .collect();
    assert_eq!(erika.post(&format!("{home}/edit"), &fields).await.status, StatusCode::SEE_OTHER);
    let revision = hidden(&erika.get(&format!("{home}/send?when=now")).await, "revision");
    let sent = erika.post(&format!("{home}/send"), &[("revision", &revision), ("when", "now")]).await;
    assert_eq!(sent.location(), format!("{home}/progress"), "{}", sent.body);
    let mut tx = test.store.db.read().await.unwrap();
    let id: Id<kind::Campaign> = home.rsplit('/').next().unwrap().parse().unwrap();
    let campaign = letterkeep_campaign::find(&ctx, &mut tx, &keyring, id).await.unwrap().unwrap();
    drop(tx);
    run_activity(&test.store, &ctx, campaign.activity.unwrap(), &outbound, None, &|_| {}).await;

    let messages = texts(&taken);
    let mut reader = Visitor::new(test);
    for (place, message) in messages.iter().enumerate() {
        let Some(picture) = token(message, "/o/").filter(|_| place % 5 < 3) else { continue };
        // Most read it early, few late.
        test.clock.advance(Duration::from_secs(place as u64 * place as u64 / 12));
        assert_eq!(reader.get(&format!("/o/{picture}")).await.status, StatusCode::OK);
        let links = message.split("/c/").skip(1);
        let wanted = if place % 5 == 0 { [3, 1, 2, 1][place % 4] } else { 0 };
        for rest in links.take(wanted) {
            let link = token(&format!("{ORIGIN}/c/{rest}"), "/c/").unwrap();
            assert_eq!(reader.get(&format!("/c/{link}")).await.status, StatusCode::FOUND);
        }
        if place % 70 == 11 {
            let leave = format!("/u/{}", token(message, "/u/").unwrap());
            reader.post_with(&leave, &[("by", "page")], "", &[("sec-fetch-site", "same-origin")]).await;
        }
    }

    browser.open(&format!("{base}/log-in")).await;
    browser.fill("#user_name", "erika").await;
    browser.fill("#password", PASSWORD).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for("#code").await;
    browser.fill("#code", &secret.code_at(test.clock.now())).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for(".sidebar").await;
    browser.open(&format!("{base}{home}/report")).await;
    let mut found = vec![];
    shoot(&browser, &mut found).await;
    found.extend(browser.script_errors().await);
    found.extend(browser.content_security_violations().await);
    assert!(found.is_empty(), "{found:#?}");
    server.abort();
    drop(sink);
}

/// Takes the pictures; notes what is wrong, and words of the chart that cannot be read or cover each other.
async fn shoot(browser: &Browser, found: &mut Vec<String>) {
    for (width, height, size) in [(1280, 900, ""), (390, 844, "-phone"), (1000, 900, "-narrow")] {
        browser.resize(width, height).await;
        for (scheme, colour) in [(ColourScheme::Dark, "-dark"), (ColourScheme::Light, "")] {
            browser.prefer(scheme).await;
            browser.screenshot(&format!("report-over-days{size}{colour}")).await;
            found.extend(browser.axe().await.iter().map(|violation| format!("{size}{colour}: {violation}")));
        }
        found.extend(browser.small_targets().await);
        let words = browser.execute(WORDS).await;
        found.extend(words.as_array().into_iter().flatten().map(|word| format!("{size}: {word}")));
        if browser.scrolls_sideways().await {
            found.push(format!("{size}: the page scrolls sideways"));
        }
    }
}

const WORDS: &str = r"
const words = [...document.querySelectorAll('.chart text')].filter(text => text.checkVisibility());
const boxes = words.map(word => word.getBoundingClientRect());
const wrong = boxes.flatMap((box, at) => box.height < 9 ? [words[at].textContent + ' is ' + box.height + ' px high'] : []);
if (!words.length) wrong.push('no words in the chart');
boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, j) => {
  if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
    wrong.push(words[i].textContent + ' covers ' + words[i + 1 + j].textContent);
}));
return wrong;
";
