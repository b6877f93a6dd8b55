//! Signing up: name, password and factor, in this order; nothing can be used before all of it is there.
//!
//! [`start`] → [`prove_factor`] → [`acknowledge_recovery_codes`]. Each step hands out a session with a new id that is
//! good for the next step alone. What is not finished within a day is removed and its user name is free again.

use letterkeep_model::{Ctx, EmailAddress, Id, Locale, Role, Timestamp, kind};
use letterkeep_store::account::AccountRow;
use letterkeep_store::sealed::column;
use letterkeep_store::user::UserRow;
use letterkeep_store::{Store, Tx, account, user};
use letterkeep_vault::{Keyring, Password, RecoveryCode, Token, TotpSecret, recovery_codes};
use serde_json::json;
use zeroize::Zeroizing;

use crate::error::carries_faults;
use crate::passwords::Stopped;
use crate::recognise::{self, FactorError, Proof, Secret, ids};
use crate::session::{self, LoggedIn, Opening, SIGN_UP_WAIT};
use crate::throttle::{self, Attempt, Counter};
use crate::{Client, Fault, Passwords, PolicyError, Stage, UserName, UserNameError, audit, organisation};

/// What somebody fills in to sign up.
pub struct SignUp {
    /// The organisation's name.
    pub organisation: String,
    /// The user name of their choice, as typed.
    pub user_name: String,
    /// Where they are reached.
    pub email: EmailAddress,
    /// The password of their choice.
    pub password: Password,
    /// Their language, and the account's.
    pub locale: Locale,
    /// An IANA name, for example `Europe/Berlin`.
    pub time_zone: String,
}

/// A sign-up has begun.
pub struct Started {
    /// The new account.
    pub account: Id<kind::Account>,
    /// The new person.
    pub user: Id<kind::User>,
    /// The cookie of a session at [`Stage::FactorSetup`].
    pub session: Token,
    /// What the authenticator app needs.
    pub setup: FactorSetup,
}

/// What an authenticator app needs. Shown, never logged.
pub struct FactorSetup {
    /// To be typed, in base32.
    pub secret: TotpSecret,
    /// To be drawn as a QR code.
    pub uri: Zeroizing<String>,
}

/// The factor of a sign-up is proven.
pub struct Proven {
    /// The cookie of a session at [`Stage::RecoveryCodes`].
    pub session: Token,
    /// The recovery codes; this is the only time that they are there to be shown.
    pub codes: Vec<RecoveryCode>,
}

