//! What a campaign takes care of: lists and tags that it needs, whose data a test message shows, who has followed a link,
//! and a record that does not open.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use letterkeep_delivery::LinkBase;
use letterkeep_delivery::report::report;
use letterkeep_delivery::sender::{Outbound, run_activity};
use letterkeep_delivery::smtp::{Reach, Trust};
use letterkeep_model::{Id, Network, kind};
use letterkeep_store::contact::EditedContact;
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_web::{House, Settings, router};

use crate::campaign::{Ready, draft, hidden, make_draft, ready, texts, token};
use crate::support::{ORIGIN, PASSWORD, Visitor, house};

/// A visitor of a service that can send test messages.
fn sender(test: &TestHouse) -> Visitor {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let trust = Trust::only(made.cert.pem().as_bytes()).unwrap();
    let base = LinkBase::new(&ORIGIN.parse().unwrap()).unwrap();
    let plain = house(test, ORIGIN);
    let mut outbound = Outbound::new(base, trust, "post.example.org".into());
    outbound.reach = Reach::with(&Network::LOOPBACK);
    let outbound = Some(outbound);
    let settings = Settings { outbound, ..Settings::clone(&plain.settings) };
    Visitor::at(router(House { settings: Arc::new(settings), ..plain }))
}

/// A draft to everybody, or as `more` says.
async fn written(erika: &mut Visitor, more: &[(&str, &str)]) -> String {
    let home = make_draft(erika).await;
    let revision = hidden(&erika.get(&format!("{home}/edit")).await, "revision");
    let mut form = draft(&revision, "Hello {{ first_name }}");
    form.extend_from_slice(more);
    let saved = erika.post(&format!("{home}/edit"), &form).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    home
}

