//! Files that only their owner may read.

use std::path::Path;

use anyhow::{Context as _, bail};

/// Makes (or empties) a file that only its owner can read, also if it was there before with other rights.
pub(crate) async fn create(path: &Path) -> anyhow::Result<tokio::fs::File> {
    let writing = || format!("writing {}", path.display());
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    options.mode(0o600);
    let file = options.open(path).await.with_context(writing)?;
    // What is no file, for example /dev/stdout, has the rights that its owner wants, and no end to cut off.
    if file.metadata().await.with_context(writing)?.is_file() {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let owner_only = std::fs::Permissions::from_mode(0o600);
            file.set_permissions(owner_only).await.with_context(writing)?;
        }
        file.set_len(0).await.with_context(writing)?;
    }
    Ok(file)
}

/// Refuses a secret that others on this machine can read. A group may, if the file is root's: that is how system
/// packages hand keys to a service.
#[cfg(unix)]
pub(crate) fn refuse_exposed(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    let allowed = if metadata.uid() == 0 { 0o640 } else { 0o600 };
    let mode = metadata.mode() & 0o777;
    if metadata.is_file() && mode & 0o077 & !allowed != 0 {
        bail!(
            "{} is open to other users (mode {mode:04o}); type: chmod 600 '{}'. If somebody may have read it, replace \
             what stands in it",
            path.display(),
            path.display()
        );
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn refuse_exposed(_: &Path) -> anyhow::Result<()> {
    Ok(())
}
