//! A set is installed: verified, tried, put beside the others, and only then pointed at. If any step fails, everything is
//! as it was.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::current::{self, Current};
use super::layout::Parts;
use super::tree::Tree;
use super::verify::{self, Verification, VerifyError};
use super::{Origin, RuleSet, RulesError, SelfTest, SelfTestError, Settings, compile, load, self_test};

/// Bytes of a package, packed.
pub const MAX_PACKAGE: usize = 20 << 20;

/// What is to be installed.
#[derive(Debug)]
pub enum Package {
    /// A directory: a release, unpacked, or what the Go module carries.
    Directory(PathBuf),
    /// The content of a `.tar` or `.tar.gz`.
    Archive(Vec<u8>),
}

/// What was installed.
#[derive(Debug)]
pub struct Installed {
    /// The set, as it was loaded from where it stands now.
    pub set: RuleSet,
    /// How it did in its test.
    pub test: SelfTest,
    /// Its name among the installed sets.
    pub name: String,
}

/// A set was not installed; the one in use is the one that was.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It is not shown to be what it should be.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// It does not load.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// It loads and does not protect, or refuses what is ordinary.
    #[error("the set did not pass its test: {0}")]
    Test(#[from] SelfTestError),
    /// The data directory cannot be written.
    #[error("{0} cannot be written: {1}")]
    Write(PathBuf, std::io::Error),
    /// The pointer to the set in use cannot be read or written.
    #[error("the pointer to the installed rules: {0}")]
    Pointer(std::io::Error),
    /// There is nothing to return to.
    #[error("no other set was in use before; nothing to roll back to")]
    NothingBefore,
}

/// Installs a set below `data`. The one that was in use is kept for [`rollback`]; older ones are removed.
///
/// # Errors
/// The step that failed. Nothing has changed then.
pub fn install(
    package: &Package,
    data: &Path,
    verification: &Verification,
    settings: &Settings,
) -> Result<Installed, InstallError> {
    let home = current::directory(data);
    let place = home.join(format!(".new-{}", std::process::id()));
    let written = |error| InstallError::Write(place.clone(), error);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).map_err(written)?;
    let done = install_through(package, data, verification, settings, &place);
    let _ = fs::remove_dir_all(&place);
    done
}

fn install_through(
    package: &Package,
    data: &Path,
    verification: &Verification,
    settings: &Settings,
    place: &Path,
) -> Result<Installed, InstallError> {
    let before = Current::read(data).map_err(InstallError::Pointer)?;
    let tree = match package {
        Package::Archive(bytes) => {
            verify::archive(bytes, verification, place)?;
            Tree::of_archive(bytes)?
        }
        Package::Directory(path) => Tree::read(path)?,
    };
    let parts = Parts::of(&tree)?;
    if let Package::Directory(_) = package {
        match verification {
            Verification::Sha256(wanted) => verify::digest(&parts.digest(), wanted)?,
            Verification::Signature { .. } => return Err(VerifyError::DirectorySignature.into()),
            Verification::TrustUnverified => {}
        }
    }
    let set = compile(Origin::BuiltIn, &parts, settings)?;
    self_test(&set)?;
    let name = name_of(&set);
    let (staged, home) = (place.join("set"), current::directory(data));
    let target = home.join(&name);
    let is_there = load(&Origin::Directory(target.clone()), settings).is_ok_and(|there| there.digest == set.digest);
    if !is_there {
        write(&parts, &tree, &staged).map_err(|error| InstallError::Write(staged.clone(), error))?;
        // A directory of this name holds the same set, damaged.
        let moved = remove(&target).and_then(|()| fs::rename(&staged, &target)).and_then(|()| flush(&home));
        moved.map_err(|error| InstallError::Write(target.clone(), error))?;
    }
    // From the disk once more: what was tried is what will be loaded.
    let set = load(&Origin::Directory(target), settings)?;
    let test = self_test(&set)?;
    let now = Current {
        before: if before.now.as_ref() == Some(&name) { before.before.clone() } else { before.now.clone() },
        now: Some(name.clone()),
    };
    now.write(data).map_err(InstallError::Pointer)?;
    for old in installed(data) {
        if now.now.as_ref() != Some(&old) && now.before.as_ref() != Some(&old) {
            // One that stays costs a megabyte, and goes with the next installation.
            let _ = fs::remove_dir_all(home.join(old));
        }
    }
    Ok(Installed { set, test, name })
}

/// Returns to the set that was in use before the last installation, after it was tried again; to what there is without an
/// installed set if none was.
///
/// # Errors
/// There is nothing to return to, or it does not pass its test any more. Nothing has changed then.
pub fn rollback(data: &Path, root: &Path, settings: &Settings) -> Result<RuleSet, InstallError> {
    let current = Current::read(data).map_err(InstallError::Pointer)?;
    if current == Current::default() {
        return Err(InstallError::NothingBefore);
    }
    let swapped = Current { now: current.before, before: current.now };
    let set = load(&swapped.origin(data, root), settings)?;
    self_test(&set)?;
    swapped.write(data).map_err(InstallError::Pointer)?;
    Ok(set)
}

/// The names of the installed sets.
pub fn installed(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(current::directory(data)).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<String> = directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| current::is_name(name));
    names.sort();
    names
}

/// Version and the beginning of the digest.
fn name_of(set: &RuleSet) -> String {
    let version: String =
        set.version.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-')).take(32).collect();
    let version = version.trim_matches(['.', '-']);
    let version = if version.is_empty() { "own" } else { version };
    format!("{version}-{}", &set.digest[..8])
}

/// Writes the parts of a set in the layout of a release, with their dates.
fn write(parts: &Parts, tree: &Tree, target: &Path) -> std::io::Result<()> {
    let rules = target.join("rules");
    fs::create_dir_all(&rules)?;
    let mut files: Vec<(PathBuf, &[u8])> = Vec::new();
    if let Some((name, text)) = &parts.setup {
        files.push((target.join(name), text.as_bytes()));
    }
    files.extend(parts.rules.iter().map(|(name, text)| (rules.join(name), text.as_bytes())));
    files.extend(parts.lists.iter().map(|(name, bytes)| (rules.join(name), &bytes[..])));
    let changes = tree.changes();
    files.extend(changes.map(|(name, bytes)| (target.join(name), bytes)));
    let modified = parts.released.and_then(|released| {
        let since = std::time::Duration::from_micros(u64::try_from(released.at.micros()).ok()?);
        std::time::UNIX_EPOCH.checked_add(since)
    });
    for (path, bytes) in files {
        let mut file = fs::File::create_new(path)?;
        file.write_all(bytes)?;
        if let Some(modified) = modified {
            file.set_modified(modified)?;
        }
        file.sync_all()?;
    }
    flush(&rules)?;
    flush(target)
}

/// Removes a directory, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names in a directory are on the disk.
fn flush(directory: &Path) -> std::io::Result<()> {
    fs::File::open(directory)?.sync_all()
}
