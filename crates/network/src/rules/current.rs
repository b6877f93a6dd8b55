//! Which installed set is in use, and which one was before.
//!
//! A small file says it, `rules/current` below the data directory: a name of a directory beside it on each of two lines,
//! or `-` for none. One rename changes both lines at once; a file, unlike a symbolic link, is the same in every backup
//! and on every file system, and its content tells a running service cheaply that something has changed.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Where installed sets stand, below the data directory.
const DIRECTORY: &str = "rules";
/// The pointer to the one in use.
const POINTER: &str = "current";
/// No installed set.
const NONE: &str = "-";

/// The installed sets that are kept, by the names of their directories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Current {
    /// In use; none if nothing was installed, or it was rolled back.
    pub now: Option<String>,
    /// What a rollback would return to; none stands for what there is without an installed set.
    pub before: Option<String>,
}

impl Current {
    /// What the pointer below `data` says.
    ///
    /// # Errors
    /// It cannot be read, or it is damaged.
    pub fn read(data: &Path) -> std::io::Result<Self> {
        let text = match fs::read_to_string(directory(data).join(POINTER)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let damaged = || std::io::Error::new(ErrorKind::InvalidData, "the pointer to the installed rules is damaged");
        let mut lines = text.lines();
        let mut name = || match lines.next() {
            Some(NONE) => Ok(None),
            Some(name) if is_name(name) => Ok(Some(name.to_owned())),
            None | Some(_) => Err(damaged()),
        };
        Ok(Self { now: name()?, before: name()? })
    }

    /// Replaces the pointer as a whole.
    pub(super) fn write(&self, data: &Path) -> std::io::Result<()> {
        let directory = directory(data);
        let beside = directory.join(format!(".{POINTER}-{}", std::process::id()));
        let line = |name: &Option<String>| format!("{}\n", name.as_deref().unwrap_or(NONE));
        let mut file = fs::File::create(&beside)?;
        file.write_all((line(&self.now) + &line(&self.before)).as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, directory.join(POINTER))?;
        // Without this, a power cut may bring the old pointer back, to a set that is gone.
        fs::File::open(&directory)?.sync_all()
    }
}

/// Where installed sets stand.
pub(super) fn directory(data: &Path) -> PathBuf {
    data.join(DIRECTORY)
}

/// Something cheap that differs when another set is in use: what the pointer says. None if there is no pointer.
pub fn watch_token(data: &Path) -> Option<String> {
    fs::read_to_string(directory(data).join(POINTER)).ok()
}

/// Whether a text is a name that we give: nothing in it leads out of the directory.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && !text.starts_with(['.', '-']) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_is_read_as_it_was_written_or_refused() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!((Current::read(data.path()).unwrap(), watch_token(data.path())), (Current::default(), None));
        fs::create_dir(directory(data.path())).unwrap();
        let current = Current { now: Some("4.25.0-00c0ffee".to_owned()), before: None };
        current.write(data.path()).unwrap();
        assert_eq!(Current::read(data.path()).unwrap(), current);
        let token = watch_token(data.path());
        Current { before: current.now.clone(), now: None }.write(data.path()).unwrap();
        assert_ne!(watch_token(data.path()), token);
        for text in ["", "a\n", "../a\nb\n", "a\n/etc\n", ".a\n-\n"] {
            fs::write(directory(data.path()).join(POINTER), text).unwrap();
            assert!(Current::read(data.path()).is_err(), "{text:?}");
        }
    }
}
