//! What a handler is given: who asks, and a transaction.
//!
//! [`Desk`] reads (GET), [`Posted`] writes (POST, with the form), [`Upload`] takes a file, [`Guest`] and [`GuestPost`]
//! serve those who are not logged in. The form is read and its token checked **before** the transaction begins, so a
//! slow sender holds nothing up.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::RequestExt as _;
use axum::body::{BodyDataStream, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use futures_util::{Stream, StreamExt as _};
use http::HeaderMap;
use http::request::Parts;
use letterkeep_account::organisation::Organisation;
use letterkeep_account::{Client, Session};
use letterkeep_model::{Ctx, Locale};
use letterkeep_network::{ClientAddress, Peer};
use letterkeep_store::Tx;
use letterkeep_vault::{Keyring, Token, csrf_token, verify_csrf_token};

use crate::component::Fields;
use crate::frame::{self, Frame, Person};
use crate::house::House;
use crate::problem::Problem;
use crate::text::Speaks;

/// How many fields a form may have.
const MOST_FIELDS: usize = 2_000;

/// The holder of a session, at whatever stage.
pub(crate) struct Holder {
    pub(crate) token: Token,
    pub(crate) session: Session,
    pub(crate) organisation: Option<Organisation>,
}

/// Who holds the session of this request; `None` if nobody does.
pub(crate) async fn recognise(house: &House, headers: &HeaderMap) -> Result<Option<Holder>, Problem> {
    let Some(token) = frame::cookie(headers, frame::SESSION).and_then(Token::parse) else { return Ok(None) };
    let ctx = house.public(Locale::En);
    let mut tx = house.store.db.read().await?;
    let Some(session) = letterkeep_account::session::find(&ctx, &mut tx, &token).await? else { return Ok(None) };
    let organisation = match session.enter(&ctx) {
        Some(ctx) => letterkeep_account::organisation::find(&ctx, &mut tx).await?,
        None => None,
    };
    drop(tx);
    if session.touch_due(ctx.now()) {
        letterkeep_account::session::touch(&ctx, &house.store, &session).await?;
    }
    Ok(Some(Holder { token, session, organisation }))
}

/// The browser at the other end, as throttling and the list of sessions know it.
fn client(parts: &Parts) -> Client {
    let extensions = &parts.extensions;
    // The edge knows which proxies to believe; without one, who speaks is who asks.
    let address = extensions.get::<ClientAddress>().map(|client| client.0);
    let address = address.or_else(|| extensions.get::<Peer>().map(|peer| peer.0.ip()));
    let agent = parts.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Client::new(address, agent, frame::cookie(&parts.headers, frame::DEVICE))
}

/// A person who has logged in, and whose role allows what the route declares.
#[derive(Clone)]
pub struct Visit {
    /// The service.
    pub house: House,
    /// Who acts, for which account.
    pub ctx: Ctx,
    /// The account's keys.
    pub keyring: Arc<Keyring>,
    /// What the page knows about its reader.
    pub frame: Frame,
    /// The session.
    pub session: Arc<Session>,
    /// The session's cookie.
    pub(crate) token: Arc<Token>,
}

impl Visit {
    /// The visit of somebody who has logged in with all factors; `None` for an earlier stage.
    pub(crate) async fn of(
        house: &House,
        holder: Holder,
        headers: &HeaderMap,
        path: &str,
    ) -> Result<Option<Self>, Problem> {
        let Holder { token, session, organisation } = holder;
        let Some(ctx) = session.enter(&house.public(session.locale)) else { return Ok(None) };
        let Some(organisation) = organisation else { return Ok(None) };
        let keyring = house.store.keys.keyring(ctx.account).await?;
        let mut frame = Frame::from_headers(headers, path, house);
        frame.locale = session.locale;
        if frame::cookie(headers, frame::ZONE).and_then(frame::zone).is_none() {
            frame.zone = frame::zone(&organisation.time_zone).unwrap_or(frame.zone);
        }
        frame.csrf = csrf_token(&token, &*house.entropy);
        let person = Person { name: session.user_name.clone(), organisation: organisation.name, role: session.role };
        frame.person = Some(person);
        let (session, token) = (Arc::new(session), Arc::new(token));
        Ok(Some(Self { house: house.clone(), ctx, keyring, frame, session, token }))
    }

    /// A transaction that reads.
    pub async fn read(&self) -> Result<Tx, Problem> {
        Ok(self.house.store.db.read().await?)
    }

    /// A transaction that may write.
    pub async fn write(&self) -> Result<Tx, Problem> {
        Ok(self.house.store.db.write().await?)
    }
}

impl Speaks for Visit {
    fn locale(&self) -> Locale {
        self.frame.locale
    }
}

impl FromRequestParts<House> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &House) -> Result<Self, Problem> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| Problem::Internal("a handler for people stands behind a public route".into()))
    }
}

