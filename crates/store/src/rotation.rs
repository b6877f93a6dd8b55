//! Rotation of an account's data key while the service runs.
//!
//! Four steps, each durable, so that a process that dies goes on where it stopped:
//! 1. a new version is stored, readable at once, sealing only after [`KeyStore::SETTLE`], when every process knows it;
//! 2. every sealed row is sealed anew, in batches, table by table; the place reached is stored with each batch;
//! 3. when no row needs an older version, the rotation waits for [`GRACE`] more, so that work that began before
//!    step 1 has ended, and looks again;
//! 4. the older versions are deleted and the rotation is closed.
//!
//! [`advance`] does as much as it can and says when to call it again; the caller is a job.

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use uuid::Uuid;

use crate::sealed::{self, SealedRow, TABLES};
use crate::{Error, KeyStore, KeyStoreError, Store};

statements! {
    OPEN = "SELECT rotation_id, target, sealed_table, after_row, resealed, started_at FROM key_rotation
        WHERE account_id = $1 AND finished_at IS NULL";
    START = "INSERT INTO key_rotation
        (rotation_id, account_id, target, sealed_table, after_row, resealed, started_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, 0, $6, NULL)";
    PROGRESS = "UPDATE key_rotation SET sealed_table = $2, after_row = $3, resealed = resealed + $4
        WHERE rotation_id = $1";
    FINISH = "UPDATE key_rotation SET finished_at = $2 WHERE rotation_id = $1";
}

/// How long an older key version is kept after nothing seals with it any more.
const GRACE: Duration = Duration::from_hours(1);

/// A record could not be carried over, or a store failed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// A record does not open: it was changed, or moved from another row. The rotation stops before it; the old key
    /// is kept.
    #[error(
        "a sealed record in table {table}, row {row}, does not open; the rotation stopped there and kept the old key"
    )]
    Record {
        /// The table.
        table: &'static str,
        /// The row.
        row: Uuid,
    },
    /// The key store failed.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call again at this instant; the number of records sealed anew so far.
    Waiting(Timestamp, u64),
    /// The account has one key version again; the number of records sealed anew.
    Done(u64),
}

#[derive(Debug, sqlx::FromRow)]
struct RotationRow {
    rotation_id: Uuid,
    target: i64,
    sealed_table: String,
    after_row: Uuid,
    resealed: i64,
    started_at: i64,
}

/// Begins a rotation of the account's data key, or goes on with one that was begun; does not wait.
pub async fn advance(ctx: &Ctx, store: &Store, account: Id<kind::Account>) -> Result<Progress, RotationError> {
    let mut rotation = open_or_start(ctx, store, account).await?;
    let seals_from = Timestamp::from_micros(rotation.started_at).plus(KeyStore::SETTLE);
    if ctx.now() < seals_from {
        return Ok(Progress::Waiting(seals_from, rotation.resealed as u64));
    }
    store.keys.forget(account);
    let first = TABLES.iter().position(|table| table.name == rotation.sealed_table).unwrap_or(0);
    for table in &TABLES[first..] {
        if table.name != rotation.sealed_table {
            rotation.after_row = Uuid::nil();
        }
        while reseal_batch(ctx, store, account, table, &mut rotation).await? {}
    }
    let delete_from = seals_from.plus(GRACE);
    if ctx.now() < delete_from {
        return Ok(Progress::Waiting(delete_from, rotation.resealed as u64));
    }
    let mut left = 0;
    let mut data = store.db.read().await?;
    for table in TABLES {
        left += sealed::remaining(&mut data, table, account, rotation.target).await?;
    }
    drop(data);
    let mut keys = store.keys.db().write().await?;
    if left > 0 {
        // Work that began before the new version sealed has written since: sweep once more from the start.
        exec!(&mut keys, PROGRESS, rotation.rotation_id, TABLES[0].name, Uuid::nil(), 0i64)?;
        keys.commit().await?;
        return Ok(Progress::Waiting(ctx.now(), rotation.resealed as u64));
    }
    store.keys.delete_before(&mut keys, account, rotation.target).await?;
    exec!(&mut keys, FINISH, rotation.rotation_id, ctx.now().micros())?;
    keys.commit().await?;
    store.keys.forget(account);
    Ok(Progress::Done(rotation.resealed as u64))
}

async fn open_or_start(ctx: &Ctx, store: &Store, account: Id<kind::Account>) -> Result<RotationRow, RotationError> {
    let mut keys = store.keys.db().write().await?;
    if let Some(rotation) = optional!(&mut keys, OPEN => RotationRow, account.uuid())? {
        return Ok(rotation);
    }
    let now = ctx.now();
    let usable_from = now.plus(KeyStore::SETTLE);
    let (target, held) = store.keys.add_version(&mut keys, account, usable_from, ctx.entropy()).await?;
    let rotation = RotationRow {
        rotation_id: ctx.new_id::<kind::Rotation>().uuid(),
        target: i64::from(target),
        sealed_table: TABLES[0].name.to_owned(),
        after_row: Uuid::nil(),
        resealed: 0,
        started_at: now.micros(),
    };
    exec!(
        &mut keys,
        START,
        rotation.rotation_id,
        account.uuid(),
        rotation.target,
        &rotation.sealed_table,
        rotation.after_row,
        rotation.started_at
    )?;
    keys.commit().await?;
    drop(held);
    store.keys.forget(account);
    Ok(rotation)
}

/// Seals one batch anew; `false` when the table is done.
async fn reseal_batch(
    ctx: &Ctx,
    store: &Store,
    account: Id<kind::Account>,
    table: &'static sealed::Table,
    rotation: &mut RotationRow,
) -> Result<bool, RotationError> {
    let keyring = store.keys.keyring(account).await?;
    let mut tx = store.db.write().await?;
    let rows = sealed::next(&mut tx, table, account, rotation.after_row, rotation.target).await?;
    let Some(last) = rows.last().map(|row| row.id) else { return Ok(false) };
    let mut resealed = 0;
    for row in rows {
        let mut fresh = SealedRow { id: row.id, records: [None, None], key_version: row.key_version };
        for (place, column) in table.columns.iter().enumerate() {
            if let Some(record) = &row.records[place] {
                let sealed = keyring
                    .reseal(&column.slot(&row.id), record, ctx.entropy())
                    .map_err(|_| RotationError::Record { table: table.name, row: row.id })?;
                fresh.records[place] = Some(sealed);
            }
        }
        resealed += i64::from(sealed::replace(&mut tx, table, account, &fresh, rotation.target).await?);
    }
    tx.commit().await?;
    // The place is stored after the batch: a crash in between makes the batch be looked at again, harmlessly,
    // because its rows carry the new version.
    rotation.after_row = last;
    table.name.clone_into(&mut rotation.sealed_table);
    rotation.resealed += resealed;
    let mut keys = store.keys.db().write().await?;
    exec!(&mut keys, PROGRESS, rotation.rotation_id, table.name, last, resealed)?;
    keys.commit().await?;
    Ok(true)
}
