//! The key store: the accounts' keys, wrapped by a root key, in a database of their own.
//!
//! It is a separate file (SQLite) or schema (PostgreSQL), so that data and keys can be backed up apart and an
//! account's keys destroyed without touching its data. What is opened is kept for [`FRESH`] and then read again;
//! a new key version is used for sealing only after every process must have read it ([`KeyStore::SETTLE`]).
//!
//! The root may be rotated by another process, for example the command line beside the server. A process that meets a
//! key wrapped by a root it does not know reads the root file again; one that wraps a new key does so while it holds
//! the root file, so that the root it wraps by cannot be dropped before the key is committed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use letterkeep_model::{Clock, Entropy, Id, Timestamp, kind};
use letterkeep_vault::{
    KeyBytes, KeyPurpose, Keyring, Root, RootError, RootHold, RootId, RootSource, UnwrapError, WrapSlot,
};
use uuid::Uuid;

use crate::{Db, Error, Tx};

statements! {
    INSERT = "INSERT INTO account_key (account_id, purpose, version, root_id, wrapped, created_at, usable_from)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    OF_ACCOUNT = "SELECT account_id, purpose, version, root_id, wrapped, usable_from FROM account_key
        WHERE account_id = $1 ORDER BY purpose, version";
    OTHER_ROOT = "SELECT account_id, purpose, version, root_id, wrapped, usable_from FROM account_key
        WHERE root_id <> $1 ORDER BY account_id, purpose, version LIMIT $2"
        => "SELECT account_id, purpose, version, root_id, wrapped, usable_from FROM account_key
        WHERE root_id <> $1 ORDER BY account_id, purpose, version LIMIT $2 FOR UPDATE";
    REWRAP = "UPDATE account_key SET root_id = $4, wrapped = $5
        WHERE account_id = $1 AND purpose = $2 AND version = $3 AND root_id = $6";
    DELETE_BEFORE = "DELETE FROM account_key WHERE account_id = $1 AND purpose = 'data' AND version < $2";
    DELETE_ACCOUNT = "DELETE FROM account_key WHERE account_id = $1";
    ROOTS = "SELECT DISTINCT root_id FROM account_key";
    ACCOUNTS = "SELECT DISTINCT account_id FROM account_key WHERE account_id > $1 ORDER BY account_id LIMIT $2";
}

/// How long an opened keyring is used before it is read again.
const FRESH: Duration = Duration::from_secs(30);

/// How many keyrings are kept open at most.
const KEPT: usize = 1024;

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The account has no keys: it was never made here, or it is closed and its keys are destroyed.
    #[error("the account has no keys in this key store")]
    NoKeys,
    /// The installation's own keys are missing.
    #[error("the key store does not hold the installation's own keys: it is not the one that belongs to this data")]
    Empty,
    /// A wrapped key does not open under the root key.
    #[error(
        "a stored key does not open under the root key: the key store and the root key do not belong together, or the key store was changed"
    )]
    Wrapped,
    /// A key is wrapped by a root that the root file does not hold.
    #[error(
        "a stored key needs root {0}, which the root key file does not hold: the key store and the root key file do not belong together, or an old copy of the file was put back; restore the newest one"
    )]
    UnknownRoot(RootId),
    /// The root key file could not be read or replaced.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The key store's database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct KeyRow {
    account_id: Uuid,
    purpose: String,
    version: i64,
    root_id: Vec<u8>,
    wrapped: Vec<u8>,
    usable_from: i64,
}

/// Whose keys a key store holds that has not been opened with a root key yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The installation's own keys are there.
    pub installation: bool,
    /// Keys of at least one account are there.
    pub accounts: bool,
}

/// Looks whose keys there are; opens none.
pub async fn held(db: &Db) -> Result<Held, Error> {
    let mut tx = db.read().await?;
    let installation = !all!(&mut tx, OF_ACCOUNT => KeyRow, Uuid::nil())?.is_empty();
    let accounts = !all!(&mut tx, ACCOUNTS => (Uuid,), Uuid::nil(), 1_i64)?.is_empty();
    Ok(Held { installation, accounts })
}