/// Why a sign-up does not begin. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// Not a user name.
    #[error(transparent)]
    UserName(#[from] UserNameError),
    /// Somebody has this name or one that looks like it.
    #[error("this user name, or one that looks like it, is taken; choose another one")]
    UserNameTaken,
    /// The organisation's name is missing, too long or contains control characters.
    #[error("the organisation's name has 1 to 200 characters and no line breaks")]
    Organisation,
    /// Not a time zone.
    #[error("unknown time zone; it is written like Europe/Berlin")]
    TimeZone,
    /// The password breaks a rule; every broken rule is named.
    #[error(transparent)]
    Password(#[from] PolicyError),
    /// The invitation is used, withdrawn or too old.
    #[error("this invitation is used, withdrawn or older than seven days; ask for a new one")]
    InvitationClosed,
    /// Too many sign-ups from this network.
    #[error("too many sign-ups from this network; try again after {until}")]
    Throttled {
        /// When the next one is taken.
        until: Timestamp,
    },
    /// Too many passwords are being hashed.
    #[error("too many people sign up at this moment; try again in a few seconds")]
    Busy,
    /// Something below failed.
    #[error(transparent)]
    Fault(Fault),
}

carries_faults!(SignUpError);

impl From<Stopped> for SignUpError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Busy => Self::Busy,
            Stopped::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// Begins a sign-up: makes the account's keys, the account, its owner and a factor to be proven.
pub async fn start(
    ctx: &Ctx,
    store: &Store,
    passwords: &Passwords,
    client: &Client,
    form: SignUp,
) -> Result<Started, SignUpError> {
    let user_name = UserName::parse(&form.user_name)?;
    let name = organisation::parse_name(&form.organisation).ok_or(SignUpError::Organisation)?;
    if !organisation::is_time_zone(&form.time_zone) {
        return Err(SignUpError::TimeZone);
    }
    admit(ctx, store, client, &user_name).await?;
    let context = [user_name.as_str(), &name, form.email.as_str()];
    let phc = passwords.hash(ctx, &form.password, &context).await??;

    let account = ctx.new_id::<kind::Account>();
    store.keys.create(account, ctx.entropy()).await?;
    let joining = Joining { account, role: Role::Owner, user_name, email: &form.email, phc, locale: form.locale };
    let begun = async {
        let keyring = store.keys.keyring(account).await?;
        let mut tx = store.db.write().await?;
        let row = AccountRow {
            account_id: account.uuid(),
            name,
            locale: form.locale.tag().to_owned(),
            time_zone: form.time_zone,
            postal_address: String::new(),
            created_at: ctx.now().micros(),
            closed_at: None,
        };
        account::insert(&mut tx, &row).await?;
        let started = join(ctx, &mut tx, &keyring, client, joining).await?;
        audit::append_about(ctx, &mut tx, account, started.user, "sign_up.start", &json!({})).await?;
        tx.commit().await?;
        Ok(started)
    }
    .await;
    if begun.is_err() {
        // Keys of an account that does not exist do no harm, but nobody would ever remove them.
        store.keys.destroy(account).await?;
    }
    begun
}

/// The secret once more, for a page that is loaded again.
pub async fn setup(ctx: &Ctx, store: &Store, token: &Token) -> Result<FactorSetup, FactorError> {
    let session = recognise::session_at(ctx, store, token, Stage::FactorSetup).await?;
    let mut tx = store.db.read().await?;
    let row = user::find_factor(&mut tx, session.account, session.user).await?.ok_or(FactorError::NoSession)?;
    drop(tx);
    let secret = recognise::open_secret(store, &session, &row, Secret::Unproven).await?;
    Ok(FactorSetup::new(secret.ok_or(FactorError::NoSession)?, &session.user_name))
}

/// Proves the factor with its first code and hands out the recovery codes.
pub async fn prove_factor(
    ctx: &Ctx,
    store: &Store,
    client: &Client,
    token: &Token,
    code: &str,
) -> Result<Proven, FactorError> {
    let old = recognise::session_at(ctx, store, token, Stage::FactorSetup).await?;
    let Proof::Step(step) = recognise::judge_code(ctx, store, &old, Secret::Unproven, code).await? else {
        return Err(FactorError::Refused);
    };
    let (account, user, now) = (old.account, old.user, ctx.now().micros());
    let mut tx = store.db.write().await?;
    let confirmed = user::confirm_factor(&mut tx, account, user, step, now).await?
        && user::set_state(&mut tx, account, user, "pending_factor", "pending_codes", now).await?
        && letterkeep_store::session::remove(&mut tx, &old.hash).await?;
    if !confirmed {
        return Err(FactorError::NoSession);
    }
    let codes = new_codes(ctx, &mut tx, account, user).await?;
    let opening =
        Opening { account, user, device: None, stage: Stage::RecoveryCodes, client, factor_at: Some(ctx.now()) };
    let session = session::open(ctx, &mut tx, opening).await?;
    audit::append_for(ctx, &mut tx, &old, "sign_up.prove_factor", &json!({})).await?;
    tx.commit().await?;
    Ok(Proven { session, codes })
}

/// New recovery codes in place of the first ones, for a person who lost the page before confirming it.
pub async fn renew_recovery_codes(ctx: &Ctx, store: &Store, token: &Token) -> Result<Vec<RecoveryCode>, FactorError> {
    let session = recognise::session_at(ctx, store, token, Stage::RecoveryCodes).await?;
    let mut tx = store.db.write().await?;
    let codes = new_codes(ctx, &mut tx, session.account, session.user).await?;
    audit::append_for(ctx, &mut tx, &session, "recovery_codes.renew", &json!({})).await?;
    tx.commit().await?;
    Ok(codes)
}

/// The person says that they have kept the recovery codes: the sign-up is complete, the full session begins.
pub async fn acknowledge_recovery_codes(
    ctx: &Ctx,
    store: &Store,
    client: &Client,
    token: &Token,
) -> Result<LoggedIn, FactorError> {
    let old = recognise::session_at(ctx, store, token, Stage::RecoveryCodes).await?;
    let (account, user, now) = (old.account, old.user, ctx.now().micros());
    let system = store.keys.system().await?;
    let mut tx = store.db.write().await?;
    if !user::set_state(&mut tx, account, user, "pending_codes", "active", now).await? {
        return Err(FactorError::NoSession);
    }
    user::set_recovery_shown(&mut tx, account, user, now).await?;
    let done = session::complete(ctx, &mut tx, &system, client, &old).await?.ok_or(FactorError::NoSession)?;
    audit::append_for(ctx, &mut tx, &old, "sign_up.complete", &json!({})).await?;
    tx.commit().await?;
    Ok(done)
}

/// Removes sign-ups that were not finished within a day.
pub(crate) async fn expire_unfinished(ctx: &Ctx, store: &Store) -> Result<(), Fault> {
    let before = ctx.now().minus(SIGN_UP_WAIT).micros();
    let mut tx = store.db.read().await?;
    let stale = user::list_unfinished(&mut tx, before).await?;
    drop(tx);
    for (account, user) in stale {
        expire(ctx, store, Id::from_uuid(account), Id::from_uuid(user)).await?;
    }
    Ok(())
}

async fn expire(ctx: &Ctx, store: &Store, account: Id<kind::Account>, user: Id<kind::User>) -> Result<(), Fault> {
    let before = ctx.now().minus(SIGN_UP_WAIT).micros();
    let mut tx = store.db.write().await?;
    let Some(left) = user::delete_unfinished(&mut tx, account, user, before).await? else { return Ok(()) };
    letterkeep_store::session::revoke_others(&mut tx, account, user, &[]).await?;
    if left == 0 {
        account::delete(&mut tx, account).await?;
    }
    let system = ctx.as_system(account);
    audit::append(&system, &mut tx, "sign_up.expire", &user.to_string(), &json!({ "people_left": left })).await?;
    tx.commit().await?;
    if left == 0 {
        store.keys.destroy(account).await?;
    }
    Ok(())
}

/// Counts the attempt and makes sure that the name is free, before anything costly happens.
pub(crate) async fn admit(ctx: &Ctx, store: &Store, client: &Client, user_name: &UserName) -> Result<(), SignUpError> {
    if let Some(network) = client.network()
        && let Attempt::Paused(until) = throttle::count(ctx, store, &[Counter::SignUp(network)]).await?
    {
        return Err(SignUpError::Throttled { until });
    }
    let mut tx = store.db.read().await?;
    let holder = user::find_by_name(&mut tx, user_name.folded()).await?;
    drop(tx);
    let Some(holder) = holder else { return Ok(()) };
    let stale = holder.created_at < ctx.now().minus(SIGN_UP_WAIT).micros();
    if !(stale && holder.state.starts_with("pending_")) {
        return Err(SignUpError::UserNameTaken);
    }
    let (account, user) = ids(&holder);
    expire(ctx, store, account, user).await?;
    Ok(())
}

/// Who joins an account.
pub(crate) struct Joining<'a> {
    pub(crate) account: Id<kind::Account>,
    pub(crate) role: Role,
    pub(crate) user_name: UserName,
    pub(crate) email: &'a EmailAddress,
    pub(crate) phc: Zeroizing<String>,
    pub(crate) locale: Locale,
}

