//! What can go wrong, mapped to an answer once: what happened, what was kept, what to do now.
//!
//! A handler returns `Result<Page, Problem>`; errors of the rooms below become a [`Problem`] by `?` where they are the
//! service's fault, and a message beside a field ([`Fields::refuse`](crate::component::Fields::refuse)) where the
//! reader can mend them. [`dress`] turns every error answer, axum's own included, into a page in the reader's language,
//! or into a fragment for htmx; no error text of a library reaches the reader.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{Markup, html};

use crate::component::{Tone, notice};
use crate::frame::{Frame, Shell};
use crate::house::House;
use crate::page::Page;
use crate::text::{say, t};

/// Why a request has no other answer.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing stands at this address, or not for this account.
    #[error("nothing stands at this address")]
    NotFound,
    /// The person's role does not allow it.
    #[error("the role does not allow this")]
    Forbidden,
    /// Nobody is logged in, or not with all factors.
    #[error("log-in is needed")]
    LoggedOut,
    /// The form comes from elsewhere, or from a session that has ended.
    #[error("the form is not from a page of this session")]
    ForeignForm,
    /// A request that no page of ours makes.
    #[error("the request cannot be read")]
    Unreadable,
    /// More than the limit.
    #[error("the request is larger than the limit")]
    TooLarge,
    /// Too many attempts; after how long to come back.
    #[error("too many attempts")]
    TooMany(Duration),
    /// The state has changed since the page was shown.
    #[error("the state has changed since the page was shown")]
    Changed,
    /// The request names a host that this service does not have.
    #[error("the request is for another host")]
    Misdirected,
    /// It took too long, or the service is at its limit.
    #[error("the service is busy")]
    Busy,
    /// The database could not do it.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
    /// The keys could not be had.
    #[error(transparent)]
    Keys(#[from] letterkeep_store::KeyStoreError),
    /// The account room failed.
    #[error(transparent)]
    Account(letterkeep_account::Fault),
    /// A fault of ours. The text is logged and not shown; it names ids, never content.
    #[error("{0}")]
    Internal(String),
}