/// The open key store. Cheap to clone.
#[derive(Clone)]
pub struct KeyStore {
    db: Db,
    root: Arc<RwLock<Arc<Root>>>,
    source: Arc<RootSource>,
    clock: Arc<dyn Clock>,
    open: Arc<Mutex<HashMap<Id<kind::Account>, Opened>>>,
}

struct Opened {
    keyring: Arc<Keyring>,
    at: Timestamp,
}

impl KeyStore {
    /// How long after its making a key version waits before it seals: until no process can still hold a keyring
    /// without it.
    pub const SETTLE: Duration = Duration::from_mins(1);

    /// Opens the key store with the root key from `source`, and makes the installation's own keys if there are none.
    /// Only for an installation that is being made: keys that were lost would be replaced by others.
    pub async fn make(
        db: Db,
        source: RootSource,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Result<Self, KeyStoreError> {
        let store = Self::with_root(db, source, clock)?;
        match store.system().await {
            Err(KeyStoreError::NoKeys) => store.create(Id::NIL, entropy).await?,
            found => drop(found?),
        }
        Ok(store)
    }

    /// Opens the key store with the root key from `source`; [`KeyStoreError::Empty`] if the installation's own keys
    /// are not in it.
    pub async fn open(db: Db, source: RootSource, clock: Arc<dyn Clock>) -> Result<Self, KeyStoreError> {
        let store = Self::with_root(db, source, clock)?;
        match store.system().await {
            Err(KeyStoreError::NoKeys) => Err(KeyStoreError::Empty),
            found => found.map(|_| store),
        }
    }

    fn with_root(db: Db, source: RootSource, clock: Arc<dyn Clock>) -> Result<Self, KeyStoreError> {
        let root = source.open()?;
        Ok(Self {
            db,
            root: Arc::new(RwLock::new(Arc::new(root))),
            source: Arc::new(source),
            clock,
            open: Arc::default(),
        })
    }

    /// The key store's own database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The keyring for what belongs to the installation and to no account.
    pub async fn system(&self) -> Result<Arc<Keyring>, KeyStoreError> {
        self.keyring(Id::NIL).await
    }

    /// Makes and stores the keys of a new account. Called before the account's row is committed: keys without an
    /// account do no harm, an account without keys would.
    pub async fn create(&self, account: Id<kind::Account>, entropy: &dyn Entropy) -> Result<(), KeyStoreError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let (held, root) = self.hold_root().await?;
        for purpose in [KeyPurpose::Data, KeyPurpose::Index, KeyPurpose::Link] {
            insert(&mut tx, &root, WrapSlot { account, purpose, version: 1 }, now, now, entropy).await?;
        }
        tx.commit().await?;
        drop(held);
        Ok(())
    }

