//! Contacts, lists, tags, fields, blocked addresses and the import, as people use them.

use crate::support::{Answer, PASSWORD, Visitor};
use axum::body::Body;
use http::{Request, StatusCode, header};
use letterkeep_audience::import::{check, run, undo};
use letterkeep_model::Role;
use letterkeep_store::queue;
use letterkeep_testkit::{TestHouse, for_each_database};
use std::time::Duration;

/// The id behind the first address that begins with `before`.
fn id_behind<'a>(body: &'a str, before: &str) -> &'a str {
    body.split(before)
        .skip(1)
        .map(|rest| rest.split(['"', '/', '?', '&']).next().unwrap())
        .find(|id| id.contains('_'))
        .unwrap_or_else(|| panic!("no id behind {before} in {body}"))
}

/// The value of a field that is sent along.
fn hidden<'a>(body: &'a str, name: &str) -> &'a str {
    body.split(&format!("name=\"{name}\" value=\"")).nth(1).expect(name).split('"').next().unwrap()
}

pub(crate) fn goes(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.location().to_owned()
}

const CLARA: [(&str, &str); 6] = [
    ("email", "Clara.Vogt@Example.org"),
    ("first_name", "Clara"),
    ("last_name", "Vogt"),
    ("birthday", "12-24"),
    ("permission", "explicit"),
    ("evidence", "Sign-up form, 3 May 2026"),
];

