//! Sets of rules as they come: built in, released, packaged.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use letterkeep_network::rules::{Mode, Origin, RuleSet, RulesError, SelfTestError, Settings, find, load, self_test};
use letterkeep_waf::{Connection, Interruption, Limits, Transaction};

fn below_target(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(path);
    if !path.exists() {
        let _ = writeln!(std::io::stderr(), "SKIPPED rule sets: `cargo xtask crs` has not fetched {}", path.display());
    }
    path.exists().then_some(path)
}

/// The Core Rule Set 4 as `cargo xtask crs` fetches it.
fn crs4() -> Option<PathBuf> {
    below_target("tools/go/github.com/corazawaf/coraza-coreruleset/v4@v4.25.0/rules")
}

fn crs3() -> Option<PathBuf> {
    below_target("crs/debian/source")
}

fn ask(set: &RuleSet, target: &str) -> (Option<Interruption>, Option<i64>) {
    let localhost = IpAddr::from([127, 0, 0, 1]);
    let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 443 };
    let mut transaction = Transaction::new(&set.rules, &connection, "test", Limits::default());
    transaction.request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    for (name, value) in [("Host", "example.org"), ("User-Agent", "Mozilla/5.0"), ("Accept", "*/*")] {
        transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    transaction.end_request_headers();
    let stopped = transaction.end_request_body();
    (stopped, set.score(&transaction))
}

#[test]
fn the_core_rule_set_4_is_read_from_its_module_and_from_a_release() {
    let Some(module) = crs4() else { return };
    let set = load(&Origin::Directory(module.clone()), &Settings::default()).unwrap();
    assert_eq!((set.name.as_str(), set.version.as_str(), set.left_out.len()), ("OWASP CRS", "4.25.0", 0));
    assert!(set.len() > 600 && set.digest.len() == 64 && set.released.is_some(), "{set:?}");
    assert_eq!(ask(&set, "/?q=shoes").0, None);
    assert_eq!(ask(&set, "/?q=1%27%20or%201%3D1--%20-").0.unwrap().status, 403);

    // The same files as a release has them, with the day on which it says that it was made.
    let release = tempfile::tempdir().unwrap();
    let top = release.path().join("coreruleset-4.25.0");
    fs::create_dir_all(top.join("rules")).unwrap();
    for entry in fs::read_dir(module.join("@owasp_crs")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), top.join("rules").join(entry.file_name())).unwrap();
    }
    fs::copy(module.join("@crs-setup.conf.example"), top.join("crs-setup.conf.example")).unwrap();
    fs::write(
        top.join("CHANGES.md"),
        "# Changes\n\n## Version 4.25.0 - 2026-03-28\n\n## Version 4.24.0 - 2026-02-01\n",
    )
    .unwrap();
    let again = load(&Origin::Directory(release.path().to_owned()), &Settings::default()).unwrap();
    assert_eq!(again.len(), set.len());
    let released = again.released.unwrap();
    assert!(released.stated && released.at.to_string().starts_with("2026-03-28"), "{released:?}");
    assert!(ask(&again, "/?q=1%27%20or%201%3D1--%20-").0.is_some());
}

#[test]
fn settings_reach_the_rules() {
    let Some(module) = crs4() else { return };
    let origin = Origin::Directory(module);
    let attack = "/?q=1%27%20or%201%3D1--%20-";
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        load(&origin, &settings).unwrap()
    };
    let (stopped, score) = ask(&with(&|_| {}), attack);
    assert!(stopped.is_some() && score.unwrap() >= 5);
    let (stopped, score) = ask(&with(&|settings| settings.mode = Mode::DetectionOnly), attack);
    assert!(stopped.is_none() && score.unwrap() >= 5, "it tells the score and lets pass: {score:?}");
    assert_eq!(ask(&with(&|settings| settings.inbound_threshold = 10_000), attack).0, None);
    let exclusion = "SecAction \"id:10000,phase:1,pass,nolog,ctl:ruleRemoveByTag=attack-sqli\"".to_owned();
    assert_eq!(ask(&with(&|settings| settings.exclusions.clone_from(&exclusion)), attack).0, None);
    let set = with(&|settings| settings.without = vec![942_100, 1]);
    assert_eq!(set.left_out, [942_100], "only what is there can be left out");
    let higher = with(&|settings| settings.paranoia_level = 4);
    assert!(ask(&higher, attack).1 > score);
    let digests = [&with(&|_| {}), &set, &higher].map(|set| set.digest.clone());
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn settings_that_are_none_are_refused() {
    let wrong: [fn(&mut Settings); 5] = [
        |settings| settings.paranoia_level = 0,
        |settings| settings.paranoia_level = 5,
        |settings| settings.inbound_threshold = 0,
        |settings| settings.allowed_methods = vec!["GET',deny,'".to_owned()],
        |settings| settings.allowed_content_types = vec!["json".to_owned()],
    ];
    for change in wrong {
        let mut settings = Settings::default();
        change(&mut settings);
        assert!(matches!(load(&Origin::BuiltIn, &settings), Err(RulesError::Settings(_))), "{settings:?}");
    }
    assert!(load(&Origin::BuiltIn, &Settings::default()).is_ok());
}

