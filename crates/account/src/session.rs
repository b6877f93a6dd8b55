//! Log-ins on one browser each. The token stands in a cookie; only its hash is stored.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Locale, Role, Timestamp, kind};
use letterkeep_store::session::{NewSession, SessionRow};
use letterkeep_store::{Error, Store, Tx, session};
use letterkeep_vault::{Keyring, Token};

use crate::throttle::{self, Counter};
use crate::{Client, Fault, audit};

/// A session ends when it is not used for so long.
pub const IDLE: Duration = Duration::from_hours(1);
/// A session ends after so long in any case.
pub const ABSOLUTE: Duration = Duration::from_hours(14 * 24);
/// Between password and factor.
pub const FACTOR_WAIT: Duration = Duration::from_mins(10);
/// A sign-up is forgotten if it is not finished in so long.
pub const SIGN_UP_WAIT: Duration = Duration::from_hours(24);
/// Changes of factors and keys need a factor that was proven not longer ago.
pub const FRESH_FACTOR: Duration = Duration::from_mins(5);
/// A browser that has not completed a log-in for so long is not known any more.
pub const DEVICE_KEPT: Duration = Duration::from_hours(180 * 24);
/// How exactly the last use is recorded.
const TOUCH: Duration = Duration::from_mins(1);

/// How far a log-in or sign-up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The password was right; the factor is to be proven.
    Factor,
    /// Signing up: the factor is to be set up and proven.
    FactorSetup,
    /// Signing up: the factor is proven, the recovery codes are to be confirmed.
    RecoveryCodes,
    /// Logged in.
    Full,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Factor, Self::FactorSetup, Self::RecoveryCodes, Self::Full];

    const fn name(self) -> &'static str {
        match self {
            Self::Factor => "factor",
            Self::FactorSetup => "factor_setup",
            Self::RecoveryCodes => "recovery_codes",
            Self::Full => "full",
        }
    }

    /// The state in which the person must be for the session to count.
    const fn user_state(self) -> &'static str {
        match self {
            Self::Factor | Self::Full => "active",
            Self::FactorSetup => "pending_factor",
            Self::RecoveryCodes => "pending_codes",
        }
    }
}

/// A session that counts at this moment. Role, language and state were read from the person's row with it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its name in lists; opens nothing.
    pub id: Id<kind::Session>,
    /// The account.
    pub account: Id<kind::Account>,
    /// The person.
    pub user: Id<kind::User>,
    /// The name they log in with.
    pub user_name: String,
    /// Their role now.
    pub role: Role,
    /// Their language.
    pub locale: Locale,
    /// How far the log-in has come.
    pub stage: Stage,
    /// The known browser.
    pub device: Option<Id<kind::Device>>,
    /// When a factor was proven last.
    pub factor_at: Option<Timestamp>,
    /// When the log-in began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    pub(crate) hash: [u8; 32],
}

impl Session {
    /// The context in which the person acts; only when they are logged in.
    pub fn enter(&self, ctx: &Ctx) -> Option<Ctx> {
        (self.stage == Stage::Full).then(|| {
            let mut ctx = ctx.clone().with_user(self.account, self.user, self.role);
            ctx.locale = self.locale;
            ctx
        })
    }

    /// Whether a factor was proven so lately that factors and keys may be changed.
    pub fn factor_is_fresh(&self, now: Timestamp) -> bool {
        self.stage == Stage::Full && self.factor_at.is_some_and(|at| now.since(at) <= FRESH_FACTOR)
    }

    /// Whether [`touch`] should be called.
    pub fn touch_due(&self, now: Timestamp) -> bool {
        now.since(self.seen_at) >= TOUCH
    }

    fn from_row(row: SessionRow) -> Result<Option<Self>, Error> {
        let stage =
            Stage::ALL.into_iter().find(|stage| stage.name() == row.stage).ok_or(Error::Shape("session stage"))?;
        if row.state != stage.user_state() {
            return Ok(None);
        }
        Ok(Some(Self {
            id: Id::from_uuid(row.session_id),
            account: Id::from_uuid(row.account_id),
            user: Id::from_uuid(row.user_id),
            user_name: row.user_name,
            role: row.role.parse().map_err(|_| Error::Shape("role"))?,
            locale: row.locale.parse().map_err(|_| Error::Shape("locale"))?,
            stage,
            device: row.device_id.map(Id::from_uuid),
            factor_at: row.factor_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.created_at),
            seen_at: Timestamp::from_micros(row.seen_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            hash: row.session_hash.try_into().map_err(|_| Error::Shape("session hash"))?,
        }))
    }
}

/// The session of a cookie, unless it has ended, was revoked, or its person is disabled.
pub async fn find(ctx: &Ctx, tx: &mut Tx, token: &Token) -> Result<Option<Session>, Error> {
    match session::find(tx, &token.hash(), ctx.now().micros()).await? {
        Some(row) => Session::from_row(row),
        None => Ok(None),
    }
}

