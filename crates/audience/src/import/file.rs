//! Files at rest, sealed in chunks, so that neither an upload nor a list of refused rows stands in the clear on any
//! disk.
//!
//! Every chunk carries, inside its seal, the file that it belongs to, its number and whether it is the last one.
//! Swapped, repeated or missing chunks are therefore refused, and so is a file that was cut off. A file counts only
//! when it is complete; what a crash leaves behind is removed by [`sweep`].

use std::fmt::Write as _;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::sealed::column;
use letterkeep_store::sealed_file::{self as rows, ChunkRow};
use letterkeep_store::{KeyStoreError, Store, Tx};
use letterkeep_vault::{Keyring, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

/// Bytes of content in a chunk, the last one excepted.
pub const CHUNK: usize = 256 * 1024;
/// File, number and mark of the last chunk, before the content.
const HEAD: usize = 16 + 8 + 1;
/// Chunks that are stored in one transaction.
const PENDING: usize = 8;
/// Chunks that a reader keeps.
const KEPT: usize = 4;
/// Characters of a file name that are kept.
const NAME_CHARS: usize = 255;
/// After this time a file that no import needs has been given up; an upload may still be arriving before.
const ABANDONED: Duration = Duration::from_hours(24);

/// Why a file cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Larger than allowed.
    #[error("the file is larger than {} MB; split it", .0 / 1024 / 1024)]
    TooLarge(u64),
    /// The sender went away or the file on disk cannot be read.
    #[error("the file could not be read to its end: {0}")]
    Source(#[source] io::Error),
    /// There is no such file, or it is not complete.
    #[error("there is no such file, or its upload was not completed")]
    Missing,
    /// A chunk is missing, moved or changed.
    #[error("chunk {0} of the stored file is missing or was changed; upload the file again")]
    Damaged(i64),
    /// The keys failed.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// What a file is called, and what its content hashes to; sealed together.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Name {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// A complete file.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// The file.
    pub id: Id<kind::File>,
    /// Bytes of content.
    pub size: u64,
    /// Hexadecimal SHA-256 of the content; `None` for files that were written in pieces over several runs.
    pub sha256: Option<String>,
}

/// Writes a file from pieces as they come in. Dropped before [`finish`](Self::finish), it removes what it stored.
pub struct FileWriter {
    ctx: Ctx,
    store: Store,
    id: Id<kind::File>,
    name: String,
    limit: u64,
    size: u64,
    hash: Sha256,
    /// The chunk that is being filled, with room for its head.
    chunk: Zeroizing<Vec<u8>>,
    next: i64,
    pending: Vec<ChunkRow>,
    armed: bool,
}

impl FileWriter {
    /// Begins a file of at most `limit` bytes. `name` is what its owner calls it; only its last 255 characters are
    /// kept, and no path in it is ever followed.
    pub async fn begin(ctx: &Ctx, store: &Store, name: &str, limit: u64) -> Result<Self, FileError> {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let name: String = name.chars().filter(|character| !character.is_control()).take(NAME_CHARS).collect();
        let id = ctx.new_id::<kind::File>();
        let keyring = store.keys.keyring(ctx.account).await?;
        let mut tx = store.db.write().await?;
        begin_in(ctx, &mut tx, &keyring, id, &name).await?;
        tx.commit().await?;
        let chunk = Zeroizing::new(Vec::with_capacity(HEAD + CHUNK));
        let (ctx, store) = (ctx.clone(), store.clone());
        let (hash, pending) = (Sha256::new(), Vec::new());
        Ok(Self { ctx, store, id, name, limit, size: 0, hash, chunk, next: 0, pending, armed: true })
    }

    /// Appends a piece.
    pub async fn write(&mut self, mut piece: &[u8]) -> Result<(), FileError> {
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.size > self.limit {
            return Err(FileError::TooLarge(self.limit));
        }
        self.hash.update(piece);
        while !piece.is_empty() {
            // A full chunk waits for more to come, because it might be the last one.
            if self.chunk.len() == CHUNK {
                self.seal(false).await?;
            }
            let taken = piece.len().min(CHUNK - self.chunk.len());
            self.chunk.extend_from_slice(&piece[..taken]);
            piece = &piece[taken..];
        }
        Ok(())
    }

    /// Appends everything that `source` yields.
    pub async fn write_from(&mut self, source: &mut (impl AsyncRead + Unpin)) -> Result<(), FileError> {
        let mut piece = Zeroizing::new(vec![0; 64 * 1024]);
        loop {
            match source.read(&mut piece).await.map_err(FileError::Source)? {
                0 => return Ok(()),
                read => self.write(&piece[..read]).await?,
            }
        }
    }

    /// Stores the last chunk and marks the file as complete.
    pub async fn finish(mut self) -> Result<StoredFile, FileError> {
        self.seal(true).await?;
        let digest = std::mem::replace(&mut self.hash, Sha256::new()).finish();
        let sha256 = digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let keyring = self.store.keys.keyring(self.ctx.account).await?;
        let name = Name { name: self.name.clone(), sha256: Some(sha256.clone()) };
        let sealed = keyring.seal_json(&column::FILE_NAME.slot(&self.id.uuid()), &name, self.ctx.entropy());
        let mut tx = self.store.db.write().await?;
        if !rows::append(&mut tx, self.ctx.account, self.id, &self.pending).await? {
            return Err(FileError::Missing);
        }
        let version = i64::from(keyring.version());
        rows::complete(&mut tx, self.ctx.account, self.id, &sealed, version).await?;
        tx.commit().await?;
        self.armed = false;
        Ok(StoredFile { id: self.id, size: self.size, sha256: Some(sha256) })
    }

    async fn seal(&mut self, last: bool) -> Result<(), FileError> {
        let keyring = self.store.keys.keyring(self.ctx.account).await?;
        self.pending.push(seal_chunk(&self.ctx, &keyring, self.id, self.next, last, &self.chunk));
        self.next += 1;
        self.chunk.clear();
        if self.pending.len() >= PENDING && !last {
            let mut tx = self.store.db.write().await?;
            if !rows::append(&mut tx, self.ctx.account, self.id, &self.pending).await? {
                return Err(FileError::Missing);
            }
            tx.commit().await?;
            self.pending.clear();
        }
        Ok(())
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if self.armed
            && let Ok(runtime) = Handle::try_current()
        {
            let (store, account, id) = (self.store.clone(), self.ctx.account, self.id);
            runtime.spawn(async move {
                // What cannot be removed now is removed by the sweep.
                let _ = delete(&store, account, id).await;
            });
        }
    }
}

/// Begins a file in the caller's transaction, for content that is appended over several transactions.
pub(super) async fn begin_in(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::File>,
    name: &str,
) -> Result<(), FileError> {
    let sealed = Name { name: name.to_owned(), sha256: None };
    let sealed = keyring.seal_json(&column::FILE_NAME.slot(&id.uuid()), &sealed, ctx.entropy());
    rows::insert(tx, ctx.account, id, &sealed, i64::from(keyring.version()), ctx.now()).await?;
    Ok(())
}

/// Appends content to such a file, as one chunk of at most [`CHUNK`] bytes for each piece.
pub(super) async fn append_in(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::File>,
    content: &[u8],
    last: bool,
) -> Result<(), FileError> {
    let row = rows::find(tx, ctx.account, id).await?.ok_or(FileError::Missing)?;
    let mut chunks = Vec::new();
    for piece in content.chunks(CHUNK) {
        chunks.push(seal_chunk(ctx, keyring, id, row.chunks + chunks.len() as i64, false, piece));
    }
    if last {
        chunks.push(seal_chunk(ctx, keyring, id, row.chunks + chunks.len() as i64, true, &[]));
    }
    if !rows::append(tx, ctx.account, id, &chunks).await? {
        return Err(FileError::Missing);
    }
    if last {
        rows::complete(tx, ctx.account, id, &row.name, row.key_version).await?;
    }
    Ok(())
}

fn seal_chunk(ctx: &Ctx, keyring: &Keyring, file: Id<kind::File>, seq: i64, last: bool, content: &[u8]) -> ChunkRow {
    let mut plain = Zeroizing::new(Vec::with_capacity(HEAD + content.len()));
    plain.extend_from_slice(&head(file, seq, last));
    plain.extend_from_slice(content);
    let chunk_id = ctx.new_id::<kind::File>().uuid();
    let body = keyring.seal(&column::FILE_CHUNK.slot(&chunk_id), &plain, ctx.entropy());
    ChunkRow { chunk_id, seq, size: content.len() as i64, body, key_version: i64::from(keyring.version()) }
}

fn head(file: Id<kind::File>, seq: i64, last: bool) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..16].copy_from_slice(file.as_bytes());
    head[16..24].copy_from_slice(&seq.to_be_bytes());
    head[24] = u8::from(last);
    head
}

