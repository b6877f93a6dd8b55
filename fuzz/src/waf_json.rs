//! A JSON body for the firewall.

use serde_json::Value;

use crate::waf::{How, LIMITS, Request, Seen, holds as all_ways, inspect};

/// What passes as sound is what another parser reads: the same values, no deeper than the limit.
pub fn check(bytes: &[u8]) {
    holds(bytes, &inspect);
}

/// The check of anything that inspects requests.
pub(crate) fn holds(bytes: &[u8], inspect: &dyn Fn(&Request<'_>, How) -> Seen) {
    let request = Request { target: b"/", content_type: b"application/json", body: bytes, ..Request::default() };
    let seen = all_ways(&request, 1 + bytes.len() / 5, inspect);
    if bytes.is_empty() || !seen.is_sound() {
        return;
    }
    // Half of a surrogate pair is an escape that serde_json refuses; so does the application, then.
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut theirs = Vec::new();
    collect(&value, 0, &mut theirs);
    let mut ours: Vec<Vec<u8>> = seen.arguments().into_iter().map(|(_, value)| value).collect();
    ours.retain(|value| !is_number(value));
    theirs.retain(|value| !is_number(value));
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}

/// Numbers have many spellings.
fn is_number(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| text.parse::<f64>().is_ok())
}

fn collect(value: &Value, depth: usize, into: &mut Vec<Vec<u8>>) {
    assert!(depth <= LIMITS.depth, "nested deeper than the limit");
    match value {
        Value::Null => into.push(Vec::new()),
        Value::Bool(truth) => into.push(truth.to_string().into_bytes()),
        Value::Number(number) => into.push(number.to_string().into_bytes()),
        Value::String(text) => into.push(text.clone().into_bytes()),
        Value::Array(list) => list.iter().for_each(|value| collect(value, depth + 1, into)),
        Value::Object(object) => object.values().for_each(|value| collect(value, depth + 1, into)),
    }
}