async fn add_clara(visitor: &mut Visitor) -> String {
    visitor.get("/contacts/new").await;
    let home = goes(&visitor.post("/contacts/new", &CLARA).await);
    home.split('?').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_contact_is_added_found_edited_and_erased() {
    for_each_database(async |test| {
        let mut visitor = Visitor::new(test);
        visitor.sign_up(test, "erika").await;
        let empty = visitor.get("/contacts").await;
        assert!(empty.has("No contacts yet") && empty.has("href=\"/imports/new\""), "{}", empty.body);

        // Refused: nothing is lost, and what is wrong stands beside the fields.
        visitor.get("/contacts/new").await;
        let refused = visitor
            .post("/contacts/new", &[("email", "clara@"), ("first_name", "Clara"), ("permission", "explicit")])
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refused.has("value=\"Clara\"") && refused.has("id=\"email-error\"") && refused.has("id=\"evidence-error\"")
        );

        let home = add_clara(&mut visitor).await;
        let page = visitor.get(&home).await;
        for text in ["Clara Vogt", "Explicit", "Sign-up form, 3 May 2026", "12-24"] {
            assert!(page.has(text), "{text}: {}", page.body);
        }
        visitor.get("/contacts/new").await;
        let twice =
            visitor.post("/contacts/new", &[("email", "clara.vogt@example.ORG"), ("permission", "not_set")]).await;
        assert!(twice.status == StatusCode::UNPROCESSABLE_ENTITY && twice.has("has this address already"));

        // Found by the whole address in another spelling; never by a part of it, and never through the address bar.
        visitor.get("/contacts").await;
        assert_eq!(goes(&visitor.post("/contacts/find", &[("email", " CLARA.VOGT@example.org ")]).await), home);
        let part = visitor.post("/contacts/find", &[("email", "vogt@example.org")]).await;
        assert!(part.status == StatusCode::OK && part.has("No contact has this address"));

        // Two people edit: the second learns what happened, keeps the input, and may decide.
        let form = visitor.get(&format!("{home}/edit")).await;
        let revision = hidden(&form.body, "revision").to_owned();
        let edit = format!("{home}/edit");
        let first = [("revision", revision.as_str()), ("email", "clara.vogt@example.org"), ("company", "Hof GmbH")];
        assert_eq!(goes(&visitor.post(&edit, &first).await), format!("{home}?done=saved"));
        let second = [("revision", revision.as_str()), ("email", "clara.vogt@example.org"), ("company", "Hof AG")];
        let conflict = visitor.post(&edit, &second).await;
        assert_eq!(conflict.status, StatusCode::CONFLICT);
        assert!(conflict.has("value=\"Hof AG\"") && conflict.has("Hof GmbH"), "{}", conflict.body);
        let newer = hidden(&conflict.body, "revision").to_owned();
        assert_ne!(newer, revision);
        let again = [("revision", newer.as_str()), ("email", "clara.vogt@example.org"), ("company", "Hof AG")];
        goes(&visitor.post(&edit, &again).await);
        assert!(visitor.get(&home).await.has("Hof AG"));

        // Erased only with the word typed; then nothing is left to find.
        visitor.get(&format!("{home}/erase")).await;
        let not = visitor.post(&format!("{home}/erase"), &[("confirm", "yes")]).await;
        assert_eq!(not.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(visitor.get(&home).await.status, StatusCode::OK);
        goes(&visitor.post(&format!("{home}/erase"), &[("confirm", "Erase")]).await);
        assert_eq!(visitor.get(&home).await.status, StatusCode::NOT_FOUND);
        assert!(visitor.get("/contacts").await.has("No contacts yet"));
    })
    .await;
}

#[tokio::test]
async fn a_no_stays_a_no_until_a_new_yes_with_evidence() {
    for_each_database(async |test| {
        let mut visitor = Visitor::new(test);
        visitor.sign_up(test, "erika").await;
        let home = add_clara(&mut visitor).await;
        let set = format!("{home}/permission");
        visitor.get(&set).await;
        goes(&visitor.post(&set, &[("permission", "unsubscribed")]).await);
        let page = visitor.get(&home).await;
        assert!(page.has("Nothing is sent to this address") && page.has("Unsubscribed"), "{}", page.body);
        visitor.get(&set).await;
        let implied = visitor.post(&set, &[("permission", "implicit"), ("evidence", "customer")]).await;
        assert!(implied.status == StatusCode::UNPROCESSABLE_ENTITY && implied.has("This contact has said no"));
        let bare = visitor.post(&set, &[("permission", "explicit")]).await;
        assert!(bare.status == StatusCode::UNPROCESSABLE_ENTITY && bare.has("needs proof"));
        goes(&visitor.post(&set, &[("permission", "explicit"), ("evidence", "New form, 2026")]).await);
        let page = visitor.get(&home).await;
        assert!(!page.has("Nothing is sent to this address") && page.has("New form, 2026"));
        visitor.get(&set).await;
        let tracking = format!("{home}/tracking");
        let bare = visitor.post(&tracking, &[("tracking", "given")]).await;
        assert_eq!(bare.status, StatusCode::UNPROCESSABLE_ENTITY);
        goes(&visitor.post(&tracking, &[("tracking", "given"), ("tracking_evidence", "Box ticked")]).await);
        assert!(visitor.get(&home).await.has("Box ticked"));

        // The list of blocked addresses answers for one address at a time.
        visitor.get("/suppressions").await;
        let free = visitor.post("/suppressions/check", &[("email", "anna@example.org")]).await;
        assert!(free.has("anna@example.org is not blocked"), "{}", free.body);
        goes(&visitor.post("/suppressions/add", &[("email", "anna@example.org")]).await);
        let blocked = visitor.post("/suppressions/check", &[("email", "Anna@Example.org")]).await;
        assert!(blocked.has("is blocked"));
        let why = visitor.post("/suppressions/lift", &[("email", "anna@example.org"), ("why", "")]).await;
        assert_eq!(why.status, StatusCode::UNPROCESSABLE_ENTITY);
        goes(&visitor.post("/suppressions/lift", &[("email", "anna@example.org"), ("why", "mistake")]).await);
        assert!(visitor.post("/suppressions/check", &[("email", "anna@example.org")]).await.has("is not blocked"));
    })
    .await;
}

#[tokio::test]
async fn lists_tags_and_fields_live_and_filter() {
    for_each_database(async |test| {
        let mut visitor = Visitor::new(test);
        visitor.sign_up(test, "erika").await;
        for (path, name) in [("/lists", "Stammkunden"), ("/tags", "Hofführung")] {
            visitor.get(&format!("{path}/new")).await;
            goes(&visitor.post(&format!("{path}/new"), &[("name", name)]).await);
            visitor.get(&format!("{path}/new")).await;
            let twice = visitor.post(&format!("{path}/new"), &[("name", name)]).await;
            assert!(twice.status == StatusCode::UNPROCESSABLE_ENTITY && twice.has("has this name already"));
        }
        let lists = visitor.get("/lists").await;
        let list = id_behind(&lists.body, "/lists/").to_owned();
        let tags = visitor.get("/tags").await;
        let tag = id_behind(&tags.body, "/tags/").to_owned();

        // Fields: a number and a selection, put into order, and shown with what a template writes.
        for fields in [
            vec![("label", "Größe (cm)"), ("kind", "number"), ("options", "not used")],
            vec![("label", "Kiste"), ("kind", "select"), ("options", "klein\r\n groß \r\n")],
        ] {
            visitor.get("/fields/new").await;
            goes(&visitor.post("/fields/new", &fields).await);
        }
        let page = visitor.get("/fields").await;
        assert!(page.has("{{ groesse_cm }}") && page.has("klein · groß"), "{}", page.body);
        let first = id_behind(&page.body, "/fields/").to_owned();
        goes(&visitor.post(&format!("/fields/{first}/move"), &[("direction", "down")]).await);
        assert_ne!(id_behind(&visitor.get("/fields").await.body, "/fields/"), first);
        visitor.get("/fields/new").await;
        let reserved =
            visitor.post("/fields/new", &[("label", "E-Mail"), ("kind", "text"), ("merge_key", "email")]).await;
        assert_eq!(reserved.status, StatusCode::UNPROCESSABLE_ENTITY);

        let home = add_clara(&mut visitor).await;
        visitor.get(&home).await;
        goes(&visitor.post(&format!("{home}/groups"), &[("list", &list), ("tag", &tag)]).await);
        let form = visitor.get(&format!("{home}/edit")).await;
        let revision = hidden(&form.body, "revision").to_owned();
        let mut fields = vec![("revision", revision.as_str()), ("email", "clara.vogt@example.org")];
        fields.extend([("custom.groesse_cm", "171.5"), ("custom.kiste", "groß")]);
        goes(&visitor.post(&format!("{home}/edit"), &fields).await);
        let page = visitor.get(&home).await;
        assert!(page.has("171.5") && page.has("groß"), "{}", page.body);

        // Somebody else, on no list.
        visitor.get("/contacts/new").await;
        goes(&visitor.post("/contacts/new", &[("email", "bert@example.org"), ("permission", "not_set")]).await);
        let shown = async |visitor: &mut Visitor, filter: &str| {
            let page = visitor.get(&format!("/contacts?{filter}")).await;
            (page.has("clara.vogt@example.org"), page.has("bert@example.org"))
        };
        assert_eq!(shown(&mut visitor, "").await, (true, true));
        assert_eq!(shown(&mut visitor, &format!("list={list}")).await, (true, false));
        assert_eq!(shown(&mut visitor, &format!("tag={tag}&permission=explicit")).await, (true, false));
        assert_eq!(shown(&mut visitor, "permission=not_set").await, (false, true));
        assert!(visitor.get(&format!("/contacts?list={list}&permission=not_set")).await.has("No contact fits"));

        // Out in a file: only what the filter shows.
        visitor.get("/contacts/export").await;
        let file = visitor.post("/contacts/export", &[("format", "csv"), ("list", &list)]).await;
        assert!(file.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment"));
        assert!(file.has("clara.vogt@example.org") && !file.has("bert@example.org"));
        let file = visitor.post("/contacts/export", &[("format", "json")]).await;
        assert!(file.has("bert@example.org") && file.body.trim_end().ends_with(']'));

        // Gone with its name typed; the contact stays.
        for (path, id, name) in [("/lists", &list, "Stammkunden"), ("/tags", &tag, "Hofführung")] {
            let ask = visitor.get(&format!("{path}/{id}/delete")).await;
            assert!(ask.has("kept"));
            let not = visitor.post(&format!("{path}/{id}/delete"), &[("confirm", "")]).await;
            assert_eq!(not.status, StatusCode::UNPROCESSABLE_ENTITY);
            goes(&visitor.post(&format!("{path}/{id}/delete"), &[("confirm", name)]).await);
            assert!(!visitor.get(path).await.has(name));
        }
        visitor.get(&format!("/fields/{first}/delete")).await;
        goes(&visitor.post(&format!("/fields/{first}/delete"), &[("confirm", "größe (cm)")]).await);
        let page = visitor.get(&home).await;
        assert!(page.status == StatusCode::OK && !page.has("171.5"));
    })
    .await;
}

const FILE: &str = "E-Mail;Vorname;Kundennummer\r\n\
    jörg@example.org;J\u{f6}rg;0001\r\n\
    anna@example.org;Anna;0002\r\n\
    kein-at;Max;0003\r\n\
    ANNA@example.org;Anna Maria;0004\r\n";

/// Sends the file as a browser does.
pub(crate) async fn upload(visitor: &mut Visitor, fields: &[(&str, &str)], name: &str, content: &[u8]) -> Answer {
    let token = visitor.get("/imports/new").await;
    assert_eq!(token.status, StatusCode::OK);
    let mut body = Vec::new();
    let csrf = visitor.token.clone();
    for (field, value) in std::iter::once(&("csrf", csrf.as_str())).chain(fields) {
        body.extend(format!("--B\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes());
    }
    let head = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=";
    body.extend(format!("{head}\"{name}\"\r\nContent-Type: text/csv\r\n\r\n").bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--B--\r\n");
    let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request::post("/imports/new")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=B")
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, cookies.join("; "))
        .body(Body::from(body))
        .unwrap();
    visitor.send("/imports/new", request).await
}

/// Does the next job of imports, as a worker would.
pub(crate) async fn work(test: &TestHouse) {
    let db = &test.store.db;
    let now = letterkeep_model::Clock::now(&*test.clock);
    let job = queue::claim(db, now, Duration::from_mins(5)).await.unwrap().expect("a job");
    assert!([run::JOB, undo::JOB, check::JOB].contains(&job.kind.as_str()), "{}", job.kind);
    let ctx = test.system(job.account());
    let outcome = run::perform(&ctx, &test.store, &job).await;
    let mut tx = db.write().await.unwrap();
    queue::settle(&mut tx, &job, &outcome, now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_file_is_imported_and_taken_back() {
    for_each_database(async |test| {
        let mut visitor = Visitor::new(test);
        visitor.sign_up(test, "erika").await;
        // The origin comes first, and is asked for.
        let asked =
            upload(&mut visitor, &[("permission", "implicit"), ("evidence", " ")], "kunden.csv", b"a;b\n").await;
        assert!(
            asked.status == StatusCode::UNPROCESSABLE_ENTITY && asked.has("id=\"evidence-error\""),
            "{}",
            asked.body
        );
        let origin = [("permission", "implicit"), ("evidence", "Customers of the farm shop")];
        let nothing = upload(&mut visitor, &origin, "leer.csv", b"").await;
        assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", nothing.body);

        // windows-1252, as a spreadsheet writes it: found out, and changeable.
        let bytes: Vec<u8> = FILE.replace("jörg@", "joerg@").chars().map(|letter| letter as u8).collect();
        let home = goes(&upload(&mut visitor, &origin, "kunden.csv", &bytes).await);
        let columns = visitor.get(&home).await;
        for text in
            ["kunden.csv", "Jörg", "value=\"field:email\" selected", "Customers of the farm shop", "windows-1252"]
        {
            assert!(columns.has(text), "{text}: {}", columns.body);
        }
        let reread = format!("{home}/format");
        goes(&visitor.post(&reread, &[("encoding", "windows-1252"), ("delimiter", "comma")]).await);
        let wrong = visitor.get(&home).await;
        assert!(wrong.has("· 1 columns"), "{}", wrong.body);
        goes(&visitor.post(&reread, &[("encoding", "windows-1252"), ("delimiter", "semicolon")]).await);

        let mut mapping = vec![("target-0", "skip"), ("target-1", "field:first_name"), ("target-2", "create:text")];
        mapping.extend([("label-2", "Kundennummer"), ("new_list", "Stammkunden"), ("new_tag", "2026")]);
        mapping.extend(origin);
        visitor.get(&home).await;
        let refused = visitor.post(&format!("{home}/mapping"), &mapping).await;
        assert!(refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.has("holds the e-mail addresses"));
        assert!(!visitor.get("/lists").await.has("Stammkunden"), "nothing is made by a form that is refused");
        mapping[0] = ("target-0", "field:email");
        visitor.get(&home).await;
        let check = goes(&visitor.post(&format!("{home}/mapping"), &mapping).await);

        let found = visitor.get(&check).await;
        assert!(found.has("Import 2 contacts") && found.has("Row 4") && found.has("Row 5"), "{}", found.body);
        assert!(visitor.get("/contacts").await.has("No contacts yet"), "a check writes nothing");
        visitor.get(&check).await;
        assert_eq!(goes(&visitor.post(&format!("{home}/start"), &[]).await), home);

        // Under way: reloads itself without a script, is fetched piecewise with one, and can be paused.
        let running = visitor.get(&home).await;
        assert!(running.has("every 1s") && running.headers[header::REFRESH] == "2", "{}", running.body);
        goes(&visitor.post(&format!("{home}/pause"), &[]).await);
        let paused = visitor.get(&home).await;
        assert!(paused.has("Paused") && !paused.headers.contains_key(header::REFRESH));
        goes(&visitor.post(&format!("{home}/resume"), &[]).await);
        assert_eq!(visitor.post(&format!("{home}/resume"), &[]).await.status, StatusCode::CONFLICT);
        work(test).await;
        work(test).await;
        let part = visitor.get(&format!("{home}/progress")).await;
        assert_eq!(part.headers["hx-redirect"].to_str().unwrap(), home);

        let result = visitor.get(&home).await;
        assert!(result.has("All 4 rows were read") && result.has("/rejects"), "{}", result.body);
        let rejects = visitor.get(&format!("{home}/rejects")).await;
        assert!(rejects.has("kein-at") && rejects.has("ANNA@example.org") && !rejects.has("joerg@example.org"));
        let contacts = visitor.get("/contacts").await;
        assert!(contacts.has("joerg@example.org") && contacts.has("Stammkunden") && contacts.has("2026"));
        assert!(visitor.get("/imports").await.has("Done"));
        let contact = format!("/contacts/{}", id_behind(&contacts.body, "/contacts/"));
        assert!(visitor.get(&contact).await.has("From an import"));

        // And back again.
        visitor.get(&format!("{home}/undo")).await;
        let not = visitor.post(&format!("{home}/undo"), &[("confirm", "no")]).await;
        assert_eq!(not.status, StatusCode::UNPROCESSABLE_ENTITY);
        goes(&visitor.post(&format!("{home}/undo"), &[("confirm", "undo")]).await);
        assert!(visitor.get(&home).await.has("Undoing the import"));
        work(test).await;
        let back = visitor.get(&home).await;
        assert!(back.has("This import was undone"), "{}", back.body);
        assert!(visitor.get("/contacts").await.has("No contacts yet"));
    })
    .await;
}

#[tokio::test]
async fn another_account_sees_nothing_and_other_roles_are_refused() {
    let test = &TestHouse::sqlite().await;
    let mut owner = Visitor::new(test);
    owner.sign_up(test, "erika").await;
    let home = add_clara(&mut owner).await;
    let origin = [("permission", "not_set"), ("evidence", "Unknown")];
    let import = goes(&upload(&mut owner, &origin, "a.csv", FILE.as_bytes()).await);
    let mut other = Visitor::new(test);
    other.sign_up(test, "bert").await;
    for path in [home.clone(), format!("{home}/edit"), import.clone(), format!("{import}/check")] {
        assert_eq!(owner.get(&path).await.status, StatusCode::OK, "{path}");
        assert_eq!(other.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    other.get("/contacts").await;
    for path in [format!("{home}/groups"), format!("{import}/start"), format!("{import}/cancel")] {
        assert_eq!(other.post(&path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let hidden = other.post("/contacts/find", &[("email", "clara.vogt@example.org")]).await;
    assert!(hidden.status == StatusCode::OK && hidden.has("No contact has this address"));

    for (name, role) in [("viewer", Role::Viewer), ("creator", Role::CampaignCreator)] {
        owner.get("/users").await;
        let text = if role == Role::Viewer { "viewer" } else { role.name() };
        let made = owner.post("/users/invitations", &[("role", text)]).await;
        let link = made.body.split("id=\"link\">").nth(1).expect("a link").split('<').next().unwrap().to_owned();
        let path = link.strip_prefix(crate::support::ORIGIN).unwrap().to_owned();
        let mut person = Visitor::new(test);
        person.get(&path).await;
        let email = format!("{name}@sonnenberg.example");
        person.post(&path, &[("user_name", name), ("email", &email), ("password", PASSWORD)]).await;
        person.finish_sign_up(test).await;
        for path in ["/contacts", &home, "/contacts/export", "/imports", &import, "/fields", "/suppressions"] {
            assert_eq!(person.get(path).await.status, StatusCode::FORBIDDEN, "{name} {path}");
        }
        let lists = person.get("/lists").await;
        assert_eq!(lists.status == StatusCode::OK, role == Role::CampaignCreator, "{name}");
        assert!(!lists.has("/lists/new"), "{name}");
        person.get("/profile").await;
        let refused = person.post("/contacts/new", &CLARA).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{name}");
    }
}
