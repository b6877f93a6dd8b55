//! What a host sees of the engine: verdicts, limits, records.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::IpAddr;
use std::sync::Arc;

use letterkeep_waf::{
    Cause, Collections, Connection, EngineMode, Interruption, Limits, LoadError, NoFiles, Record, Ruleset, Source,
    Transaction,
};
use proptest::prelude::*;

fn load(text: &str) -> Result<Ruleset, LoadError> {
    Ruleset::load(&[Source { name: "test.conf", text }], &NoFiles)
}

fn rules(text: &str) -> Arc<Ruleset> {
    Arc::new(load(text).unwrap())
}

fn begin(rules: &Arc<Ruleset>, limits: Limits) -> Transaction {
    let localhost = IpAddr::from([127, 0, 0, 1]);
    let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 443 };
    Transaction::new(rules, &connection, "test", limits)
}

/// Sends a request; what it was stopped by, and what was found.
fn send(
    mut transaction: Transaction,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (Option<Interruption>, Record) {
    let method = if body.is_empty() { "GET" } else { "POST" };
    transaction.request_line(method.as_bytes(), target.as_bytes(), b"HTTP/1.1");
    for (name, value) in headers {
        transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    transaction.end_request_headers();
    transaction.request_body(body.as_bytes());
    let stopped = transaction.end_request_body();
    (stopped, transaction.finish())
}

fn get(rules: &Arc<Ruleset>, target: &str) -> (Option<Interruption>, Record) {
    send(begin(rules, Limits::default()), target, &[("Host", "example.org")], "")
}

fn ids(record: &Record) -> Vec<u32> {
    record.matches.iter().map(|found| found.rule).collect()
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[test]
fn what_is_not_known_is_an_error_with_file_and_line() {
    let cases = [
        ("SecMagic On", "there is no directive"),
        ("SecRule ARGS \"@magic x\" \"id:1\"", "@magic is not known"),
        ("SecRule ARGS \"@rx (\" \"id:1\"", "cannot be used"),
        ("SecRule NOBODY \"@rx a\" \"id:1\"", "no variable"),
        ("SecRule ARGS \"@rx a\" \"id:1,t:magic\"", "no such transformation"),
        ("SecRule ARGS \"@rx a\" \"id:1,magic\"", "no such action"),
        ("SecRule ARGS \"@pmFromFile words.data\" \"id:1\"", "cannot be read"),
        ("SecRule ARGS \"@rbl dnsbl.example\" \"id:1\"", "not supported"),
        ("SecRule ARGS \"@rx a\" \"phase:2\"", "needs an id"),
        ("SecAction \"id:1,pass,skipAfter:END\"", "does not follow"),
        ("SecRule ARGS \"@rx a\" \"id:1,chain\"", "has no end"),
        ("SecAction \"id:1,pass\"\nSecAction \"id:1,pass\"", "a rule 1 already"),
    ];
    for (text, expected) in cases {
        let error = load(text).unwrap_err();
        assert!(error.problem.contains(expected), "{text}: {error}");
        assert_eq!(error.file, "test.conf");
        assert!(error.line > 0, "{error}");
    }
    assert_eq!(load("\n\nSecMagic On").unwrap_err().line, 3);
    let text = "SecRule ARGS \"@rbl dnsbl.example\" \"id:7,chain\"\nSecRule ARGS \"@rx a\" \"t:none\"\nSecAction \"id:8,pass\"";
    let source = [Source { name: "test.conf", text }];
    assert_eq!(Ruleset::load_without(&source, &NoFiles, &[7]).unwrap().len(), 1, "left out with its chain");
}

#[test]
fn a_score_in_a_later_link_of_a_chain_blocks() {
    let text = r#"
        SecDefaultAction "phase:2,log,pass"
        SecRule ARGS "@contains select" "id:1,phase:2,block,t:lowercase,msg:'SQL',severity:CRITICAL,chain"
            SecRule MATCHED_VARS "@contains from" "t:lowercase,setvar:'tx.inbound_anomaly_score_pl1=+5'"
        SecRule TX:INBOUND_ANOMALY_SCORE_PL1 "@ge 5" "id:2,phase:2,deny,status:403"
    "#;
    let rules = rules(text);
    let (stopped, record) = get(&rules, "/?q=SELECT+a+FROM+b");
    assert_eq!(stopped, Some(Interruption { status: 403, rule: 2, cause: Cause::Rule }));
    assert_eq!((ids(&record), record.matches[0].score), (vec![1, 2], 5));
    let (stopped, record) = get(&rules, "/?q=SELECT&r=FROM");
    assert_eq!((stopped, ids(&record)), (None, vec![]), "the second link looks at what the first has matched");
}

#[test]
fn each_matching_value_counts() {
    let text = r#"
        SecRule ARGS "@streq x" "id:1,phase:2,pass,setvar:tx.hits=+1"
        SecRule TX:hits "@eq 3" "id:2,phase:2,deny"
    "#;
    assert!(get(&rules(text), "/?a=x&b=x&c=x&d=y").0.is_some());
    assert!(get(&rules(text), "/?a=x&b=x&d=y").0.is_none());
}

#[test]
fn skip_after_goes_on_behind_the_marker() {
    let text = r#"
        SecRule ARGS:skip "@eq 1" "id:1,phase:1,pass,nolog,skipAfter:END"
        SecAction "id:2,phase:1,pass"
        SecMarker "END"
        SecAction "id:3,phase:1,pass"
        SecAction "id:4,phase:2,pass"
    "#;
    assert_eq!(ids(&get(&rules(text), "/?skip=1").1), [3, 4]);
    assert_eq!(ids(&get(&rules(text), "/?skip=0").1), [2, 3, 4], "control");
}

#[test]
fn a_marker_stays_in_its_place_when_rules_before_it_are_removed() {
    let rule = |id: u32| format!("SecAction \"id:{id},phase:1,pass{}\"\n", if id == 21 { ",tag:'gone'" } else { "" });
    let text = [
        "SecAction \"id:1,phase:1,pass,skipAfter:END\"\n",
        &rule(10),
        &rule(21),
        &rule(12),
        "SecMarker END\n",
        &rule(30),
        &rule(31),
    ];
    let with = |end: &str| ids(&get(&rules(&(text.concat() + end)), "/").1);
    assert_eq!(with(""), [1, 30, 31], "control");
    assert_eq!(with("SecRuleRemoveById 10-12"), [1, 30, 31]);
    assert_eq!(with("SecRuleRemoveByTag gone"), [1, 30, 31]);
    assert_eq!(with("SecRuleRemoveById 10 30"), [1, 31]);
}

#[test]
fn targets_and_rules_are_taken_out_where_they_are_said_to_be() {
    let text = r#"
        SecRule REQUEST_URI "@beginsWith /editor" "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=3;ARGS:html"
        SecRule REQUEST_URI "@beginsWith /open" "id:2,phase:1,pass,nolog,ctl:ruleRemoveByTag=xss"
        SecRule ARGS|!ARGS:never "@contains <b>" "id:3,phase:2,deny,tag:'xss'"
        SecRuleUpdateTargetById 3 "!ARGS:/^own_/"
    "#;
    let rules = rules(text);
    let blocks = |target: &str| get(&rules, target).0.is_some();
    assert!(blocks("/?html=<b>") && blocks("/editor?other=<b>"));
    assert!(!blocks("/editor?html=<b>") && !blocks("/open?any=<b>"));
    assert!(!blocks("/?never=<b>") && !blocks("/?own_a=<b>"));
}

#[test]
fn bodies_are_read_as_their_type_says_and_broken_ones_are_told() {
    let text = r#"
        SecRule REQBODY_ERROR "!@eq 0" "id:1,phase:2,deny,status:400,msg:'%{REQBODY_ERROR_MSG}'"
        SecRule ARGS_POST "@streq evil" "id:2,phase:2,deny"
        SecRule XML:/* "@streq evil" "id:3,phase:2,deny"
    "#;
    let rules = rules(text);
    let stopped = |kind: &str, body: &str| {
        send(begin(&rules, Limits::default()), "/", &[("Content-Type", kind)], body).0.map(|stop| stop.rule)
    };
    assert_eq!(stopped("application/x-www-form-urlencoded", "a=1&b=%65vil"), Some(2));
    assert_eq!(stopped("application/json", r#"{"a":[{"b":"ev\u0069l"}]}"#), Some(2));
    assert_eq!(stopped("text/xml", "<a><b>evil</b></a>"), Some(3));
    let form = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nevil\r\n--x--\r\n";
    assert_eq!(stopped("multipart/form-data; boundary=x", form), Some(2));
    assert_eq!(stopped("application/json", r#"{"a":1,"a":2}"#), Some(1), "two parsers may read it differently");
    assert_eq!(stopped("text/xml", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), Some(1));
    assert_eq!(stopped("application/json", r#"{"a":"good"}"#), None, "control");
}

#[test]
fn a_body_without_a_type_is_known_to_have_no_processor() {
    let text = r#"
        SecRule REQBODY_PROCESSOR "!@rx ^(?:URLENCODED|MULTIPART|XML|JSON)$" "id:1,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On"
        SecRule REQUEST_BODY|ARGS "@contains evil" "id:2,phase:2,deny"
    "#;
    let rules = rules(text);
    let stopped = |headers: &[(&str, &str)]| send(begin(&rules, Limits::default()), "/", headers, "a=evil").0.is_some();
    assert!(stopped(&[]), "no Content-Type at all");
    assert!(stopped(&[("Content-Type", "text/plain")]));
    assert!(!stopped(&[("Content-Type", "text/xml")]), "control: what is read as XML is not forced");
}

#[test]
fn text_that_tags_separate_is_also_seen_joined() {
    let rules = rules(r#"SecRule XML:/* "@rx ^\s*(?:union )?select$" "id:1,phase:2,deny""#);
    let stopped =
        |body: &str| send(begin(&rules, Limits::default()), "/", &[("Content-Type", "text/xml")], body).0.is_some();
    assert!(stopped("<a>uni<b/>on sel<i>ect</i></a>"), "joined");
    assert!(stopped("<a>x<b>select</b>y</a>"), "on its own");
    assert!(!stopped("<a>x<b>selects</b></a>"), "control");
}

#[test]
fn what_is_too_large_or_takes_too_long_is_refused() {
    let rules = rules(r#"SecRule ARGS "@rx x" "id:1,phase:2,pass""#);
    let limits = Limits { body: 10, arguments: 2, ..Limits::default() };
    let stopped = |target: &str, body: &str| {
        send(begin(&rules, limits), target, &[FORM], body).0.map(|stop| (stop.status, stop.cause))
    };
    assert_eq!(stopped("/?a=1&b=2", "").map(|stop| stop.0), None);
    assert_eq!(stopped("/?a=1&b=2&c=3", ""), Some((413, Cause::TooLarge)));
    assert_eq!(stopped("/", "a=123456789"), Some((413, Cause::TooLarge)));
    let spent = |spent: bool| send(begin(&rules, Limits::default()).with_budget(move || spent), "/?a=1", &[], "").0;
    assert_eq!(spent(true), Some(Interruption { status: 503, rule: 0, cause: Cause::OverBudget }));
    assert_eq!(spent(false), None);
    // The budget is asked within one rule too, when its values are large.
    let mut looks = 0;
    let second = begin(&rules, Limits { body: 4 << 20, ..Limits::default() }).with_budget(move || {
        looks += 1;
        looks > 2
    });
    let body = format!("a={}", "x".repeat(1 << 20));
    assert_eq!(send(second, "/", &[FORM], &[&body[..]; 3].join("&")).0.map(|stop| stop.cause), Some(Cause::OverBudget));
}

#[test]
fn only_the_mode_that_refuses_refuses() {
    let text = "SecRuleEngine DetectionOnly\nSecRule ARGS \"@streq x\" \"id:1,phase:2,deny\"";
    let (stopped, record) = get(&rules(text), "/?a=x");
    assert_eq!((stopped, ids(&record), record.mode), (None, vec![1], EngineMode::DetectionOnly));
    let refusing = Arc::new(load(text).unwrap().with_mode(EngineMode::On));
    assert!(get(&refusing, "/?a=x").0.is_some());
}

#[test]
fn a_record_shows_no_bytes_of_the_request_unless_asked() {
    let text = r#"SecRule ARGS "@rx sec(r)et" "id:1,phase:2,deny,capture,msg:'found',logdata:'%{MATCHED_VAR}'""#;
    let (_, record) = get(&rules(text), "/?token=a-secret-b%0a");
    let hidden = record.to_json("request-7", false);
    assert!(!hidden.contains("secret") && hidden.contains("ARGS:token") && hidden.contains("[2,8]"), "{hidden}");
    assert!(!hidden.contains('\n'), "one line");
    let shown = record.to_json("request-7", true);
    assert!(shown.contains(r"a-secret-b\\x0a") && shown.contains("request-7"), "{shown}");
}

#[test]
fn collections_count_over_requests_and_expire() {
    let text = r#"
        SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.hits=+1,expirevar:ip.hits=60"
        SecRule IP:hits "@gt 2" "id:2,phase:1,deny,status:429"
    "#;
    let rules = rules(text);
    let collections = Arc::new(Collections::new(16));
    let blocked = |now: u64| {
        let transaction = begin(&rules, Limits::default()).with_collections(collections.clone(), now);
        send(transaction, "/", &[], "").0.is_some()
    };
    assert_eq!([blocked(0), blocked(1), blocked(2), blocked(3)], [false, false, true, true]);
    assert!(!blocked(64), "a minute after the last");
    assert!(get(&rules, "/").0.is_none(), "without a place to keep them, each request begins anew");
}

#[test]
fn answers_are_looked_at_up_to_their_limit() {
    let rules = rules(r#"SecRule RESPONSE_BODY "@contains stack trace" "id:1,phase:4,deny,status:502""#);
    let answer = |body: &[u8]| {
        let mut transaction = begin(&rules, Limits { response_body: 20, ..Limits::default() });
        transaction.request_line(b"GET", b"/", b"HTTP/1.1");
        transaction.end_request_headers();
        transaction.end_request_body();
        transaction.response_status(500, b"HTTP/1.1");
        transaction.end_response_headers();
        body.chunks(7).for_each(|chunk| transaction.response_body(chunk));
        transaction.end_response_body().map(|stop| stop.status)
    };
    assert_eq!(answer(b"a stack trace"), Some(502));
    assert_eq!(answer(b"twenty bytes of text, then a stack trace"), None);
}

const MANY: &str = r#"
    SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS "@rx (?i)<script[^>]*>" "id:1,phase:2,pass,t:urlDecodeUni,t:htmlEntityDecode,t:lowercase"
    SecRule ARGS|REQUEST_BODY "@rx (?:union|select)\s+.+from" "id:2,phase:2,pass,multiMatch,t:urlDecodeUni,t:replaceComments,t:compressWhitespace,t:lowercase"
    SecRule ARGS|REQUEST_FILENAME "@pm /etc/passwd ../ ..\\" "id:3,phase:2,pass,t:normalizePath,t:cmdLine"
    SecRule ARGS "@detectSQLi" "id:4,phase:2,pass,t:removeNulls"
    SecRule ARGS "@detectXSS" "id:5,phase:2,pass,t:jsDecode,t:cssDecode"
    SecRule ARGS "!@rx ^[a-z0-9 =<>%;&'\"(),./*-]*$" "id:6,phase:2,pass,t:base64Decode"
    SecRule ARGS_NAMES "@within %{ARGS.a}" "id:7,phase:2,pass"
"#;

proptest! {
    #[test]
    fn gates_change_nothing(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<script>"), Just("%3Cscript%3E"), Just("&lt;script"), Just("union"), Just("select"), Just(" from "),
                Just("/**/"), Just("/etc/passwd"), Just("../"), Just("' or 1=1--"), Just("a"), Just("%00"), Just("+"),
                Just("&b="), Just("\\u003c"), Just("javascript:"), Just("onload="), Just("UNION%20"), Just("\u{e4}"),
            ], 0..9),
        noise in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        let rules = rules(MANY);
        let noise = noise.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let target = format!("/?a={}&n={noise}", pieces.concat());
        let headers = [FORM, ("Cookie", "c=<script x>")];
        let body = pieces.concat();
        let fast = send(begin(&rules, Limits::default()), &target, &headers, &body);
        let naive = send(begin(&rules, Limits::default()).without_gates(), &target, &headers, &body);
        prop_assert_eq!(fast.0, naive.0);
        prop_assert_eq!(fast.1.matches, naive.1.matches);
    }
}
