//! The operator's routes and what stands before each of them: the host, the origin, the session, the time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, Uri, header};
use letterkeep_model::Locale;
use letterkeep_vault::{Token, csrf_token, verify_csrf_token};

use super::OpsHouse;
use crate::component::Fields;
use crate::frame::{Frame, Shell, cookie};
use crate::text::Speaks;
use crate::visit::read_form;
use crate::{Problem, protect};

/// The session.
pub(super) const SESSION: &str = "__Host-lk-ops";
/// Binds the form of somebody who has no session yet.
const GUEST: &str = "__Host-lk-ops-guest";
/// The largest form, in bytes.
const FORM_BYTES: usize = 16 * 1024;
/// After how long a page is given up: a decision may have to be looked for in its file.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One route of the operator's.
#[derive(Debug, Clone)]
pub struct Declared {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, with `{names}` of its variable parts.
    pub path: &'static str,
    /// Why nobody has to be logged in for it, where that is so.
    pub public: Option<&'static str>,
}

/// Routes under construction.
pub(super) struct Routes(Vec<(Declared, MethodRouter<OpsHouse>)>);

impl Routes {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// A page for the operator.
    pub(super) fn get<H: Handler<T, OpsHouse>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::GET, path, None, get(handler))
    }

    /// A form of the operator's.
    pub(super) fn post<H: Handler<T, OpsHouse>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::POST, path, None, post(handler))
    }

    /// A route that needs no session, with the reason.
    pub(super) fn public(
        self,
        method: Method,
        path: &'static str,
        reason: &'static str,
        route: MethodRouter<OpsHouse>,
    ) -> Self {
        self.add(method, path, Some(reason), route)
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        public: Option<&'static str>,
        route: MethodRouter<OpsHouse>,
    ) -> Self {
        self.0.push((Declared { method, path, public }, route));
        self
    }

    pub(super) fn declared(&self) -> Vec<Declared> {
        self.0.iter().map(|(declared, _)| declared.clone()).collect()
    }

    pub(super) fn into_router(self, house: &OpsHouse) -> Router<OpsHouse> {
        let router = self.0.into_iter().fold(Router::new(), |router, (declared, route)| {
            let gate = Gate { house: house.clone(), is_public: declared.public.is_some() };
            router.route(declared.path, route.route_layer(from_fn_with_state(Arc::new(gate), guard)))
        });
        router.layer(DefaultBodyLimit::max(FORM_BYTES))
    }
}

struct Gate {
    house: OpsHouse,
    is_public: bool,
}

async fn guard(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !protect::same_origin(request.headers(), &gate.house.address) {
        return Problem::ForeignForm.into_response();
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let operator = Operator::of(&gate.house, request.headers(), &path);
    let frame = operator.frame.clone();
    let is_let_in = gate.is_public || operator.inside;
    request.extensions_mut().insert(operator);
    let mut response = if is_let_in {
        let answer = tokio::time::timeout(TIMEOUT, next.run(request)).await;
        answer.unwrap_or_else(|_| Problem::Busy.into_response())
    } else {
        Problem::LoggedOut.into_response()
    };
    response.extensions_mut().insert(frame);
    protect::keep_private(&mut response);
    response
}

/// Only the names of this machine itself: a page elsewhere whose name was made to lead here (DNS rebinding) is none of
/// ours, whatever it sends.
pub(super) async fn known_host(State(house): State<OpsHouse>, request: Request, next: Next) -> Response {
    let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default().to_owned());
    let named = named.or_else(|| request.uri().authority().map(ToString::to_string));
    let host = |text: &str| text.parse::<Authority>().ok().map(|authority| authority.host().to_owned());
    let own = house.address.parse::<Uri>().ok().and_then(|own| own.host().map(str::to_owned));
    let is_own =
        named.is_none_or(|named| host(&named).is_some_and(|name| name == "localhost" || Some(&name) == own.as_ref()));
    if is_own { next.run(request).await } else { Problem::Misdirected.into_response() }
}

/// Whoever asks for a page of the operator's; on routes that are not public, the operator.
#[derive(Clone)]
pub(super) struct Operator {
    pub(super) house: OpsHouse,
    pub(super) frame: Frame,
    /// Whether a session stands behind it.
    pub(super) inside: bool,
    token: Arc<Token>,
}

impl Operator {
    fn of(house: &OpsHouse, headers: &HeaderMap, path: &str) -> Self {
        let now = house.clock.now();
        let mut frame = Frame::of(Shell::Operator, headers, path, now);
        let session = cookie(headers, SESSION).and_then(Token::parse);
        let session = session.filter(|token| house.session.holds(token, now));
        let inside = session.is_some();
        let token = session.or_else(|| cookie(headers, GUEST).and_then(Token::parse)).unwrap_or_else(|| {
            let token = Token::generate(&*house.entropy);
            frame.cookies.push(strict_cookie(GUEST, &token.text()));
            token
        });
        frame.csrf = csrf_token(&token, &*house.entropy);
        Self { house: house.clone(), frame, inside, token: Arc::new(token) }
    }
}

impl Speaks for Operator {
    fn locale(&self) -> Locale {
        self.frame.locale
    }
}

impl FromRequestParts<OpsHouse> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &OpsHouse) -> Result<Self, Problem> {
        let operator = parts.extensions.get::<Self>().cloned();
        operator.ok_or_else(|| Problem::Internal("a handler of the operator's stands before its door".into()))
    }
}

/// A form that was sent, its token checked.
pub(super) struct Sent {
    pub(super) operator: Operator,
    pub(super) form: Fields,
}

impl FromRequest<OpsHouse> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &OpsHouse) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let operator = Operator::from_request_parts(&mut parts, house).await?;
        let form = read_form(Request::from_parts(parts, body)).await?;
        if !verify_csrf_token(&operator.token, form.text("csrf")) {
            return Err(Problem::ForeignForm);
        }
        Ok(Self { operator, form })
    }
}

/// A cookie that ends with the browser and that no other site's link brings along.
pub(super) fn strict_cookie(name: &str, value: &str) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict")
}
