//! What the links in messages lead to: the open picture, counted clicks, the message in a browser, unsubscribing.
//!
//! Recipients are no users: nothing here reads or sets a cookie. A token that is not ours, whatever is wrong with it,
//! gets one and the same page with status 404.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use letterkeep_audience::permission::{SetError, Source};
use letterkeep_delivery::tracking::{self, TrackError};
use letterkeep_delivery::{LinkBase, LinkBaseError};
use maud::html;
use url::Url;

use super::campaigns::fault;
use crate::access::{Access, Routes};
use crate::component::{Tone, notice};
use crate::frame::Frame;
use crate::text::t;
use crate::visit::{Guest, parse_form};
use crate::{Page, Problem};

pub(crate) fn routes() -> Routes {
    let reason = "recipients of a message are no users; the token in the address is their proof";
    let mailbox = "a mailbox provider unsubscribes by POST, from anywhere and without a cookie (RFC 8058)";
    Routes::new()
        .public(&Method::GET, "/o/{token}", reason, open)
        .public(&Method::GET, "/c/{token}", reason, click)
        .public(&Method::GET, "/v/{token}", reason, view)
        .public(&Method::GET, "/u/{token}", reason, ask)
        .declare(&Method::POST, "/u/{token}", Access::FromAnywhere(mailbox), unsubscribe)
}

/// The message stands alone in the window: no script, no form, no origin, and nobody frames it.
const VIEW_POLICY: &str = "default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; font-src https:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox";

/// A transparent picture of one pixel.
const PIXEL: [u8; 43] = *b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\
    \x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

const NO_REFERRER: (HeaderName, &str) = (header::REFERRER_POLICY, "no-referrer");
const NOT_INDEXED: (HeaderName, &str) = (HeaderName::from_static("x-robots-tag"), "noindex, nofollow");

async fn open(guest: Guest, method: Method, Path(token): Path<String>) -> Response {
    // HEAD is how programs look whether an address answers; nobody has seen the message then.
    if method == Method::GET {
        match tracking::open(&guest.ctx, &guest.house.store, &token).await {
            Ok(()) => {}
            Err(TrackError::Unknown) => return unknown(&guest),
            // A reader must not see a broken picture because the service has trouble.
            Err(error) => tracing::warn!(%error, "an open could not be recorded"),
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "image/gif"),
        // Webmail shows it inside pages of another origin.
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        (header::CACHE_CONTROL, "no-store"),
        NOT_INDEXED,
    ];
    (headers, PIXEL).into_response()
}

async fn click(guest: Guest, method: Method, Path(token): Path<String>) -> Result<Response, Problem> {
    let (ctx, store) = (&guest.ctx, &guest.house.store);
    // HEAD is how programs look whether a link leads anywhere; nobody has followed it then.
    let found = match method {
        Method::GET => tracking::click(ctx, store, &token).await,
        _ => tracking::target(ctx, store, &token).await,
    };
    let target = match found {
        Ok(target) => target,
        Err(error) => return failed(&guest, error),
    };
    let Some(location) = location(&target) else { return Ok(unknown(&guest)) };
    Ok((StatusCode::FOUND, [(header::LOCATION, location)], [NO_REFERRER, NOT_INDEXED]).into_response())
}

/// The address as a header can carry it: as it stands, or with its international parts encoded.
fn location(target: &str) -> Option<HeaderValue> {
    let url = Url::parse(target).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let plain = target.bytes().all(|byte| byte.is_ascii_graphic());
    HeaderValue::from_str(if plain { target } else { url.as_str() }).ok()
}

async fn view(guest: Guest, Path(token): Path<String>) -> Result<Response, Problem> {
    let base = link_base(&guest.house.settings.public_url).map_err(Problem::internal)?;
    let message = match tracking::view(&guest.ctx, &guest.house.store, &base, &token).await {
        Ok(message) => message,
        Err(error) => return failed(&guest, error),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, VIEW_POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        // A document that is both sandboxed and set apart from its opener is not shown at all (HTML, navigation).
        (HeaderName::from_static("cross-origin-opener-policy"), "unsafe-none"),
        NO_REFERRER,
        NOT_INDEXED,
    ];
    Ok((headers, message.html).into_response())
}

fn link_base(public_url: &str) -> Result<LinkBase, LinkBaseError> {
    Url::parse(public_url).map_err(|_| LinkBaseError).and_then(|url| LinkBase::new(&url))
}

