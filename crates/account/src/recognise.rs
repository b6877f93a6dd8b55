//! The one place where passwords and codes are judged. Every path to a session leads through here.

use std::net::IpAddr;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::sealed::column;
use letterkeep_store::user::{self, FactorRow, UserRow};
use letterkeep_store::{Store, Tx, session};
use letterkeep_vault::{Password, PasswordMatch, RecoveryCode, TotpSecret};
use zeroize::Zeroizing;

use crate::error::carries_faults;
use crate::passwords::Stopped;
use crate::throttle::{self, Attempt, Counter};
use crate::{Client, Fault, Passwords, Session, Stage, audit};

/// NIST SP 800-63B-4: at most a hundred wrong codes in a row. After that, codes count only from known browsers; a known
/// browser from which so many came is not known any more.
const MOST_FACTOR_FAILURES: i64 = 100;

/// Why a password does not lead on.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// Unknown name, wrong password, unfinished sign-up or disabled person: one answer for all.
    #[error("user name or password is wrong")]
    Refused,
    /// Too many failures; not judged.
    #[error("too many failed attempts; try again after {until}")]
    Throttled {
        /// When the next attempt is judged.
        until: Timestamp,
    },
    /// Too many log-ins at once; not judged.
    #[error("too many people log in at this moment; try again in a few seconds")]
    Busy,
    /// Something below failed.
    #[error(transparent)]
    Fault(Fault),
}

/// Why a code does not lead on.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// Wrong, too old, or used before.
    #[error("the code is wrong or was used before; wait for the next one")]
    Refused,
    /// Too many wrong codes; not judged.
    #[error("too many wrong codes; try again after {until}")]
    Throttled {
        /// When the next code is judged.
        until: Timestamp,
    },
    /// The session is not at this stage, has ended or was revoked.
    #[error("the session has ended; log in again")]
    NoSession,
    /// The factor was not proven in the last five minutes.
    #[error("prove your second factor once more before this change")]
    StepUpNeeded,
    /// Something below failed.
    #[error(transparent)]
    Fault(Fault),
}

carries_faults!(LogInError, FactorError);

impl From<Stopped> for LogInError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Busy => Self::Busy,
            Stopped::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// Who claims to log in, as far as the database knows them.
pub(crate) struct Claim<'a> {
    /// The name, folded; also if nobody has it.
    pub(crate) folded: &'a str,
    /// Who has it.
    pub(crate) row: Option<UserRow>,
    /// The browser, if this person has completed a log-in on it.
    pub(crate) device: Option<Id<kind::Device>>,
}

/// Looks up who has a name and whether their browser is known.
pub(crate) async fn claim<'a>(store: &Store, client: &Client, folded: &'a str) -> Result<Claim<'a>, Fault> {
    let mut tx = store.db.read().await?;
    let row = user::find_by_name(&mut tx, folded).await?;
    let device = match client.device() {
        Some(token) => {
            // The same look-up where there is nobody, so that both take as long.
            let ids = row.as_ref().map_or((Id::NIL, Id::NIL), ids);
            session::find_device(&mut tx, ids.0, ids.1, &token.hash()).await?.map(Id::from_uuid)
        }
        None => None,
    };
    Ok(Claim { folded, row, device })
}

/// Judges a password, after counting the attempt and with the same work whoever is or is not behind the name. Yields
/// the person's row.
pub(crate) async fn judge_password(
    ctx: &Ctx,
    store: &Store,
    passwords: &Passwords,
    client: &Client,
    claim: Claim<'_>,
    password: &Password,
) -> Result<UserRow, LogInError> {
    let counters = if let Some(device) = claim.device {
        // A known browser has a budget of its own and no other: failures elsewhere cannot lock it out.
        vec![Counter::Device(device)]
    } else {
        let network = client.network().map(Counter::Network);
        [Counter::Name(claim.folded), Counter::Everybody].into_iter().chain(network).collect()
    };
    let counted = match throttle::count(ctx, store, &counters).await? {
        Attempt::Counted(keys) => keys,
        Attempt::Paused(until) => return Err(LogInError::Throttled { until }),
    };
    let (phc, readable) = match &claim.row {
        Some(row) => match open_password(store, row).await? {
            Some(phc) => (Some(phc), true),
            None => (None, false),
        },
        None => (None, true),
    };
    let outcome = match passwords.verify(password, phc).await {
        Ok(outcome) => outcome,
        Err(stopped) => {
            throttle::refund(store, &counted).await?;
            return Err(stopped.into());
        }
    };
    let right = matches!(outcome, PasswordMatch::Yes | PasswordMatch::YesRehash);
    match claim.row {
        Some(row) if right && row.state == "active" => {
            throttle::refund(store, &counted).await?;
            if outcome == PasswordMatch::YesRehash {
                let phc = passwords.rehash(ctx, password).await?;
                let mut tx = store.db.write().await?;
                store_password(ctx, &mut tx, store, &row, &phc).await?;
                tx.commit().await?;
            }
            Ok(row)
        }
        row => {
            let reason = match (readable, right) {
                (false, _) => "the stored hash does not open",
                (true, true) => "not active",
                (true, false) => "password",
            };
            refuse_password(ctx, store, row.as_ref(), reason).await?;
            Err(LogInError::Refused)
        }
    }
}