/// Records that the session was used. Call it when [`Session::touch_due`] says so.
pub async fn touch(ctx: &Ctx, store: &Store, session: &Session) -> Result<(), Error> {
    let now = ctx.now();
    let wait = match session.stage {
        Stage::Factor => return Ok(()),
        Stage::FactorSetup | Stage::RecoveryCodes | Stage::Full => IDLE,
    };
    let idle_until = now.plus(wait).min(session.expires_at);
    let mut tx = store.db.write().await?;
    session::touch(&mut tx, &session.hash, now.micros(), idle_until.micros()).await?;
    tx.commit().await
}

/// A session as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// Its name.
    pub id: Id<kind::Session>,
    /// The browser, for example `Firefox on Linux`.
    pub client: String,
    /// When the log-in began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

/// The person's sessions, the latest used first.
pub async fn list(ctx: &Ctx, tx: &mut Tx, user: Id<kind::User>) -> Result<Vec<SessionSummary>, Error> {
    let rows = session::list(tx, ctx.account, user, ctx.now().micros()).await?;
    Ok(rows
        .into_iter()
        .map(|row| SessionSummary {
            id: Id::from_uuid(row.session_id),
            client: row.client,
            created_at: Timestamp::from_micros(row.created_at),
            seen_at: Timestamp::from_micros(row.seen_at),
            expires_at: Timestamp::from_micros(row.expires_at),
        })
        .collect())
}

/// Ends another session of the person whose session `own` is; `false` if they have no such session. It is refused from
/// the next request on. Whoever ends a session from elsewhere does not trust its browser any more: it is forgotten too,
/// unless it is the one that they sit at.
pub async fn revoke(ctx: &Ctx, tx: &mut Tx, own: &Session, session: Id<kind::Session>) -> Result<bool, Error> {
    let Some(device) = session::revoke(tx, own.account, own.user, session).await? else { return Ok(false) };
    if let Some(device) = device.map(Id::from_uuid)
        && own.device != Some(device)
    {
        session::remove_device(tx, own.account, own.user, device).await?;
    }
    let detail = serde_json::json!({ "user": own.user });
    audit::append(ctx, tx, "session.revoke", &session.to_string(), &detail).await?;
    Ok(true)
}

/// Ends all sessions of the person but this one, and forgets all other browsers; yields how many sessions.
pub async fn revoke_others(ctx: &Ctx, tx: &mut Tx, kept: &Session) -> Result<u64, Error> {
    let count = revoke_all_but(tx, kept).await?;
    let detail = serde_json::json!({ "count": count });
    audit::append_for(ctx, tx, kept, "session.revoke_others", &detail).await?;
    Ok(count)
}

/// Ends all other sessions of the person, and forgets all other browsers.
pub(crate) async fn revoke_all_but(tx: &mut Tx, kept: &Session) -> Result<u64, Error> {
    session::remove_other_devices(tx, kept.account, kept.user, kept.device.unwrap_or(Id::NIL)).await?;
    session::revoke_others(tx, kept.account, kept.user, &kept.hash).await
}

/// A browser that is known because somebody has completed a log-in on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBrowser {
    /// Its name.
    pub id: Id<kind::Device>,
    /// The browser, for example `Firefox on Linux`.
    pub client: String,
    /// When it became known.
    pub created_at: Timestamp,
    /// When a log-in on it was completed last.
    pub seen_at: Timestamp,
}

/// The person's known browsers, the latest used first.
pub async fn known_browsers(ctx: &Ctx, tx: &mut Tx, user: Id<kind::User>) -> Result<Vec<KnownBrowser>, Error> {
    let rows = session::list_devices(tx, ctx.account, user).await?;
    Ok(rows
        .into_iter()
        .map(|row| KnownBrowser {
            id: Id::from_uuid(row.device_id),
            client: row.client,
            created_at: Timestamp::from_micros(row.created_at),
            seen_at: Timestamp::from_micros(row.seen_at),
        })
        .collect())
}

/// Forgets a known browser of a person of the context's account; `false` if they have no such browser. Its sessions go
/// on; what is proven there next counts as from an unknown one.
pub async fn forget_browser(
    ctx: &Ctx,
    tx: &mut Tx,
    user: Id<kind::User>,
    browser: Id<kind::Device>,
) -> Result<bool, Error> {
    let forgotten = session::remove_device(tx, ctx.account, user, browser).await?;
    if forgotten {
        audit::append(ctx, tx, "device.forget", &browser.to_string(), &serde_json::json!({ "user": user })).await?;
    }
    Ok(forgotten)
}

/// Ends the session of a cookie, at whatever stage; nothing happens if there is none.
pub async fn log_out(ctx: &Ctx, store: &Store, token: &Token) -> Result<(), Error> {
    let mut tx = store.db.write().await?;
    if let Some(session) = find(ctx, &mut tx, token).await? {
        session::remove(&mut tx, &session.hash).await?;
        audit::append_for(ctx, &mut tx, &session, "log_out", &serde_json::json!({})).await?;
    } else {
        session::remove(&mut tx, &token.hash()).await?;
    }
    tx.commit().await
}

