//! Files at rest: a row for each file, its content in sealed chunks.
//!
//! The size of the file, the number of its chunks and their sizes stand in the clear, so that progress can be shown
//! and a reader can find a place; the name, the digest and the content are sealed. A chunk's number and whether it is
//! the last one stand *inside* the sealed chunk, so that chunks can be neither reordered nor cut off unnoticed.

use letterkeep_model::{Id, Timestamp, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO sealed_file (account_id, file_id, name, key_version, size, chunks, complete, created_at)
        VALUES ($1, $2, $3, $4, 0, 0, $5, $6)";
    FIND = "SELECT file_id, name, key_version, size, chunks, complete, created_at FROM sealed_file
        WHERE account_id = $1 AND file_id = $2";
    INSERT_CHUNK = "INSERT INTO sealed_file_chunk (account_id, chunk_id, file_id, seq, size, body, key_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    GROW = "UPDATE sealed_file SET size = size + $3, chunks = chunks + $4
        WHERE account_id = $1 AND file_id = $2 AND complete = $5";
    COMPLETE = "UPDATE sealed_file SET name = $3, key_version = $4, complete = $5
        WHERE account_id = $1 AND file_id = $2";
    CHUNK = "SELECT chunk_id, seq, size, body, key_version FROM sealed_file_chunk
        WHERE account_id = $1 AND file_id = $2 AND seq = $3";
    DELETE_CHUNKS = "DELETE FROM sealed_file_chunk WHERE account_id = $1 AND file_id = $2 AND seq < $3";
    FIRST_CHUNK = "SELECT MIN(seq), MAX(seq) FROM sealed_file_chunk WHERE account_id = $1 AND file_id = $2";
    DELETE = "DELETE FROM sealed_file WHERE account_id = $1 AND file_id = $2";
    // Every file belongs to an import: the one it reads, for as long as it may still be read, or the rows it refused.
    // What no import needs is left over from an upload that broke off or from an import that a crash kept from tidying up.
    ABANDONED = "SELECT account_id, file_id FROM sealed_file
        WHERE created_at < $1 AND NOT EXISTS (
            SELECT 1 FROM import WHERE import.account_id = sealed_file.account_id
                AND (import.reject_file_id = sealed_file.file_id
                    OR import.file_id = sealed_file.file_id
                        AND (import.state IN ('mapping', 'running', 'paused')
                            OR import.state = 'failed' AND import.rows_done = 0)))
        ORDER BY account_id, file_id LIMIT $2";
}

/// A file, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct FileRow {
    /// The file.
    pub file_id: Uuid,
    /// Its name and digest, sealed.
    pub name: Vec<u8>,
    /// The key version that sealed the name.
    pub key_version: i64,
    /// Bytes of content.
    pub size: i64,
    /// Chunks.
    pub chunks: i64,
    /// Whether every chunk is there.
    pub complete: bool,
    /// When it was begun, microseconds UTC.
    pub created_at: i64,
}

/// A chunk, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ChunkRow {
    /// The chunk.
    pub chunk_id: Uuid,
    /// 0, 1, 2 … within the file.
    pub seq: i64,
    /// Bytes of content.
    pub size: i64,
    /// The content, sealed.
    pub body: Vec<u8>,
    /// The key version that sealed it.
    pub key_version: i64,
}

/// Begins a file: it has no content and is not complete.
pub async fn insert(
    tx: &mut Tx,
    account: Id<kind::Account>,
    file: Id<kind::File>,
    name: &[u8],
    key_version: i64,
    now: Timestamp,
) -> Result<(), Error> {
    exec!(tx, INSERT, account.uuid(), file.uuid(), name, key_version, false, now.micros())?;
    Ok(())
}

/// The file, if there is one.
pub async fn find(tx: &mut Tx, account: Id<kind::Account>, file: Id<kind::File>) -> Result<Option<FileRow>, Error> {
    optional!(tx, FIND => FileRow, account.uuid(), file.uuid())
}

/// Appends chunks to a file that is not complete; `false` if there is no such file.
pub async fn append(
    tx: &mut Tx,
    account: Id<kind::Account>,
    file: Id<kind::File>,
    chunks: &[ChunkRow],
) -> Result<bool, Error> {
    for chunk in chunks {
        exec!(
            tx,
            INSERT_CHUNK,
            account.uuid(),
            chunk.chunk_id,
            file.uuid(),
            chunk.seq,
            chunk.size,
            &chunk.body[..],
            chunk.key_version
        )?;
    }
    let size: i64 = chunks.iter().map(|chunk| chunk.size).sum();
    let count = i64::try_from(chunks.len()).unwrap_or(i64::MAX);
    Ok(exec!(tx, GROW, account.uuid(), file.uuid(), size, count, false)? == 1)
}

/// Marks a file as complete, with its name sealed anew together with its digest.
pub async fn complete(
    tx: &mut Tx,
    account: Id<kind::Account>,
    file: Id<kind::File>,
    name: &[u8],
    key_version: i64,
) -> Result<(), Error> {
    exec!(tx, COMPLETE, account.uuid(), file.uuid(), name, key_version, true)?;
    Ok(())
}

/// One chunk of a file.
pub async fn chunk(
    tx: &mut Tx,
    account: Id<kind::Account>,
    file: Id<kind::File>,
    seq: i64,
) -> Result<Option<ChunkRow>, Error> {
    optional!(tx, CHUNK => ChunkRow, account.uuid(), file.uuid(), seq)
}

/// Removes up to `limit` chunks of a file, then the file itself; `true` when nothing of it is left.
pub async fn delete_some(
    tx: &mut Tx,
    account: Id<kind::Account>,
    file: Id<kind::File>,
    limit: i64,
) -> Result<bool, Error> {
    let (first, last) = one!(tx, FIRST_CHUNK => (Option<i64>, Option<i64>), account.uuid(), file.uuid())?;
    if let (Some(first), Some(last)) = (first, last) {
        let end = first.saturating_add(limit);
        exec!(tx, DELETE_CHUNKS, account.uuid(), file.uuid(), end)?;
        if last >= end {
            return Ok(false);
        }
    }
    exec!(tx, DELETE, account.uuid(), file.uuid())?;
    Ok(true)
}

/// Files begun before `before` that no import reads, will read or writes to, and that hold no refused rows.
pub async fn abandoned(
    tx: &mut Tx,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(Id<kind::Account>, Id<kind::File>)>, Error> {
    let rows = all!(tx, ABANDONED => (Uuid, Uuid), before.micros(), limit)?;
    Ok(rows.into_iter().map(|(account, file)| (Id::from_uuid(account), Id::from_uuid(file))).collect())
}