/// Opens the stored hash; `None` if it does not open, which is as good as no hash and louder.
async fn open_password(store: &Store, row: &UserRow) -> Result<Option<Zeroizing<String>>, Fault> {
    let (account, user) = ids(row);
    let keyring = store.keys.keyring(account).await?;
    let opened = keyring.open(&column::USER_PASSWORD.slot(&row.user_id), &row.password).ok();
    let phc = opened.and_then(|bytes| Some(Zeroizing::new(str::from_utf8(&bytes).ok()?.to_owned())));
    if phc.is_none() {
        tracing::error!(%user, "a stored password hash does not open: the row was changed or moved");
    }
    Ok(phc)
}

/// Seals and stores a password hash, and the address with it.
pub(crate) async fn store_password(
    ctx: &Ctx,
    tx: &mut Tx,
    store: &Store,
    row: &UserRow,
    phc: &str,
) -> Result<(), Fault> {
    let (account, user) = ids(row);
    let keyring = store.keys.keyring(account).await?;
    // Read again under a lock: a rotation of keys may have sealed the address anew since `row` was read.
    let email = user::lock(tx, account, user).await?.and_then(|row| row.email);
    let slot = column::USER_EMAIL.slot(&row.user_id);
    let email = email.map(|sealed| keyring.reseal(&slot, &sealed, ctx.entropy())).transpose()?;
    let sealed = keyring.seal(&column::USER_PASSWORD.slot(&row.user_id), phc.as_bytes(), ctx.entropy());
    let version = i64::from(keyring.version());
    user::set_password(tx, account, user, &sealed, email.as_deref(), version, ctx.now().micros()).await?;
    Ok(())
}

async fn refuse_password(ctx: &Ctx, store: &Store, row: Option<&UserRow>, reason: &str) -> Result<(), Fault> {
    // Where there is nobody, the entry goes to the installation's own chain: the same work for the same answer.
    let (account, user) = row.map_or((Id::NIL, None), |row| (ids(row).0, Some(ids(row).1)));
    let mut tx = store.db.write().await?;
    let detail = serde_json::json!({ "reason": reason });
    audit::append_refusal(ctx, &mut tx, account, user, "log_in.refuse", &detail).await?;
    tx.commit().await?;
    Ok(())
}

pub(crate) fn ids(row: &UserRow) -> (Id<kind::Account>, Id<kind::User>) {
    (Id::from_uuid(row.account_id), Id::from_uuid(row.user_id))
}

/// A code that fits. It counts only once [`use_up`] has said so.
pub(crate) enum Proof {
    Step(i64),
    Recovery([u8; 32]),
}

/// Which secret a code is judged against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret {
    /// The proven one.
    Present,
    /// The one of a sign-up, still to be proven.
    Unproven,
    /// The one that is to replace the present one.
    Pending,
}

/// Judges a recovery code, or a code of the app, against the present factor of the person of a session.
pub(crate) async fn judge_factor(
    ctx: &Ctx,
    store: &Store,
    client: &Client,
    session: &Session,
    code: &str,
) -> Result<Proof, FactorError> {
    let Some(recovery) = RecoveryCode::parse(code) else {
        return judge_code(ctx, store, session, Secret::Present, code).await;
    };
    // A recovery code has 120 random bits: guessing is hopeless. It is counted by itself, so that its way in stays open
    // when codes of the app are throttled, and the other way round.
    match throttle::count(ctx, store, &[recovery_counter(session, client)]).await? {
        Attempt::Counted(_) => Ok(Proof::Recovery(recovery.hash())),
        Attempt::Paused(until) => Err(FactorError::Throttled { until }),
    }
}

