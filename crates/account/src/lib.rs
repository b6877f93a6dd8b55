//! Sign-up, log-in, second factors, sessions, roles and the reading of the audit log.
//!
//! # Invariants
//! - No account can be used before a second factor is proven and its recovery codes are confirmed ([`sign_up`]).
//! - A password is judged in one place ([`log_in`]); unknown name, wrong password, unfinished sign-up and disabled
//!   person get the same answer after the same work.
//! - A one-time code and a recovery code count once; one SQL statement decides.
//! - Attempts are counted before they are judged. A browser that has completed a log-in has a budget of its own, so
//!   that nobody else's failures lock its owner out ([`Client`]).
//! - Wrong recovery codes never count against the app's codes. A known browser from which a hundred wrong codes came in
//!   a row, or whose session was ended from elsewhere, is not known any more.
//! - A session's token is stored hashed and is new at each stage; role and state are read with every look-up.
//! - Every change of state appends to the audit log, in the transaction of the change.
//!
//! Whether somebody may do something is decided by [`authorize`] alone; callers (pages, command line) ask it first.
//! Functions that hash a password or run several transactions take the [`Store`](letterkeep_store::Store), the others
//! the caller's transaction.
//!
//! # The most common change
//! A new action: add it to the table in `permission.rs`; its `match` does not compile until every role is decided.

mod client;
mod error;
mod passwords;
mod permission;
mod recognise;
mod throttle;
mod user_name;

pub mod audit;
pub mod factor;
pub mod invitation;
pub mod log_in;
pub mod organisation;
pub mod policy;
pub mod session;
pub mod sign_up;
pub mod user;

pub use client::Client;
pub use error::Fault;
pub use passwords::{Argon2id, Hasher, Passwords};
pub use permission::{Action, Denied, PermissionRow, allows, authorize, table};
pub use policy::{Blocklist, BlocklistError, Breach, PasswordPolicy, PolicyError};
pub use session::{Session, SessionSummary, Stage};
pub use user_name::{UserName, UserNameError};

use letterkeep_model::Ctx;
use letterkeep_store::Store;

/// Removes what has ended by itself: sessions, invitations, counters, unfinished sign-ups, forgotten browsers. Run it
/// every hour.
pub async fn sweep(ctx: &Ctx, store: &Store) -> Result<(), Fault> {
    sign_up::expire_unfinished(ctx, store).await?;
    let mut tx = store.db.write().await?;
    letterkeep_store::session::remove_expired(&mut tx, ctx.now().micros()).await?;
    letterkeep_store::session::remove_stale_devices(&mut tx, ctx.now().minus(session::DEVICE_KEPT).micros()).await?;
    letterkeep_store::throttle::remove_stale(&mut tx, ctx.now().minus(throttle::LONGEST_WINDOW).micros()).await?;
    letterkeep_store::invitation::remove_stale(&mut tx, ctx.now().minus(invitation::KEPT).micros()).await?;
    tx.commit().await?;
    Ok(())
}
