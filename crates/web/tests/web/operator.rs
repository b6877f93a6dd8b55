//! The operator's pages, with a firewall that real requests have gone through.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use letterkeep_model::{Clock as _, Timestamp};
use letterkeep_network::rules::{Mode, Origin, RuleSet, Settings, load};
use letterkeep_network::{Edge, EdgeBody, EdgeSettings, Exclusion, Field, Firewall, FirewallLimits, Pattern, Rules};
use letterkeep_testkit::{MockClock, SeededEntropy};
use letterkeep_web::ops::{Exclusions, OneTimeLink, OpsHouse, Watched, declared, router};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Answer, Visitor};

const ADDRESS: &str = "https://127.0.0.1:8444";
const NOW: Timestamp = Timestamp::from_seconds(1_795_417_200);

/// A set with the shape of the Core Rule Set: rules count, and one refuses what the sum reaches.
const RULES: &str = "\
SecAction \"id:1,phase:1,pass,nolog,t:none,setvar:tx.inbound_anomaly_score_pl1=0\"\n\
SecRule ARGS \"@contains evil\" \"id:941100,phase:2,pass,log,t:none,msg:'Script in a field',severity:'CRITICAL',\
setvar:'tx.inbound_anomaly_score_pl1=+5'\"\n\
SecRule ARGS \"@contains odd\" \"id:942200,phase:2,pass,log,t:none,msg:'Odd word',severity:'WARNING',\
setvar:'tx.inbound_anomaly_score_pl1=+3'\"\n\
SecRule TX:inbound_anomaly_score_pl1 \"@ge 5\" \"id:949110,phase:2,deny,status:403,log,t:none,msg:'The sum is reached'\"\n";

fn rule_set(mode: Mode) -> RuleSet {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("rules.conf"), RULES).unwrap();
    let settings = Settings { mode, ..Settings::default() };
    let mut set = load(&Origin::Directory(directory.path().to_owned()), &settings).unwrap();
    set.origin = Origin::Directory("/srv/rules".into());
    set
}

struct Installation {
    data: TempDir,
    clock: MockClock,
    firewall: Firewall,
    approved: Arc<Approved>,
    house: OpsHouse,
}

/// Exclusions that were approved here.
#[derive(Default)]
struct Approved(Mutex<Vec<Exclusion>>);

impl Exclusions for Approved {
    fn in_force(&self) -> Vec<Exclusion> {
        self.0.lock().unwrap().clone()
    }

    fn takes_approvals(&self) -> bool {
        true
    }

    fn approve(&self, exclusion: Exclusion) -> std::io::Result<()> {
        self.0.lock().unwrap().push(exclusion);
        Ok(())
    }
}

impl Installation {
    fn new(mode: Mode) -> Self {
        let data = TempDir::new().unwrap();
        let (clock, entropy) = (MockClock::at(NOW), SeededEntropy::new(7));
        let firewall = Firewall::new(rule_set(mode), FirewallLimits::default(), clock.shared(), None).unwrap();
        let approved = Arc::new(Approved::default());
        let watched = Watched { firewall: firewall.clone(), mode, paranoia_level: 2, exclusions: approved.clone() };
        let link = OneTimeLink::of(data.path());
        let house = OpsHouse::new(ADDRESS, link, Some(watched), clock.shared(), entropy.shared());
        Self { data, clock, firewall, approved, house }
    }

    fn visitor(&self) -> Visitor {
        Visitor::at(router(self.house.clone()))
    }

    /// The path and query of a new link, without the host.
    fn link(&self) -> String {
        let link = OneTimeLink::of(self.data.path());
        let address = link.issue(ADDRESS, &SeededEntropy::new(self.clock.now().micros() as u64), self.clock.now());
        address.unwrap().strip_prefix(ADDRESS).unwrap().to_owned()
    }

    async fn enter(&self, visitor: &mut Visitor) -> Answer {
        let link = self.link();
        enter_by(visitor, &link).await
    }

    async fn operator(&self) -> Visitor {
        let mut visitor = self.visitor();
        let answer = self.enter(&mut visitor).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/ops/firewall"), "{}", answer.body);
        visitor
    }

