//! An XML body for the firewall.

use crate::waf::{How, Request, Seen, holds as all_ways, inspect};

/// However it arrives and is looked at, the same is found, within the limits; what is sound holds no entity of its own.
pub fn check(bytes: &[u8]) {
    holds(bytes, &inspect);
}

/// The check of anything that inspects requests.
pub(crate) fn holds(bytes: &[u8], inspect: &dyn Fn(&Request<'_>, How) -> Seen) {
    let request = Request { target: b"/", content_type: b"text/xml", body: bytes, ..Request::default() };
    let seen = all_ways(&request, 1 + bytes.len() / 4, inspect);
    if !seen.is_sound() {
        return;
    }
    // Texts and attributes come out of the body; an entity could make them longer than it is. What is joined repeats.
    let length: usize = seen.xml().iter().map(|(_, value)| value.len()).sum();
    assert!(length <= bytes.len() * 2, "{length} bytes of text in {}", bytes.len());
}
