//! sqlmap and wapiti attack the running service, logged in and not, with the firewall and without: without it they find
//! nothing, with it nothing that they attack with comes through. The same against an application with planted holes: the
//! tools find them, and behind the edge they do not. All on loopback.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::print_stderr, reason = "what led to a failure stands beside it")]

mod excluded;
mod house;
mod payload;
mod planted;
mod recorder;
#[path = "../browser/service.rs"]
mod service;
mod tool;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use letterkeep_model::{Clock as _, SystemClock, SystemEntropy};
use letterkeep_network::rules::{self, Origin, Settings};
use letterkeep_network::{
    Certificate, Edge, EdgeSettings, Firewall, FirewallLimits, Limits, Listener, Policy, Routes, TlsSource,
};
use letterkeep_testkit::skipped;

use excluded::Excluded;
use house::House;
use planted::Planted;
use recorder::{Exchange, Recorder};
use tool::{Extent, Probe, Target};

/// Where the holes are, as wapiti names their kinds.
const HOLES: [(&str, &str); 5] = [
    ("SQL Injection", "/item"),
    ("Cross Site Scripting", "/hello"),
    ("Path Traversal", "/page"),
    ("Command execution", "/run"),
    ("Open Redirect", "/go"),
];

#[tokio::test(flavor = "multi_thread")]
async fn planted_holes_are_found_and_the_edge_covers_them() {
    if !there() {
        return;
    }
    let extent = Extent::wanted();
    let naked = PlantedHouse::start(None).await;
    let probes = [Probe::get("/item?id=1", "id"), Probe::post("/item", "id=1", "id")];
    let target = Target { base: naked.recorder.base(), cookie: None };
    for probe in &probes {
        assert!(tool::sqlmap(&target, probe, extent).await, "sqlmap does not find the hole in {}", probe.path);
    }
    // There are few pages, which are attacked to the end: how busy the machine is must not decide what is found.
    let found = tool::wapiti(&target, &[], Extent::Long).await;
    for (kind, path) in HOLES {
        let is_found = found.iter().any(|line| line.starts_with(kind) && line.contains(path));
        assert!(is_found, "wapiti does not find {kind} in {path}: {found:#?}");
    }
    let attacks = naked.planted.seen().iter().filter(|request| payload::of(request).is_some()).count();
    assert!(attacks > 100, "only {attacks} attacks came to the application that nothing protects");

    for rules in &rule_sets() {
        let covered = PlantedHouse::start(Some(firewall(rules))).await;
        let target = Target { base: covered.recorder.base(), cookie: None };
        for probe in &probes {
            let found = tool::sqlmap(&target, probe, extent).await;
            assert!(!found, "sqlmap finds the hole in {} behind {rules:?}", probe.path);
        }
        let found = tool::wapiti(&target, &[], Extent::Long).await;
        let is_expected = |line: &String| uncovered(rules).iter().any(|kind| line.starts_with(kind));
        assert!(found.iter().all(is_expected), "wapiti finds holes behind {rules:?}: {found:#?}");
        tell(&format!("planted, behind {rules:?}"), &covered.recorder.exchanges());
        // What people do is let through, and what came through is no attack.
        let seen = covered.planted.seen();
        assert!(seen.iter().any(|request| request == "/hello name=Anna&"));
        nothing_came_through(rules, &seen);
    }
}

/// Kinds of holes that a set of rules leaves open. No set refuses an address in a field, which is all that an open
/// redirect takes.
fn uncovered(rules: &Origin) -> &'static [&'static str] {
    match rules {
        Origin::BuiltIn => &["Open Redirect"],
        _ => &["Open Redirect", "Command execution"],
    }
}

/// What the Core Rule Set lets through at level 1, as it is published: a short command between semicolons, and a file
/// that holds no secret. Our own rules refuse them.
const LEFT_BY_CORE_RULE_SET: [&str; 2] = [";env;", "/etc/services"];