    /// Sends requests through an edge, as they would come from the network.
    async fn send(&self, requests: &[&str]) -> Vec<String> {
        let mut answers = Vec::new();
        for request in requests {
            let service = tower::service_fn(|_: Request<EdgeBody>| async {
                Ok::<_, Infallible>(http::Response::new(Body::empty()))
            });
            let settings = EdgeSettings { client_rate: None, ..EdgeSettings::default() };
            let edge = Edge::new(service, settings, Some(self.firewall.clone()), self.clock.shared(), entropy());
            let (mut client, server) = tokio::io::duplex(64 * 1024);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(server), TowerToHyperService::new(edge));
            let asking = async {
                client
                    .write_all(
                        format!("{request} HTTP/1.1\r\nHost: post.example.org\r\nConnection: close\r\n\r\n").as_bytes(),
                    )
                    .await
                    .unwrap();
                let mut answer = String::new();
                client.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let (_, answer) = tokio::join!(connection, asking);
            answers.push(answer);
        }
        answers
    }
}

fn entropy() -> Arc<dyn letterkeep_model::Entropy> {
    static SOURCE: std::sync::LazyLock<SeededEntropy> = std::sync::LazyLock::new(|| SeededEntropy::new(11));
    SOURCE.shared()
}

/// Opens the link and presses the button on its page.
async fn enter_by(visitor: &mut Visitor, link: &str) -> Answer {
    let page = visitor.get(link).await;
    assert!(page.has("action=\"/ops/enter\""), "{}", page.body);
    let token = link.split("token=").nth(1).unwrap();
    visitor.post("/ops/enter", &[("token", token)]).await
}

/// The id that the client was told.
fn id_of(answer: &str) -> String {
    answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().trim().to_owned()
}

#[tokio::test]
async fn nothing_is_shown_without_a_session_and_everything_with_one() {
    let installation = Installation::new(Mode::Blocking);
    let answers = installation.send(&["GET /shop?color=evil"]).await;
    assert!(answers[0].starts_with("HTTP/1.1 403"), "{}", answers[0]);
    let id = id_of(&answers[0]);
    for (language, locked, shown) in
        [("en", "letterkeep ops link", "Decisions"), ("de", "letterkeep ops link", "Entscheidungen")]
    {
        let mut operator = installation.operator().await;
        operator.language = language;
        let mut walked = 0;
        for route in declared() {
            let path = route.path.replace("{id}", &id).replace("{digest}", "0").replace("{name}", "none");
            let name = format!("{} {path} {language}", route.method);
            if let Some(reason) = route.public {
                assert!(reason.len() > 10, "{name} is public without a reason");
                continue;
            }
            let mut stranger = installation.visitor();
            stranger.language = language;
            let (outside, inside) = if route.method == Method::GET {
                (stranger.get(&path).await, operator.get(&path).await)
            } else {
                let same = [("sec-fetch-site", "same-origin")];
                (stranger.post_with(&path, &[], "", &same).await, operator.post_with(&path, &[], "", &same).await)
            };
            assert_eq!(outside.status, StatusCode::UNAUTHORIZED, "{name}");
            assert!(outside.has(locked), "{name}: {}", outside.body);
            for secret in [id.as_str(), "941100", "/shop", "ARGS:", "rules of your own", "192."] {
                // The address itself comes back in the form that chooses the language.
                let is_leak = outside.has(secret) && !path.contains(secret);
                assert!(!is_leak, "{name} shows {secret}");
            }
            assert_ne!(inside.status, StatusCode::UNAUTHORIZED, "{name}");
            assert_ne!(inside.status, StatusCode::INTERNAL_SERVER_ERROR, "{name}");
            if route.method == Method::POST {
                assert_eq!(inside.status, StatusCode::FORBIDDEN, "{name} without the form token");
            }
            walked += 1;
        }
        assert!(walked >= 7, "the walk has become too short to mean anything: {walked}");
        let state = operator.get("/ops/firewall").await;
        for text in ["rules of your own", "/srv/rules", shown] {
            assert!(state.has(text), "{language}: {text}: {}", state.body);
        }
    }
}

