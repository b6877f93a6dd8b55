//! A campaign as people and recipients meet it: draft, conflict, check, launch, report, links; and who may what.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, StatusCode, header};
use letterkeep_account::{UserName, user};
use letterkeep_audience::permission::{self, Source};
use letterkeep_audience::{ContactRecord, Permission, TrackingConsent, contact};
use letterkeep_delivery::LinkBase;
use letterkeep_delivery::sender::{Outbound, run_activity};
use letterkeep_delivery::sink::{Behaviour, Reaction, Sink};
use letterkeep_delivery::smtp::{Reach, Trust};
use letterkeep_model::{Ctx, Id, Network, Role, kind};
use letterkeep_testkit::{TestHouse, for_each_database};

use crate::support::{Answer, ORIGIN, PASSWORD, Visitor};

/// An account that is ready to send: domain, sink as its mail server, four contacts.
pub(crate) struct Ready {
    pub(crate) erika: Visitor,
    pub(crate) ctx: Ctx,
    pub(crate) outbound: Outbound,
    pub(crate) taken: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(crate) sink: Sink,
}

pub(crate) async fn account_of(test: &TestHouse, user_name: &str) -> Ctx {
    let mut tx = test.store.db.read().await.unwrap();
    let name = UserName::parse(user_name).unwrap();
    let row = letterkeep_store::user::find_by_name(&mut tx, name.folded()).await.unwrap().unwrap();
    test.system(Id::from_uuid(row.account_id))
}

pub(crate) async fn ready(test: &TestHouse, mut erika: Visitor) -> Ready {
    let ctx = account_of(test, "erika").await;
    erika.get("/organisation").await;
    let fields = [("name", "Hofladen"), ("postal_address", "Weg 1\n12345 Ort"), ("time_zone", "UTC"), ("locale", "en")];
    assert_eq!(erika.post("/organisation", &fields).await.status, StatusCode::SEE_OTHER);
    let added = erika.post("/domains", &[("domain", "Sonnenberg.example")]).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.body);
    let records = erika.get(added.location()).await;
    for part in ["k=rsa", "k=ed25519", "v=spf1", "v=DMARC1", "._domainkey.sonnenberg.example"] {
        assert!(records.has(part), "{part}");
    }

    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = taken.clone();
    let mut behaviour = Behaviour::accept_all(move |one| kept.lock().unwrap().push(one.message));
    behaviour.react = Arc::new(|to: &str| {
        if to.starts_with("unknown") {
            Reaction::AnswerRecipient("550 5.1.1 no such user".into())
        } else {
            Reaction::Accept
        }
    });
    let sink = Sink::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), behaviour).await.unwrap();
    let port = sink.address().port().to_string();
    let mut relay =
        vec![("host", "192.0.2.1"), ("port", &port), ("security", "none"), ("connections", "2"), ("limit", "0")];
    let refused = erika.post("/relay", &relay).await;
    assert!(refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.has("192.0.2.1"), "{}", refused.body);
    relay[0].1 = "127.0.0.1";
    assert_eq!(erika.post("/relay", &relay).await.location(), "/relay?saved=yes");

    let keyring = test.store.keys.keyring(ctx.account).await.unwrap();
    let mut tx = test.store.db.write().await.unwrap();
    for (name, permission) in [
        ("anna", Permission::Explicit),
        ("bert", Permission::Implicit),
        ("unknown", Permission::Explicit),
        ("carl", Permission::Unsubscribed),
    ] {
        let record = serde_json::json!({"email": format!("{name}@example.com"), "first_name": format!("<{name}>")});
        let record: ContactRecord = serde_json::from_value(record).unwrap();
        let new = contact::NewRecord { record, permission, source: Source::Manual, evidence: None };
        let id = contact::create(&ctx, &mut tx, &keyring, &new).await.unwrap();
        if name == "anna" {
            let given = TrackingConsent::Given;
            permission::set_tracking(&ctx, &mut tx, &keyring, id, given, Source::Manual, None).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let trust = Trust::only(made.cert.pem().as_bytes()).unwrap();
    let base = LinkBase::new(&ORIGIN.parse().unwrap()).unwrap();
    let mut outbound = Outbound::new(base, trust, "post.example.org".into());
    outbound.reach = Reach::with(&Network::LOOPBACK);
    Ready { erika, ctx, outbound, taken, sink }
}

const SOURCE: &str = "<html><body><p>Hello {{ first_name }}</p><p><a href=\"https://shop.example/box?a=1&amp;b=2\">Box</a> \
    <a href=\"{{ unsubscribe_url }}\">Leave</a> <a href=\"{{ view_url }}\">View</a></p><p>{{ postal_address }}</p></body></html>";

pub(crate) fn draft<'a>(revision: &'a str, subject: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("revision", revision),
        ("name", "Autumn"),
        ("subject", subject),
        ("preheader", "Fresh"),
        ("from_name", "Hofladen"),
        ("from_local", "news"),
        ("from_domain", "sonnenberg.example"),
        ("postal_address", "Weg 1\n12345 Ort"),
        ("format", "html"),
        ("source", SOURCE),
        ("locale", "en"),
        ("who", "everybody"),
    ]
}