/// None of these requests carries an attack that `rules` are to refuse.
fn nothing_came_through(rules: &Origin, requests: &[String]) {
    let left: &[&str] = if *rules == Origin::BuiltIn { &[] } else { &LEFT_BY_CORE_RULE_SET };
    let through: Vec<&String> =
        requests.iter().filter(|request| payload::of(request).is_some_and(|piece| !left.contains(&piece))).collect();
    assert!(through.is_empty(), "{} attacks came through {rules:?}: {through:#?}", through.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_firewall_nothing_is_found() {
    if !there() {
        return;
    }
    let mut house = House::start(None).await;
    attack(&house, Extent::wanted()).await;
    let exchanges = house.recorder.exchanges();
    tell("without the firewall", &exchanges);
    let attacks = exchanges.iter().filter(|exchange| payload::of(&exchange.request).is_some());
    assert!(attacks.count() > 100, "the tools have not attacked");
    no_fault(&house.service.end(), &exchanges);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_firewall_no_attack_reaches_the_service() {
    if !there() {
        return;
    }
    let own = Excluded::own();
    // The short run takes what stands there when nobody has installed anything.
    let sets = rule_sets().into_iter().take(if Extent::wanted().is_long() { 2 } else { 1 });
    for rules in &sets.collect::<Vec<_>>() {
        let mut house = House::start(Some(rules)).await;
        attack(&house, Extent::wanted()).await;
        let exchanges = house.recorder.exchanges();
        tell(&format!("the service, behind {rules:?}"), &exchanges);
        let log = house.service.end();
        let refused = refused(&log);
        let (refused, passed): (Vec<&Exchange>, Vec<&Exchange>) =
            exchanges.iter().partition(|exchange| refused.contains(exchange.id.as_str()));
        let passed: Vec<String> = passed.into_iter().map(|exchange| own.leave_out(&exchange.request)).collect();
        nothing_came_through(rules, &passed);
        assert!(refused.iter().all(|exchange| exchange.status == 403));
        assert!(!house.service.decisions().is_empty());
        let attacks = refused.iter().filter(|exchange| payload::of(&exchange.request).is_some()).count();
        assert!(attacks > 100, "the tools have not attacked");
        // The pages of the service themselves are let through.
        assert!(exchanges.iter().any(|exchange| exchange.request == "GET /contacts\n" && exchange.status == 200));
        no_fault(&log, &exchanges);
    }
}

/// The ids of the requests that the firewall says it has refused. (Its file of decisions begins anew when it is large.)
fn refused(log: &str) -> BTreeSet<&str> {
    let ids = log.lines().filter_map(|line| line.split_once(" a request was refused request=\"")?.1.split('"').next());
    ids.collect()
}

/// Everything that the tools try, logged in and not. Nothing may be found.
async fn attack(house: &House, extent: Extent) {
    let guest = Target { base: house.recorder.base(), cookie: None };
    let user = Target { base: house.recorder.base(), cookie: Some(house.cookie.clone()) };
    let form = |fields: &str| format!("csrf={}&{fields}", house.token);
    let contact = format!("/contacts/{}/edit", house.contact);
    let list = format!("/lists/{}", house.list);
    let campaign = format!("/campaigns/{}/edit", house.campaign);
    let mut probes = vec![
        (&guest, Probe::get("/log-in?next=/contacts", "next")),
        (&user, Probe::get(format!("/contacts?list={}", house.list), "list")),
        (&user, Probe::post("/contacts/find", form("email=anna%40kundin.example"), "email")),
    ];
    if extent.is_long() {
        probes.extend([
            (&guest, Probe::get("/contacts?tag=1&permission=explicit&after=1", "tag,permission,after")),
            (&user, Probe::get("/contacts?tag=1&permission=explicit&after=1", "tag,permission,after")),
            (&user, Probe::get("/audit?before=5", "before")),
            (&user, Probe::get("/campaigns?state=draft", "state")),
            (&user, Probe::post(list.clone(), form("name=Kundschaft&description=Alle"), "name,description")),
            (
                &user,
                Probe::post(
                    contact.clone(),
                    form("email=anna%40kundin.example&company=Kundin&notes=x"),
                    "company,notes",
                ),
            ),
            (
                &user,
                Probe::post(campaign.clone(), form("name=Herbst&subject=Quitten&revision=1"), "name,subject,revision"),
            ),
        ]);
    }
    for (target, probe) in &probes {
        let found = tool::sqlmap(target, probe, extent).await;
        assert!(!found, "sqlmap can inject into {}", probe.path);
    }
    let pages = |pages: &[&str]| pages.iter().map(|page| (*page).to_owned()).collect::<Vec<_>>();
    let found = tool::wapiti(&guest, &pages(&["/log-in?next=/contacts", "/sign-up"]), extent).await;
    assert!(found.is_empty(), "wapiti finds, without logging in: {found:#?}");
    let inside = pages(&["/contacts", "/contacts/export", "/lists/new", &contact, &list, &campaign]);
    let found = tool::wapiti(&user, &inside, extent).await;
    assert!(found.is_empty(), "wapiti finds, logged in: {found:#?}");
    assert_eq!(house.recorder.look("/contacts", &house.cookie).await, 200, "the session has ended on the way");
}

/// Whatever the tools did, the service has not failed at it.
fn no_fault(log: &str, exchanges: &[Exchange]) {
    let faults: Vec<&Exchange> = exchanges.iter().filter(|exchange| exchange.status >= 500).collect();
    assert!(faults.is_empty(), "the service failed at {faults:#?}");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked")).collect();
    assert!(lines.is_empty(), "the service logged {lines:#?}");
    assert!(log.contains(" INFO serving "), "the log is read at the wrong place");
}

/// The application with holes, and what stands before it.
struct PlantedHouse {
    planted: Planted,
    recorder: Recorder,
    _directory: tempfile::TempDir,
}

impl PlantedHouse {
    async fn start(firewall: Option<Firewall>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let planted = Planted::start();
        let certificate = Certificate::self_signed(directory.path(), &["localhost".into()], SystemClock.now()).unwrap();
        let shown = certificate.chain()[0].clone();
        let default = Policy { inspects_answers: true, ..Policy::default() };
        let routes = Routes { routes: Vec::new(), default };
        let settings = EdgeSettings { routes, client_rate: None, ..EdgeSettings::default() };
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let edge = Edge::new(planted.router(), settings, firewall, clock, entropy);
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(address, TlsSource::Fixed(certificate), Limits::default()).await.unwrap();
        let recorder = Recorder::start(listener.address().unwrap().port(), shown).await;
        tokio::spawn(listener.serve(edge, std::future::pending()));
        Self { planted, recorder, _directory: directory }
    }
}

/// Our own rules; and the Core Rule Set, if the test command has fetched it.
fn rule_sets() -> Vec<Origin> {
    [Origin::BuiltIn].into_iter().chain(service::core_rule_set().map(Origin::Directory)).collect()
}

fn firewall(rules: &Origin) -> Firewall {
    let set = rules::load(rules, &Settings::default()).unwrap();
    Firewall::new(set, FirewallLimits::default(), Arc::new(SystemClock), None).unwrap()
}

fn there() -> bool {
    let there = tool::are_there();
    if !there {
        skipped("attacks by sqlmap and wapiti", "they are not both installed");
    }
    there
}

/// How many requests were answered how.
fn tell(what: &str, exchanges: &[Exchange]) {
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for exchange in exchanges {
        *statuses.entry(exchange.status).or_default() += 1;
    }
    let attacks = exchanges.iter().filter(|exchange| payload::of(&exchange.request).is_some()).count();
    eprintln!("{what}: {} requests, {attacks} of them attacks, answered {statuses:?}", exchanges.len());
}
