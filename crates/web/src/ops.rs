//! The pages of whoever operates the installation: what the firewall decides, and why.
//!
//! An operator is no user of the service, so nothing here knows accounts. These pages have a router of their own, for a
//! listener of their own that only this machine can reach; a flood at the public one cannot starve it. The way in is a
//! [`OneTimeLink`], which only somebody can make who may write into the data directory; it opens the one session that
//! there is ([`session`]). Every route declares whether it is for the operator ([`door`]), and a test walks all of them.
//!
//! The most common change is another page: a module with `routes()`, named in [`routes`]; its handlers take a
//! [`door::Operator`] on GET and a [`door::Sent`] on POST.

mod candidates;
mod decisions;
mod door;
mod entry;
mod link;
mod request;
mod rules;
mod session;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use letterkeep_model::{Clock, Entropy};
use letterkeep_network::rules::Mode;
use letterkeep_network::{Exclusion, Firewall};
use tower_http::compression::CompressionLayer;

use crate::component::tabs;
use crate::frame::{Frame, Shell};
use crate::text::t;
use crate::{Page, Problem, problem, protect};

pub use door::Declared;
pub(crate) use entry::locked;
pub use link::{OneTimeLink, VALID};

/// The first page.
pub(crate) const HOME: &str = "/ops/firewall";

/// What the operator's pages stand in. Cheap to clone; all clones share one session.
#[derive(Clone)]
pub struct OpsHouse {
    /// `https://127.0.0.1:8444`, without a slash at the end: `Origin` is compared with it.
    address: String,
    link: OneTimeLink,
    firewall: Option<Watched>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    session: Arc<session::Session>,
}

/// The firewall, and what it does not say of itself.
#[derive(Clone)]
pub struct Watched {
    /// The firewall.
    pub firewall: Firewall,
    /// Whether it refuses or only tells.
    pub mode: Mode,
    /// 1 to 4.
    pub paranoia_level: u8,
    /// What rules do not look at.
    pub exclusions: Arc<dyn Exclusions>,
}

/// What rules do not look at, and where more of it can be kept.
pub trait Exclusions: Send + Sync {
    /// Those in force now.
    fn in_force(&self) -> Vec<Exclusion>;

    /// Whether there is a place to keep another one; else the operator copies a text into the configuration.
    fn takes_approvals(&self) -> bool {
        false
    }

    /// Keeps one that the operator has approved.
    ///
    /// # Errors
    /// It cannot be kept.
    fn approve(&self, _: Exclusion) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// From the configuration alone.
impl Exclusions for Vec<Exclusion> {
    fn in_force(&self) -> Vec<Exclusion> {
        self.clone()
    }
}

impl OpsHouse {
    /// The pages at `address`, for whoever brings `link`. No firewall means that it is switched off.
    pub fn new(
        address: &str,
        link: OneTimeLink,
        firewall: Option<Watched>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let address = address.trim_end_matches('/').to_owned();
        Self { address, link, firewall, clock, entropy, session: Arc::default() }
    }
}

fn routes() -> door::Routes {
    entry::routes()
        .and(state::routes())
        .and(decisions::routes())
        .and(request::routes())
        .and(rules::routes())
        .and(candidates::routes())
}

/// The route table, for documents and tests.
pub fn declared() -> Vec<Declared> {
    routes().declared()
}

/// The operator's pages.
pub fn router(house: OpsHouse) -> Router {
    routes()
        .into_router(&house)
        .fallback(async || Problem::NotFound)
        .layer(from_fn_with_state(house.clone(), dress))
        .layer(CompressionLayer::new())
        .layer(from_fn(protected))
        .layer(from_fn_with_state(house.clone(), door::known_host))
        .with_state(house)
}

async fn dress(State(house): State<OpsHouse>, request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let frame = Frame::of(Shell::Operator, request.headers(), &path, house.clock.now());
    problem::dress_in(frame, request, next).await
}

async fn protected(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    protect::protect(response.headers_mut());
    response
}

/// The pages about the firewall beside each other.
const TABS: [(&str, &str); 4] = [
    (HOME, "ops-tab-state"),
    ("/ops/firewall/requests", "ops-tab-requests"),
    ("/ops/firewall/rules", "ops-tab-rules"),
    ("/ops/firewall/candidates", "ops-tab-candidates"),
];

/// One of them.
fn tab(operator: &door::Operator, address: &str, lead: &str, body: &maud::Markup) -> Response {
    let all = TABS.map(|(href, key)| (href.to_owned(), t!(operator, key)));
    let body = maud::html! { (tabs(&t!(operator, "ops-tabs"), &all, address)) (body) };
    Page::new(&operator.frame, &t!(operator, "ops-title")).lead(lead).known(true).body(&body).into_response()
}

#[cfg(test)]
mod tests {
    use letterkeep_model::Locale;

    use super::decisions::{OUTCOMES, outcome_key};
    use super::*;
    use crate::text::named_if_known;

    #[test]
    fn every_name_that_is_put_together_has_its_words() {
        let outcomes = OUTCOMES.map(outcome_key);
        let severities = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
        let names = outcomes.iter().flat_map(|name| [("ops-outcome", *name), ("ops-told", *name)]);
        for (prefix, name) in names.chain(severities.map(|name| ("ops-severity", name))) {
            assert!(named_if_known(&Locale::En, prefix, name).is_some(), "{prefix}-{name}");
        }
        for (_, key) in TABS {
            assert!(named_if_known(&Locale::En, "ops", key.strip_prefix("ops-").unwrap()).is_some(), "{key}");
        }
        assert_eq!(named_if_known(&Locale::En, "ops-outcome", "unheard-of"), None, "the measure itself");
    }
}
