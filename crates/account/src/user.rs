//! The people of an account.

use letterkeep_model::{Ctx, EmailAddress, Id, Locale, Role, Timestamp, kind};
use letterkeep_store::sealed::column;
use letterkeep_store::user::UserRow;
use letterkeep_store::{Error, Store, Tx, invitation as store_invitation, user};
use letterkeep_vault::{Keyring, Password, Slot, Token};
use serde_json::json;

use crate::error::carries_faults;
use crate::passwords::Stopped;
use crate::recognise::{self, Claim, FactorError, LogInError};
use crate::{Client, Fault, Passwords, PolicyError, Stage, audit, invitation, session};

/// How far a person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    /// The sign-up is not finished.
    Pending,
    /// Can log in.
    Active,
    /// Cannot log in until enabled again.
    Disabled,
}

/// A person, as the owner sees them.
#[derive(Debug, Clone)]
pub struct UserSummary {
    /// Their id.
    pub id: Id<kind::User>,
    /// The name they log in with.
    pub user_name: String,
    /// Where they are reached.
    pub email: Option<EmailAddress>,
    /// Their role.
    pub role: Role,
    /// How far they are.
    pub state: UserState,
    /// Their language.
    pub locale: Locale,
    /// When they signed up.
    pub created_at: Timestamp,
}

/// Why a person was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No such person in this account, or they are not in a state where this means something.
    #[error("there is no such person in this account, or the change does not fit their state")]
    NotFound,
    /// The account would be left without an owner who can log in.
    #[error("an account needs an owner; make somebody else an owner first")]
    LastOwner,
    /// Something below failed.
    #[error(transparent)]
    Fault(Fault),
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The session has ended.
    #[error("the session has ended; log in again")]
    NoSession,
    /// The present password is wrong.
    #[error("the present password is wrong")]
    Refused,
    /// The new password breaks a rule; every broken rule is named.
    #[error(transparent)]
    Password(#[from] PolicyError),
    /// Too many failures; not judged.
    #[error("too many failed attempts; try again after {until}")]
    Throttled {
        /// When the next attempt is judged.
        until: Timestamp,
    },
    /// Too many passwords are being hashed.
    #[error("too many people log in at this moment; try again in a few seconds")]
    Busy,
    /// Something below failed.
    #[error(transparent)]
    Fault(Fault),
}

carries_faults!(UserError, ChangePasswordError);