async fn ask(guest: Guest, Path(token): Path<String>) -> Result<Response, Problem> {
    let known = match tracking::unsubscribe_page(&guest.ctx, &guest.house.store, &token).await {
        Ok(known) => known,
        Err(error) => return failed(&guest, error),
    };
    let frame = outside(&guest, Some(known.locale));
    if known.done {
        return Ok(done(&frame, &known.sender));
    }
    let body = html! {
        form class="card stack" method="post" action={ "/u/" (token) } {
            p { (t!(frame, "unsubscribe-question", sender = known.sender.as_str())) }
            input type="hidden" name="by" value="page";
            div class="form-actions" {
                button class="button button-primary" type="submit" { (t!(frame, "unsubscribe-button")) }
            }
        }
        p class="quiet small" { (t!(frame, "unsubscribe-calm")) }
    };
    Ok(private(page(&frame, &t!(frame, "unsubscribe-title")).body(&body)))
}

/// By the button of a mail program, which answers to nobody, or by the button of the page above: 200, never a redirect.
async fn unsubscribe(guest: Guest, Path(token): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let by_page = parse_form(&body).is_some_and(|form| form.text("by") == "page");
    let source = if by_page { Source::Page } else { Source::OneClick };
    if let Err(error) = tracking::unsubscribe(&guest.ctx, &guest.house.store, &token, source).await {
        return failed(&guest, error);
    }
    if !by_page {
        return Ok(
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "unsubscribed\n").into_response()
        );
    }
    let known = tracking::unsubscribe_page(&guest.ctx, &guest.house.store, &token).await;
    match known {
        Ok(known) => Ok(done(&outside(&guest, Some(known.locale)), &known.sender)),
        Err(error) => failed(&guest, error),
    }
}

fn done(frame: &Frame, sender: &str) -> Response {
    let body = notice(
        Tone::Good,
        &t!(frame, "unsubscribed-title"),
        &html! { p { (t!(frame, "unsubscribed-text", sender = sender)) } },
    );
    private(page(frame, &t!(frame, "unsubscribed-name")).body(&body))
}

fn failed(guest: &Guest, error: TrackError) -> Result<Response, Problem> {
    match error {
        TrackError::Unknown => Ok(unknown(guest)),
        TrackError::Store(error) | TrackError::Permission(SetError::Store(error)) => Err(error.into()),
        TrackError::Keys(error) => Err(error.into()),
        TrackError::Read(error) => Err(error.into()),
        TrackError::Campaign(error) => Err(fault(error)),
        other @ TrackError::Permission(_) => Err(Problem::internal(other)),
    }
}

fn unknown(guest: &Guest) -> Response {
    let frame = outside(guest, None);
    let body = html! { p { (t!(frame, "link-unknown-text")) } };
    private(page(&frame, &t!(frame, "link-unknown-title")).body(&body).status(StatusCode::NOT_FOUND))
}

fn page(frame: &Frame, title: &str) -> Page {
    Page::new(frame, title).narrow().alone()
}

/// A frame without cookies and forms of the shell: the reader is no user and leaves no trace.
fn outside(guest: &Guest, locale: Option<letterkeep_model::Locale>) -> Frame {
    let mut frame = guest.frame.clone();
    frame.locale = locale.unwrap_or(frame.locale);
    frame.cookies.clear();
    frame.csrf.clear();
    frame
}

fn private(page: Page) -> Response {
    let mut response = page.into_response();
    for (name, value) in [NO_REFERRER, NOT_INDEXED] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_an_address_of_the_web_in_one_line() {
        assert_eq!(location("https://example.org/a?b=c").unwrap(), "https://example.org/a?b=c");
        assert_eq!(location("https://example.org/ü").unwrap(), "https://example.org/%C3%BC");
        for wrong in ["javascript:alert(1)", "/local", "ftp://example.org", "data:text/html,x", ""] {
            assert!(location(wrong).is_none(), "{wrong}");
        }
        let tricky = location("https://example.org/\r\nSet-Cookie: a=b").unwrap();
        assert!(!tricky.as_bytes().contains(&b'\n'));
    }

    #[test]
    fn the_picture_is_whole() {
        assert!(PIXEL.starts_with(b"GIF89a") && PIXEL.ends_with(b";"));
    }
}
