//! Answers that the edge gives itself, and what it adds to those of the service.

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body as _;
use letterkeep_model::Entropy;
use tower::BoxError;

use super::ANSWER_BYTES;
use crate::rate::Standing;

/// What answers carry for the browser's protection, where the service has not said it itself.
#[derive(Debug, Clone)]
pub struct ResponseHeaders {
    /// Added if missing.
    pub defaults: Vec<(HeaderName, HeaderValue)>,
    /// Taken away: what tells an attacker which software answers.
    pub hidden: Vec<HeaderName>,
}

impl Default for ResponseHeaders {
    fn default() -> Self {
        let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let features = "camera=(), microphone=(), geolocation=(), payment=(), usb=()";
        Self {
            defaults: vec![
                header("x-content-type-options", "nosniff"),
                header("referrer-policy", "strict-origin-when-cross-origin"),
                header("permissions-policy", features),
                header("cross-origin-opener-policy", "same-origin"),
                header("cross-origin-resource-policy", "same-origin"),
            ],
            hidden: vec![header::SERVER, HeaderName::from_static("x-powered-by")],
        }
    }
}

impl ResponseHeaders {
    /// With the promise that the host is reached by HTTPS alone for two years (RFC 6797). Not for names like
    /// `localhost`, which every program on a machine shares.
    #[must_use]
    pub fn with_transport_security(mut self) -> Self {
        let promise = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        self.defaults.push((header::STRICT_TRANSPORT_SECURITY, promise));
        self
    }

    pub(super) fn dress(&self, headers: &mut HeaderMap) {
        for name in &self.hidden {
            headers.remove(name);
        }
        for (name, value) in &self.defaults {
            if !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
    }
}

/// Letters and digits that cannot be mistaken for each other when somebody reads an id out (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new id: twenty characters, 100 random bits.
pub(super) fn new_id(entropy: &dyn Entropy) -> String {
    let mut random = [0; 20];
    entropy.fill(&mut random);
    random.iter().map(|byte| char::from(DIGITS[usize::from(byte & 31)])).collect()
}

pub(crate) fn body(bytes: Bytes) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(bytes).map_err(|never| -> BoxError { match never {} }).boxed_unsync()
}

/// Plain text.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
    let mut response = Response::new(body(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

/// The status and the id, nothing else: whoever attacks learns nothing, whoever was refused by mistake can name it.
pub(crate) fn refusal(status: StatusCode, id: &str) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
    let reason = status.canonical_reason().unwrap_or("Refused");
    let mut response = plain(status, &format!("{} {reason}\n{id}\n", status.as_u16()));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// How much of a limit is left, in the header fields that clients know (`RateLimit-*`, draft-ietf-httpapi-ratelimit-headers-07).
pub(super) fn tell(response: &mut Response<UnsyncBoxBody<Bytes, BoxError>>, standing: &Standing) {
    let seconds = standing.reset.as_secs() + u64::from(standing.reset.subsec_nanos() > 0);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(standing.limit));
    headers.insert(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(standing.remaining));
    headers.insert(HeaderName::from_static("ratelimit-reset"), HeaderValue::from(seconds));
}

/// Whether an answer is a page or data of a known, small size: no stream, no download, nothing compressed.
pub(super) fn can_be_looked_at(response: &Response<UnsyncBoxBody<Bytes, BoxError>>) -> bool {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = text(header::CONTENT_TYPE);
    let is_text = ["text/html", "text/plain", "application/json", "text/xml", "application/xml"];
    is_text.iter().any(|known| kind.starts_with(known))
        && text(header::CONTENT_ENCODING).is_empty()
        && !text(header::CONTENT_DISPOSITION).starts_with("attachment")
        && response.body().size_hint().upper().is_some_and(|bytes| bytes <= ANSWER_BYTES as u64)
}
