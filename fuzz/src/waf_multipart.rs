//! A multipart body for the firewall. The first line of an input is what follows `multipart/form-data` in the type.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream;

use crate::waf::{How, Request, Seen, holds as all_ways, inspect};

/// What passes as sound is what the application's parser reads: the same fields and files.
pub fn check(bytes: &[u8]) {
    holds(bytes, &inspect);
}

/// The check of anything that inspects requests.
pub(crate) fn holds(bytes: &[u8], inspect: &dyn Fn(&Request<'_>, How) -> Seen) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let content_type = [b"multipart/form-data", &bytes[..end]].concat();
    let body = bytes.get(end + 1..).unwrap_or_default();
    let request = Request { target: b"/", content_type: &content_type, body, ..Request::default() };
    let seen = all_ways(&request, 1 + body.len() / 7, inspect);
    if body.is_empty() || !seen.is_sound() {
        return;
    }
    let Some(theirs) = std::str::from_utf8(&content_type).ok().and_then(|kind| other(kind, body)) else { return };
    let (files, fields): (Vec<_>, Vec<_>) = theirs.into_iter().partition(|part| part.file_name.is_some());
    let fields: Vec<_> = fields.into_iter().map(|part| (shown(&part.name), part.content)).collect();
    assert_eq!(seen.arguments(), fields);
    let name = |part: Part| (shown(&part.name), part.file_name.unwrap_or_default().into_bytes());
    assert_eq!(seen.files(), files.into_iter().map(name).collect::<Vec<_>>());
}

struct Part {
    name: String,
    file_name: Option<String>,
    content: Vec<u8>,
}

/// As records show a name: on one line.
fn shown(name: &str) -> String {
    let escape =
        |char: char| char.to_string().bytes().map(|byte| format!("\\x{byte:02x}")).collect::<Vec<_>>().concat();
    name.chars().map(|char| if char.is_control() { escape(char) } else { char.to_string() }).collect()
}

/// The parts as multer reads them; none if it refuses the body.
fn other(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let boundary = multer::parse_boundary(content_type).ok()?;
    let body = stream::iter([Ok::<_, std::io::Error>(Bytes::copy_from_slice(body))]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut parts = Vec::new();
    // All of it is there: nothing waits.
    while let Some(field) = form.next_field().now_or_never()?.ok()? {
        let (name, file_name) = (field.name()?.to_owned(), field.file_name().map(str::to_owned));
        let content = field.bytes().now_or_never()?.ok()?.to_vec();
        parts.push(Part { name, file_name, content });
    }
    Some(parts)
}