impl Problem {
    /// A fault of ours, from any error whose text holds no secret, address or content.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// The error of the database that is behind it, if there is one.
    fn database(&self) -> Option<&letterkeep_store::Error> {
        match self {
            Self::Store(error) | Self::Keys(letterkeep_store::KeyStoreError::Store(error)) => Some(error),
            _ => None,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::LoggedOut => StatusCode::UNAUTHORIZED,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Changed | Self::Store(letterkeep_store::Error::Conflict(_)) => StatusCode::CONFLICT,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            _ if self.database().is_some_and(letterkeep_store::Error::is_transient) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(letterkeep_store::Error::Full) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(_) | Self::Keys(_) | Self::Account(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Tells apart what has the same status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A 403 whose form was refused, not the role of its reader.
    Foreign,
    /// A 503 because somebody else was changing the same thing, not because the service is at its limit.
    Contended,
}

/// After how many seconds it is worth trying again when the service is busy.
const BUSY_SECONDS: u64 = 5;
/// The same when somebody else was changing the same thing: the other one is through already.
const CONTENDED_SECONDS: u64 = 1;

impl From<letterkeep_account::Fault> for Problem {
    fn from(fault: letterkeep_account::Fault) -> Self {
        match fault {
            letterkeep_account::Fault::Store(error) => Self::Store(error),
            letterkeep_account::Fault::Keys(error) => Self::Keys(error),
            other => Self::Account(other),
        }
    }
}

impl From<letterkeep_delivery::PeopleError> for Problem {
    fn from(error: letterkeep_delivery::PeopleError) -> Self {
        match error {
            letterkeep_delivery::PeopleError::Store(error) => error.into(),
            letterkeep_delivery::PeopleError::Keys(error) => error.into(),
            error @ letterkeep_delivery::PeopleError::NoKey(_) => Self::internal(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let contended = self.database().is_some_and(letterkeep_store::Error::is_contended);
        if contended {
            tracing::warn!(status = status.as_u16(), error = %self, "a request met another one that changed the same rows");
        } else if status.is_server_error() {
            tracing::error!(status = status.as_u16(), error = %self, "a request failed");
        }
        let mut response = status.into_response();
        let seconds = match &self {
            Self::TooMany(after) => Some(after.as_secs().max(1)),
            _ if contended => Some(CONTENDED_SECONDS),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(BUSY_SECONDS),
            _ => None,
        };
        if let Some(seconds) = seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if contended {
            response.extensions_mut().insert(Kind::Contended);
        } else if matches!(self, Self::ForeignForm) {
            response.extensions_mut().insert(Kind::Foreign);
        }
        response
    }
}

/// Turns a bare error answer into a page or fragment.
pub(crate) async fn dress(State(house): State<House>, request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let frame = Frame::from_headers(request.headers(), &path, &house);
    dress_in(frame, request, next).await
}

/// The same in the frame that the page would stand in, unless the answer brings a better one.
pub(crate) async fn dress_in(frame: Frame, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), http::Method::GET | http::Method::HEAD);
    let mut response = next.run(request).await;
    let status = response.status();
    let dressed = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().starts_with(b"text/html") || kind.as_bytes().starts_with(b"application/json")
    });
    if !(status.is_client_error() || status.is_server_error()) || dressed {
        return response;
    }
    let frame = response.extensions_mut().remove::<Frame>().unwrap_or(frame);
    if status == StatusCode::UNAUTHORIZED {
        if frame.shell == Shell::Operator {
            return crate::ops::locked(&frame).into_response();
        }
        return to_log_in(&frame, reads);
    }
    let kind = response.extensions().get::<Kind>().copied();
    let retry = response.headers().get(header::RETRY_AFTER).cloned();
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut dressed = page(&frame, status, kind, reads).into_response();
    for (name, value) in [(header::RETRY_AFTER, retry), (header::ALLOW, allow)] {
        if let Some(value) = value {
            dressed.headers_mut().insert(name, value);
        }
    }
    dressed
}

/// To the log-in page, and back here afterwards if that is a page.
fn to_log_in(frame: &Frame, reads: bool) -> Response {
    let mut address = "/log-in".to_owned();
    if reads && frame.path != "/" && !frame.fragment {
        address.push_str("?next=");
        address.extend(url::form_urlencoded::byte_serialize(frame.path.as_bytes()));
    }
    if frame.fragment {
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", address)]).into_response();
    }
    axum::response::Redirect::to(&address).into_response()
}

fn page(frame: &Frame, status: StatusCode, kind: Option<Kind>, reads: bool) -> Response {
    let name = match status.as_u16() {
        403 if kind == Some(Kind::Foreign) => "foreign",
        403 => "forbidden",
        404 => "missing",
        405 => "method",
        503 if kind == Some(Kind::Contended) => "contended",
        408 | 503 | 504 => "busy",
        409 => "changed",
        413 => "large",
        429 => "many",
        507 => "full",
        500..=599 => "fault",
        _ => "unreadable",
    };
    let part = |part: &str| say(frame.locale, &format!("problem-{name}-{part}"), None);
    let title = part("title");
    if frame.fragment {
        let body: Markup = html! { p { (part("text")) } };
        return (status, notice(Tone::Bad, &title, &body)).into_response();
    }
    let again = matches!(status.as_u16(), 408 | 500 | 503 | 504);
    let home = match (frame.shell, &frame.person) {
        (Shell::Operator, _) => crate::ops::HOME,
        (Shell::Service, Some(_)) => "/dashboard",
        (Shell::Service, None) => "/",
    };
    Page::new(frame, &title)
        .lead(&part("text"))
        .status(status)
        .narrow()
        .body(&html! {
            // The address of a form is no page: a browser that loads the answer again sends the form again, as it was.
            @if again && !reads { p { (t!(frame, "problem-send-again")) } }
            p class="page-actions no-print" {
                @if again && reads {
                    a class="button button-primary" href=(frame.path) { (t!(frame, "problem-again")) }
                    a class="button" href=(home) { (t!(frame, "problem-home")) }
                } @else {
                    a class="button button-primary" href=(home) { (t!(frame, "problem-home")) }
                }
            }
            p class="quiet small" { (t!(frame, "problem-code", code = status.as_str())) }
        })
        .into_response()
}

#[cfg(test)]
mod tests {
    use letterkeep_model::Locale;

    use super::*;

    #[test]
    fn every_problem_has_its_words() {
        for name in [
            "foreign",
            "unreadable",
            "forbidden",
            "missing",
            "method",
            "busy",
            "contended",
            "changed",
            "large",
            "many",
            "full",
            "fault",
        ] {
            for part in ["title", "text"] {
                let key = format!("problem-{name}-{part}");
                for locale in Locale::ALL {
                    assert_ne!(say(locale, &key, None), key, "{locale}");
                }
            }
        }
    }
}