/// The name of a file.
pub async fn name(store: &Store, account: Id<kind::Account>, id: Id<kind::File>) -> Result<String, FileError> {
    Ok(open_name(store, account, id).await?.name)
}

/// Name, size and digest of a complete file.
pub async fn describe(
    store: &Store,
    account: Id<kind::Account>,
    id: Id<kind::File>,
) -> Result<(String, StoredFile), FileError> {
    let name = open_name(store, account, id).await?;
    let mut tx = store.db.read().await?;
    let row = rows::find(&mut tx, account, id).await?.filter(|row| row.complete).ok_or(FileError::Missing)?;
    Ok((name.name, StoredFile { id, size: row.size as u64, sha256: name.sha256 }))
}

async fn open_name(store: &Store, account: Id<kind::Account>, id: Id<kind::File>) -> Result<Name, FileError> {
    let keyring = store.keys.keyring(account).await?;
    let mut tx = store.db.read().await?;
    let row = rows::find(&mut tx, account, id).await?.ok_or(FileError::Missing)?;
    keyring.open_json(&column::FILE_NAME.slot(&id.uuid()), &row.name).map_err(|_| FileError::Damaged(-1))
}

/// Removes a file, in steps that do not keep other writers waiting. Removing it twice is no error.
pub async fn delete(store: &Store, account: Id<kind::Account>, id: Id<kind::File>) -> Result<(), FileError> {
    loop {
        let mut tx = store.db.write().await?;
        let done = rows::delete_some(&mut tx, account, id, 16).await?;
        tx.commit().await?;
        if done {
            return Ok(());
        }
    }
}

