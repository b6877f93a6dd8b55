//! The main job in a browser that runs no script: each page moves on by its forms, links and its own reloading.

use std::path::Path;

use crate::audience::{GOOD, contacts};
use crate::campaign::{GONE, Mailbox};
use crate::visitor::Visitor;

pub(crate) async fn import(visitor: &mut Visitor, directory: &Path) {
    visitor.open("/imports/new").await;
    visitor.choose("permission", "explicit").await;
    visitor.browser.fill("#evidence", "Anmeldung im Laden").await;
    visitor.attach("#file", &contacts(directory)).await;
    visitor.submit("/imports/new").await;
    visitor.browser.wait_for("[name='target-0']").await;
    visitor.browser.fill("#new_list", "Stammkunden").await;
    visitor.look("plain-import-columns").await;
    visitor.submit("/mapping").await;
    visitor.browser.wait_for("main form[action$='/start'] button").await;
    visitor.look("plain-import-check").await;
    visitor.submit("/start").await;
    visitor.browser.wait_for("main a.button-primary[href^='/contacts?list=']").await;
    let result = visitor.browser.text("main").await;
    assert!(result.contains(&GOOD.to_string()), "{result}");
    visitor.look("plain-import-result").await;
}

pub(crate) async fn prepare(visitor: &Visitor, mailbox: &Mailbox) {
    visitor.open("/domains").await;
    visitor.browser.fill("#domain", "post.hofladen-sonnenberg.example").await;
    visitor.submit("/domains").await;
    visitor.browser.wait_for(".record-list").await;
    visitor.open("/relay").await;
    visitor.browser.fill("#host", "127.0.0.1").await;
    visitor.choose("security", "none").await;
    visitor.browser.fill("#port", &mailbox.port().to_string()).await;
    visitor.submit("/relay").await;
}

pub(crate) async fn send(visitor: &mut Visitor) {
    visitor.open("/campaigns/new").await;
    visitor.browser.fill("#name", "Herbstbrief 2026").await;
    visitor.submit("/campaigns").await;
    visitor.browser.wait_for("#editor-form").await;
    visitor.browser.fill("#subject", "{{ first_name }}, die Quitten sind reif").await;
    visitor.browser.fill("#postal_address", "Hofladen Sonnenberg\nAm Hang 3\n79100 Freiburg").await;
    visitor.browser.click("#audience input[name=list]").await;
    visitor.look("plain-editor").await;
    visitor.follow(".page-actions button[name=then]").await;
    visitor.browser.wait_for(".check-list").await;
    visitor.look("plain-campaign-check").await;
    visitor.submit("/send").await;
    visitor.browser.wait_for("main form[action$='/send'] [name=revision]").await;
    visitor.submit("/send").await;
    visitor.arrive_at("/report").await;
}

pub(crate) async fn report(visitor: &mut Visitor, mailbox: &Mailbox) {
    assert_eq!(mailbox.taken(), GOOD - GONE.len(), "every letter but those that the server refuses");
    let text = visitor.browser.text("main").await;
    assert!(text.contains(&(GOOD - GONE.len()).to_string()), "{text}");
    visitor.look("plain-report").await;
    // Charts are drawn without a script too.
    assert!(visitor.exists("main svg").await);
}
