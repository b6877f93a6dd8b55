//! The shell that every page stands in, and the pages themselves, one module for each subject.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::asset;
use crate::frame::{Frame, Shell, add_cookies};
use crate::text::t;

mod audience;
pub(crate) mod audit;
pub(crate) mod campaigns;
pub(crate) mod contact;
pub(crate) mod contacts;
pub(crate) mod dashboard;
pub(crate) mod domains;
pub(crate) mod editor;
pub(crate) mod fields;
pub(crate) mod import;
pub(crate) mod lists;
pub(crate) mod log_in;
mod mail_trouble;
mod nav;
pub(crate) mod organisation;
pub(crate) mod preference;
pub(crate) mod profile;
pub(crate) mod progress;
pub(crate) mod relay;
pub(crate) mod report;
pub(crate) mod send;
pub(crate) mod sessions;
pub(crate) mod sign_up;
pub(crate) mod suppressions;
pub(crate) mod tags;
pub(crate) mod tracking;
pub(crate) mod users;
pub(crate) mod welcome;

pub use nav::Section;

/// A page: its head, and a body that [`Page::body`] sets last.
#[derive(Debug, Clone)]
#[must_use]
pub struct Page {
    frame: Frame,
    title: String,
    lead: Option<Markup>,
    crumbs: Vec<(String, String)>,
    actions: Option<Markup>,
    section: Option<Section>,
    refresh: Option<u32>,
    status: StatusCode,
    narrow: bool,
    bare: bool,
    alone: bool,
    known: bool,
    body: Markup,
}

impl Page {
    /// A page with this title, which is also its only `h1`.
    pub fn new(frame: &Frame, title: &str) -> Self {
        Self {
            frame: frame.clone(),
            title: title.to_owned(),
            lead: None,
            crumbs: Vec::new(),
            actions: None,
            section: None,
            refresh: None,
            status: StatusCode::OK,
            narrow: false,
            bare: false,
            alone: false,
            known: false,
            body: PreEscaped(String::new()),
        }
    }

    /// The sentence below the title.
    pub fn lead(self, lead: &str) -> Self {
        self.lead_markup(html! { (lead) })
    }

    /// The same with markup in it, for example a time.
    pub fn lead_markup(mut self, lead: Markup) -> Self {
        self.lead = Some(lead);
        self
    }

    /// A page above this one. Call it once for each level, the highest first.
    pub fn crumb(mut self, href: impl Into<String>, text: impl Into<String>) -> Self {
        self.crumbs.push((href.into(), text.into()));
        self
    }

    /// The buttons beside the title; the first should be the page's one clear next step.
    pub fn actions(mut self, actions: Markup) -> Self {
        self.actions = Some(actions);
        self
    }

    /// Which entry of the navigation is marked.
    pub fn section(mut self, section: Section) -> Self {
        self.section = Some(section);
        self
    }

    /// Asks browsers without scripts to load the page again after so many seconds (`Refresh` header). Pages with scripts
    /// poll by htmx; `letterkeep.js` is not needed for it.
    pub fn refresh(mut self, seconds: u32) -> Self {
        self.refresh = Some(seconds);
        self
    }

    /// Another status than 200, for example 422 for a form that is shown again.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// One narrow column: forms of one purpose, errors.
    pub fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    /// The body brings its own `h1`.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// For readers who are no users: no navigation, nothing to log in to.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// A public page that is read by somebody who has logged in: the bar leads back instead of to the log-in. An
    /// operator's page: the bar has the way out.
    pub fn known(mut self, known: bool) -> Self {
        self.known = known;
        self
    }

    /// What stands below the head.
    pub fn body(mut self, body: &Markup) -> Self {
        self.body = body.clone();
        self
    }

    fn head(&self) -> Markup {
        html! {
            @if !self.crumbs.is_empty() {
                nav class="crumbs" aria-label=(t!(self.frame, "crumbs-name")) {
                    ol {
                        @for (href, text) in &self.crumbs { li { a href=(href) { (text) } } }
                    }
                }
            }
            div class="page-head" {
                div {
                    h1 tabindex="-1" { (self.title) }
                    @if let Some(lead) = &self.lead { p class="lead" { (lead) } }
                }
                @if let Some(actions) = &self.actions { div class="page-actions" { (actions) } }
            }
        }
    }

    fn document(&self) -> Markup {
        let frame = &self.frame;
        let main = html! {
            main id="main" class=[(self.narrow && frame.person.is_none()).then_some("narrow")] {
                @if !self.bare { (self.head()) }
                @if self.bare { (self.body) } @else { div class="page-body" { (self.body) } }
            }
        };
        html! {
            (DOCTYPE)
            html lang=(frame.locale.tag()) data-scheme=[Some(frame.scheme.name()).filter(|name| *name != "auto")] {
                head {
                    meta charset="utf-8";
                    title { (self.title) " · Letterkeep" }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="htmx-config" content=r#"{"includeIndicatorCSS":false,"history":false}"#;
                    link rel="icon" href=(asset::url("mark.svg")) type="image/svg+xml";
                    link rel="preload" href=(asset::url("serif-600.woff2")) as="font" type="font/woff2" crossorigin;
                    link rel="stylesheet" href=(asset::url("letterkeep.css"));
                    script src=(asset::url("htmx.js")) defer {}
                    script src=(asset::url("letterkeep.js")) type="module" {}
                }
                body {
                    a class="skip" href="#main" { (t!(frame, "skip")) }
                    @if frame.person.is_some() {
                        div class="with-sidebar" {
                            (nav::sidebar(frame, self.section))
                            div class="content" { (main) (nav::footer(frame)) }
                        }
                        (nav::bottom_bar(frame, self.section))
                    } @else {
                        div class="public" {
                            @if frame.shell == Shell::Operator { (nav::operator_bar(frame, self.known)) }
                            @else if !self.alone { (nav::public_bar(frame, self.known)) }
                            (main)
                            // Recipients of a campaign are no users: this service's help is not for them.
                            @if !self.alone { (nav::footer(frame)) }
                        }
                    }
                    div id="announcer" class="visually-hidden" role="status" aria-live="polite" {}
                }
            }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.document()).into_response();
        let headers = response.headers_mut();
        add_cookies(headers, &self.frame.cookies);
        if let Some(seconds) = self.refresh
            && let Ok(value) = HeaderValue::from_str(&seconds.to_string())
        {
            headers.insert(header::REFRESH, value);
        }
        if let Ok(language) = HeaderValue::from_str(self.frame.locale.tag()) {
            headers.insert(header::CONTENT_LANGUAGE, language);
        }
        response
    }
}

/// The mark: an envelope whose flap is a battlement.
pub(crate) fn mark() -> Markup {
    html! { svg viewBox="0 0 32 32" aria-hidden="true" { path class="mark" d=(MARK) {} } }
}

/// The mark as one path on a square of 32.
pub(crate) const MARK: &str = "M4 6h3v4h4V6h3v4h4V6h3v4h4V6h3v20H4zM4 11l12 9 12-9";
