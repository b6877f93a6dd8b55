//! Arguments and cookies of a request to the firewall: in the address, in a form, in the header.

use std::borrow::Cow;

use url::form_urlencoded;

use crate::waf::{How, Request, Seen, holds as all_ways, inspect};

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// An address, cookies and a form, as the application's parser reads them.
pub fn check(bytes: &[u8]) {
    holds(bytes, &inspect);
}

/// The check of anything that inspects requests.
pub(crate) fn holds(bytes: &[u8], inspect: &dyn Fn(&Request<'_>, How) -> Seen) {
    let [query, cookie, body] = crate::byte_parts(bytes);
    // A server ends the target at a blank and a header at a line end.
    let query: Vec<u8> = query.iter().copied().filter(|byte| *byte > b' ' && *byte != b'#').collect();
    let cookie: Vec<u8> = cookie.iter().copied().filter(|byte| *byte >= b' ').collect();
    let target = [b"/a/b.php?", &query[..]].concat();
    let request = Request { target: &target, cookie: &cookie, content_type: FORM, body };
    let seen = all_ways(&request, 1 + body.len() / 3, inspect);
    if !seen.is_sound() {
        return;
    }
    // The second parser reads texts: what is no UTF-8 it shows as U+FFFD.
    let shown = |(name, value): &(String, Vec<u8>)| (name.clone(), String::from_utf8_lossy(value).into_owned());
    let ours: Vec<_> = seen.arguments().iter().map(shown).collect();
    let theirs = form_urlencoded::parse(&query).chain(form_urlencoded::parse(body));
    let theirs: Vec<(Cow<'_, str>, Cow<'_, str>)> = theirs.collect();
    assert_eq!(ours.len(), theirs.len(), "{ours:?} {theirs:?}");
    for ((name, value), (their_name, their_value)) in ours.iter().zip(&theirs) {
        assert_eq!(value, their_value);
        // Names are written for a log; those that need it are not compared.
        if their_name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            assert_eq!(name, their_name);
        }
    }
    let pairs = cookie.split(|byte| *byte == b';').filter(|pair| !pair.trim_ascii().is_empty());
    assert_eq!(seen.cookies().len(), pairs.count(), "a cookie is not seen");
}