/// Who the new session is for.
pub(crate) struct Opening<'a> {
    pub(crate) account: Id<kind::Account>,
    pub(crate) user: Id<kind::User>,
    pub(crate) device: Option<Id<kind::Device>>,
    pub(crate) stage: Stage,
    pub(crate) client: &'a Client,
    pub(crate) factor_at: Option<Timestamp>,
}

/// Opens a session.
pub(crate) async fn open(ctx: &Ctx, tx: &mut Tx, opening: Opening<'_>) -> Result<Token, Error> {
    let now = ctx.now();
    let (idle, absolute) = match opening.stage {
        Stage::Factor => (FACTOR_WAIT, FACTOR_WAIT),
        Stage::FactorSetup | Stage::RecoveryCodes => (IDLE, SIGN_UP_WAIT),
        Stage::Full => (IDLE, ABSOLUTE),
    };
    let token = Token::generate(ctx.entropy());
    let new = NewSession {
        session_hash: token.hash(),
        session_id: ctx.new_id::<kind::Session>().uuid(),
        account_id: opening.account.uuid(),
        user_id: opening.user.uuid(),
        device_id: opening.device.map(Id::uuid),
        stage: opening.stage.name(),
        client: opening.client.label(),
        factor_at: opening.factor_at.map(Timestamp::micros),
        created_at: now.micros(),
        seen_at: now.micros(),
        idle_until: now.plus(idle).micros(),
        expires_at: now.plus(absolute).micros(),
    };
    session::insert(tx, &new).await?;
    Ok(token)
}

/// Replaces a full session by one with a new id (ASVS 7.2.4), which ends no later; `None` if it has ended meanwhile.
pub(crate) async fn renew(
    ctx: &Ctx,
    tx: &mut Tx,
    old: &Session,
    client: &Client,
    factor_at: Option<Timestamp>,
) -> Result<Option<Token>, Error> {
    if !session::remove(tx, &old.hash).await? {
        return Ok(None);
    }
    let now = ctx.now();
    let token = Token::generate(ctx.entropy());
    let new = NewSession {
        session_hash: token.hash(),
        session_id: ctx.new_id::<kind::Session>().uuid(),
        account_id: old.account.uuid(),
        user_id: old.user.uuid(),
        device_id: old.device.map(Id::uuid),
        stage: old.stage.name(),
        client: client.label(),
        factor_at: factor_at.map(Timestamp::micros),
        created_at: old.created_at.micros(),
        seen_at: now.micros(),
        idle_until: now.plus(IDLE).min(old.expires_at).micros(),
        expires_at: old.expires_at.micros(),
    };
    session::insert(tx, &new).await?;
    Ok(Some(token))
}

/// Somebody has proven everything.
pub struct LoggedIn {
    /// The account.
    pub account: Id<kind::Account>,
    /// The person.
    pub user: Id<kind::User>,
    /// The cookie of the session.
    pub session: Token,
    /// The cookie that makes this browser known; keep it for [`DEVICE_KEPT`], also over log-out.
    pub device: Token,
    /// How many recovery codes are left.
    pub recovery_codes_left: i64,
}

/// Ends the session `old` and opens a full one on a browser that is known from now on; `None` if `old` has ended
/// meanwhile.
pub(crate) async fn complete(
    ctx: &Ctx,
    tx: &mut Tx,
    system: &Keyring,
    client: &Client,
    old: &Session,
) -> Result<Option<LoggedIn>, Fault> {
    if !session::remove(tx, &old.hash).await? {
        return Ok(None);
    }
    let (account, user, now) = (old.account, old.user, ctx.now());
    let token = Token::generate(ctx.entropy());
    let mut counters = vec![];
    let mut known = None;
    if let Some(device) = old.device {
        counters.extend([Counter::Device(device), Counter::FactorDevice(device)]);
        if session::renew_device(tx, account, user, device, &token.hash(), client.label(), now.micros()).await? {
            known = Some(device);
        }
    } else {
        counters.push(Counter::FactorUser(user));
    }
    let device = known.unwrap_or_else(|| ctx.new_id());
    if known.is_none() {
        session::insert_device(tx, account, user, device, &token.hash(), client.label(), now.micros()).await?;
    }
    throttle::clear(tx, system, &counters).await?;
    let opening = Opening { account, user, device: Some(device), stage: Stage::Full, client, factor_at: Some(now) };
    let session = open(ctx, tx, opening).await?;
    let recovery_codes_left = letterkeep_store::user::recovery_codes_left(tx, account, user).await?;
    Ok(Some(LoggedIn { account, user, session, device: token, recovery_codes_left }))
}