/// Adds a person with a factor to be proven and opens the session in which they prove it.
pub(crate) async fn join(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    client: &Client,
    joining: Joining<'_>,
) -> Result<Started, SignUpError> {
    let (account, user, now) = (joining.account, ctx.new_id::<kind::User>(), ctx.now().micros());
    let id = user.uuid();
    let key_version = i64::from(keyring.version());
    let entropy = ctx.entropy();
    let row = UserRow {
        account_id: account.uuid(),
        user_id: id,
        user_name: joining.user_name.as_str().to_owned(),
        user_name_folded: joining.user_name.folded().to_owned(),
        email: Some(keyring.seal(&column::USER_EMAIL.slot(&id), joining.email.as_str().as_bytes(), entropy)),
        password: keyring.seal(&column::USER_PASSWORD.slot(&id), joining.phc.as_bytes(), entropy),
        key_version,
        role: joining.role.name().to_owned(),
        locale: joining.locale.tag().to_owned(),
        state: "pending_factor".to_owned(),
        created_at: now,
    };
    user::insert(tx, &row)
        .await
        .map_err(|error| if error.is_conflict() { SignUpError::UserNameTaken } else { error.into() })?;
    let secret = TotpSecret::generate(entropy);
    let sealed = keyring.seal(&column::TOTP_SECRET.slot(&id), secret.as_bytes(), entropy);
    user::insert_factor(tx, account, user, &sealed, key_version, now).await?;
    let opening = Opening { account, user, device: None, stage: Stage::FactorSetup, client, factor_at: None };
    let session = session::open(ctx, tx, opening).await?;
    let setup = FactorSetup::new(secret, joining.user_name.as_str());
    Ok(Started { account, user, session, setup })
}

/// Replaces a person's recovery codes.
pub(crate) async fn new_codes(
    ctx: &Ctx,
    tx: &mut Tx,
    account: Id<kind::Account>,
    user: Id<kind::User>,
) -> Result<Vec<RecoveryCode>, Fault> {
    let codes = recovery_codes(ctx.entropy());
    let hashes: Vec<[u8; 32]> = codes.iter().map(RecoveryCode::hash).collect();
    user::replace_recovery_codes(tx, account, user, &hashes, ctx.now().micros()).await?;
    Ok(codes)
}

impl FactorSetup {
    pub(crate) fn new(secret: TotpSecret, user_name: &str) -> Self {
        let uri = secret.uri("Letterkeep", user_name);
        Self { secret, uri }
    }
}