    /// The account's keyring.
    pub async fn keyring(&self, account: Id<kind::Account>) -> Result<Arc<Keyring>, KeyStoreError> {
        let now = self.clock.now();
        if let Some(opened) = self.kept().get(&account)
            && now.since(opened.at) < FRESH
        {
            return Ok(opened.keyring.clone());
        }
        let keyring = match open_rows(&self.root(), account, &self.rows(account).await?, now) {
            // Another process rotates the root: both the file and the wrapped keys may have changed since.
            Err(KeyStoreError::UnknownRoot(_)) => {
                let root = self.read_root().await?;
                open_rows(&root, account, &self.rows(account).await?, now)?
            }
            opened => opened?,
        };
        let keyring = Arc::new(keyring);
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.retain(|_, opened| now.since(opened.at) < FRESH);
            if kept.len() >= KEPT {
                kept.clear();
            }
        }
        kept.insert(account, Opened { keyring: keyring.clone(), at: now });
        Ok(keyring)
    }

    /// Forgets the opened keyring of an account, so that the next use reads the store.
    pub fn forget(&self, account: Id<kind::Account>) {
        self.kept().remove(&account);
    }

    /// Destroys every key of an account: what they sealed can be read by nobody any more, except from a backup of the
    /// key store together with the root key of its time.
    pub async fn destroy(&self, account: Id<kind::Account>) -> Result<(), KeyStoreError> {
        let mut tx = self.db.write().await?;
        exec!(&mut tx, DELETE_ACCOUNT, account.uuid())?;
        tx.commit().await?;
        self.forget(account);
        Ok(())
    }

    /// Accounts that have keys, in order of id, after `after`.
    pub async fn accounts(
        &self,
        after: Id<kind::Account>,
        limit: i64,
    ) -> Result<Vec<Id<kind::Account>>, KeyStoreError> {
        let mut tx = self.db.read().await?;
        let rows = all!(&mut tx, ACCOUNTS => (Uuid,), after.uuid(), limit)?;
        Ok(rows.into_iter().map(|(id,)| Id::from_uuid(id)).collect())
    }

    /// Replaces the root key: makes a new one, wraps every key anew, drops the old one. May be called again after a
    /// crash at any point: it goes on where it stopped. Yields the number of keys wrapped anew.
    ///
    /// While it runs, everything can be read and written: both roots stand in the file until no key needs the old one.
    pub async fn rotate_root(&self, entropy: Arc<dyn Entropy>) -> Result<u64, KeyStoreError> {
        let mut rewrapped = 0;
        // Changing the root file waits until nobody holds it: never on a thread that a holder may need to let go.
        let (source, chance) = (self.source.clone(), entropy.clone());
        let mut root = blocking(move || {
            let mut root = source.open()?;
            // A rotation that was cut short has left an older root behind: finish that one first.
            if !root.is_rotating() {
                source.begin_rotation(&mut root, &*chance)?;
            }
            Ok(root)
        })
        .await?;
        let current = root.current();
        loop {
            let mut tx = self.db.write().await?;
            let rows = all!(&mut tx, OTHER_ROOT => KeyRow, &current.as_bytes()[..], 500)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let slot = wrap_slot(row)?;
                let wrapped = root.wrap(&slot, &unwrap(&root, &slot, row)?, &*entropy);
                rewrapped += exec!(
                    &mut tx,
                    REWRAP,
                    row.account_id,
                    &row.purpose,
                    row.version,
                    &wrapped.root.as_bytes()[..],
                    &wrapped.bytes,
                    &row.root_id
                )?;
            }
            tx.commit().await?;
        }
        let mut tx = self.db.read().await?;
        let in_use: Vec<RootId> = all!(&mut tx, ROOTS => (Vec<u8>,))?
            .iter()
            .map(|(root,)| RootId::from_slice(root).ok_or(KeyStoreError::Wrapped))
            .collect::<Result<_, _>>()?;
        drop(tx);
        let source = self.source.clone();
        root = blocking(move || source.finish_rotation(&mut root, &in_use).map(|()| root)).await?;
        self.replace_root(root);
        Ok(rewrapped)
    }

    /// Adds the next data-key version of an account, to be used from `usable_from`; yields its number, and a hold on
    /// the root file that the caller drops after the commit.
    pub(crate) async fn add_version(
        &self,
        tx: &mut Tx,
        account: Id<kind::Account>,
        usable_from: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(u32, RootHold), KeyStoreError> {
        let rows = all!(tx, OF_ACCOUNT => KeyRow, account.uuid())?;
        let newest = rows.iter().filter(|row| row.purpose == KeyPurpose::Data.name()).map(|row| row.version).max();
        let version =
            u32::try_from(newest.ok_or(KeyStoreError::NoKeys)? + 1).map_err(|_| Error::Shape("key version"))?;
        let slot = WrapSlot { account, purpose: KeyPurpose::Data, version };
        let (held, root) = self.hold_root().await?;
        insert(tx, &root, slot, self.clock.now(), usable_from, entropy).await?;
        Ok((version, held))
    }

    /// Deletes the data-key versions of an account before `version`.
    pub(crate) async fn delete_before(
        &self,
        tx: &mut Tx,
        account: Id<kind::Account>,
        version: i64,
    ) -> Result<(), KeyStoreError> {
        exec!(tx, DELETE_BEFORE, account.uuid(), version)?;
        Ok(())
    }

    async fn rows(&self, account: Id<kind::Account>) -> Result<Vec<KeyRow>, KeyStoreError> {
        let mut tx = self.db.read().await?;
        Ok(all!(&mut tx, OF_ACCOUNT => KeyRow, account.uuid())?)
    }

    /// Holds the root file and yields the roots that stand in it. The transaction that will store what is wrapped is
    /// begun *before*: whoever waits for the file must not be waited for by who holds it.
    async fn hold_root(&self) -> Result<(RootHold, Arc<Root>), KeyStoreError> {
        let (source, known) = (self.source.clone(), self.root());
        // Waits for other processes, and a passphrase costs a good part of a second.
        let (held, fresh) = blocking(move || source.hold(&known)).await?;
        Ok((held, fresh.map_or_else(|| self.root(), |root| self.replace_root(root))))
    }

    /// Reads the root file again.
    async fn read_root(&self) -> Result<Arc<Root>, KeyStoreError> {
        let source = self.source.clone();
        Ok(self.replace_root(blocking(move || source.open()).await?))
    }

    fn root(&self) -> Arc<Root> {
        self.root.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace_root(&self, root: Root) -> Arc<Root> {
        let root = Arc::new(root);
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = root.clone();
        root
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Id<kind::Account>, Opened>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RootError> + Send + 'static,
) -> Result<T, KeyStoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(stopped) => Err(KeyStoreError::Store(Error::Unavailable(stopped.to_string()))),
    }
}