impl From<LogInError> for ChangePasswordError {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::Refused => Self::Refused,
            LogInError::Throttled { until } => Self::Throttled { until },
            LogInError::Busy => Self::Busy,
            LogInError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<Stopped> for ChangePasswordError {
    fn from(stopped: Stopped) -> Self {
        LogInError::from(stopped).into()
    }
}

/// The people of the context's account by name.
pub async fn list(ctx: &Ctx, tx: &mut Tx, keyring: &Keyring) -> Result<Vec<UserSummary>, Fault> {
    user::list(tx, ctx.account).await?.into_iter().map(|row| summary(keyring, row)).collect()
}

/// A person of the context's account.
pub async fn find(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    user: Id<kind::User>,
) -> Result<Option<UserSummary>, Fault> {
    user::find(tx, ctx.account, user).await?.map(|row| summary(keyring, row)).transpose()
}

/// Gives a person another role. Their sessions follow at once; if they may not invite any more, their open invitations
/// are taken back.
pub async fn change_role(ctx: &Ctx, tx: &mut Tx, user: Id<kind::User>, role: Role) -> Result<(), UserError> {
    if role != Role::Owner {
        keep_an_owner(ctx, tx, user).await?;
    }
    let old = user::lock(tx, ctx.account, user).await?.ok_or(UserError::NotFound)?;
    user::set_role(tx, ctx.account, user, role.name(), ctx.now().micros()).await?;
    let withdrawn =
        if invitation::may_invite(role) { 0 } else { store_invitation::withdraw_of(tx, ctx.account, user).await? };
    let detail = json!({ "from": old.role, "to": role, "invitations_withdrawn": withdrawn });
    audit::append(ctx, tx, "user.change_role", &user.to_string(), &detail).await?;
    Ok(())
}

/// Keeps a person from logging in, ends their sessions, forgets their browsers and takes their open invitations back.
/// Somebody whose sign-up is not finished is removed instead: enabled again, they would be let in without a factor.
pub async fn disable(ctx: &Ctx, tx: &mut Tx, user: Id<kind::User>) -> Result<(), UserError> {
    keep_an_owner(ctx, tx, user).await?;
    let row = user::lock(tx, ctx.account, user).await?.ok_or(UserError::NotFound)?;
    let unfinished = state(&row.state)? == UserState::Pending;
    let disabled = if unfinished {
        user::delete_unfinished(tx, ctx.account, user, i64::MAX).await?.is_some()
    } else {
        user::set_state(tx, ctx.account, user, "active", "disabled", ctx.now().micros()).await?
    };
    if !disabled {
        return Err(UserError::NotFound);
    }
    letterkeep_store::session::revoke_others(tx, ctx.account, user, &[]).await?;
    letterkeep_store::session::remove_other_devices(tx, ctx.account, user, Id::NIL).await?;
    let withdrawn = store_invitation::withdraw_of(tx, ctx.account, user).await?;
    let detail = json!({ "unfinished": unfinished, "invitations_withdrawn": withdrawn });
    audit::append(ctx, tx, "user.disable", &user.to_string(), &detail).await?;
    Ok(())
}

/// Lets a disabled person log in again.
pub async fn enable(ctx: &Ctx, tx: &mut Tx, user: Id<kind::User>) -> Result<(), UserError> {
    if !user::set_state(tx, ctx.account, user, "disabled", "active", ctx.now().micros()).await? {
        return Err(UserError::NotFound);
    }
    audit::append(ctx, tx, "user.enable", &user.to_string(), &json!({})).await?;
    Ok(())
}

/// Changes the language of the person who acts.
pub async fn change_locale(ctx: &Ctx, tx: &mut Tx, locale: Locale) -> Result<(), UserError> {
    let user = ctx.user().ok_or(UserError::NotFound)?;
    if !user::set_locale(tx, ctx.account, user, locale.tag(), ctx.now().micros()).await? {
        return Err(UserError::NotFound);
    }
    audit::append(ctx, tx, "user.change_locale", &user.to_string(), &json!({ "locale": locale })).await?;
    Ok(())
}

/// Changes the password of the person whose full session this is. The session gets a new id; all others end, and all
/// other browsers are forgotten.
pub async fn change_password(
    ctx: &Ctx,
    store: &Store,
    passwords: &Passwords,
    client: &Client,
    token: &Token,
    current: &Password,
    new: &Password,
) -> Result<Token, ChangePasswordError> {
    let old = match recognise::session_at(ctx, store, token, Stage::Full).await {
        Ok(session) => session,
        Err(FactorError::Fault(fault)) => return Err(ChangePasswordError::Fault(fault)),
        Err(_) => return Err(ChangePasswordError::NoSession),
    };
    let mut tx = store.db.read().await?;
    let row = user::find(&mut tx, old.account, old.user).await?.ok_or(ChangePasswordError::NoSession)?;
    let organisation = letterkeep_store::account::find(&mut tx, old.account).await?;
    drop(tx);
    let folded = row.user_name_folded.clone();
    let claim = Claim { folded: &folded, row: Some(row), device: old.device };
    let row = recognise::judge_password(ctx, store, passwords, client, claim, current).await?;
    let keyring = store.keys.keyring(old.account).await?;
    let email = open_email(&keyring, &column::USER_EMAIL.slot(&row.user_id), row.email.as_deref())?;
    let context = [
        row.user_name.as_str(),
        organisation.as_ref().map_or("", |organisation| &organisation.name),
        email.as_ref().map_or("", EmailAddress::as_str),
    ];
    let phc = passwords.hash(ctx, new, &context).await??;
    let mut tx = store.db.write().await?;
    recognise::store_password(ctx, &mut tx, store, &row, &phc).await?;
    let renewed = session::renew(ctx, &mut tx, &old, client, old.factor_at).await?;
    let token = renewed.ok_or(ChangePasswordError::NoSession)?;
    letterkeep_store::session::revoke_others(&mut tx, old.account, old.user, &token.hash()).await?;
    let kept = old.device.unwrap_or(Id::NIL);
    letterkeep_store::session::remove_other_devices(&mut tx, old.account, old.user, kept).await?;
    audit::append_for(ctx, &mut tx, &old, "user.change_password", &json!({})).await?;
    tx.commit().await?;
    Ok(token)
}

/// Refuses if `user` is the only owner who can log in. Owners stay locked until the transaction ends, so that two
/// owners cannot remove each other at the same moment.
async fn keep_an_owner(ctx: &Ctx, tx: &mut Tx, user: Id<kind::User>) -> Result<(), UserError> {
    let owners = user::lock_active_owners(tx, ctx.account).await?;
    if owners == [user.uuid()] { Err(UserError::LastOwner) } else { Ok(()) }
}

fn summary(keyring: &Keyring, row: UserRow) -> Result<UserSummary, Fault> {
    Ok(UserSummary {
        id: Id::from_uuid(row.user_id),
        email: open_email(keyring, &column::USER_EMAIL.slot(&row.user_id), row.email.as_deref())?,
        user_name: row.user_name,
        role: row.role.parse().map_err(|_| Error::Shape("role"))?,
        state: state(&row.state)?,
        locale: row.locale.parse().map_err(|_| Error::Shape("locale"))?,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

pub(crate) fn state(stored: &str) -> Result<UserState, Error> {
    match stored {
        "pending_factor" | "pending_codes" => Ok(UserState::Pending),
        "active" => Ok(UserState::Active),
        "disabled" => Ok(UserState::Disabled),
        _ => Err(Error::Shape("user state")),
    }
}

/// Opens a sealed address.
pub(crate) fn open_email(
    keyring: &Keyring,
    slot: &Slot<'_>,
    sealed: Option<&[u8]>,
) -> Result<Option<EmailAddress>, Fault> {
    let Some(sealed) = sealed else { return Ok(None) };
    let opened = keyring.open(slot, sealed)?;
    let email = str::from_utf8(&opened).ok().and_then(|text| EmailAddress::parse(text).ok());
    Ok(Some(email.ok_or(Error::Shape("address"))?))
}