/// The value of a hidden field.
pub(crate) fn hidden(answer: &Answer, name: &str) -> String {
    let at = format!("name=\"{name}\" value=\"");
    answer.body.split(&at).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

pub(crate) async fn make_draft(erika: &mut Visitor) -> String {
    let choice = erika.get("/campaigns/new").await;
    assert!(choice.has("sandbox=\"\"") && choice.has("/campaigns/new/letter"), "{}", choice.body);
    let made = erika.post("/campaigns", &[("name", "Draft"), ("template", "letter")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    made.location().strip_suffix("/edit").unwrap().to_owned()
}

#[tokio::test]
async fn from_draft_to_report() {
    for_each_database(async |test| {
        let mut erika = Visitor::new(test);
        erika.sign_up(test, "erika").await;
        assert!(erika.get("/dashboard").await.has("On the way to your first campaign"));
        let Ready { mut erika, ctx, outbound, taken, sink } = ready(test, erika).await;
        let home = make_draft(&mut erika).await;

        // Two windows: the second to save is told, and loses nothing.
        let editor = erika.get(&format!("{home}/edit")).await;
        let revision = hidden(&editor, "revision");
        let edit = format!("{home}/edit");
        let saved = erika.post(&edit, &draft(&revision, "Hello {{ first_name }}")).await;
        assert_eq!(saved.location(), format!("{edit}?saved=yes"), "{}", saved.body);
        let conflict = erika.post(&edit, &draft(&revision, "My <other> words")).await;
        assert_eq!(conflict.status, StatusCode::CONFLICT);
        assert!(conflict.has("Somebody has changed this campaign") && conflict.has("My &lt;other&gt; words"));
        assert!(erika.get(&edit).await.has("Hello {{ first_name }}"), "nothing was overwritten");

        // The message in its frame: no script, no origin.
        let frame = erika.get(&format!("{home}/preview")).await;
        let policy = frame.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("sandbox allow-popups") && !policy.contains("allow-scripts"), "{policy}");
        assert!(policy.starts_with("default-src 'none'") && frame.has("Hello Erin"), "{}", frame.body);
        let mut typed = draft("1", "x");
        typed.push(("preview_for", "anna@example.com"));
        let for_anna = erika.post(&format!("{home}/preview"), &typed).await;
        assert!(for_anna.has("Hello &lt;anna&gt;") && for_anna.headers.contains_key(header::CONTENT_SECURITY_POLICY));
        let problems = erika.post(&format!("{home}/problems"), &draft("1", "")).await;
        assert!(problems.has("Missing") && !problems.has("<html"), "{}", problems.body);

        // The check names who gets it and who does not; the confirmation the exact number.
        let check = erika.get(&format!("{home}/check")).await;
        assert!(check.has("3 contacts would get this message") && check.has("unsubscribed"), "{}", check.body);
        let late = erika.get(&format!("{home}/send?when=at&at=2001-01-01T08:00")).await;
        assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
        let ask = erika.get(&format!("{home}/send?when=now")).await;
        assert!(ask.has("Send to 3 contacts?"), "{}", ask.body);
        let confirmed = hidden(&ask, "revision");
        let stale = erika.post(&format!("{home}/send"), &[("revision", "1"), ("when", "now")]).await;
        assert_eq!(stale.status, StatusCode::CONFLICT, "what was confirmed is what goes out");
        let sent = erika.post(&format!("{home}/send"), &[("revision", &confirmed), ("when", "now")]).await;
        assert_eq!(sent.location(), format!("{home}/progress"), "{}", sent.body);
        let progress = erika.get(&format!("{home}/progress")).await;
        assert!(progress.headers.contains_key(header::REFRESH) && progress.has("hx-trigger=\"every 2s\""));
        let paused = erika.post(&format!("{home}/pause"), &[]).await;
        assert_eq!(paused.status, StatusCode::SEE_OTHER);
        assert!(erika.get(&format!("{home}/progress")).await.has("Paused"));
        assert_eq!(erika.post(&format!("{home}/resume"), &[]).await.status, StatusCode::SEE_OTHER);

        let keyring = test.store.keys.keyring(ctx.account).await.unwrap();
        let mut tx = test.store.db.read().await.unwrap();
        let id: Id<kind::Campaign> = home.rsplit('/').next().unwrap().parse().unwrap();
        let campaign = letterkeep_campaign::find(&ctx, &mut tx, &keyring, id).await.unwrap().unwrap();
        drop(tx);
        run_activity(&test.store, &ctx, campaign.activity.unwrap(), &outbound, None, &|_| {}).await;
        assert_eq!(taken.lock().unwrap().len(), 2);
        follow_links(test, &taken).await;

        assert_eq!(erika.get(&home).await.location(), format!("{home}/report"));
        let report = erika.get(&format!("{home}/report")).await;
        assert!(report.has("All 4 recipients are accounted for."), "{}", report.body);
        assert!(report.has("address does not exist: 1") && report.has("unsubscribed: 1"), "{}", report.body);
        assert!(report.has("50.0%") && report.has("Box"), "one of two opened and clicked: {}", report.body);
        let refused = erika.get(&format!("{home}/recipients?state=failed")).await;
        let words = "<blockquote><code translate=\"no\" lang=\"\">550 5.1.1";
        assert!(refused.has("unknown@example.com") && refused.has(words), "{}", refused.body);
        assert!(erika.get("/campaigns").await.has("Autumn"));
        assert!(erika.get("/reports").await.has("Autumn"));
        assert!(erika.get("/dashboard").await.has("Autumn"));
        drop(sink);
    })
    .await;
}

/// The token after `path` in a message.
pub(crate) fn token(message: &str, path: &str) -> Option<String> {
    let at = format!("{ORIGIN}{path}");
    let rest = message.split(&at).nth(1)?;
    Some(rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect())
}

/// The messages with their long lines whole again, which is all that looking for links takes.
pub(crate) fn texts(taken: &Mutex<Vec<Vec<u8>>>) -> Vec<String> {
    let whole = |one: &Vec<u8>| {
        let text = String::from_utf8_lossy(one).replace("=\r\n", "").replace("\r\n ", "");
        text.replace("=2E", ".").replace("=46", "F")
    };
    taken.lock().unwrap().iter().map(whole).collect()
}

/// What recipients do, without any cookie.
async fn follow_links(test: &TestHouse, taken: &Mutex<Vec<Vec<u8>>>) {
    let messages = texts(taken);
    let anna = messages.iter().find(|message| token(message, "/o/").is_some()).expect("the one with consent");
    let bert = messages.iter().find(|message| token(message, "/o/").is_none()).expect("the one without");
    assert!(token(bert, "/c/").is_none(), "no counted links without consent");
    let mut reader = Visitor::new(test);

    let picture = reader.get(&format!("/o/{}", token(anna, "/o/").unwrap())).await;
    assert_eq!(
        (picture.status, &picture.headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"image/gif".parse().unwrap())
    );
    assert_eq!(picture.headers["cross-origin-resource-policy"], "cross-origin");
    let click = token(anna, "/c/").unwrap();
    let followed = reader.get(&format!("/c/{click}")).await;
    assert_eq!((followed.status, followed.location()), (StatusCode::FOUND, "https://shop.example/box?a=1&b=2"));
    let view = reader.get(&format!("/v/{}", token(anna, "/v/").unwrap())).await;
    assert!(view.has("Hello &lt;anna&gt;"), "{}", view.body);
    assert!(view.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("sandbox"));

    // Looking changes nothing; the button does, without redirect.
    let leave = format!("/u/{}", token(bert, "/u/").unwrap());
    let ask = reader.get(&leave).await;
    assert!(ask.status == StatusCode::OK && ask.has("Yes, unsubscribe") && ask.has("method=\"post\""), "{}", ask.body);
    assert!(reader.get(&leave).await.has("Yes, unsubscribe"), "still a question");
    let left = reader.post_with(&leave, &[("by", "page")], "", &[("sec-fetch-site", "same-origin")]).await;
    assert!(left.status == StatusCode::OK && left.has("You are unsubscribed."), "{}", left.body);
    assert!(reader.get(&leave).await.has("You are unsubscribed."));

    // The mailbox provider: from anywhere, without cookie or origin, any body that RFC 8058 allows.
    let one_click = format!("/u/{}", token(anna, "/u/").unwrap());
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let request = Request::post(&one_click)
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from("List-Unsubscribe=One-Click"))
            .unwrap();
        let answer = reader.send(&one_click, request).await;
        assert_eq!(answer.status, StatusCode::OK, "{kind}: {}", answer.body);
        assert!(!answer.headers.contains_key(header::SET_COOKIE) && !answer.headers.contains_key(header::LOCATION));
    }
    assert!(reader.get(&one_click).await.has("You are unsubscribed."));
    assert!(reader.cookies.is_empty(), "recipients get no cookie: {:?}", reader.cookies);

    // Whatever is wrong with a token, the answer is one and the same.
    let mut flipped = click.clone().into_bytes();
    let last = flipped.len() - 3;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let mut answers = vec![];
    for path in [
        format!("/c/{flipped}"),
        format!("/o/{click}"),
        format!("/u/{click}"),
        format!("/v/{click}"),
        "/c/x".to_owned(),
        format!("/o/{}", "A".repeat(96)),
    ] {
        let answer = reader.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answers.push(answer.body);
    }
    assert!(answers.iter().all(|body| *body == answers[0]), "{answers:#?}");
    let forged = reader.post_with(&format!("/u/{flipped}"), &[("by", "page")], "", &[]).await;
    assert_eq!(forged.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_creator_drafts_and_a_viewer_reads_figures() {
    let test = &TestHouse::sqlite().await;
    let mut erika = Visitor::new(test);
    erika.sign_up(test, "erika").await;
    let Ready { mut erika, ctx, .. } = ready(test, erika).await;
    let home = make_draft(&mut erika).await;
    let revision = hidden(&erika.get(&format!("{home}/edit")).await, "revision");
    erika.post(&format!("{home}/edit"), &draft(&revision, "Hello")).await;

    erika.get("/users").await;
    let made = erika.post("/users/invitations", &[("role", "campaign_creator")]).await;
    let link = made.body.split("id=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let path = link.strip_prefix(ORIGIN).unwrap();
    let mut max = Visitor::new(test);
    max.get(path).await;
    max.post(path, &[("user_name", "max"), ("email", "max@sonnenberg.example"), ("password", PASSWORD)]).await;
    max.finish_sign_up(test).await;

    // Writes and checks, with made-up data; does not send.
    let editor = max.get(&format!("{home}/edit")).await;
    assert!(editor.status == StatusCode::OK && !editor.has("preview_for"), "{}", editor.body);
    let mut typed = draft("2", "x");
    assert!(max.post(&format!("{home}/preview"), &typed).await.has("Hello Erin"));
    typed.push(("preview_for", "anna@example.com"));
    let peek = max.post(&format!("{home}/preview"), &typed).await;
    assert!(peek.status == StatusCode::FORBIDDEN && !peek.has("&lt;anna&gt;"), "{}", peek.body);
    let check = max.get(&format!("{home}/check")).await;
    assert!(check.has("Your role does not allow sending") && !check.has("send?"), "{}", check.body);
    assert_eq!(max.get(&format!("{home}/send")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(max.post(&format!("{home}/send"), &[("revision", "2")]).await.status, StatusCode::FORBIDDEN);

    let confirmed = hidden(&erika.get(&format!("{home}/send?when=now")).await, "revision");
    let sent = erika.post(&format!("{home}/send"), &[("revision", &confirmed), ("when", "now")]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);

    let mut tx = test.store.db.write().await.unwrap();
    let row =
        letterkeep_store::user::find_by_name(&mut tx, UserName::parse("max").unwrap().folded()).await.unwrap().unwrap();
    user::change_role(&ctx, &mut tx, Id::from_uuid(row.user_id), Role::Viewer).await.unwrap();
    tx.commit().await.unwrap();
    let report = max.get(&format!("{home}/report")).await;
    assert!(report.status == StatusCode::OK && !report.has("/recipients"), "{}", report.body);
    assert_eq!(max.get(&format!("{home}/recipients")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(max.get(&format!("{home}/edit")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(max.get("/dashboard").await.status, StatusCode::OK);
}
