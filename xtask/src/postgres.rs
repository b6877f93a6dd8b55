//! One private PostgreSQL: its own directory, its own socket that only its owner can reach, thrown away at the end.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{install, tools};

/// The variable that tells tests where the server is.
pub(crate) const VARIABLE: &str = "LETTERKEEP_TEST_POSTGRES";

/// Stops the server and removes its directory as soon as its standard input closes: at the end of this program,
/// however it ends, even by `kill -9`.
const GUARD: &str = r#"
dir=$1; shift
trap : INT TERM HUP
"$@" >"$dir/server.log" 2>&1 </dev/null &
pid=$!
read -r _
kill -INT "$pid" 2>/dev/null
while kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
rm -rf "$dir"
"#;

/// A running server; dropping it stops it and removes its data.
pub(crate) struct Server {
    guard: Child,
    directory: PathBuf,
}

impl Server {
    /// Starts a server with the programs in `programs`.
    pub(crate) fn start(programs: &Path) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("letterkeep-pg-{}", std::process::id()));
        // Not under `target/`: as root the server runs as `postgres`, which cannot look into root's directories.
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let mut starting = match Self::initialise(programs, &directory) {
            Ok(server) => server,
            Err(error) => {
                let _ = fs::remove_dir_all(&directory);
                return Err(error);
            }
        };
        starting.wait_until_ready(programs)?;
        Ok(starting)
    }

    fn initialise(programs: &Path, directory: &Path) -> Result<Self> {
        // PostgreSQL refuses to run as root.
        let drop_root: &[&str] = if tools::id("-u", None) == Some(0) {
            let (user, group) = (tools::id("-u", Some("postgres")), tools::id("-g", Some("postgres")));
            chown(directory, user, group).context("cannot hand the directory to the user postgres")?;
            if tools::find(&["setpriv"]).is_some() {
                &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
            } else {
                &["runuser", "-u", "postgres", "--"]
            }
        } else {
            &[]
        };
        let data = directory.join("data");
        let initdb = programs.join("initdb");
        let mut words = drop_root.iter().map(Path::new).chain([initdb.as_path()]);
        let first = words.next().context("no program to start")?;
        tools::quietly(
            Command::new(first)
                .args(words)
                .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--pgdata"])
                .arg(&data)
                .current_dir(directory),
        )
        .context("initdb failed")?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(directory)
            .args(drop_root)
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(settings(directory).iter().flat_map(|setting| ["-c", setting]))
            .current_dir(directory)
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start sh")?;
        Ok(Self { guard, directory: directory.to_owned() })
    }

    fn wait_until_ready(&mut self, programs: &Path) -> Result<()> {
        let started = Instant::now();
        loop {
            let mut ready = Command::new(programs.join("pg_isready"));
            if tools::quietly(ready.arg("-h").arg(&self.directory)).is_ok() {
                return Ok(());
            }
            let running = self.guard.try_wait()?.is_none();
            if !running || started.elapsed() > Duration::from_secs(30) {
                let log = fs::read_to_string(self.directory.join("server.log")).unwrap_or_default();
                bail!("PostgreSQL did not start:\n{log}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What [`VARIABLE`] must say.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.directory.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Trust without a password is safe because nobody but the owner of the directory reaches the socket. The data is
/// thrown away, so nothing waits for the disk.
fn settings(directory: &Path) -> Vec<String> {
    let mut settings: Vec<String> = [
        "listen_addresses=",
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "max_connections=200",
        "autovacuum=off",
        "jit=off",
        "timezone=UTC",
    ]
    .map(str::to_owned)
    .into();
    settings.push(format!("unix_socket_directories={}", directory.display()));
    settings
}

/// The directory with the newest server's programs, if one is installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let mut found: Vec<_> = debian.filter(|(_, bin)| bin.join("initdb").is_file()).collect();
    found.sort();
    let elsewhere = || tools::find(&["initdb"]).and_then(|file| file.parent().map(Path::to_owned));
    found.pop().map(|(_, bin)| bin).or_else(elsewhere)
}

/// `cargo xtask postgres`.
pub(crate) fn foreground() -> Result<ExitCode> {
    let missing = install::provide(&[install::Need::Postgres]);
    if let Some(missing) = missing.first() {
        bail!("{}: {}", missing.name, missing.reason);
    }
    let programs = programs().context("PostgreSQL is not installed")?;
    let mut server = Server::start(&programs)?;
    println!("export {VARIABLE}='{}'", server.url());
    eprintln!("PostgreSQL runs until Ctrl-C; its data is then thrown away.");
    // Taken out, so that waiting does not close it: the guard would take that as the end.
    let _open = server.guard.stdin.take();
    server.guard.wait()?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_server_answers_and_leaves_nothing_behind() {
        let Some(programs) = programs() else {
            let _ = writeln!(std::io::stderr(), "SKIPPED postgres: no server is installed");
            return;
        };
        let server = Server::start(&programs).unwrap();
        let directory = server.directory.clone();
        assert!(UnixStream::connect(directory.join(".s.PGSQL.5432")).is_ok());
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&directory).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "trust is for the owner of the directory alone");
        drop(server);
        assert!(!directory.exists());
    }
}