/// A visit that reads: every GET.
pub struct Desk {
    /// Who asks.
    pub visit: Visit,
    /// One consistent state.
    pub tx: Tx,
}

impl FromRequestParts<House> for Desk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Problem> {
        let visit = Visit::from_request_parts(parts, house).await?;
        let tx = visit.read().await?;
        Ok(Self { visit, tx })
    }
}

/// A form that was sent, its token checked. Commit the transaction before answering.
pub struct Posted {
    /// Who asks.
    pub visit: Visit,
    /// What the form may change; dropping it changes nothing.
    pub tx: Tx,
    /// What was entered.
    pub form: Fields,
}

impl FromRequest<House> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &House) -> Result<Self, Problem> {
        let Sent { visit, form, .. } = Sent::from_request(request, house).await?;
        let tx = visit.write().await?;
        Ok(Self { visit, tx, form })
    }
}

/// The same without a transaction, for work that opens its own or first does something slow.
pub struct Sent {
    /// Who asks.
    pub visit: Visit,
    /// Their browser.
    pub client: Client,
    /// What was entered.
    pub form: Fields,
}

impl FromRequest<House> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &House) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, house).await?;
        let client = client(&parts);
        let form = read_form(Request::from_parts(parts, body)).await?;
        if !verify_csrf_token(&visit.token, form.text("csrf")) {
            return Err(Problem::ForeignForm);
        }
        Ok(Self { visit, client, form })
    }
}

/// A form with a file: the fields before the file, their token checked. There is no transaction yet; take the file
/// apart first.
pub struct Upload {
    /// Who asks.
    pub visit: Visit,
    /// What was entered before the file.
    pub form: Fields,
    /// The file, if one was chosen.
    pub file: Option<UploadedFile>,
}

/// A file as it arrives.
pub struct UploadedFile {
    /// The name that the browser gives it, at most 255 characters. A claim; never a path of ours.
    pub name: String,
    field: multer::Field<'static>,
    arriving: Arriving,
}

/// The body of an upload, read by its form and, when that has ended, to its own end: the firewall's verdict stands behind
/// the last byte, which may come long after the last boundary.
#[derive(Clone)]
struct Arriving(Arc<Mutex<BodyDataStream>>);

impl Stream for Arriving {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}

impl Arriving {
    async fn end(&mut self) -> Result<(), Problem> {
        while let Some(piece) = self.next().await {
            piece.map_err(|_| Problem::Unreadable)?;
        }
        Ok(())
    }
}

impl UploadedFile {
    /// The next piece; `None` at the end, when the whole request has arrived.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        let piece = self.field.chunk().await.map_err(|error| unreadable(&error))?;
        if piece.is_none() {
            self.arriving.end().await?;
        }
        Ok(piece)
    }
}

impl FromRequest<House> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &House) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, house).await?;
        let kind = parts.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok()).ok_or(Problem::Unreadable)?;
        let body = Request::from_parts(parts, body).into_limited_body().into_data_stream();
        let mut arriving = Arriving(Arc::new(Mutex::new(body)));
        let mut multipart = multer::Multipart::new(arriving.clone(), boundary);
        let mut pairs = Vec::new();
        let mut file = None;
        while let Some(mut field) = multipart.next_field().await.map_err(|error| unreadable(&error))? {
            if let Some(name) = field.file_name() {
                let name: String = name.chars().filter(|letter| !letter.is_control()).take(255).collect();
                file = (!name.is_empty()).then(|| UploadedFile { name, field, arriving: arriving.clone() });
                break;
            }
            let name = field.name().unwrap_or_default().to_owned();
            let mut text = Vec::new();
            while let Some(chunk) = field.chunk().await.map_err(|error| unreadable(&error))? {
                if text.len() + chunk.len() > 65_536 || pairs.len() > 64 {
                    return Err(Problem::TooLarge);
                }
                text.extend_from_slice(&chunk);
            }
            pairs.push((name, String::from_utf8(text).map_err(|_| Problem::Unreadable)?));
        }
        if file.is_none() {
            arriving.end().await?;
        }
        let form = Fields::from_pairs(pairs);
        if !verify_csrf_token(&visit.token, form.text("csrf")) {
            return Err(Problem::ForeignForm);
        }
        Ok(Self { visit, form, file })
    }
}

/// `multer` wraps what the body says; a body over the limit says so in its text alone.
fn unreadable(error: &multer::Error) -> Problem {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<http_body_util::LengthLimitError>() {
            return Problem::TooLarge;
        }
        source = inner.source();
    }
    Problem::Unreadable
}

