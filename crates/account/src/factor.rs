//! Changing one's second factor. The present one stays until the new one is proven, so nobody is ever without: there
//! is no way to remove the last factor.

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::sealed::column;
use letterkeep_store::{Error, Store, Tx, user};
use letterkeep_vault::{RecoveryCode, TotpSecret};
use serde_json::json;

use crate::recognise::{self, Proof, Secret};
use crate::sign_up::{FactorSetup, new_codes};
use crate::throttle;
use crate::{Session, audit, session as sessions};

pub use crate::recognise::FactorError;

/// Makes a secret that is to replace the present one. Needs a factor proven in the last five minutes.
pub async fn begin_replacement(ctx: &Ctx, store: &Store, session: &Session) -> Result<FactorSetup, FactorError> {
    demand_fresh(ctx, session)?;
    let keyring = store.keys.keyring(session.account).await?;
    let (account, user, id) = (session.account, session.user, session.user.uuid());
    let mut tx = store.db.write().await?;
    let row = user::find_factor(&mut tx, account, user).await?.ok_or(FactorError::NoSession)?;
    let secret = TotpSecret::generate(ctx.entropy());
    // One key version holds for both columns.
    let present = keyring.reseal(&column::TOTP_SECRET.slot(&id), &row.secret, ctx.entropy())?;
    let pending = keyring.seal(&column::TOTP_PENDING.slot(&id), secret.as_bytes(), ctx.entropy());
    let version = i64::from(keyring.version());
    user::set_pending_factor(&mut tx, account, user, &present, &pending, version).await?;
    audit::append_for(ctx, &mut tx, session, "factor.begin_replacement", &json!({})).await?;
    tx.commit().await?;
    Ok(FactorSetup::new(secret, &session.user_name))
}

/// Proves the new secret with a code, puts it in the place of the present one, ends all other sessions and forgets
/// all other browsers.
pub async fn finish_replacement(ctx: &Ctx, store: &Store, session: &Session, code: &str) -> Result<(), FactorError> {
    demand_fresh(ctx, session)?;
    let (account, user, id) = (session.account, session.user, session.user.uuid());
    let Proof::Step(step) = recognise::judge_code(ctx, store, session, Secret::Pending, code).await? else {
        return Err(FactorError::Refused);
    };
    let keyring = store.keys.keyring(account).await?;
    let system = store.keys.system().await?;
    let mut tx = store.db.write().await?;
    let row = user::find_factor(&mut tx, account, user).await?.ok_or(FactorError::NoSession)?;
    let secret = recognise::open_secret(store, session, &row, Secret::Pending).await?.ok_or(FactorError::Refused)?;
    let sealed = keyring.seal(&column::TOTP_SECRET.slot(&id), secret.as_bytes(), ctx.entropy());
    let (version, now) = (i64::from(keyring.version()), ctx.now().micros());
    if !user::replace_factor(&mut tx, account, user, &sealed, version, step, now).await? {
        return Err(FactorError::Refused);
    }
    sessions::revoke_all_but(&mut tx, session).await?;
    throttle::clear(&mut tx, &system, &[recognise::factor_counter(session)]).await?;
    audit::append_for(ctx, &mut tx, session, "factor.replace", &json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// New recovery codes in place of the old ones, which are void. Needs a factor proven in the last five minutes.
pub async fn renew_recovery_codes(
    ctx: &Ctx,
    store: &Store,
    session: &Session,
) -> Result<Vec<RecoveryCode>, FactorError> {
    demand_fresh(ctx, session)?;
    let mut tx = store.db.write().await?;
    let codes = new_codes(ctx, &mut tx, session.account, session.user).await?;
    user::set_recovery_shown(&mut tx, session.account, session.user, ctx.now().micros()).await?;
    audit::append_for(ctx, &mut tx, session, "recovery_codes.renew", &json!({})).await?;
    tx.commit().await?;
    Ok(codes)
}

/// How many recovery codes a person has left.
pub async fn recovery_codes_left(ctx: &Ctx, tx: &mut Tx, user: Id<kind::User>) -> Result<i64, Error> {
    user::recovery_codes_left(tx, ctx.account, user).await
}

fn demand_fresh(ctx: &Ctx, session: &Session) -> Result<(), FactorError> {
    if session.factor_is_fresh(ctx.now()) { Ok(()) } else { Err(FactorError::StepUpNeeded) }
}
