//! A browser without a screen: follows cookies, remembers the form token of the last page.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use letterkeep_account::{Blocklist, Hasher, PasswordPolicy, Passwords};
use letterkeep_model::{Clock as _, Entropy, Timestamp};
use letterkeep_testkit::TestHouse;
use letterkeep_vault::{Password, PasswordMatch, TotpSecret};
use letterkeep_web::{House, Settings, router};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

pub(crate) const ORIGIN: &str = "https://post.example.org";
pub(crate) const PASSWORD: &str = "seven lanterns over quiet water";

/// Compares texts: the tests here are not about Argon2id, which takes tens of milliseconds each time.
struct Plain;

impl Hasher for Plain {
    fn hash(&self, password: &Password, _: &dyn Entropy) -> Zeroizing<String> {
        Zeroizing::new(password.reveal().to_owned())
    }

    fn verify(&self, password: &Password, phc: Option<&str>) -> PasswordMatch {
        if phc == Some(password.reveal()) { PasswordMatch::Yes } else { PasswordMatch::No }
    }
}

pub(crate) fn house(test: &TestHouse, public_url: &str) -> House {
    House {
        store: test.store.clone(),
        clock: test.clock.clone(),
        entropy: test.entropy.clone(),
        passwords: Passwords::with_hasher(PasswordPolicy::nist(), Blocklist::packaged(), Arc::new(Plain), 2),
        settings: Arc::new(Settings { form_bytes: 64 * 1024, ..Settings::new(public_url) }),
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

/// The value of the first `name="csrf"`.
pub(crate) fn token_of(body: &str) -> Option<&str> {
    body.split("name=\"csrf\" value=\"").nth(1)?.split('"').next()
}

#[derive(Clone)]
pub(crate) struct Visitor {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) language: &'static str,
    pub(crate) token: String,
    /// Every page that was seen, for checks that hold for all of them.
    pub(crate) seen: Vec<(String, String)>,
}

impl Visitor {
    pub(crate) fn new(test: &TestHouse) -> Self {
        Self::at(router(house(test, ORIGIN)))
    }

    pub(crate) fn at(router: Router) -> Self {
        Self { router, cookies: BTreeMap::new(), language: "en", token: String::new(), seen: Vec::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(path, request).await
    }

    /// Sends a form with the token of the last page.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token.clone();
        self.post_with(path, fields, &token, &[("sec-fetch-site", "same-origin")]).await
    }

    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        token: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let form = {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("csrf", token).extend_pairs(fields).finish()
        };
        let mut request = self.request("POST", path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(form)).unwrap();
        self.send(path, request).await
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT_LANGUAGE, self.language)
            .header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0")
            .header(header::COOKIE, cookies.join("; "))
    }

    pub(crate) async fn send(&mut self, path: &str, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        for line in response.headers().get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(token) = token_of(&body) {
            token.clone_into(&mut self.token);
        }
        if body.starts_with("<!DOCTYPE") {
            self.seen.push((path.to_owned(), body.clone()));
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// From the first page to the dashboard; yields the secret of the authenticator app.
    pub(crate) async fn sign_up(&mut self, test: &TestHouse, user_name: &str) -> TotpSecret {
        self.get("/sign-up").await;
        let fields = [
            ("organisation", "Hofladen Sonnenberg"),
            ("user_name", user_name),
            ("email", "erika@sonnenberg.example"),
            ("password", PASSWORD),
        ];
        let answer = self.post("/sign-up", &fields).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/sign-up/factor"), "{}", answer.body);
        self.finish_sign_up(test).await
    }

    pub(crate) async fn finish_sign_up(&mut self, test: &TestHouse) -> TotpSecret {
        let page = self.get("/sign-up/factor").await;
        let secret = secret_of(&page.body);
        let codes = self.post("/sign-up/factor", &[("code", &secret.code_at(test.clock.now()))]).await;
        assert_eq!(codes.status, StatusCode::OK, "{}", codes.body);
        let done = self.post("/sign-up/codes", &[("kept", "yes")]).await;
        assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/dashboard"), "{}", done.body);
        test.clock.advance(Duration::from_secs(30));
        secret
    }
}

/// The secret that the page of the factor shows as text.
pub(crate) fn secret_of(body: &str) -> TotpSecret {
    let text = body.split("id=\"secret\">").nth(1).expect("the secret as text").split('<').next().unwrap();
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for letter in text.bytes().filter(|letter| *letter != b' ' && *letter != b'=') {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|have| *have == letter).expect("base32");
        bits = (bits << 5) | value as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    TotpSecret::from_bytes(&bytes).expect("a secret")
}

pub(crate) fn later(test: &TestHouse, seconds: u64) -> Timestamp {
    test.clock.advance(Duration::from_secs(seconds));
    test.clock.now()
}