/// Removes files of every account that were begun more than a day ago and that no import needs: uploads that broke off,
/// and files of imports that a crash kept from removing them at their end. Yields how many.
pub async fn sweep(ctx: &Ctx, store: &Store) -> Result<u64, FileError> {
    let mut tx = store.db.read().await?;
    let abandoned = rows::abandoned(&mut tx, ctx.now().minus(ABANDONED), 100).await?;
    drop(tx);
    let count = abandoned.len() as u64;
    for (account, id) in abandoned {
        delete(store, account, id).await?;
    }
    Ok(count)
}

/// A complete file from its first to its last byte, chunk by chunk, for a download.
pub struct FileStream {
    store: Store,
    account: Id<kind::Account>,
    id: Id<kind::File>,
    chunks: i64,
    next: i64,
    size: u64,
}

impl FileStream {
    /// Opens a complete file.
    pub async fn open(store: &Store, account: Id<kind::Account>, id: Id<kind::File>) -> Result<Self, FileError> {
        let mut tx = store.db.read().await?;
        let row = rows::find(&mut tx, account, id).await?.filter(|row| row.complete).ok_or(FileError::Missing)?;
        Ok(Self { store: store.clone(), account, id, chunks: row.chunks, next: 0, size: row.size as u64 })
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        if self.next >= self.chunks {
            return Ok(None);
        }
        let last = self.next + 1 == self.chunks;
        let mut plain = open_chunk(&self.store, self.account, self.id, self.next, last).await?;
        self.next += 1;
        plain.drain(..HEAD);
        Ok(Some(plain))
    }
}

async fn open_chunk(
    store: &Store,
    account: Id<kind::Account>,
    id: Id<kind::File>,
    seq: i64,
    last: bool,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // Asked for every chunk: the key may be rotated while a long file is read.
    let keyring = store.keys.keyring(account).await?;
    let mut tx = store.db.read().await?;
    let row = rows::chunk(&mut tx, account, id, seq).await?.ok_or(FileError::Damaged(seq))?;
    drop(tx);
    let plain =
        keyring.open(&column::FILE_CHUNK.slot(&row.chunk_id), &row.body).map_err(|_| FileError::Damaged(seq))?;
    if plain.len() < HEAD || plain[..HEAD] != head(id, seq, last) {
        return Err(FileError::Damaged(seq));
    }
    Ok(plain)
}

/// A complete upload as [`Read`] and [`Seek`], for parsers that run on a thread of their own. It must not be read on
/// a thread that runs other tasks: it waits for the database.
pub struct FileReader {
    store: Store,
    account: Id<kind::Account>,
    id: Id<kind::File>,
    runtime: Handle,
    size: u64,
    chunks: i64,
    at: u64,
    /// Most recently used last.
    kept: Vec<(i64, Zeroizing<Vec<u8>>)>,
}

impl FileReader {
    /// Opens a complete file. Call it on a task; read on a thread.
    pub async fn open(store: &Store, account: Id<kind::Account>, id: Id<kind::File>) -> Result<Self, FileError> {
        let mut tx = store.db.read().await?;
        let row = rows::find(&mut tx, account, id).await?.filter(|row| row.complete).ok_or(FileError::Missing)?;
        drop(tx);
        Ok(Self {
            store: store.clone(),
            account,
            id,
            runtime: Handle::current(),
            size: row.size as u64,
            chunks: row.chunks,
            at: 0,
            kept: Vec::new(),
        })
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn load(&mut self, seq: i64) -> Result<usize, FileError> {
        if let Some(found) = self.kept.iter().position(|(kept, _)| *kept == seq) {
            let chunk = self.kept.remove(found);
            self.kept.push(chunk);
        } else {
            let last = seq + 1 == self.chunks;
            let plain = self.runtime.block_on(open_chunk(&self.store, self.account, self.id, seq, last))?;
            // Places are computed from equal sizes.
            if !last && plain.len() != HEAD + CHUNK {
                return Err(FileError::Damaged(seq));
            }
            if self.kept.len() == KEPT {
                self.kept.remove(0);
            }
            self.kept.push((seq, plain));
        }
        Ok(self.kept.len() - 1)
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let seq = (self.at / CHUNK as u64) as i64;
        let inside = HEAD + (self.at % CHUNK as u64) as usize;
        let index = self.load(seq).map_err(io::Error::other)?;
        let rest = self.kept[index].1.get(inside..).unwrap_or_default();
        if rest.is_empty() {
            return Err(io::Error::other(FileError::Damaged(seq)));
        }
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for FileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the start"))?;
        Ok(self.at)
    }
}