#[tokio::test]
async fn a_link_opens_once_and_only_in_its_time_and_while_its_file_is_there() {
    let installation = Installation::new(Mode::Blocking);
    let (mut first, link) = (installation.visitor(), installation.link());
    first.get(&link).await;
    first.get(&link).await;
    let inside = enter_by(&mut first, &link).await;
    assert_eq!(inside.status, StatusCode::SEE_OTHER, "looking at the link has not used it up");
    let cookie = inside.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-lk-ops="), "{cookie}");
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(first.get("/ops/firewall").await.status, StatusCode::OK);

    let mut second = installation.visitor();
    let again = enter_by(&mut second, &link).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.has("letterkeep ops link") && !second.cookies.contains_key("__Host-lk-ops"));

    let late = installation.link();
    installation.clock.advance(Duration::from_mins(10));
    let late = enter_by(&mut second, &late).await;
    let deleted = installation.link();
    std::fs::remove_file(installation.data.path().join("ops-link")).unwrap();
    let deleted = enter_by(&mut second, &deleted).await;
    let without_tokens = |answer: &Answer| {
        let pieces = answer.body.split("name=\"csrf\" value=\"");
        pieces.map(|piece| piece.split_once('"').map_or(piece, |(_, rest)| rest)).collect::<String>()
    };
    assert_eq!((late.status, deleted.status), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN));
    assert_eq!(without_tokens(&late), without_tokens(&again), "which of it is wrong is not told");
    assert_eq!(without_tokens(&deleted), without_tokens(&again));

    assert_eq!(first.get("/ops/firewall").await.status, StatusCode::OK);
    assert_eq!(installation.enter(&mut second).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        first.get("/ops/firewall").await.status,
        StatusCode::UNAUTHORIZED,
        "the next log-in ends the one before"
    );
    installation.clock.advance(Duration::from_mins(15));
    assert_eq!(second.get("/ops/firewall").await.status, StatusCode::UNAUTHORIZED, "nobody was there");
}