/// Sends a draft at once; yields its sending.
async fn sent(ready: &mut Ready, test: &TestHouse, home: &str) -> Id<kind::CampaignActivity> {
    let revision = hidden(&ready.erika.get(&format!("{home}/send?when=now")).await, "revision");
    let sent = ready.erika.post(&format!("{home}/send"), &[("revision", &revision), ("when", "now")]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let keyring = test.store.keys.keyring(ready.ctx.account).await.unwrap();
    let mut tx = test.store.db.read().await.unwrap();
    let id: Id<kind::Campaign> = home.rsplit('/').next().unwrap().parse().unwrap();
    let campaign = letterkeep_campaign::find(&ready.ctx, &mut tx, &keyring, id).await.unwrap().unwrap();
    drop(tx);
    let activity = campaign.activity.unwrap();
    run_activity(&test.store, &ready.ctx, activity, &ready.outbound, None, &|_| {}).await;
    activity
}

/// The address of the one tag or list that a page shows.
fn first_id(body: &str, path: &str) -> String {
    let at = format!("href=\"{path}/");
    let rest = body.split(&at).find(|rest| rest.starts_with("tag_") || rest.starts_with("list_")).unwrap();
    rest.split(['"', '/']).next().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_waiting_campaign_needs_is_not_deleted() {
    for_each_database(async |test| {
        let mut erika = Visitor::new(test);
        erika.sign_up(test, "erika").await;
        let Ready { mut erika, .. } = ready(test, erika).await;
        for (path, field) in [("/tags", "excluded"), ("/lists", "list")] {
            assert_eq!(erika.post(&format!("{path}/new"), &[("name", "Needed")]).await.status, StatusCode::SEE_OTHER);
            let id = first_id(&erika.get(path).await.body, path);
            let delete = format!("{path}/{id}/delete");
            let more: &[(&str, &str)] = &[(field, &id)];
            let home = written(&mut erika, more).await;
            if path == "/lists" {
                // Everybody was chosen: the list is not heeded, and not kept.
                assert!(erika.get(&delete).await.has("name=\"confirm\""));
                let revision = hidden(&erika.get(&format!("{home}/edit")).await, "revision");
                let mut form = draft(&revision, "Hello");
                form.retain(|(name, _)| *name != "who");
                form.extend([("who", "chosen"), ("list", &id)]);
                assert_eq!(erika.post(&format!("{home}/edit"), &form).await.status, StatusCode::SEE_OTHER);
            }
            assert!(erika.get(&delete).await.has("name=\"confirm\""), "a draft keeps nothing from being deleted");
            let revision = hidden(&erika.get(&format!("{home}/edit")).await, "revision");
            let at = [("revision", &*revision), ("when", "at"), ("at", "2026-12-24T08:00")];
            let scheduled = erika.post(&format!("{home}/send"), &at).await;
            assert_eq!(scheduled.location(), format!("{home}/progress"), "{}", scheduled.body);

            let asked = erika.get(&delete).await;
            assert!(asked.has("cannot be deleted yet") && asked.has(&home), "{}", asked.body);
            assert!(!asked.has("name=\"confirm\""));
            let refused = erika.post(&delete, &[("confirm", "Needed")]).await;
            assert!(refused.status == StatusCode::CONFLICT && refused.has("Autumn"), "{}", refused.body);
            assert!(erika.get(path).await.has("Needed"), "it is still there");
            assert_eq!(erika.post(&format!("{home}/unschedule"), &[]).await.status, StatusCode::SEE_OTHER);
            let deleted = erika.post(&delete, &[("confirm", "Needed")]).await;
            assert_eq!(deleted.location(), format!("{path}?done=deleted"), "{}", deleted.body);

            let check = erika.get(&format!("{home}/check")).await;
            assert!(check.has("has been deleted") && !check.has("name=\"when\""), "{}", check.body);
            let editor = erika.get(&format!("{home}/edit")).await;
            assert!(editor.has("Please check the recipients"), "{}", editor.body);
            let revision = hidden(&editor, "revision");
            let sent = erika.post(&format!("{home}/send"), &[("revision", &revision), ("when", "now")]).await;
            assert_eq!(sent.location(), format!("{home}/check"), "nothing goes out");
        }
    })
    .await;
}

#[tokio::test]
async fn a_test_message_shows_a_contact_to_whoever_may_see_it() {
    let test = &TestHouse::sqlite().await;
    let mut erika = sender(test);
    erika.sign_up(test, "erika").await;
    let Ready { mut erika, ctx, taken, sink, .. } = ready(test, erika).await;
    let home = written(&mut erika, &[]).await;
    let path = format!("{home}/test");
    let latest = || texts(&taken).last().cloned().unwrap_or_default();

    let nobody = erika.post(&path, &[("to", "me@example.org"), ("sample_for", "nobody@example.com")]).await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nobody.has("not among your contacts") && taken.lock().unwrap().is_empty(), "{}", nobody.body);
    let made_up = erika.post(&path, &[("to", "me@example.org"), ("sample_for", "")]).await;
    assert_eq!(made_up.status, StatusCode::OK, "{}", made_up.body);
    assert!(latest().contains("Hello Erin"), "{}", latest());
    let for_anna = erika.post(&path, &[("to", "me@example.org"), ("sample_for", "anna@example.com")]).await;
    assert_eq!(for_anna.status, StatusCode::OK, "{}", for_anna.body);
    assert!(latest().contains("Hello &lt;anna&gt;"), "{}", latest());

    // What is tried stands in the log, even if the server does not take it; whose data left, too.
    drop(sink);
    let lost = erika.post(&path, &[("to", "unknown@example.org")]).await;
    assert_eq!(lost.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", lost.body);
    let mut tx = test.store.db.read().await.unwrap();
    let entries = letterkeep_store::audit::page(&mut tx, ctx.account, i64::MAX, 50).await.unwrap();
    drop(tx);
    let sends: Vec<_> = entries.iter().filter(|entry| entry.action == "campaign.test_send").collect();
    assert_eq!(sends.len(), 3);
    assert_eq!(sends.iter().filter(|entry| entry.detail.contains("\"contact\":\"contact_")).count(), 1);

    // A creator may send tests, with made-up data only.
    erika.get("/users").await;
    let made = erika.post("/users/invitations", &[("role", "campaign_creator")]).await;
    let link = made.body.split("id=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let invitation = link.strip_prefix(ORIGIN).unwrap();
    let mut max = sender(test);
    max.get(invitation).await;
    max.post(invitation, &[("user_name", "max"), ("email", "max@sonnenberg.example"), ("password", PASSWORD)]).await;
    max.finish_sign_up(test).await;
    assert!(!max.get(&format!("{home}/check")).await.has("sample_for"));
    let peek = max.post(&path, &[("to", "me@example.org"), ("sample_for", "anna@example.com")]).await;
    assert_eq!(peek.status, StatusCode::FORBIDDEN, "{}", peek.body);
}

#[tokio::test]
async fn only_who_follows_a_link_has_clicked_and_a_damaged_contact_hides_nobody() {
    for_each_database(async |test| {
        let mut erika = Visitor::new(test);
        erika.sign_up(test, "erika").await;
        let mut ready = ready(test, erika).await;
        let home = written(&mut ready.erika, &[]).await;
        let activity = sent(&mut ready, test, &home).await;
        let click = texts(&ready.taken).iter().find_map(|message| token(message, "/c/")).unwrap();
        let clicks = async || {
            let mut tx = test.store.db.read().await.unwrap();
            report(&ready.ctx, &mut tx, activity).await.unwrap().clicks.total
        };
        let mut reader = Visitor::new(test);
        let path = format!("/c/{click}");
        let looked = reader.send(&path, Request::head(&path).body(Body::empty()).unwrap()).await;
        assert_eq!((looked.status, looked.location()), (StatusCode::FOUND, "https://shop.example/box?a=1&b=2"));
        assert_eq!(clicks().await, 0, "looking whether a link leads anywhere is no click");
        assert_eq!(reader.get(&path).await.status, StatusCode::FOUND);
        assert_eq!(clicks().await, 1);

        let accepted = format!("{home}/recipients?state=accepted");
        let before = ready.erika.get(&accepted).await;
        assert!(before.has("anna@example.com") && before.has("bert@example.com"), "{}", before.body);
        damage(test, &ready, "anna@example.com").await;
        let after = ready.erika.get(&accepted).await;
        assert_eq!(after.status, StatusCode::OK, "{}", after.body);
        assert!(after.has("does not open") && after.has("bert@example.com") && !after.has("erased"), "{}", after.body);
    })
    .await;
}

/// Changes the stored record of a contact to something that no key opens.
async fn damage(test: &TestHouse, ready: &Ready, email: &str) {
    let (ctx, address) = (&ready.ctx, email.parse().unwrap());
    let keyring = test.store.keys.keyring(ctx.account).await.unwrap();
    let mut tx = test.store.db.write().await.unwrap();
    let found = letterkeep_audience::contact::find_by_email(ctx, &mut tx, &keyring, &address).await.unwrap().unwrap();
    let row = letterkeep_store::contact::find(&mut tx, ctx.account, found.id).await.unwrap().unwrap();
    let mut record = row.record.clone();
    *record.last_mut().unwrap() ^= 1;
    let edited = EditedContact {
        contact: found.id,
        revision: row.revision,
        email_index: row.email_index.as_slice().try_into().unwrap(),
        record: &record,
        key_version: i64::from(keyring.version()),
        updated_at: row.updated_at,
    };
    assert!(letterkeep_store::contact::update(&mut tx, ctx.account, &edited).await.unwrap());
    tx.commit().await.unwrap();
}
