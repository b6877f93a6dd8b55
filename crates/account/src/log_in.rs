//! Logging in: user name and password, then the second factor, then a session.

use letterkeep_model::Ctx;
use letterkeep_store::{Store, Tx};
use letterkeep_vault::{Password, Token};
use serde_json::json;

use crate::recognise::{self, Proof, ids};
use crate::session::{self, LoggedIn, Opening, Session};
use crate::throttle;
use crate::{Client, Passwords, Stage, UserName, audit};

pub use crate::recognise::{FactorError, LogInError};

/// Judges user name and password. What comes back is the cookie of a session at [`Stage::Factor`], good for ten
/// minutes and for [`prove_factor`] alone.
pub async fn authenticate(
    ctx: &Ctx,
    store: &Store,
    passwords: &Passwords,
    client: &Client,
    user_name: &str,
    password: &Password,
) -> Result<Token, LogInError> {
    // What cannot be a name is nobody's: the same path and the same work.
    let name = UserName::parse(user_name).ok();
    let folded = name.as_ref().map_or("", UserName::folded);
    let claim = recognise::claim(store, client, folded).await?;
    let device = claim.device;
    let row = recognise::judge_password(ctx, store, passwords, client, claim, password).await?;
    let (account, user) = ids(&row);
    let mut tx = store.db.write().await?;
    let opening = Opening { account, user, device, stage: Stage::Factor, client, factor_at: None };
    let token = session::open(ctx, &mut tx, opening).await?;
    let detail = json!({ "known_browser": device.is_some() });
    audit::append_about(ctx, &mut tx, account, user, "log_in.password", &detail).await?;
    tx.commit().await?;
    Ok(token)
}

/// Proves the second factor, with the code of the app or a recovery code, and opens the full session under a new id.
pub async fn prove_factor(
    ctx: &Ctx,
    store: &Store,
    client: &Client,
    token: &Token,
    code: &str,
) -> Result<LoggedIn, FactorError> {
    let (old, proof, mut tx) = prove(ctx, store, client, token, Stage::Factor, code).await?;
    let system = store.keys.system().await?;
    let done = session::complete(ctx, &mut tx, &system, client, &old).await?.ok_or(FactorError::NoSession)?;
    let factor = match proof {
        Proof::Step(_) => "totp",
        Proof::Recovery(_) => "recovery_code",
    };
    let detail = json!({ "factor": factor, "recovery_codes_left": done.recovery_codes_left });
    audit::append_for(ctx, &mut tx, &old, "log_in", &detail).await?;
    tx.commit().await?;
    Ok(done)
}

/// Proves the second factor once more in a full session, which gets a new id; for five minutes, factors and keys may
/// be changed.
pub async fn step_up(
    ctx: &Ctx,
    store: &Store,
    client: &Client,
    token: &Token,
    code: &str,
) -> Result<Token, FactorError> {
    let system = store.keys.system().await?;
    let (old, _, mut tx) = prove(ctx, store, client, token, Stage::Full, code).await?;
    let token = session::renew(ctx, &mut tx, &old, client, Some(ctx.now())).await?.ok_or(FactorError::NoSession)?;
    throttle::clear(&mut tx, &system, &[recognise::factor_counter(&old)]).await?;
    audit::append_for(ctx, &mut tx, &old, "log_in.step_up", &json!({})).await?;
    tx.commit().await?;
    Ok(token)
}

/// Judges the code for the session of `token` at `stage` and uses the proof up, in a transaction that is still open:
/// what follows from the proof and its use are committed together.
async fn prove(
    ctx: &Ctx,
    store: &Store,
    client: &Client,
    token: &Token,
    stage: Stage,
    code: &str,
) -> Result<(Session, Proof, Tx), FactorError> {
    let session = recognise::session_at(ctx, store, token, stage).await?;
    let proof = recognise::judge_factor(ctx, store, client, &session, code).await?;
    let system = store.keys.system().await?;
    let mut tx = store.db.write().await?;
    if !recognise::use_up(ctx, &mut tx, &session, &proof).await? {
        drop(tx);
        return Err(recognise::refuse_code(ctx, store, &session, Some(&proof)).await?);
    }
    if let Proof::Recovery(_) = proof {
        throttle::clear(&mut tx, &system, &[recognise::recovery_counter(&session, client)]).await?;
    }
    if let Some(device) = session.device {
        letterkeep_store::session::clear_device_failures(&mut tx, session.account, session.user, device).await?;
    }
    Ok((session, proof, tx))
}