/// Judges a code of the app for the person of a session.
pub(crate) async fn judge_code(
    ctx: &Ctx,
    store: &Store,
    session: &Session,
    secret: Secret,
    code: &str,
) -> Result<Proof, FactorError> {
    let counter = factor_counter(session);
    match throttle::count(ctx, store, &[counter]).await? {
        Attempt::Counted(_) => {}
        Attempt::Paused(until) => return Err(FactorError::Throttled { until }),
    }
    let mut tx = store.db.read().await?;
    let row = user::find_factor(&mut tx, session.account, session.user).await?;
    drop(tx);
    let step = match row {
        Some(row) if secret == Secret::Pending || row.confirmed_at.is_some() == (secret == Secret::Present) => {
            if session.device.is_none() && row.failures >= MOST_FACTOR_FAILURES {
                None
            } else {
                let last_step = if secret == Secret::Present { row.last_step } else { 0 };
                let opened = open_secret(store, session, &row, secret).await?;
                opened.and_then(|secret| secret.verify(code, ctx.now(), last_step))
            }
        }
        _ => None,
    };
    match step {
        Some(step) => Ok(Proof::Step(step)),
        None => Err(refuse_code(ctx, store, session, None).await?),
    }
}

/// What recovery codes in a session are counted by.
pub(crate) fn recovery_counter(session: &Session, client: &Client) -> Counter<'static> {
    let unknown = || IpAddr::from([0, 0, 0, 0]);
    match session.device {
        Some(device) => Counter::RecoveryDevice(device),
        None => Counter::RecoveryNetwork(session.user, client.network().unwrap_or_else(unknown)),
    }
}

/// What codes of a session are counted by.
pub(crate) fn factor_counter(session: &Session) -> Counter<'static> {
    match session.device {
        Some(device) => Counter::FactorDevice(device),
        None => Counter::FactorUser(session.user),
    }
}

/// Opens the secret of a factor; `None` if there is no pending one.
pub(crate) async fn open_secret(
    store: &Store,
    session: &Session,
    row: &FactorRow,
    secret: Secret,
) -> Result<Option<TotpSecret>, Fault> {
    let keyring = store.keys.keyring(session.account).await?;
    let user = session.user.uuid();
    let opened = match (secret, &row.pending) {
        (Secret::Pending, None) => return Ok(None),
        (Secret::Pending, Some(pending)) => keyring.open(&column::TOTP_PENDING.slot(&user), pending)?,
        (Secret::Present | Secret::Unproven, _) => keyring.open(&column::TOTP_SECRET.slot(&user), &row.secret)?,
    };
    Ok(TotpSecret::from_bytes(&opened))
}

/// Counts and records a wrong code; yields the error to return. A wrong recovery code says nothing about the app's.
pub(crate) async fn refuse_code(
    ctx: &Ctx,
    store: &Store,
    session: &Session,
    proof: Option<&Proof>,
) -> Result<FactorError, Fault> {
    let (account, user) = (session.account, session.user);
    let mut tx = store.db.write().await?;
    match session.device {
        _ if matches!(proof, Some(Proof::Recovery(_))) => {}
        None => user::count_factor_failure(&mut tx, account, user).await?,
        Some(device) => {
            let failures = session::count_device_failure(&mut tx, account, user, device).await?;
            if failures >= MOST_FACTOR_FAILURES && session::remove_device(&mut tx, account, user, device).await? {
                let detail = serde_json::json!({ "user": user, "wrong_codes": failures });
                let object = device.to_string();
                audit::append(&ctx.as_system(account), &mut tx, "device.forget", &object, &detail).await?;
            }
        }
    }
    let detail = serde_json::json!({});
    audit::append_refusal(ctx, &mut tx, session.account, Some(session.user), "factor.refuse", &detail).await?;
    tx.commit().await?;
    Ok(FactorError::Refused)
}

/// Uses up a proof of the present factor. Of any number of callers with the same one, exactly one gets `true`.
pub(crate) async fn use_up(ctx: &Ctx, tx: &mut Tx, session: &Session, proof: &Proof) -> Result<bool, Fault> {
    let (account, user, now) = (session.account, session.user, ctx.now().micros());
    Ok(match proof {
        Proof::Step(step) => user::accept_step(tx, account, user, *step).await?,
        Proof::Recovery(hash) => user::use_recovery_code(tx, account, user, hash, now).await?,
    })
}

/// The session of a token, if it is at this stage.
pub(crate) async fn session_at(
    ctx: &Ctx,
    store: &Store,
    token: &letterkeep_vault::Token,
    stage: Stage,
) -> Result<Session, FactorError> {
    let mut tx = store.db.read().await?;
    let session = crate::session::find(ctx, &mut tx, token).await?;
    session.filter(|session| session.stage == stage).ok_or(FactorError::NoSession)
}
