//! Pictures of the account pages in real Chromium, with axe-core, for people to look at:
//! `cargo test -p letterkeep-web --test web look -- --ignored`. They are saved under `target/screenshots`.

use crate::support::{PASSWORD, house};
use letterkeep_model::Clock as _;
use letterkeep_testkit::TestHouse;
use letterkeep_testkit::browser::{Browser, ColourScheme};
use letterkeep_web::router;

#[tokio::test]
#[ignore = "makes pictures to look at; the browser test of the whole product runs in CI"]
async fn pictures_of_the_account_pages() {
    let Some(browser) = Browser::start("de").await else { return };
    let test = TestHouse::sqlite().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let app = router(house(&test, &base));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let mut found = vec![];
    for path in ["/", "/log-in", "/sign-up", "/help", "/nothing"] {
        browser.open(&format!("{base}{path}")).await;
        shoot(&browser, &format!("guest{}", path.replace('/', "-")), &mut found).await;
    }
    browser.open(&format!("{base}/sign-up")).await;
    browser.fill("#organisation", "Hofladen Sonnenberg").await;
    browser.fill("#user_name", "erika").await;
    browser.fill("#email", "nicht ganz@").await;
    browser.fill("#password", "zu kurz").await;
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    shoot(&browser, "sign-up-meter", &mut found).await;
    browser.execute("document.querySelector('main form').noValidate = true").await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for("#errors").await;
    shoot(&browser, "sign-up-errors", &mut found).await;
    browser.execute("document.querySelector('#email').value = 'erika@sonnenberg.example'").await;
    browser.fill("#password", PASSWORD).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for(".qr").await;
    shoot(&browser, "sign-up-factor", &mut found).await;
    let secret = crate::support::secret_of(&browser.client().source().await.unwrap());
    browser.fill("#code", &secret.code_at(test.clock.now())).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for("#codes").await;
    shoot(&browser, "sign-up-codes", &mut found).await;
    browser.click("#kept").await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for("h1").await;

    for path in ["/users", "/sessions", "/profile", "/audit", "/organisation", "/nothing"] {
        browser.open(&format!("{base}{path}")).await;
        shoot(&browser, &format!("person{}", path.replace('/', "-")), &mut found).await;
    }
    browser.open(&format!("{base}/users")).await;
    let own = browser.execute("return document.querySelector('tbody th a').href").await;
    browser.fill("#email", "max@sonnenberg.example").await;
    browser.click("main .card button[type=submit]").await;
    browser.wait_for("#link").await;
    shoot(&browser, "person-invited", &mut found).await;
    browser.open(own.as_str().unwrap()).await;
    shoot(&browser, "person-user", &mut found).await;
    browser.open(&format!("{}/disable", own.as_str().unwrap())).await;
    shoot(&browser, "person-disable", &mut found).await;
    found.extend(browser.script_errors().await);
    assert!(found.is_empty(), "{found:#?}");
    server.abort();
}

/// Takes the pictures; yields what is wrong with the page.
pub(crate) async fn shoot(browser: &Browser, name: &str, found: &mut Vec<String>) {
    for (width, height, size) in [(1280, 860, "wide"), (390, 844, "phone")] {
        browser.resize(width, height).await;
        for (scheme, colour) in [(ColourScheme::Light, "light"), (ColourScheme::Dark, "dark")] {
            browser.prefer(scheme).await;
            browser.screenshot(&format!("look-{name}-{size}-{colour}")).await;
            for violation in browser.axe().await {
                found.push(format!(
                    "axe {name} {size} {colour}: {} {} {:?}",
                    violation.rule, violation.help, violation.elements
                ));
            }
        }
        for target in browser.small_targets().await {
            found.push(format!("small {name} {size}: {target}"));
        }
        if browser.scrolls_sideways().await {
            found.push(format!("sideways {name} {size}"));
        }
    }
    for violation in browser.content_security_violations().await {
        found.push(format!("csp {name}: {violation}"));
    }
}

#[tokio::test]
#[ignore = "makes pictures to look at; the browser test of the whole product runs in CI"]
async fn pictures_of_the_audience_pages() {
    let Some(browser) = Browser::start("de").await else { return };
    let test = TestHouse::sqlite().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let app = router(house(&test, &base));
    let mut visitor = crate::support::Visitor::at(app.clone());
    visitor.language = "de";
    let secret = visitor.sign_up(&test, "erika").await;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    browser.open(&format!("{base}/log-in")).await;
    browser.fill("#user_name", "erika").await;
    browser.fill("#password", PASSWORD).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for("#code").await;
    browser.fill("#code", &secret.code_at(test.clock.now())).await;
    browser.click("main form button[type=submit]").await;
    browser.wait_for(".sidebar").await;

    let mut found = vec![];
    let shot = async |found: &mut Vec<String>, path: &str, name: &str| {
        browser.open(&format!("{base}{path}")).await;
        shoot(&browser, &format!("audience-{name}"), found).await;
    };
    shot(&mut found, "/contacts", "empty").await;
    for path in ["/lists", "/fields", "/contacts/new", "/suppressions", "/imports/new"] {
        shot(&mut found, path, &path[1..].replace('/', "-")).await;
    }
    let pages = crate::audience::furnish(&mut visitor, &test).await;
    for (name, path) in &pages {
        shot(&mut found, path, name).await;
    }
    found.extend(browser.script_errors().await);
    assert!(found.is_empty(), "{found:#?}");
    server.abort();
}