/// Somebody who is not logged in, or at least need not be.
#[derive(Clone)]
pub struct Guest {
    /// The service.
    pub house: House,
    /// The public.
    pub ctx: Ctx,
    /// What the page knows about its reader.
    pub frame: Frame,
    token: Arc<Token>,
}

impl Guest {
    /// Binds forms to a cookie of their own; a page sets it if the browser has none yet.
    pub(crate) fn of(house: &House, headers: &HeaderMap, path: &str) -> Self {
        let mut frame = Frame::from_headers(headers, path, house);
        let token = frame::cookie(headers, frame::GUEST).and_then(Token::parse).unwrap_or_else(|| {
            let token = Token::generate(&*house.entropy);
            frame.cookies.push(frame::set_cookie(frame::GUEST, &token.text(), None));
            token
        });
        frame.csrf = csrf_token(&token, &*house.entropy);
        let ctx = house.public(frame.locale);
        Self { house: house.clone(), ctx, frame, token: Arc::new(token) }
    }
}

impl Speaks for Guest {
    fn locale(&self) -> Locale {
        self.frame.locale
    }
}

impl FromRequestParts<House> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &House) -> Result<Self, Problem> {
        let guest = parts.extensions.get::<Self>().cloned();
        guest.ok_or_else(|| Problem::Internal("a public handler stands behind a route for people".into()))
    }
}

/// A form that somebody without a session sent, its token checked.
pub struct GuestPost {
    /// Who asks.
    pub guest: Guest,
    /// Their browser.
    pub client: Client,
    /// What was entered.
    pub form: Fields,
}

impl FromRequest<House> for GuestPost {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &House) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let guest = Guest::from_request_parts(&mut parts, house).await?;
        let client = client(&parts);
        let form = read_form(Request::from_parts(parts, body)).await?;
        if !verify_csrf_token(&guest.token, form.text("csrf")) {
            return Err(Problem::ForeignForm);
        }
        Ok(Self { guest, client, form })
    }
}

/// Somebody in the middle of a log-in or sign-up, at the stage that the route declares.
#[derive(Clone)]
pub struct Pending {
    /// The service.
    pub house: House,
    /// The public: a pending session allows nothing but its next step.
    pub ctx: Ctx,
    /// What the page knows about its reader.
    pub frame: Frame,
    /// The session.
    pub session: Arc<Session>,
    /// The session's cookie.
    pub(crate) token: Arc<Token>,
}

impl Pending {
    pub(crate) fn of(house: &House, token: Token, session: Session, headers: &HeaderMap, path: &str) -> Self {
        let mut frame = Frame::from_headers(headers, path, house);
        frame.csrf = csrf_token(&token, &*house.entropy);
        let ctx = house.public(frame.locale);
        Self { house: house.clone(), ctx, frame, session: Arc::new(session), token: Arc::new(token) }
    }
}

impl Speaks for Pending {
    fn locale(&self) -> Locale {
        self.frame.locale
    }
}

impl FromRequestParts<House> for Pending {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &House) -> Result<Self, Problem> {
        let pending = parts.extensions.get::<Self>().cloned();
        pending.ok_or_else(|| Problem::Internal("a handler of a stage stands behind another route".into()))
    }
}

/// A form that somebody at a stage sent, its token checked.
pub struct PendingPost {
    /// Who asks.
    pub pending: Pending,
    /// Their browser.
    pub client: Client,
    /// What was entered.
    pub form: Fields,
}

impl FromRequest<House> for PendingPost {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &House) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let pending = Pending::from_request_parts(&mut parts, house).await?;
        let client = client(&parts);
        let form = read_form(Request::from_parts(parts, body)).await?;
        if !verify_csrf_token(&pending.token, form.text("csrf")) {
            return Err(Problem::ForeignForm);
        }
        Ok(Self { pending, client, form })
    }
}

/// Reads a form of `application/x-www-form-urlencoded`.
pub(crate) async fn read_form(request: Request) -> Result<Fields, Problem> {
    let kind = request.headers().get(http::header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if !kind.starts_with(b"application/x-www-form-urlencoded") {
        return Err(Problem::Unreadable);
    }
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| {
        let status = axum::response::IntoResponse::into_response(rejection).status();
        if status == http::StatusCode::PAYLOAD_TOO_LARGE { Problem::TooLarge } else { Problem::Unreadable }
    })?;
    parse_form(&body).ok_or(Problem::Unreadable)
}

/// Takes a form apart; `None` if it has too many fields. Line breaks become `\n` (forms send `\r\n`).
pub fn parse_form(body: &[u8]) -> Option<Fields> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body)
        .take(MOST_FIELDS + 1)
        .map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n")))
        .collect();
    (pairs.len() <= MOST_FIELDS).then(|| Fields::from_pairs(pairs))
}