#[test]
fn debians_package_is_found_and_its_settings_hold() {
    let Some(source) = crs3() else { return };
    let root = tempfile::tempdir().unwrap();
    let (rules, own) = (root.path().join("usr/share/modsecurity-crs/rules"), root.path().join("etc/modsecurity/crs"));
    fs::create_dir_all(&rules).unwrap();
    fs::create_dir_all(&own).unwrap();
    let data = tempfile::tempdir().unwrap();
    assert_eq!(find(data.path(), root.path()).unwrap(), Origin::BuiltIn);
    for entry in fs::read_dir(source.join("rules")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), rules.join(entry.file_name())).unwrap();
    }
    fs::copy(source.join("crs-setup.conf.example"), own.join("crs-setup.conf")).unwrap();
    let exception = "SecRule REQUEST_URI \"@beginsWith /free\" \"id:90000,phase:1,pass,nolog,ctl:ruleEngine=Off\"\n";
    fs::write(own.join("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"), exception).unwrap();
    let origin = find(data.path(), root.path()).unwrap();
    assert_eq!(origin, Origin::Debian(root.path().to_owned()));
    let set = load(&origin, &Settings::default()).unwrap();
    assert_eq!((set.version.as_str(), set.left_out.len()), ("3.3.4", 7));
    assert!(set.released.is_some_and(|released| !released.stated));
    assert!(ask(&set, "/?q=1%27%20or%201%3D1--%20-").0.is_some());
    assert_eq!(ask(&set, "/free?q=1%27%20or%201%3D1--%20-").0, None, "the administrator's exception");
}

#[test]
fn what_is_no_set_is_refused_in_words() {
    let place = tempfile::tempdir().unwrap();
    let refused =
        |origin: &Path| load(&Origin::Directory(origin.to_owned()), &Settings::default()).unwrap_err().to_string();
    assert!(refused(&place.path().join("nowhere")).contains("cannot be read"));
    assert!(refused(place.path()).contains("no file of rules"));
    fs::write(place.path().join("a.conf"), "# nothing\n").unwrap();
    assert!(refused(place.path()).contains("it has no rule"));
    fs::write(place.path().join("a.conf"), "SecRule ARGS \"@rbl x\" \"id:1\"\n").unwrap();
    let said = refused(place.path());
    assert!(said.contains("a.conf:1") && said.contains("@rbl"), "{said}");
    fs::write(place.path().join("a.conf"), "SecRule ARGS \"@pmFromFile ../secret\" \"id:1\"\n").unwrap();
    assert!(refused(place.path()).contains("not among the files"));
    fs::create_dir(place.path().join("b")).unwrap();
    fs::write(place.path().join("b/c.conf"), "SecMarker X\n").unwrap();
    assert!(refused(place.path()).contains("several of its directories"));
    #[cfg(unix)]
    {
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(place.path().join("a.conf"), other.path().join("a.conf")).unwrap();
        assert!(refused(other.path()).contains("not a plain file"));
    }
}

fn own(text: &str, settings: &Settings) -> RuleSet {
    let place = tempfile::tempdir().expect("a directory");
    fs::write(place.path().join("own.conf"), text).expect("it can be written");
    load(&Origin::Directory(place.path().to_owned()), settings).expect("the rules load")
}

#[test]
fn every_set_that_people_use_passes_its_test() {
    let mut origins = vec![Origin::BuiltIn];
    origins.extend([crs4(), crs3()].into_iter().flatten().map(Origin::Directory));
    for origin in origins {
        // In this profile a large set takes seconds to load: it is tried once in each way.
        let only_first =
            origin != Origin::BuiltIn && !matches!(&origin, Origin::Directory(path) if path.ends_with("rules"));
        for mode in if only_first { &[Mode::DetectionOnly][..] } else { &[Mode::Blocking, Mode::DetectionOnly] } {
            let mode = *mode;
            let settings = Settings { mode, ..Settings::default() };
            let done = self_test(&load(&origin, &settings).unwrap()).unwrap();
            assert_eq!((done.attacks, &done.missed[..], done.ordinary, &done.refused[..]), (20, &[][..], 20, &[][..]));
        }
        if only_first {
            continue;
        }
        let higher = Settings { paranoia_level: 4, ..Settings::default() };
        let done = self_test(&load(&origin, &higher).unwrap());
        assert!(done.is_ok(), "{done:?}");
    }
}

#[test]
fn a_set_that_protects_from_nothing_or_from_everything_is_refused() {
    let settings = Settings::default();
    let idle = own("SecAction \"id:1,phase:1,pass,nolog\"", &settings);
    let said = self_test(&idle).unwrap_err().to_string();
    assert!(said.contains("of 20 harmless attacks it does not see 20: SQL in the query"), "{said}");

    let everything = own("SecAction \"id:1,phase:1,deny,status:403\"", &settings);
    let said = self_test(&everything).unwrap_err().to_string();
    assert!(said.contains("of 20 ordinary requests it refuses 20: start page"), "{said}");

    let names = own(
        "SecRule ARGS:last_name \"@contains '\" \"id:1,deny\"\nSecRule ARGS \"@detectSQLi\" \"id:2,deny\"",
        &settings,
    );
    let refused = self_test(&names).unwrap_err();
    assert!(
        matches!(&refused, SelfTestError::RefusesOrdinary(done) if done.refused == ["form with a name from Ireland"])
    );

    // A set cannot switch itself off, and one that only detects is judged by its score.
    let off = own("SecRuleEngine Off\nSecAction \"id:1,phase:1,deny\"", &settings);
    assert!(matches!(self_test(&off), Err(SelfTestError::RefusesOrdinary(_))));
    let detecting = Settings { mode: Mode::DetectionOnly, ..settings };
    let all = "SecAction \"id:1,phase:1,pass,setvar:tx.anomaly_score=+5\"\nSecComponentSignature \"OWASP_CRS/3.9\"";
    assert!(matches!(self_test(&own(all, &detecting)), Err(SelfTestError::RefusesOrdinary(_))));
    let none = all.replace("+5", "+1");
    assert!(matches!(self_test(&own(&none, &detecting)), Err(SelfTestError::LetsThrough(_))));
}
