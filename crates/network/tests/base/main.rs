//! Our own rules against a corpus of our own: nothing ordinary is refused, and every attack is.

mod attacks;
mod benign;
mod wire;

use letterkeep_network::rules::{Origin, RuleSet, Settings, load};
use wire::{Put, put, put_without_gates};

fn base() -> RuleSet {
    load(&Origin::BuiltIn, &Settings::default()).expect("our own rules load")
}

/// Requests whose verdict is not `refused`, each with the rules that matched.
fn surprises(set: &RuleSet, requests: &[Put<'_>], refused: bool) -> Vec<String> {
    let tell = |request: &Put<'_>| {
        let (stopped, record) = put(set, *request);
        let rules: Vec<String> = record
            .matches
            .iter()
            .map(|found| {
                let values = found.findings.iter().map(|one| format!("{}={}", one.variable, one.value.escape_ascii()));
                format!("{} {:?}", found.rule, values.collect::<Vec<_>>())
            })
            .collect();
        (stopped.is_some() != refused).then(|| format!("{request:?}\n    {}", rules.join("\n    ")))
    };
    requests.iter().filter_map(tell).collect()
}

#[test]
fn nothing_ordinary_is_refused() {
    assert!(benign::ALL.len() >= 60);
    let wrong = surprises(&base(), benign::ALL, false);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), benign::ALL.len(), wrong.join("\n"));
}

#[test]
fn every_attack_is_refused() {
    assert!(attacks::ALL.len() >= 80);
    let wrong = surprises(&base(), attacks::ALL, true);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), attacks::ALL.len(), wrong.join("\n"));
}

#[test]
fn what_is_not_http_is_answered_with_400() {
    for request in [
        Put::Body("application/json", "{\"a\":1,\"a\":"),
        Put::Body("application/json", "{\"a\":1} trailing"),
        Put::Body("application/xml", "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>"),
        Put::Body("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n"),
    ] {
        let (stopped, _) = put(&base(), request);
        assert_eq!(stopped.map(|stopped| stopped.status), Some(400), "{request:?}");
    }
}

#[test]
fn the_texts_of_our_own_pages_pass_as_what_people_write() {
    let set = base();
    let locales = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/locales");
    let mut texts = Vec::new();
    for language in std::fs::read_dir(locales).unwrap() {
        for file in std::fs::read_dir(language.unwrap().path()).unwrap() {
            texts.push(std::fs::read_to_string(file.unwrap().path()).unwrap());
        }
    }
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    assert!(lines.len() > 1_000, "{}", lines.len());
    let requests: Vec<Put<'_>> = lines.iter().map(|line| Put::Form("text", line)).collect();
    let wrong = surprises(&set, &requests, false);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), requests.len(), wrong.join("\n"));
}

#[test]
fn gates_change_no_decision() {
    let set = base();
    for request in benign::ALL.iter().chain(attacks::ALL) {
        let ((stopped, with), (naive, without)) = (put(&set, *request), put_without_gates(&set, *request));
        assert_eq!((stopped, with.matches), (naive, without.matches), "{request:?}");
    }
}

#[test]
fn the_corpus_notices_rules_that_are_gone_or_refuse_everything() {
    let with = |settings: Settings| load(&Origin::BuiltIn, &settings).expect("our own rules load");
    let blind = with(Settings { inbound_threshold: 10_000, ..Settings::default() });
    assert!(surprises(&blind, attacks::ALL, true).len() > 80);
    let one = with(Settings { without: vec![1606], ..Settings::default() });
    assert_eq!(surprises(&one, &[Put::Header("X-Any", "() { :; }; echo")], true).len(), 1, "no rule is for nothing");
    let exclusions = "SecAction \"id:10000,phase:1,deny\"".to_owned();
    let deaf = with(Settings { exclusions, ..Settings::default() });
    assert_eq!(surprises(&deaf, benign::ALL, false).len(), benign::ALL.len());
}
