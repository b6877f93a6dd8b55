//! Pages and HTTP: routing, who may do what on which route, the shell and the parts of pages, words in two languages.
//! Handlers hold no rules: they ask a room below and show its answer.
//!
//! # Invariants
//! - Every route is declared with its [`Action`](letterkeep_account::Action), or as public with the reason, and guarded by what it declares
//!   ([`access`]). GET changes nothing.
//! - Every form that posts carries the form token of its session, and comes from a page of ours ([`protect`], [`visit`]).
//! - No page needs a script, and none has an inline script or style: the content security policy refuses them.
//! - No error text of a library reaches a reader ([`problem`]).
//!
//! # How to add a page
//! 1. Words: `locales/de/SUBJECT.ftl` and `locales/en/SUBJECT.ftl` with the same keys in the same order; a new subject
//!    is a word more in `subjects![…]` in `text.rs`. In code: `t!(visit, "lists-title")`, `t!(visit, "lists-count", count = 3)`.
//! 2. A module `page/SUBJECT.rs` with `pub(crate) fn routes() -> Routes`, named in `page.rs` and in [`routes`] below.
//!    [`page::organisation`] is a short example: one page, one form, errors beside the fields.
//! 3. A handler takes what it needs, in this order: `Desk { visit, mut tx }: Desk` on GET (a transaction that reads),
//!    path and query; on POST `Posted { visit, mut tx, form }: Posted` last (form token checked, a transaction that
//!    writes), `Sent { visit, form }` where the work opens its own transactions, `Upload` for a file. Then it calls one
//!    function of the room below with `&visit.ctx, &mut tx, &visit.keyring`, commits, and answers with a [`Page`] or,
//!    after a change, with [`see_other`]`("/where/to")`. The route has checked the action before.
//! 4. A form that is refused is shown again with status 422: `form.refuse("field", t!(…))` for each thing that is wrong,
//!    `error_summary` on top, `field(&visit, &form, &Input::text("name", &t!(…)))` for each field. Nothing typed is lost.
//! 5. Everything else that goes wrong is a [`Problem`] by `?`.
//!
//! The pages of whoever operates the installation, who is no user of the service, stand apart in [`ops`].
//!
//! Parts stand in [`component`]; figures and times are written by [`format`](mod@format). A fragment for htmx is plain
//! [`maud::Markup`]; `visit.frame.fragment` says whether htmx asks.

pub mod access;
pub mod asset;
pub mod component;
pub mod format;
pub mod frame;
mod house;
pub mod ops;
pub mod page;
pub mod problem;
pub mod protect;
pub mod text;
pub mod visit;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tower_http::compression::CompressionLayer;

pub use access::{Access, Declared};
pub use frame::{Frame, Person, SESSION as SESSION_COOKIE, Scheme, Shell};
pub use house::{House, Settings};
pub use page::{Page, Section};
pub use problem::Problem;
pub use visit::{Desk, Guest, GuestPost, Pending, PendingPost, Posted, Sent, Upload, Visit};

/// Every route of people and of the public.
fn routes() -> access::Routes {
    access::Routes::new()
        .and(asset::routes())
        .and(page::audit::routes())
        .and(page::campaigns::routes())
        .and(page::dashboard::routes())
        .and(page::domains::routes())
        .and(page::editor::routes())
        .and(page::progress::routes())
        .and(page::relay::routes())
        .and(page::report::routes())
        .and(page::send::routes())
        .and(page::contact::routes())
        .and(page::contacts::routes())
        .and(page::fields::routes())
        .and(page::import::routes())
        .and(page::lists::routes())
        .and(page::log_in::routes())
        .and(page::organisation::routes())
        .and(page::preference::routes())
        .and(page::profile::routes())
        .and(page::sessions::routes())
        .and(page::sign_up::routes())
        .and(page::tracking::routes())
        .and(page::suppressions::routes())
        .and(page::tags::routes())
        .and(page::users::routes())
        .and(page::welcome::routes())
}

/// The route table, for documents and tests.
pub fn declared() -> Vec<Declared> {
    routes().declared()
}

/// The whole web service.
pub fn router(house: House) -> Router {
    routes()
        .into_router(&house)
        .fallback(nowhere)
        .layer(from_fn_with_state(house.clone(), problem::dress))
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(house.clone(), protect::headers))
        .with_state(house)
}

/// Whoever is logged in keeps the navigation where nothing stands.
async fn nowhere(State(house): State<House>, request: Request) -> Result<Response, Problem> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut response = Problem::NotFound.into_response();
    if let Some(holder) = visit::recognise(&house, request.headers()).await?
        && let Some(visit) = Visit::of(&house, holder, request.headers(), path).await?
    {
        response.extensions_mut().insert(visit.frame);
    }
    Ok(response)
}

/// The answer after a change: go there and read.
pub fn see_other(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address.to_owned())]).into_response()
}
