//! Requests for the firewall's engine, and what must hold for each, whatever is in it.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use letterkeep_waf::{Cause, Connection, Interruption, Limits, Match, NoFiles, Ruleset, Source, Transaction};

/// Small, so that inputs reach them.
pub(crate) const LIMITS: Limits = Limits { body: 4096, arguments: 12, depth: 6, response_body: 0, memory: 64 << 20 };

/// Matches every argument, so that a check sees what was read.
const ARGUMENT: u32 = 1;
/// Matches every text and attribute of XML.
const XML: u32 = 2;
/// Matches every cookie.
const COOKIE: u32 = 3;
/// Matches every file of a form.
const FILE: u32 = 4;
/// Matches where the body is broken, or could be read in two ways.
const BROKEN: u32 = 5;

/// Every kind of operator, and transformations in many orders.
const RULES: &str = r#"
SecAction "id:9,phase:1,pass,nolog,setvar:tx.limit=3"
SecRule ARGS "@unconditionalMatch" "id:1,phase:2,pass"
SecRule XML:/*|XML://@* "@unconditionalMatch" "id:2,phase:2,pass"
SecRule REQUEST_COOKIES "@unconditionalMatch" "id:3,phase:2,pass"
SecRule FILES "@unconditionalMatch" "id:4,phase:2,pass"
SecRule REQBODY_ERROR|MULTIPART_STRICT_ERROR|MULTIPART_UNMATCHED_BOUNDARY "!@eq 0" "id:5,phase:2,pass,msg:'%{REQBODY_ERROR_MSG}'"
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|XML:/* "@rx (?i)<script[^>]*>" "id:10,phase:2,pass,capture,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,logdata:'%{TX.0}',setvar:tx.score=+5"
SecRule ARGS|REQUEST_BODY|XML:/* "@rx (?:union|select)\s+.+from$" "id:11,phase:2,pass,multiMatch,t:urlDecodeUni,t:replaceComments,t:compressWhitespace,t:lowercase,setvar:tx.score=+5"
SecRule ARGS|REQUEST_FILENAME|FILES "@pm /etc/passwd ../ ..\ .php" "id:12,phase:2,pass,t:normalizePath,t:cmdLine"
SecRule ARGS|REQUEST_COOKIES|XML:/* "@detectSQLi" "id:13,phase:2,pass,capture,multiMatch,t:utf8toUnicode,t:urlDecodeUni,t:removeNulls"
SecRule ARGS|REQUEST_COOKIES|XML:/* "@detectXSS" "id:14,phase:2,pass,t:jsDecode,t:cssDecode,t:removeComments"
SecRule ARGS "!@rx ^[a-z0-9 =<>%;&'\"(),./*-]*$" "id:15,phase:2,pass,t:base64Decode,t:trim"
SecRule ARGS "@validateByteRange 32-126" "id:16,phase:2,pass,t:sqlHexDecode"
SecRule ARGS|XML:/* "@validateUtf8Encoding" "id:17,phase:2,pass,t:escapeSeqDecode"
SecRule REQUEST_URI_RAW|REQUEST_BODY "@validateUrlEncoding" "id:18,phase:2,pass"
SecRule ARGS_NAMES|MULTIPART_PART_HEADERS "@contains admin" "id:19,phase:2,pass,t:lowercase,t:removeWhitespace"
SecRule ARGS "@beginsWith http:" "id:20,phase:2,pass,t:lowercase,t:trimLeft,chain"
    SecRule MATCHED_VARS "!@endsWith .example" "t:lowercase,setvar:tx.score=+5"
SecRule ARGS_NAMES "@within a b name file" "id:21,phase:2,pass,t:trimRight"
SecRule ARGS "@streq %{ARGS.a}" "id:22,phase:2,pass,t:hexDecode"
SecRule ARGS "@gt %{tx.limit}" "id:23,phase:2,pass,t:length"
SecRule ARGS|REQUEST_COOKIES "@rx ^[0-9a-f]{32}" "id:24,phase:2,pass,t:md5,t:hexEncode"
SecRule ARGS|REQUEST_COOKIES "@rx \bid\b" "id:25,phase:2,pass,t:uppercase,t:replaceNulls,t:lowercase,t:removeCommentsChar"
SecRule ARGS "@rx %25" "id:26,phase:2,pass,t:urlEncode"
SecRule ARGS:/^a/|!ARGS:ab "@rx (\w)\w" "id:27,phase:2,pass,capture,chain"
    SecRule TX:1 "@rx ^[aeiou]" "t:lowercase"
SecRule &ARGS|&REQUEST_COOKIES "@ge 3" "id:28,phase:2,pass"
SecRule TX:score "@ge 10" "id:29,phase:2,deny,status:403"
"#;

static LOADED: LazyLock<Arc<Ruleset>> = LazyLock::new(|| {
    let source = Source { name: "fuzz.conf", text: RULES };
    Arc::new(Ruleset::load(&[source], &NoFiles).expect("rules that load"))
});

/// A request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) target: &'a [u8],
    pub(crate) cookie: &'a [u8],
    pub(crate) content_type: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// How it is inspected.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) gates: bool,
    /// Bytes of the body that arrive at once.
    pub(crate) piece: usize,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) stopped: Option<Interruption>,
    pub(crate) matches: Vec<Match>,
}

impl Seen {
    /// The arguments that were read, each name without `ARGS:`.
    pub(crate) fn arguments(&self) -> Vec<(String, Vec<u8>)> {
        self.values(ARGUMENT)
    }

    pub(crate) fn cookies(&self) -> Vec<(String, Vec<u8>)> {
        self.values(COOKIE)
    }

    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.values(FILE)
    }

    pub(crate) fn xml(&self) -> Vec<(String, Vec<u8>)> {
        self.values(XML)
    }

    /// Whether every value was read, and in the only way.
    pub(crate) fn is_sound(&self) -> bool {
        let refused = self.stopped.is_some_and(|stop| stop.cause != Cause::Rule);
        !refused && self.matches.iter().all(|found| found.rule != BROKEN)
    }

    fn values(&self, rule: u32) -> Vec<(String, Vec<u8>)> {
        let findings = self.matches.iter().filter(|found| found.rule == rule).flat_map(|found| &found.findings);
        let name = |variable: &str| variable.split_once(':').map(|(_, name)| name.to_owned()).unwrap_or_default();
        findings.map(|finding| (name(&finding.variable), finding.value.clone())).collect()
    }
}

/// Sends a request through the engine.
pub(crate) fn inspect(request: &Request<'_>, how: How) -> Seen {
    inspect_within(request, how, LIMITS)
}

pub(crate) fn inspect_within(request: &Request<'_>, how: How, limits: Limits) -> Seen {
    send(&LOADED, request, how, limits)
}

fn send(rules: &Arc<Ruleset>, request: &Request<'_>, how: How, limits: Limits) -> Seen {
    let localhost = IpAddr::from([127, 0, 0, 1]);
    let connection = Connection { client: localhost, client_port: 4711, server: localhost, server_port: 443 };
    let transaction = Transaction::new(rules, &connection, "fuzz", limits);
    let mut transaction = if how.gates { transaction } else { transaction.without_gates() };
    transaction.request_line(b"POST", request.target, b"HTTP/1.1");
    for (name, value) in [(&b"Cookie"[..], request.cookie), (b"Content-Type", request.content_type)] {
        if !value.is_empty() {
            transaction.request_header(name, value);
        }
    }
    transaction.end_request_headers();
    for piece in request.body.chunks(how.piece.max(1)) {
        transaction.request_body(piece);
    }
    let stopped = transaction.end_request_body();
    let record = transaction.finish();
    assert_eq!(record.interruption, stopped, "nothing decides after the last phase");
    Seen { stopped, matches: record.matches }
}

/// Runs rules that nobody knows on a request that brings something of everything.
pub(crate) fn run(rules: &Arc<Ruleset>) {
    let request = Request {
        target: b"/a/b.php?a=1'%20or%201=1--&name=%3Cscript%3E",
        cookie: b"session=1; b=2",
        content_type: b"application/x-www-form-urlencoded",
        body: b"c=../../etc/passwd&d=select+x+from+y",
    };
    let piece = request.body.len();
    let fast = send(rules, &request, How { gates: true, piece }, LIMITS);
    assert_eq!(send(rules, &request, How { gates: false, piece }, LIMITS), fast, "the gates change what is found");
}

/// Inspects in several ways, which must see the same, within the limits; what they saw.
pub(crate) fn holds(request: &Request<'_>, piece: usize, inspect: &dyn Fn(&Request<'_>, How) -> Seen) -> Seen {
    let whole = request.body.len();
    let seen = inspect(request, How { gates: true, piece: whole });
    assert_eq!(inspect(request, How { gates: false, piece: whole }), seen, "the gates change what is found");
    assert_eq!(inspect(request, How { gates: true, piece }), seen, "the pieces of {piece} change what is found");
    let too_large = seen.stopped.is_some_and(|stop| stop.cause == Cause::TooLarge);
    // What is joined of XML is one value more.
    assert!(seen.arguments().len() <= LIMITS.arguments, "{} arguments", seen.arguments().len());
    assert!(seen.xml().len() <= LIMITS.arguments + 1, "{} values of XML", seen.xml().len());
    let is_form = request.content_type.starts_with(b"multipart/");
    assert!(too_large || is_form || whole <= LIMITS.body, "a body of {whole} bytes");
    for found in &seen.matches {
        let line = format!("{}{}", found.message, found.data);
        assert!(!line.contains(char::is_control), "a line of a log breaks: {line:?}");
        for finding in &found.findings {
            let (from, to) = finding.span;
            assert!(from <= to && to <= finding.value.len(), "a span beyond its value");
        }
    }
    seen
}
