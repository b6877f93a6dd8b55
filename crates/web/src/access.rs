//! The route table: every route declares who may use it, and is guarded by what it declares.
//!
//! A handler cannot be reached around its guard, because only [`Routes`] makes routes. A route for people declares an
//! [`Action`]; a route for everybody says why it is public. A test walks the table with every role.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, on, post};
use http::Method;
use letterkeep_account::{Action, Stage, authorize};
use letterkeep_network::ForAccount;

use crate::frame::Frame;
use crate::house::House;
use crate::problem::Problem;
use crate::visit::{self, Guest, Holder, Pending, Visit};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A person who has logged in with all factors and whose role allows the action.
    May(Action),
    /// A person in the middle of a log-in or sign-up, at exactly this stage.
    At(Stage),
    /// Everybody; the reason why.
    Public(&'static str),
    /// Everybody, from any site: a mailbox provider posts here without a cookie (RFC 8058). The reason why.
    FromAnywhere(&'static str),
}

/// One declared route.
#[derive(Debug, Clone)]
pub struct Declared {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, with `{names}` of its variable parts.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether it takes a file.
    pub upload: bool,
}

/// Routes under construction.
#[derive(Default)]
pub(crate) struct Routes {
    entries: Vec<(Declared, MethodRouter<House>)>,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A page. It changes nothing.
    pub(crate) fn get<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, House>,
        T: 'static,
    {
        self.add(Method::GET, path, Access::May(action), get(handler))
    }

    /// A form that was sent.
    pub(crate) fn post<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, House>,
        T: 'static,
    {
        self.add(Method::POST, path, Access::May(action), post(handler))
    }

    /// A form that carries a file; see [`Upload`](crate::Upload).
    pub(crate) fn upload<H, T>(mut self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, House>,
        T: 'static,
    {
        self = self.add(Method::POST, path, Access::May(action), post(handler));
        if let Some((declared, _)) = self.entries.last_mut() {
            declared.upload = true;
        }
        self
    }

    /// A route for everybody, with the reason.
    pub(crate) fn public<H, T>(self, method: &Method, path: &'static str, reason: &'static str, handler: H) -> Self
    where
        H: Handler<T, House>,
        T: 'static,
    {
        self.declare(method, path, Access::Public(reason), handler)
    }

    /// A route with any access.
    pub(crate) fn declare<H, T>(self, method: &Method, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, House>,
        T: 'static,
    {
        let filter = method.clone().try_into().expect("GET and POST are routed by axum");
        let route = if method == Method::GET { get(handler) } else { on(filter, handler) };
        self.add(method.clone(), path, access, route)
    }

    /// The routes of another subject.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self
    }

    fn add(mut self, method: Method, path: &'static str, access: Access, route: MethodRouter<House>) -> Self {
        self.entries.push((Declared { method, path, access, upload: false }, route));
        self
    }

    pub(crate) fn declared(&self) -> Vec<Declared> {
        self.entries.iter().map(|(declared, _)| declared.clone()).collect()
    }

    pub(crate) fn into_router(self, house: &House) -> Router<House> {
        self.entries.into_iter().fold(Router::new(), |router, (declared, route)| {
            let (limit, timeout) = if declared.upload {
                (house.settings.upload_bytes, house.settings.upload_timeout)
            } else {
                (house.settings.form_bytes, house.settings.page_timeout)
            };
            let gate = Gate { house: house.clone(), access: declared.access, timeout };
            let route =
                route.route_layer(from_fn_with_state(Arc::new(gate), guard)).route_layer(DefaultBodyLimit::max(limit));
            router.route(declared.path, route)
        })
    }
}

struct Gate {
    house: House,
    access: Access,
    timeout: Duration,
}

/// Stands before every handler: origin, session, permission, time.
async fn guard(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads
        && !matches!(gate.access, Access::FromAnywhere(_))
        && !crate::protect::same_origin(request.headers(), &gate.house.settings.public_url)
    {
        return Problem::ForeignForm.into_response();
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut frame: Option<Frame> = None;
    let mut account = None;
    match gate.access {
        Access::Public(_) | Access::FromAnywhere(_) => {
            let guest = Guest::of(&gate.house, request.headers(), &path);
            request.extensions_mut().insert(guest);
        }
        Access::May(action) => {
            let holder = match visit::recognise(&gate.house, request.headers()).await {
                Ok(Some(holder)) => holder,
                Ok(None) => return Problem::LoggedOut.into_response(),
                Err(problem) => return problem.into_response(),
            };
            let stage = holder.session.stage;
            let visit = match Visit::of(&gate.house, holder, request.headers(), &path).await {
                Ok(Some(visit)) => visit,
                Ok(None) if stage != Stage::Full && reads => return crate::see_other(stage_page(stage)),
                Ok(None) => return Problem::LoggedOut.into_response(),
                Err(problem) => return problem.into_response(),
            };
            if authorize(&visit.ctx, action).is_err() {
                let mut response = Problem::Forbidden.into_response();
                response.extensions_mut().insert(visit.frame);
                return response;
            }
            frame = Some(visit.frame.clone());
            account = Some(ForAccount(visit.ctx.account.to_string()));
            request.extensions_mut().insert(visit);
        }
        Access::At(stage) => match visit::recognise(&gate.house, request.headers()).await {
            Ok(Some(Holder { token, session, .. })) if session.stage == stage => {
                let pending = Pending::of(&gate.house, token, session, request.headers(), &path);
                request.extensions_mut().insert(pending);
            }
            Ok(Some(holder)) => return crate::see_other(stage_page(holder.session.stage)),
            Ok(None) => return Problem::LoggedOut.into_response(),
            Err(problem) => return problem.into_response(),
        },
    }
    let mut response = match tokio::time::timeout(gate.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::Busy.into_response(),
    };
    if let Some(frame) = frame {
        response.extensions_mut().insert(frame);
    }
    // The edge counts the account's limit of rate.
    if let Some(account) = account {
        response.extensions_mut().insert(account);
    }
    crate::protect::keep_private(&mut response);
    response
}

/// Where somebody goes on who is at this stage.
fn stage_page(stage: Stage) -> &'static str {
    match stage {
        Stage::Factor => "/log-in/factor",
        Stage::FactorSetup => "/sign-up/factor",
        Stage::RecoveryCodes => "/sign-up/codes",
        Stage::Full => "/dashboard",
    }
}
