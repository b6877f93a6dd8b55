//! The whole service in a real browser: every page is walked through as its users do, and each is inspected against
//! WCAG 2.2 AA, its content security policy, script errors, small targets and sideways scrolling. Pictures of all pages
//! are left under `target/screenshots`.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::print_stderr, reason = "what led to a failure stands beside it")]

mod account;
mod audience;
mod campaign;
mod operator;
mod plain;
mod service;
mod visitor;

use letterkeep_testkit::browser::Browser;

use service::Service;
use visitor::{Visitor, without_scripts};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_journey() {
    let Some(browser) = Browser::start("de").await else { return };
    let mut service = Service::start(&[]);
    let mut visitor = Visitor::new(browser, service.base());
    let mut authenticator = account::sign_up(&mut visitor, true).await;
    visitor.look("dashboard-empty").await;
    for (path, name) in
        [("/lists", "lists-empty"), ("/tags", "tags-empty"), ("/fields", "fields-empty"), ("/reports", "reports-empty")]
    {
        visitor.open(path).await;
        visitor.look(name).await;
    }
    account::use_the_shell(&mut visitor).await;
    account::walk_settings(&mut visitor, &mut authenticator).await;
    audience::import(&mut visitor, service.directory()).await;
    audience::walk(&mut visitor).await;
    audience::add_contact(&mut visitor, true).await;
    let mailbox = campaign::Mailbox::open().await;
    campaign::prepare(&mut visitor, &mailbox).await;
    campaign::send(&mut visitor).await;
    campaign::report(&mut visitor, &mailbox, service.base()).await;
    account::read_the_audit_log(&mut visitor).await;
    account::log_out(&mut visitor).await;
    account::log_in_by_keyboard(&mut visitor, &mut authenticator).await;
    in_english(&mut visitor).await;
    visitor.leave().await;
    let log = service.end();
    assert!(!log.contains(" ERROR ") && !log.contains("panicked"), "{log}");
    let alarms = service.decisions();
    assert!(alarms.is_empty(), "the firewall found something in what people do:\n{}", alarms.join("\n"));
}

async fn in_english(visitor: &mut Visitor) {
    visitor.follow("footer button[name=locale][value=en]").await;
    assert_eq!(visitor.browser.execute("return document.documentElement.lang").await, "en");
    let pages = [
        "/dashboard",
        "/contacts",
        "/campaigns",
        "/campaigns/new",
        "/domains",
        "/relay",
        "/imports",
        "/lists",
        "/users",
        "/sessions",
        "/audit",
    ];
    for page in pages {
        visitor.open(page).await;
        visitor.look(&format!("en{}", page.replace('/', "-"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_pages() {
    let Some(browser) = Browser::start("de").await else { return };
    let mut service = Service::start(&[]);
    operator::walk(browser, &service).await.leave().await;
    let log = service.end();
    assert!(!log.contains(" ERROR ") && !log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_needs_a_script() {
    let Some(browser) = Browser::start("de").await else { return };
    let service = Service::start(&[]);
    without_scripts(&browser).await;
    let mut visitor = Visitor::new(browser, service.base());
    account::sign_up(&mut visitor, false).await;
    let script = visitor.browser.execute("return document.documentElement.dataset.script ?? 'off'").await;
    assert_eq!(script, "off", "the page's scripts must not run in this test");
    audience::add_contact(&mut visitor, false).await;
    visitor.look("plain-contact").await;
    plain::import(&mut visitor, service.directory()).await;
    let mailbox = campaign::Mailbox::open().await;
    plain::prepare(&visitor, &mailbox).await;
    plain::send(&mut visitor).await;
    plain::report(&mut visitor, &mailbox).await;
    visitor.leave().await;
}
