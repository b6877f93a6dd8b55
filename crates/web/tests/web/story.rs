//! People come in, work and go, on both databases; strangers and forged forms do not.

use crate::support::{ORIGIN, PASSWORD, Visitor, later};
use http::{StatusCode, header};
use letterkeep_model::Clock as _;
use letterkeep_testkit::{TestHouse, for_each_database};

#[tokio::test]
async fn from_sign_up_to_the_audit_log() {
    for_each_database(async |test| {
        let mut erika = Visitor::new(test);
        let welcome = erika.get("/").await;
        assert_eq!(welcome.status, StatusCode::OK);
        assert!(welcome.has("Addresses that stay where they are"));
        let secret = erika.sign_up(test, "erika").await;

        // Everybody who is logged in is led past the welcome page.
        assert_eq!(erika.get("/").await.location(), "/dashboard");
        let audit = erika.get("/audit").await;
        assert_eq!(audit.status, StatusCode::OK);
        assert!(audit.has("The log is whole") && audit.has("Account complete"), "{}", audit.body);
        assert!(erika.get("/sessions").await.has("Firefox on Linux"));
        let profile = erika.get("/profile").await;
        assert!(profile.has("10 codes left"), "{}", profile.body);

        // The organisation: refused with what was typed kept, then accepted.
        erika.get("/organisation").await;
        let fields =
            [("name", "Hofladen <Süd>"), ("postal_address", "Weg 1"), ("time_zone", "Mars/Olympus"), ("locale", "de")];
        let refused = erika.post("/organisation", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.has("Hofladen &lt;Süd&gt;") && refused.has("aria-invalid=\"true\""), "{}", refused.body);
        let fields =
            [("name", "Hofladen Süd"), ("postal_address", "Weg 1"), ("time_zone", "Europe/Vienna"), ("locale", "de")];
        assert_eq!(erika.post("/organisation", &fields).await.status, StatusCode::SEE_OTHER);
        assert!(erika.get("/organisation?saved=yes").await.has("Saved."));

        // Out and in again, to where one wanted to go.
        erika.get("/profile").await;
        assert_eq!(erika.post("/log-out", &[]).await.location(), "/log-in?out=yes");
        let turned_away = erika.get("/users?x=1").await;
        assert_eq!(turned_away.location(), "/log-in?next=%2Fusers%3Fx%3D1");
        let page = erika.get(turned_away.location()).await;
        assert!(page.has("value=\"/users?x=1\""));
        let wrong = erika.post("/log-in", &[("user_name", "erika"), ("password", "not this one")]).await;
        let unknown = erika.post("/log-in", &[("user_name", "nobody"), ("password", "not this one")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        let message =
            |body: &str| body.split("role=\"alert\"").nth(1).unwrap().split("<form").next().unwrap().to_owned();
        assert_eq!(message(&wrong.body), message(&unknown.body), "one answer for both");
        assert!(!wrong.has("not this one"), "a password is never shown again");
        let half =
            erika.post("/log-in", &[("user_name", "erika"), ("password", PASSWORD), ("next", "/users?x=1")]).await;
        assert_eq!(half.location(), "/log-in/factor?next=%2Fusers%3Fx%3D1");
        assert_eq!(erika.get("/users").await.location(), "/log-in/factor", "half a log-in opens nothing");
        erika.get("/log-in/factor").await;
        let code = secret.code_at(later(test, 30));
        let done = erika.post("/log-in/factor", &[("code", &code), ("next", "https://evil.example/")]).await;
        assert_eq!(done.location(), "/dashboard", "nowhere else");
        assert!(erika.get("/users").await.has("erika"));

        check_pages(&erika);
    })
    .await;
}

#[tokio::test]
async fn an_invitation_a_role_and_the_end_of_it() {
    for_each_database(async |test| {
        let mut erika = Visitor::new(test);
        erika.sign_up(test, "erika").await;
        erika.get("/users").await;
        let made = erika.post("/users/invitations", &[("role", "viewer"), ("email", "max@sonnenberg.example")]).await;
        let link = made.body.split("id=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let path = link.strip_prefix(ORIGIN).unwrap().to_owned();
        assert!(erika.get("/users").await.has("max@sonnenberg.example"));

        let mut max = Visitor::new(test);
        assert!(max.get(&path).await.has("Join Hofladen Sonnenberg"));
        let weak = max
            .post(&path, &[("user_name", "max"), ("email", "max@sonnenberg.example"), ("password", "sonnenberg")])
            .await;
        assert!(weak.has("at least 12 are needed"), "{}", weak.body);
        let fields = [("user_name", "max"), ("email", "max@sonnenberg.example"), ("password", PASSWORD)];
        assert_eq!(max.post(&path, &fields).await.location(), "/sign-up/factor");
        max.finish_sign_up(test).await;
        assert_eq!(max.get("/users").await.status, StatusCode::FORBIDDEN);
        assert_eq!(Visitor::new(test).get(&path).await.status, StatusCode::GONE, "an invitation counts once");

        // The owner gives a role and takes everything back.
        let users = erika.get("/users").await;
        let address = users.body.split("href=\"/users/user_").map(|rest| rest.split('"').next().unwrap());
        let mut ids: Vec<String> = address.skip(1).map(|id| format!("/users/user_{id}")).collect();
        ids.dedup();
        let mut theirs = String::new();
        for id in ids {
            if erika.get(&id).await.has("<h1 tabindex=\"-1\">max</h1>") {
                theirs = id;
            }
        }
        erika.get(&theirs).await;
        assert_eq!(erika.post(&format!("{theirs}/role"), &[("role", "owner")]).await.status, StatusCode::SEE_OTHER);
        assert_eq!(max.get("/users").await.status, StatusCode::OK, "counts from the next page on");
        assert!(erika.get(&format!("{theirs}/disable")).await.has("Disable max"));
        assert_eq!(erika.post(&format!("{theirs}/disable"), &[]).await.status, StatusCode::SEE_OTHER);
        assert_eq!(max.get("/users").await.status, StatusCode::SEE_OTHER, "the session has ended");

        check_pages(&erika);
        check_pages(&max);
    })
    .await;
}

#[tokio::test]
async fn somebody_who_never_finished_can_be_removed_and_browsers_be_forgotten() {
    for_each_database(async |test| {
        let mut erika = Visitor::new(test);
        erika.sign_up(test, "erika").await;
        erika.get("/users").await;
        let made = erika.post("/users/invitations", &[("role", "viewer")]).await;
        let link = made.body.split("id=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let path = link.strip_prefix(ORIGIN).unwrap().to_owned();
        let mut max = Visitor::new(test);
        max.get(&path).await;
        let fields = [("user_name", "max"), ("email", "max@sonnenberg.example"), ("password", PASSWORD)];
        assert_eq!(max.post(&path, &fields).await.location(), "/sign-up/factor");
        let users = erika.get("/users").await;
        let ids = users.body.split("href=\"/users/user_").skip(1).map(|rest| rest.split('"').next().unwrap());
        let mut address = String::new();
        for id in ids {
            if erika.get(&format!("/users/user_{id}")).await.has("<h1 tabindex=\"-1\">max</h1>") {
                address = format!("/users/user_{id}");
            }
        }
        assert!(erika.get(&address).await.has("End the sign-up"));
        assert!(erika.get(&format!("{address}/disable")).await.has("End the sign-up of max"));
        assert_eq!(erika.post(&format!("{address}/disable"), &[]).await.location(), "/users");
        assert_eq!(erika.get(&address).await.status, StatusCode::NOT_FOUND);
        assert!(max.get("/sign-up/factor").await.location().starts_with("/log-in"), "the sign-up has ended");

        let sessions = erika.get("/sessions").await;
        assert!(sessions.has("Known browsers") && sessions.has("this browser"), "{}", sessions.body);
        let forget = sessions.body.split("action=\"").map(|rest| rest.split('"').next().unwrap());
        let forget = forget.into_iter().find(|action| action.contains("/browsers/")).unwrap().to_owned();
        assert_eq!(erika.post(&forget, &[]).await.location(), "/sessions?forgotten=yes");
        let sessions = erika.get("/sessions?forgotten=yes").await;
        assert!(sessions.has("Forgotten. The browser counts as unknown") && !sessions.has("Known browsers"));
        assert!(erika.get("/audit").await.has("Known browser forgotten"));
        check_pages(&erika);
    })
    .await;
}

#[tokio::test]
async fn changing_password_and_factor() {
    let test = &TestHouse::sqlite().await;
    let mut erika = Visitor::new(test);
    let secret = erika.sign_up(test, "erika").await;
    erika.get("/profile").await;
    let new = "eleven copper kettles sing at dusk";
    let wrong = erika.post("/profile/password", &[("current", "wrong wrong wrong"), ("new_password", new)]).await;
    assert!(wrong.has("The current password is wrong."), "{}", wrong.body);
    let before = erika.cookies["__Host-letterkeep"].clone();
    assert_eq!(
        erika.post("/profile/password", &[("current", PASSWORD), ("new_password", new)]).await.location(),
        "/profile?done=password"
    );
    assert_ne!(erika.cookies["__Host-letterkeep"], before, "the session has a new id");

    later(test, 3_000);
    assert_eq!(
        erika.get("/profile/codes").await.location(),
        "/profile/prove?next=/profile/codes",
        "not without a fresh factor"
    );
    erika.get("/profile/prove?next=/profile/codes").await;
    let proven =
        erika.post("/profile/prove", &[("code", &secret.code_at(test.clock.now())), ("next", "/profile/codes")]).await;
    assert_eq!(proven.location(), "/profile/codes");
    erika.get("/profile/codes").await;
    let codes = erika.post("/profile/codes", &[]).await;
    assert_eq!(codes.body.matches("<li><code>").count(), 10);
    assert!(codes.has("download=\"letterkeep-codes.txt\""));

    erika.get("/profile/factor").await;
    let setup = erika.post("/profile/factor", &[]).await;
    let fresh = crate::support::secret_of(&setup.body);
    let refused = erika.post("/profile/factor/finish", &[("code", "000000")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = fresh.code_at(test.clock.now());
    assert_eq!(erika.post("/profile/factor/finish", &[("code", &code)]).await.location(), "/profile?done=factor");
    check_pages(&erika);
}

#[tokio::test]
async fn forged_forms_are_refused() {
    let test = &TestHouse::sqlite().await;
    let mut erika = Visitor::new(test);
    erika.sign_up(test, "erika").await;
    erika.get("/organisation").await;
    let fields = [("name", "Evil"), ("postal_address", ""), ("time_zone", "Europe/Berlin"), ("locale", "de")];
    let token = erika.token.clone();
    let ours = [("sec-fetch-site", "same-origin")];

    let mut stranger = Visitor::new(test);
    stranger.get("/log-in").await;
    for (name, token, headers) in [
        ("no token", "", &ours[..]),
        ("a guest's token", &stranger.token, &ours),
        ("another site", &token, &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]),
        ("a sibling site", &token, &[("sec-fetch-site", "same-site")]),
        ("neither header", &token, &[]),
        ("a foreign origin", &token, &[("origin", "https://evil.example")]),
    ] {
        let answer = erika.clone().post_with("/organisation", &fields, token, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert!(answer.has("The form was no longer valid"), "{name}");
    }
    assert!(!erika.get("/organisation").await.has("Evil"));
    let token = erika.token.clone();
    let genuine = erika.post_with("/organisation", &fields, &token, &[("origin", ORIGIN)]).await;
    assert_eq!(genuine.status, StatusCode::SEE_OTHER, "the same form from our own page is taken");
    assert!(erika.get("/organisation").await.has("Evil"));

    // A log-in form of ours cannot be sent from elsewhere either.
    let forged = stranger.clone().post_with("/log-in", &[("user_name", "a"), ("password", "b")], "", &ours).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn languages_and_colours_are_chosen_without_a_script() {
    let test = &TestHouse::sqlite().await;
    let mut guest = Visitor::new(test);
    guest.language = "de-AT,de;q=0.9";
    assert!(guest.get("/log-in").await.has("<html lang=\"de\">"));
    let chosen = guest.post("/preferences", &[("locale", "en"), ("back", "/log-in")]).await;
    assert_eq!((chosen.status, chosen.location()), (StatusCode::SEE_OTHER, "/log-in"));
    assert!(guest.get("/log-in").await.has("<html lang=\"en\">"), "the cookie is stronger than the header");
    guest.post("/preferences", &[("scheme", "dark"), ("back", "//evil.example")]).await;
    assert!(guest.get("/log-in").await.has("data-scheme=\"dark\""));

    let mut erika = Visitor::new(test);
    erika.sign_up(test, "erika").await;
    erika.get("/profile").await;
    erika.post("/profile/preferences", &[("locale", "de"), ("back", "/profile")]).await;
    let page = erika.get("/profile").await;
    assert!(page.has("<html lang=\"de\">") && page.has("Zweiter Faktor"), "the person's own setting is stronger");
    assert_eq!(page.headers[header::CONTENT_LANGUAGE], "de");
}

/// What holds for every page: no inline script or style, one heading, a language, a form token in every form.
fn check_pages(visitor: &Visitor) {
    assert!(visitor.seen.len() > 5);
    for (path, body) in &visitor.seen {
        for inline in [" style=", "<style", "javascript:", " onclick=", " onload=", " onsubmit=", "hx-on", "<script>"] {
            assert!(!body.contains(inline), "{path}: {inline}");
        }
        assert_eq!(body.matches("<h1").count(), 1, "{path}");
        assert!(body.contains("<html lang=\"en\"") || body.contains("<html lang=\"de\""), "{path}");
        let forms = body.matches("method=\"post\"").count();
        assert_eq!(body.matches("name=\"csrf\"").count(), forms, "{path}");
        assert!(body.len() < 200_000, "{path}: {}", body.len());
    }
}
