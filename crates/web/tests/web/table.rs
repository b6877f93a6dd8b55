//! The route table against every role, and what every answer carries.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::Duration;

use crate::support::{Answer, ORIGIN, PASSWORD, Visitor, house};
use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use letterkeep_account::{UserName, allows, user};
use letterkeep_model::{Clock as _, Id, Role};
use letterkeep_testkit::TestHouse;
use letterkeep_web::{Access, Declared, declared, router};

/// A path that fits; no such thing exists behind it.
fn example(route: &Declared) -> String {
    route.path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/")
}

async fn ask(visitor: &Visitor, route: &Declared) -> Answer {
    let mut visitor = visitor.clone();
    if route.method == Method::GET {
        visitor.get(&example(route)).await
    } else {
        // Without the form token: whoever is allowed is told that, whoever is not is told so first, and nothing happens.
        visitor.post_with(&example(route), &[], "", &[("sec-fetch-site", "same-origin")]).await
    }
}

#[tokio::test]
async fn every_route_answers_every_role_as_the_policy_says() {
    let test = &TestHouse::sqlite().await;
    let mut owner = Visitor::new(test);
    owner.sign_up(test, "erika").await;
    owner.get("/users").await;
    let made = owner.post("/users/invitations", &[("role", "viewer")]).await;
    let link = made.body.split("id=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let path = link.strip_prefix(ORIGIN).unwrap();
    let mut person = Visitor::new(test);
    person.get(path).await;
    person.post(path, &[("user_name", "max"), ("email", "max@sonnenberg.example"), ("password", PASSWORD)]).await;
    person.finish_sign_up(test).await;

    let stranger = Visitor::new(test);
    let mut covered = vec![];
    for role in Role::ALL {
        become_role(test, role).await;
        for route in declared() {
            let Access::May(action) = route.access else { continue };
            let name = format!("{} {}", route.method, route.path);
            let outside = ask(&stranger, &route).await;
            assert_eq!(outside.status, StatusCode::SEE_OTHER, "{name} without a session");
            assert!(outside.location().starts_with("/log-in"), "{name}");
            let inside = ask(&person, &route).await;
            let refused = inside.status == StatusCode::FORBIDDEN && inside.has("Your role does not allow this");
            assert_eq!(refused, !allows(role, action), "{name} as {role}: {} {}", inside.status, inside.body);
            assert_ne!(inside.status, StatusCode::INTERNAL_SERVER_ERROR, "{name} as {role}");
            covered.push(name);
        }
    }
    let mut missing = vec![];
    for route in declared() {
        let name = format!("{} {}", route.method, route.path);
        match route.access {
            Access::May(_) => {
                if !covered.contains(&name) {
                    missing.push(name);
                }
            }
            Access::At(_) => {
                assert!(ask(&stranger, &route).await.location().starts_with("/log-in"), "{name} without a session");
                assert_eq!(ask(&person, &route).await.location(), "/dashboard", "{name} with another stage");
            }
            Access::Public(reason) | Access::FromAnywhere(reason) => {
                assert!(reason.len() > 10, "{name} is public without a reason");
            }
        }
    }
    let golden = include_str!("../routes-without-authorization-test.txt");
    assert_eq!(missing.join("\n"), golden.trim_end(), "see tests/routes-without-authorization-test.txt");
    assert!(covered.len() >= 4 * 10, "the walk has become too short to mean anything: {}", covered.len());
}

/// Gives the second person of the account a role, past the pages.
async fn become_role(test: &TestHouse, role: Role) {
    let mut tx = test.store.db.write().await.unwrap();
    let name = UserName::parse("max").unwrap();
    let row = letterkeep_store::user::find_by_name(&mut tx, name.folded()).await.unwrap().unwrap();
    if row.role != role.name() {
        let ctx = test.system(Id::from_uuid(row.account_id));
        user::change_role(&ctx, &mut tx, Id::from_uuid(row.user_id), role).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_answer_is_protected() {
    let test = &TestHouse::sqlite().await;
    let mut guest = Visitor::new(test);
    let css = letterkeep_web::asset::url("letterkeep.css");
    let mut answers = vec![];
    for path in ["/", "/nothing", "/audit", css, "/assets/0/none", "/favicon.ico", "/sign-up", "/sign-up/strength"] {
        answers.push((path, guest.get(path).await));
    }
    answers.push(("POST /log-in", guest.post("/log-in", &[("user_name", "x")]).await));
    for (path, answer) in &answers {
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(answer.headers[header::STRICT_TRANSPORT_SECURITY], "max-age=63072000; includeSubDomains", "{path}");
        for name in
            ["referrer-policy", "permissions-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"]
        {
            assert!(answer.headers.contains_key(name), "{path} {name}");
        }
        let cached = answer.headers[header::CACHE_CONTROL].to_str().unwrap();
        assert_eq!(cached.contains("immutable"), *path == css, "{path}: {cached}");
        assert!(*path == css || cached.contains("no-"), "{path}: {cached}");
        protected_cookies(path, answer);
    }
    assert_eq!(answers[1].1.status, StatusCode::NOT_FOUND);
    assert!(answers[1].1.has("There is no such page"));
    assert_eq!(answers[7].1.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answers[7].1.has("This address cannot be called like that"));
}

/// Every cookie of an answer keeps to the host, to TLS, away from scripts and away from other sites' forms. Yields their
/// names.
fn protected_cookies(what: &str, answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap());
    lines
        .map(|line| {
            let mut parts = line.split("; ");
            let name = parts.next().unwrap().split_once('=').unwrap().0;
            let attributes: Vec<_> = parts.collect();
            assert!(name.starts_with("__Host-letterkeep"), "{what}: {name}");
            for wanted in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(attributes.contains(&wanted), "{what}: {name} without {wanted}");
            }
            // Whatever else there is can only be an age: no domain, no second path or SameSite.
            let others: Vec<_> = attributes.iter().filter(|one| !one.starts_with("Max-Age=")).collect();
            assert_eq!(others.len(), 4, "{what}: {name}: {attributes:?}");
            name.to_owned()
        })
        .collect()
}

#[tokio::test]
async fn every_cookie_on_the_way_in_and_out_is_protected() {
    const SESSION: &str = "__Host-letterkeep";
    const DEVICE: &str = "__Host-letterkeep-device";
    let test = &TestHouse::sqlite().await;
    let mut erika = Visitor::new(test);
    let secret = erika.sign_up(test, "erika").await;
    let code = || {
        test.clock.advance(Duration::from_secs(30));
        secret.code_at(test.clock.now())
    };
    erika.get("/profile").await;
    let out = erika.post("/log-out", &[]).await;
    assert_eq!(protected_cookies("log-out", &out), [SESSION], "the session's cookie is taken back");
    erika.get("/log-in").await;
    let half = erika.post("/log-in", &[("user_name", "erika"), ("password", PASSWORD)]).await;
    assert_eq!(protected_cookies("password", &half), [SESSION]);
    erika.get("/log-in/factor").await;
    let full = erika.post("/log-in/factor", &[("code", &code())]).await;
    assert_eq!(protected_cookies("factor", &full), [SESSION, DEVICE]);
    erika.get("/profile/prove?next=/profile/codes").await;
    let proven = erika.post("/profile/prove", &[("code", &code()), ("next", "/profile/codes")]).await;
    assert_eq!(protected_cookies("step-up", &proven), [SESSION]);
    erika.get("/profile").await;
    let new = "eleven copper kettles sing at dusk";
    let changed = erika.post("/profile/password", &[("current", PASSWORD), ("new_password", new)]).await;
    assert_eq!(protected_cookies("password change", &changed), [SESSION]);
    erika.get("/profile").await;
    let chosen = erika.post("/profile/preferences", &[("scheme", "dark"), ("back", "/profile")]).await;
    assert_eq!(protected_cookies("preferences", &chosen), ["__Host-letterkeep-scheme"]);
}

#[tokio::test]
async fn what_is_too_large_or_strange_is_refused_in_words() {
    let test = &TestHouse::sqlite().await;
    let mut guest = Visitor::new(test);
    guest.get("/log-in").await;
    let large = "x".repeat(70_000);
    let answer = guest.post("/log-in", &[("user_name", &large)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.has("That is too large"));
    let fits = "x".repeat(50_000);
    assert_eq!(guest.post("/log-in", &[("user_name", &fits)]).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    for (kind, body) in [("application/json", "{}"), ("text/plain", "csrf=1"), ("multipart/form-data", "--x")] {
        let request = Request::post("/log-in")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap();
        let answer = guest.send("/log-in", request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{kind}");
        assert!(answer.has("The request could not be read"), "{kind}");
    }
}

#[tokio::test]
async fn pages_and_their_files_are_small() {
    let test = &TestHouse::sqlite().await;
    let mut visitor = Visitor::at(router(house(test, ORIGIN)));
    let mut total = 0;
    for path in [
        "/",
        letterkeep_web::asset::url("letterkeep.css"),
        letterkeep_web::asset::url("letterkeep.js"),
        letterkeep_web::asset::url("htmx.js"),
    ] {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router(house(test, ORIGIN)), request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip", "{path}");
        total += http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes().len();
    }
    let font = visitor.get(letterkeep_web::asset::url("serif-600.woff2")).await;
    assert_eq!(font.status, StatusCode::OK);
    println!("page, style and scripts: {total} bytes compressed");
    assert!(total < 38_000, "{total} bytes, and 21 kB of font come on top");
}

#[tokio::test]
async fn a_machines_own_name_is_not_promised_to_be_https_for_ever() {
    let test = &TestHouse::sqlite().await;
    let mut local = Visitor::at(router(house(test, "https://localhost:8443")));
    assert!(!local.get("/").await.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
}
