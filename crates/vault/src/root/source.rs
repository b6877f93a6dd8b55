//! Where the root keys are kept, and how they are changed without ever leaving a file that opens too little.

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::iter;
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use letterkeep_model::Entropy;
use zeroize::Zeroizing;

use super::file::{self, MAX_LEN, MAX_ROOTS};
use super::{Root, RootId};
use crate::{KeyBytes, Passphrase, sha256};

/// Where the root keys are kept. Both kinds of file have mode 0600 and are replaced as a whole. Changes take
/// turns by a lock on the directory.
pub enum RootSource {
    /// A file with the keys as they are: whoever reads it, reads everything. For machines that start
    /// without a person.
    KeyFile(PathBuf),
    /// The same text sealed with a passphrase in the age format (scrypt), so that `age -d` opens it too.
    PassphraseFile {
        /// The file.
        path: PathBuf,
        /// What opens it.
        passphrase: Passphrase,
    },
}

/// While this lives, no process begins or ends a rotation of the root; see [`RootSource::hold`].
#[must_use = "dropping it lets go of the root file"]
pub struct RootHold {
    _lock: File,
}

/// The root file cannot be used. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// There is no such file.
    #[error("there is no root key file {}; make one with `letterkeep init`, or restore its backup", .0.display())]
    Missing(PathBuf),
    /// A file is there already; it is never overwritten.
    #[error("{} exists already; a root key file is never overwritten: move it away if it is not needed", .0.display())]
    Exists(PathBuf),
    /// Others than the owner can read or change the file.
    #[error(
        "{} is open to other users (mode {mode:04o}); type: chmod 600 '{}'. If somebody may have read it, \
         type then: letterkeep keys rotate",
        .path.display(), .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a whole root file.
    #[error("{} is damaged ({reason}); restore its backup", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The passphrase does not open the file.
    #[error("the passphrase does not open {}; check the spelling, the keyboard layout and which file it belongs to", .0.display())]
    Passphrase(PathBuf),
    /// The passphrase is too short for a new file.
    #[error("the passphrase is too short: at least {} characters", Passphrase::MIN_CHARS)]
    ShortPassphrase,
    /// There is no passphrase to change.
    #[error("{} is a plain key file, which has no passphrase; nothing was changed", .0.display())]
    NoPassphrase(PathBuf),
    /// Configured is a key file, but the file is sealed with a passphrase.
    #[error("{} is sealed with a passphrase, but the configuration names it as a plain key file; configure a passphrase", .0.display())]
    Sealed(PathBuf),
    /// Configured is a passphrase file, but the keys stand in the file as they are.
    #[error("{} is not sealed, but the configuration names it as a passphrase file; configure it as a key file", .0.display())]
    NotSealed(PathBuf),
    /// Too many rotations were begun and none finished.
    #[error("{} holds {MAX_ROOTS} root keys; finish the rotation that was begun before beginning another", .0.display())]
    Full(PathBuf),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done: `read`, `write`, `lock`.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl RootSource {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::KeyFile(path) | Self::PassphraseFile { path, .. } => path,
        }
    }

    /// Makes a new root and writes the file (a passphrase file is sealed under a key that `age` draws from the
    /// operating system itself). The directory must exist. A file that is there already is
    /// left alone.
    pub fn create(&self, entropy: &dyn Entropy) -> Result<Root, RootError> {
        let _lock = self.exclusive()?;
        if fs::symlink_metadata(self.path()).is_ok() {
            return Err(RootError::Exists(self.path().to_owned()));
        }
        if let Self::PassphraseFile { passphrase, .. } = self
            && !passphrase.is_long_enough()
        {
            return Err(RootError::ShortPassphrase);
        }
        self.write(&[KeyBytes::generate(entropy)])
    }

    /// Reads the file.
    pub fn open(&self) -> Result<Root, RootError> {
        self.open_bytes(&self.read_bytes()?)
    }

    /// Holds the root file as it is. Yields the roots anew if the file is no longer the one `root` was read from.
    ///
    /// Wrap a new account key by what this yields (by `root` if that is `None`), commit it to the key store, and
    /// only then drop the hold: otherwise a rotation in another process could drop the very root that the key
    /// was just wrapped by, unaware of it. Do not begin or end a rotation while holding: it would wait for ever.
    ///
    /// Waits while another process changes the file (a second or two with a passphrase).
    pub fn hold(&self, root: &Root) -> Result<(RootHold, Option<Root>), RootError> {
        let lock = lock_file(self.path()).map_err(|error| self.io("lock", error))?;
        lock.lock_shared().map_err(|error| self.io("lock", error))?;
        let bytes = self.read_bytes()?;
        let fresh = if sha256(&bytes) == root.file { None } else { Some(self.open_bytes(&bytes)?) };
        Ok((RootHold { _lock: lock }, fresh))
    }

    /// Begins a rotation: a new root becomes the current one, in the file first and then in `root`; the old
    /// ones stay. Follow with wrapping every account key anew, then [`finish_rotation`](Self::finish_rotation).
    ///
    /// May be repeated after a crash: at worst a root stays in the file that wraps nothing.
    pub fn begin_rotation(&self, root: &mut Root, entropy: &dyn Entropy) -> Result<(), RootError> {
        let _lock = self.exclusive()?;
        // What stands in the file counts, not what this process read from it a while ago.
        let mut keys = self.read()?;
        if keys.len() == MAX_ROOTS {
            return Err(RootError::Full(self.path().to_owned()));
        }
        keys.insert(0, KeyBytes::generate(entropy));
        *root = self.write(&keys)?;
        Ok(())
    }

    /// Ends a rotation: drops every root but the current one and those `in_use`, the roots that some account
    /// key in the key store (or in a backup of it that must stay readable) is still wrapped by.
    ///
    /// A dropped root is gone for good; with it, whatever only it could open.
    pub fn finish_rotation(&self, root: &mut Root, in_use: &[RootId]) -> Result<(), RootError> {
        let _lock = self.exclusive()?;
        let mut keys = self.read()?;
        let mut first = true;
        keys.retain(|key| std::mem::take(&mut first) || in_use.contains(&RootId::of(key)));
        *root = self.write(&keys)?;
        Ok(())
    }

    /// Seals the file anew with another passphrase; the root keys stay the same. Refuses a new passphrase that is too
    /// short for a new file. Whatever happens in between, the file opens with the old passphrase or with the new one.
    ///
    /// Processes that have the file open go on with the roots they have, but cannot read the file again: they have to
    /// be started anew with the new passphrase.
    pub fn change_passphrase(&self, new: Passphrase) -> Result<(), RootError> {
        let Self::PassphraseFile { path, .. } = self else {
            return Err(RootError::NoPassphrase(self.path().to_owned()));
        };
        if !new.is_long_enough() {
            return Err(RootError::ShortPassphrase);
        }
        let _lock = self.exclusive()?;
        let keys = self.read()?;
        let renewed = Self::PassphraseFile { path: path.clone(), passphrase: new };
        let sealed = renewed.encode(&keys)?;
        // The only copy of the keys may be about to be replaced: look that the new one opens.
        let opened = renewed.keys(&sealed)?;
        if !opened.iter().map(RootId::of).eq(keys.iter().map(RootId::of)) {
            return Err(self.damaged(&"the newly sealed keys do not open; the file was left as it was"));
        }
        renewed.replace(&sealed).map_err(|error| self.io("write", error))
    }

    fn open_bytes(&self, bytes: &[u8]) -> Result<Root, RootError> {
        Ok(Root::from_keys(&self.keys(bytes)?, sha256(bytes)))
    }

    fn read(&self) -> Result<Vec<KeyBytes>, RootError> {
        self.keys(&self.read_bytes()?)
    }

    fn keys(&self, bytes: &[u8]) -> Result<Vec<KeyBytes>, RootError> {
        let sealed = bytes.starts_with(b"age-encryption.org/");
        match self {
            Self::KeyFile(path) if sealed => Err(RootError::Sealed(path.clone())),
            Self::KeyFile(_) => file::parse(bytes).map_err(|error| self.damaged(&error)),
            Self::PassphraseFile { path, .. } if file::parse(bytes).is_ok() => Err(RootError::NotSealed(path.clone())),
            Self::PassphraseFile { passphrase, .. } => {
                file::parse(&self.unseal(bytes, passphrase)?).map_err(|error| self.damaged(&error))
            }
        }
    }

    fn read_bytes(&self) -> Result<Zeroizing<Vec<u8>>, RootError> {
        let io = |error| self.io("read", error);
        let file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RootError::Missing(self.path().to_owned()));
            }
            Err(error) => return Err(io(error)),
        };
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(self.damaged(&"not a regular file"));
        }
        refuse_exposed(self.path(), &metadata)?;
        // One byte more than allowed tells a file that is too long; the capacity avoids copies by growth.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 1));
        file.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() > MAX_LEN {
            return Err(self.damaged(&"too long"));
        }
        Ok(bytes)
    }

    fn unseal(&self, bytes: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, RootError> {
        use age::DecryptError;

        let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.as_str().to_owned()));
        identity.set_max_work_factor(Passphrase::MAX_WORK_FACTOR);
        let decryptor = age::Decryptor::new_buffered(bytes).map_err(|_| self.damaged(&"not an age file"))?;
        if !decryptor.is_scrypt() {
            return Err(self.damaged(&"an age file without a passphrase"));
        }
        let opened = decryptor.decrypt(iter::once(&identity as &dyn age::Identity));
        let mut reader = opened.map_err(|error| match error {
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
                RootError::Passphrase(self.path().to_owned())
            }
            DecryptError::ExcessiveWork { .. } => self.damaged(&"its work factor is out of bounds"),
            _ => self.damaged(&"its header was changed"),
        })?;
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_LEN));
        reader.read_to_end(&mut text).map_err(|_| self.damaged(&"its content was changed or cut off"))?;
        Ok(text)
    }

    /// Replaces the file by one with `keys`: whatever happens in between, either the old or the new content
    /// is there, whole.
    fn write(&self, keys: &[KeyBytes]) -> Result<Root, RootError> {
        let bytes = self.encode(keys)?;
        self.replace(&bytes).map_err(|error| self.io("write", error))?;
        Ok(Root::from_keys(keys, sha256(&bytes)))
    }

    /// What stands in a file with `keys`.
    fn encode(&self, keys: &[KeyBytes]) -> Result<Zeroizing<Vec<u8>>, RootError> {
        let text = file::print(keys);
        match self {
            Self::KeyFile(_) => Ok(text),
            Self::PassphraseFile { passphrase, .. } => self.seal(&text, passphrase),
        }
    }

    fn seal(&self, text: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, RootError> {
        let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.as_str().to_owned()));
        recipient.set_work_factor(passphrase.work_factor());
        let sealed =
            age::encrypt(&recipient, text).map_err(|error| self.io("write", io::Error::other(error.to_string())))?;
        Ok(Zeroizing::new(sealed))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = sibling(self.path(), ".new");
        // Left by a crash; nobody else writes it, because the lock is held.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = owner_only().create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, self.path())?;
        sync_directory(self.path())
    }

    /// Two commands that change the file at once would each forget the other's root.
    fn exclusive(&self) -> Result<File, RootError> {
        let lock = lock_file(self.path()).map_err(|error| self.io("lock", error))?;
        lock.lock().map_err(|error| self.io("lock", error))?;
        Ok(lock)
    }

    fn io(&self, action: &'static str, source: io::Error) -> RootError {
        RootError::Io { path: self.path().to_owned(), action, source }
    }

    fn damaged(&self, reason: &dyn std::fmt::Display) -> RootError {
        RootError::Damaged { path: self.path().to_owned(), reason: reason.to_string() }
    }
}

/// For writing; what is created has mode 0600 from the first moment.
fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), RootError> {
    use std::os::unix::fs::PermissionsExt;

    const GROUP_AND_OTHERS: u32 = 0o077;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & GROUP_AND_OTHERS == 0 { Ok(()) } else { Err(RootError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), RootError> {
    Ok(())
}

/// What is locked: the directory, because the file itself is replaced, and because this leaves nothing behind.
#[cfg(unix)]
fn lock_file(path: &Path) -> io::Result<File> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory),
        _ => File::open("."),
    }
}

#[cfg(not(unix))]
fn lock_file(path: &Path) -> io::Result<File> {
    owner_only().create(true).truncate(false).open(sibling(path, ".lock"))
}

/// A rename is durable only once the directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    lock_file(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