async fn insert(
    tx: &mut Tx,
    root: &Root,
    slot: WrapSlot,
    created_at: Timestamp,
    usable_from: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), KeyStoreError> {
    let wrapped = root.wrap(&slot, &KeyBytes::generate(entropy), entropy);
    exec!(
        tx,
        INSERT,
        slot.account.uuid(),
        slot.purpose.name(),
        i64::from(slot.version),
        &wrapped.root.as_bytes()[..],
        &wrapped.bytes,
        created_at.micros(),
        usable_from.micros()
    )?;
    Ok(())
}

fn open_rows(
    root: &Root,
    account: Id<kind::Account>,
    rows: &[KeyRow],
    now: Timestamp,
) -> Result<Keyring, KeyStoreError> {
    let (mut data, mut index, mut link, mut current) = (Vec::new(), None, None, None);
    for row in rows {
        let slot = wrap_slot(row)?;
        let key = unwrap(root, &slot, row)?;
        match slot.purpose {
            KeyPurpose::Data => {
                if row.usable_from <= now.micros() || current.is_none() {
                    current = Some(slot.version);
                }
                data.push((slot.version, key));
            }
            KeyPurpose::Index => index = Some(key),
            KeyPurpose::Link => link = Some(key),
        }
    }
    match (current, index, link) {
        (Some(current), Some(index), Some(link)) => {
            Keyring::with_current(account, data, current, &index, &link).map_err(|_| KeyStoreError::Wrapped)
        }
        _ => Err(KeyStoreError::NoKeys),
    }
}

fn wrap_slot(row: &KeyRow) -> Result<WrapSlot, KeyStoreError> {
    Ok(WrapSlot {
        account: Id::from_uuid(row.account_id),
        purpose: KeyPurpose::from_name(&row.purpose).ok_or(Error::Shape("key purpose"))?,
        version: u32::try_from(row.version).map_err(|_| Error::Shape("key version"))?,
    })
}

fn unwrap(root: &Root, slot: &WrapSlot, row: &KeyRow) -> Result<KeyBytes, KeyStoreError> {
    let id = RootId::from_slice(&row.root_id).ok_or(KeyStoreError::Wrapped)?;
    root.unwrap(slot, id, &row.wrapped).map_err(|error| match error {
        UnwrapError::UnknownRoot(root) => KeyStoreError::UnknownRoot(root),
        UnwrapError::Refused => KeyStoreError::Wrapped,
    })
}
