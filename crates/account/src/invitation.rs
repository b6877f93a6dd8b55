//! Inviting people into an account. The owner passes the link on; it can be used once, for seven days.

use std::time::Duration;

use letterkeep_model::{Ctx, EmailAddress, Id, Locale, Role, Timestamp, kind};
use letterkeep_store::invitation::InvitationRow;
use letterkeep_store::sealed::column;
use letterkeep_store::user::UserRow;
use letterkeep_store::{Error, Store, Tx, account, invitation, user};
use letterkeep_vault::{Keyring, Password, Token};
use serde_json::json;

use crate::sign_up::{self, Joining, SignUpError, Started};
use crate::user::UserState;
use crate::{Action, Client, Fault, Passwords, UserName, allows, audit};

/// How long an invitation can be accepted.
pub const VALID: Duration = Duration::from_hours(7 * 24);
/// How long a closed invitation is remembered.
pub(crate) const KEPT: Duration = Duration::from_hours(30 * 24);

/// A new invitation.
pub struct Invited {
    /// Its id.
    pub id: Id<kind::Invitation>,
    /// What the link carries; shown once.
    pub token: Token,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An open invitation, as its reader sees it.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Its id.
    pub id: Id<kind::Invitation>,
    /// The account to join.
    pub account: Id<kind::Account>,
    /// The organisation's name.
    pub organisation: String,
    /// The role that it gives.
    pub role: Role,
    /// When it ends.
    pub expires_at: Timestamp,
    invited_by: Id<kind::User>,
}

/// An open invitation, as the owner sees it.
#[derive(Debug, Clone)]
pub struct InvitationSummary {
    /// Its id.
    pub id: Id<kind::Invitation>,
    /// Whom it is meant for, if the owner said so.
    pub email: Option<EmailAddress>,
    /// The role that it gives.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What somebody fills in to accept.
pub struct Accept {
    /// The user name of their choice, as typed.
    pub user_name: String,
    /// Where they are reached.
    pub email: EmailAddress,
    /// The password of their choice.
    pub password: Password,
    /// Their language.
    pub locale: Locale,
}

/// Invites somebody into the context's account.
pub async fn invite(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    role: Role,
    email: Option<&EmailAddress>,
) -> Result<Invited, Error> {
    let (id, now) = (ctx.new_id::<kind::Invitation>(), ctx.now());
    let token = Token::generate(ctx.entropy());
    let expires_at = now.plus(VALID);
    let row_id = id.uuid();
    let slot = column::INVITATION_EMAIL.slot(&row_id);
    let row = InvitationRow {
        account_id: ctx.account.uuid(),
        invitation_id: row_id,
        email: email.map(|email| keyring.seal(&slot, email.as_str().as_bytes(), ctx.entropy())),
        key_version: i64::from(keyring.version()),
        role: role.name().to_owned(),
        invited_by: ctx.user().unwrap_or(Id::NIL).uuid(),
        created_at: now.micros(),
        expires_at: expires_at.micros(),
    };
    invitation::insert(tx, &row, &token.hash()).await?;
    audit::append(ctx, tx, "user.invite", &id.to_string(), &json!({ "role": role })).await?;
    Ok(Invited { id, token, expires_at })
}

/// The open invitations of the context's account, oldest first.
pub async fn list(ctx: &Ctx, tx: &mut Tx, keyring: &Keyring) -> Result<Vec<InvitationSummary>, Fault> {
    let rows = invitation::list(tx, ctx.account, ctx.now().micros()).await?;
    rows.into_iter()
        .map(|row| {
            let slot = column::INVITATION_EMAIL.slot(&row.invitation_id);
            Ok(InvitationSummary {
                id: Id::from_uuid(row.invitation_id),
                email: crate::user::open_email(keyring, &slot, row.email.as_deref())?,
                role: row.role.parse().map_err(|_| Error::Shape("role"))?,
                created_at: Timestamp::from_micros(row.created_at),
                expires_at: Timestamp::from_micros(row.expires_at),
            })
        })
        .collect()
}

/// Takes an invitation of the context's account back; `false` if it is not open any more.
pub async fn withdraw(ctx: &Ctx, tx: &mut Tx, id: Id<kind::Invitation>) -> Result<bool, Error> {
    let withdrawn = invitation::withdraw(tx, ctx.account, id).await?;
    if withdrawn {
        audit::append(ctx, tx, "user.withdraw_invitation", &id.to_string(), &json!({})).await?;
    }
    Ok(withdrawn)
}

/// Whether a role allows to invite.
pub(crate) const fn may_invite(role: Role) -> bool {
    allows(role, Action::ManageUsers)
}

/// Whether who invited could do so at this moment: an invitation is worth no more than its maker.
fn inviter_stands(inviter: Option<&UserRow>) -> Result<bool, Error> {
    let Some(inviter) = inviter else { return Ok(false) };
    let role = inviter.role.parse().map_err(|_| Error::Shape("role"))?;
    Ok(may_invite(role) && crate::user::state(&inviter.state)? == UserState::Active)
}

/// The open invitation of a link.
pub async fn find(ctx: &Ctx, tx: &mut Tx, token: &Token) -> Result<Option<Invitation>, Error> {
    let Some(row) = invitation::find_by_token(tx, &token.hash(), ctx.now().micros()).await? else { return Ok(None) };
    let account = Id::from_uuid(row.account_id);
    let invited_by = Id::from_uuid(row.invited_by);
    if !inviter_stands(user::find(tx, account, invited_by).await?.as_ref())? {
        return Ok(None);
    }
    let Some(organisation) = account::find(tx, account).await? else { return Ok(None) };
    Ok(Some(Invitation {
        id: Id::from_uuid(row.invitation_id),
        account,
        organisation: organisation.name,
        role: row.role.parse().map_err(|_| Error::Shape("role"))?,
        expires_at: Timestamp::from_micros(row.expires_at),
        invited_by,
    }))
}

/// Accepts an invitation, which is used up by it. What follows is as after [`sign_up::start`]: the factor must be
/// proven and the recovery codes confirmed before the person can log in.
pub async fn accept(
    ctx: &Ctx,
    store: &Store,
    passwords: &Passwords,
    client: &Client,
    token: &Token,
    form: Accept,
) -> Result<Started, SignUpError> {
    let mut tx = store.db.read().await?;
    let invited = find(ctx, &mut tx, token).await?.ok_or(SignUpError::InvitationClosed)?;
    drop(tx);
    let user_name = UserName::parse(&form.user_name)?;
    sign_up::admit(ctx, store, client, &user_name).await?;
    let context = [user_name.as_str(), &invited.organisation, form.email.as_str()];
    let phc = passwords.hash(ctx, &form.password, &context).await??;
    let keyring = store.keys.keyring(invited.account).await?;
    let (account, role) = (invited.account, invited.role);
    let joining = Joining { account, role, user_name, email: &form.email, phc, locale: form.locale };
    let mut tx = store.db.write().await?;
    // Locked: who is removed at this very moment has invited nobody any more.
    let inviter = user::lock(&mut tx, account, invited.invited_by).await?;
    let stands = inviter_stands(inviter.as_ref()).map_err(Fault::from)?;
    if !stands || !invitation::accept(&mut tx, account, invited.id, ctx.now().micros()).await? {
        return Err(SignUpError::InvitationClosed);
    }
    let started = sign_up::join(ctx, &mut tx, &keyring, client, joining).await?;
    let detail = json!({ "invitation": invited.id, "role": role });
    audit::append_about(ctx, &mut tx, account, started.user, "user.accept_invitation", &detail).await?;
    tx.commit().await?;
    Ok(started)
}