#[tokio::test]
async fn guesses_are_bounded_and_forms_come_from_our_own_pages() {
    let installation = Installation::new(Mode::Blocking);
    let mut stranger = installation.visitor();
    let link = installation.link();
    stranger.get(&link).await;
    let token = link.split("token=").nth(1).unwrap();
    let form = stranger.token.clone();
    for (headers, csrf) in [
        (&[("sec-fetch-site", "cross-site")][..], form.as_str()),
        (&[("origin", "https://evil.example")], &form),
        (&[], &form),
        (&[("sec-fetch-site", "same-origin")], "guessed"),
    ] {
        let answer = stranger.post_with("/ops/enter", &[("token", token)], csrf, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.has("The form was no longer valid"), "{}", answer.body);
    }
    let named = |host: &str| {
        Request::get("/ops/firewall")
            .header(header::HOST, host)
            .header("accept-language", "en")
            .body(Body::empty())
            .unwrap()
    };
    for (host, status) in [
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1.evil.example:8444", StatusCode::MISDIRECTED_REQUEST),
        ("", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1 evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1:8444", StatusCode::UNAUTHORIZED),
        ("localhost:9444", StatusCode::UNAUTHORIZED),
    ] {
        let answer = stranger.send("/ops/firewall", named(host)).await;
        assert_eq!(answer.status, status, "{host:?}");
    }
    for _ in 0..5 {
        let answer = stranger.post("/ops/enter", &[("token", "guessed")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let answer = stranger.post("/ops/enter", &[("token", token)]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "the sixth try, right or wrong");
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    installation.clock.advance(Duration::from_mins(1));
    stranger.get(&link).await;
    assert_eq!(stranger.post("/ops/enter", &[("token", token)]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_decision_is_explained_without_what_was_in_the_request() {
    let installation = Installation::new(Mode::Blocking);
    let mut operator = installation.operator().await;
    for (path, empty) in [
        ("/ops/firewall", "No rule has found anything yet"),
        ("/ops/firewall", "Every rule looks at everything."),
        ("/ops/firewall/requests", "No rule has found anything yet"),
        ("/ops/firewall/rules", "No rule has found anything yet"),
        ("/ops/firewall/candidates", "No candidates yet"),
    ] {
        let page = operator.get(path).await;
        assert!(page.has(empty), "{path}: {}", page.body);
    }
    let refused = "GET /shop/anna@example.org?%3Cimg%20src%3Dx%20onerror%3D1%3E=evilsecretvalue&q=odd";
    let id = id_of(&installation.send(&[refused]).await[0]);

    let asked = operator.get(&format!("/ops/firewall/explain?id=%20{}%0A", id.to_uppercase())).await;
    assert_eq!(asked.location(), format!("/ops/firewall/requests/{id}"), "as somebody reads it out");
    let page = operator.get(asked.location()).await;
    assert_eq!(page.status, StatusCode::OK);
    for text in [
        "This request was refused",
        "Rule 949110 decided",
        "941100",
        "Script in a field",
        "critical",
        "942200",
        "8; refused from 5 on",
        "bytes 0 to 4 of 15",
        "rules of your own",
        "What was not kept",
        "ARGS:&lt;img src=x onerror=1&gt;",
    ] {
        assert!(page.has(text), "{text}: {}", page.body);
    }
    for path in [asked.location(), "/ops/firewall/requests", "/ops/firewall/rules", "/ops/firewall/candidates"] {
        let page = operator.get(path).await;
        for secret in ["secretvalue", "evil", "anna", "example.org", "<img"] {
            assert!(!page.has(secret), "{path} shows {secret}");
        }
        assert!(page.has("941100"), "{path}");
    }
    let unknown = operator.get("/ops/firewall/requests/%3Cscript%3E").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.has("No decision has this id") && !unknown.has("<script>"), "{}", unknown.body);
    let german = {
        operator.language = "de";
        operator.get(asked.location()).await
    };
    assert!(german.has("Diese Anfrage wurde abgewiesen") && german.has("Bytes 0 bis 4 von 15"), "{}", german.body);
}

#[tokio::test]
async fn decisions_are_paged_and_filtered_by_the_address() {
    let installation = Installation::new(Mode::Blocking);
    let mut operator = installation.operator().await;
    let mut refused = Vec::new();
    for number in 0..120 {
        installation.clock.advance(Duration::from_secs(1));
        let request = if number % 2 == 0 { "GET /a?x=evil" } else { "GET /b?y=odd" };
        let answer = installation.send(&[request]).await;
        if number % 2 == 0 {
            refused.push(id_of(&answer[0]));
        }
    }
    let rows = |page: &Answer| page.body.matches("/ops/firewall/requests/").count();
    let next = |page: &Answer| {
        let link = page.body.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap().to_owned();
        link.split('"').next().unwrap().replace("&amp;", "&")
    };
    let first = operator.get("/ops/firewall/requests").await;
    assert_eq!(rows(&first), 50);
    let second = operator.get(&next(&first)).await;
    let third = operator.get(&next(&second)).await;
    assert_eq!((rows(&second), rows(&third)), (50, 20));
    assert!(!third.has("rel=\"next\"") && third.has("Noticed, let through"));

    let filtered = operator.get("/ops/firewall/requests?outcome=refused&rule=941100").await;
    assert_eq!(rows(&filtered), 50);
    let rest = operator.get(&next(&filtered)).await;
    assert_eq!(rows(&rest), 10, "the filter stays in the address");
    assert!(filtered.has(refused.last().unwrap()) && rest.has(&refused[0]) && !filtered.has("GET /b"));
    let none = operator.get("/ops/firewall/requests?outcome=over-budget").await;
    assert!(none.has("No decision fits this filter"));
    let state = operator.get("/ops/firewall").await;
    assert!(state.has("The newest 120 decisions"), "{}", state.body);
}

#[tokio::test]
async fn a_candidate_is_excluded_only_by_somebody_with_a_reason() {
    let installation = Installation::new(Mode::Blocking);
    let mut operator = installation.operator().await;
    installation.send(&["GET /letter?html=evil", "GET /letter?html=evil", "GET /letter?odd%20name=odd"]).await;
    let list = operator.get("/ops/firewall/candidates").await;
    assert!(list.has("ARGS:html") && list.has("GET /letter"), "{}", list.body);
    let path = "/ops/firewall/candidates/one?method=GET&route=%2Fletter&field=ARGS%3Ahtml&rule=941100";
    assert!(list.has(&path.replace('&', "&amp;")), "{}", list.body);
    let page = operator.get(path).await;
    let text = "[[firewall.exclusion]]\nmethod = &quot;GET&quot;\npath = &quot;/letter&quot;\nfields = [&quot;ARGS:html&quot;]\n\
                rules = [&quot;941100&quot;]\nreason = &quot;&quot;\n";
    assert!(page.has(text), "{}", page.body);

    let one = [("method", "GET"), ("route", "/letter"), ("field", "ARGS:html"), ("rule", "941100")];
    let with = |reason: &'static str| [one[0], one[1], one[2], one[3], ("reason", reason)];
    let none = operator.post("/ops/firewall/candidates/one", &with(" too \n few ")).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.has("The reason has 10 to 500 characters"));
    let mut invented = with("nobody has asked for this one");
    invented[1] = ("route", "/{*all}");
    assert_eq!(operator.post("/ops/firewall/candidates/one", &invented).await.status, StatusCode::NOT_FOUND);
    assert!(installation.approved.in_force().is_empty());

    operator.get(path).await;
    let done = operator.post("/ops/firewall/candidates/one", &with("letters are written in HTML")).await;
    assert_eq!(done.location(), "/ops/firewall/candidates?approved=yes", "{}", done.body);
    let expected = Exclusion {
        method: Some(Method::GET),
        route: Pattern::new("/letter").unwrap(),
        fields: vec![Field::new("ARGS:html").unwrap()],
        rules: vec![Rules::new("941100").unwrap()],
        reason: "letters are written in HTML".into(),
    };
    assert_eq!(installation.approved.in_force(), [expected]);
    assert!(operator.get("/ops/firewall").await.has("letters are written in HTML"));
    let strange =
        operator.get("/ops/firewall/candidates/one?method=GET&route=%2Fletter&field=ARGS%3Aodd+name&rule=942200").await;
    assert!(strange.has("This field cannot be excluded on its own") && !strange.has("[[firewall.exclusion]]"));
}

#[tokio::test]
async fn what_is_not_as_it_should_be_is_said() {
    let installation = Installation::new(Mode::DetectionOnly);
    let answers = installation.send(&["GET /a?x=evil"]).await;
    assert!(answers[0].starts_with("HTTP/1.1 200"), "{}", answers[0]);
    let mut operator = installation.operator().await;
    assert!(operator.get("/ops/firewall").await.has("The firewall only tells, it refuses nothing"));
    let page = operator.get(&format!("/ops/firewall/requests/{}", id_of(&answers[0]))).await;
    assert!(page.has("This request was let through") && page.has("adds up to a refusal"), "{}", page.body);

    // The rules were written just now, by the machine's clock.
    let made = rule_set(Mode::Blocking).released.unwrap().at;
    for (days, is_old) in [(90, false), (91, true)] {
        installation.clock.set(made.plus(Duration::from_hours(days * 24)));
        let state = installation.operator().await.get("/ops/firewall").await;
        assert_eq!(state.has("The rules are 91 days old"), is_old, "{days}");
    }

    let data = TempDir::new().unwrap();
    let clock = MockClock::at(NOW);
    let house = OpsHouse::new(ADDRESS, OneTimeLink::of(data.path()), None, clock.shared(), entropy());
    let mut operator = Visitor::at(router(house));
    let address = OneTimeLink::of(data.path()).issue(ADDRESS, &SeededEntropy::new(3), NOW).unwrap();
    enter_by(&mut operator, address.strip_prefix(ADDRESS).unwrap()).await;
    for path in ["/ops/firewall", "/ops/firewall/requests", "/ops/firewall/rules", "/ops/firewall/candidates"] {
        assert!(operator.get(path).await.has("The firewall is switched off"), "{path}");
    }
}

#[tokio::test]
async fn answers_are_protected_and_preferences_hold() {
    let installation = Installation::new(Mode::Blocking);
    let mut operator = installation.operator().await;
    for path in ["/ops/firewall", "/ops/enter", "/nothing", "/"] {
        let answer = operator.get(path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{path}");
        assert!(!answer.headers.contains_key(header::STRICT_TRANSPORT_SECURITY), "{path} is a name of every machine");
    }
    assert_eq!(operator.get("/").await.location(), "/ops/firewall");
    assert_eq!(operator.get("/ops").await.location(), "/ops/firewall");
    operator.get("/ops/firewall").await;
    let chosen = operator.post("/ops/preferences", &[("locale", "de"), ("back", "/ops/firewall/rules")]).await;
    assert_eq!(chosen.location(), "/ops/firewall/rules");
    assert!(operator.get("/ops/firewall").await.has("Welche Regeln Anfragen ansehen"));
    let out = operator.post("/ops/leave", &[]).await;
    assert_eq!(out.location(), "/ops/enter");
    assert_eq!(operator.get("/ops/firewall").await.status, StatusCode::UNAUTHORIZED);
}
