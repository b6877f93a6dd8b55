//! What tests need beyond Rust: looked for, installed where that is allowed without a question, otherwise named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{postgres, tools};

/// Something that tests need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// A PostgreSQL server.
    Postgres,
    /// Chromium and its WebDriver.
    Browser,
    /// dkimpy, a DKIM verifier that shares no code with ours.
    Dkimpy,
    /// Go, which fetches the rule set and its tests.
    Go,
    /// libmodsecurity with its headers: another engine for the firewall's rules, to compare ours with. It runs in
    /// processes of its own.
    ModSecurity,
    /// testssl.sh, which looks for weaknesses of TLS.
    Testssl,
    /// Pebble, Let's Encrypt's certificate authority for tests.
    Pebble,
    /// nginx: a server of files behind the edge.
    Nginx,
    /// GnuPG: it makes signatures that rule sets are installed by.
    Gnupg,
    /// sqlmap, which looks for ways into the database.
    Sqlmap,
    /// wapiti, which looks for holes of other kinds too.
    Wapiti,
}

/// Something that is not there and could not be installed.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) name: &'static str,
    pub(crate) reason: String,
}

impl Need {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Browser => "Chromium",
            Self::Dkimpy => "dkimpy",
            Self::Go => "Go",
            Self::ModSecurity => "libmodsecurity",
            Self::Testssl => "testssl.sh",
            Self::Pebble => "Pebble",
            Self::Nginx => "nginx",
            Self::Gnupg => "GnuPG",
            Self::Sqlmap => "sqlmap",
            Self::Wapiti => "wapiti",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Postgres => postgres::programs().is_some(),
            Self::Browser => {
                tools::find(&["chromedriver"]).is_some()
                    && tools::find(&["chromium", "chromium-browser", "google-chrome"]).is_some()
            }
            Self::Dkimpy => dkimpy_python().is_some(),
            Self::Go => tools::find(&["go"]).is_some(),
            Self::ModSecurity => ["/usr/include", "/usr/local/include"]
                .iter()
                .any(|directory| Path::new(directory).join("modsecurity/modsecurity.h").is_file()),
            Self::Testssl => tools::find(&["testssl", "testssl.sh"]).is_some(),
            Self::Pebble => tools::find(&["pebble"]).is_some(),
            Self::Nginx => tools::find(&["nginx"]).is_some() || Path::new("/usr/sbin/nginx").is_file(),
            Self::Gnupg => ["gpg", "gpgv"].iter().all(|name| tools::find(&[name]).is_some()),
            Self::Sqlmap => tools::find(&["sqlmap"]).is_some(),
            Self::Wapiti => tools::find(&["wapiti"]).is_some(),
        }
    }

    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::Browser => &["chromium", "chromium-driver"],
            // The interpreter alone: dkimpy itself comes from PyPI into `target/`, see `make_environment`.
            Self::Dkimpy if venv_works() => &[],
            Self::Dkimpy => &["python3", "python3-venv"],
            Self::Go => &["golang-go"],
            Self::ModSecurity => &["libmodsecurity-dev"],
            Self::Testssl => &["testssl.sh", "openssl"],
            Self::Pebble => &["pebble"],
            Self::Nginx => &["nginx"],
            Self::Gnupg => &["gnupg", "gpgv"],
            Self::Sqlmap => &["sqlmap"],
            Self::Wapiti => &["wapiti"],
        }
    }
}

/// Installs what is missing of `needs` and names what still is.
pub(crate) fn provide(needs: &[Need]) -> Vec<Missing> {
    let absent: Vec<Need> = needs.iter().copied().filter(|need| !need.is_there()).collect();
    let packages: Vec<&str> = absent.iter().flat_map(|need| need.debian_packages()).copied().collect();
    let refused = if packages.is_empty() { None } else { install_packages(&packages).err() };
    let dkimpy = if absent.contains(&Need::Dkimpy) { make_environment().err() } else { None };
    let still = absent.into_iter().filter(|need| !need.is_there());
    still
        .map(|need| {
            let own = if need == Need::Dkimpy { dkimpy.as_ref() } else { None };
            let reason = refused.as_ref().or(own).map_or_else(
                || format!("{} was installed but is not found", need.debian_packages().join(" ")),
                |error| format!("{error:#}"),
            );
            Missing { name: need.name(), reason }
        })
        .collect()
}

fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    let line = format!("apt-get install --yes --no-install-recommends {}", packages.join(" "));
    if tools::find(&["apt-get"]).is_none() {
        anyhow::bail!("install the equivalent of the Debian packages {} and run this again", packages.join(" "));
    }
    let is_root = tools::id("-u", None) == Some(0);
    if !is_root && tools::quietly(Command::new("sudo").args(["-n", "true"])).is_err() {
        anyhow::bail!("type: sudo {line}");
    }
    println!("installing {} …", packages.join(" "));
    let apt = || {
        let mut command = Command::new(if is_root { "env" } else { "sudo" });
        command.args(if is_root { &[][..] } else { &["-n", "env"] });
        // Locks: another apt may be at work on a machine that has just started.
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120", "-q"]);
        command
    };
    // Lists may be stale or partly unreachable; whether the packages can be had is what the next command decides.
    let updated = tools::quietly(apt().arg("update"));
    tools::quietly(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages)).map_err(|error| {
        let update = updated.err().map(|error| format!("\n(and before that: {error:#})")).unwrap_or_default();
        error.context(format!("`{line}` failed{update}"))
    })?;
    Ok(())
}

/// dkimpy and what it needs for Ed25519, in the versions that were tried.
const PYTHON_PACKAGES: [&str; 2] = ["dkimpy==1.1.8", "pynacl"];

fn environment() -> PathBuf {
    tools::target().join("tools/dkim-venv")
}

/// The interpreter that can import dkimpy; tests find it in `LETTERKEEP_TEST_DKIMPY`.
pub(crate) fn dkimpy_python() -> Option<PathBuf> {
    let python = environment().join("bin/python");
    let works = |python: &Path| tools::quietly(Command::new(python).args(["-c", "import dkim, nacl.signing"])).is_ok();
    works(&python).then_some(python)
}

/// The system's own interpreter first: the packages that are installed for it are.
fn interpreters() -> impl Iterator<Item = PathBuf> {
    let system = PathBuf::from("/usr/bin/python3");
    system.is_file().then_some(system).into_iter().chain(tools::find(&["python3"]))
}

fn venv_works() -> bool {
    interpreters().any(|python| tools::quietly(Command::new(python).args(["-c", "import venv, ensurepip"])).is_ok())
}

/// A Python environment of its own under `target/`, so that nothing of the machine changes.
fn make_environment() -> anyhow::Result<()> {
    let python = interpreters()
        .find(|python| tools::quietly(Command::new(python).args(["-c", "import venv, ensurepip"])).is_ok())
        .ok_or_else(|| anyhow::anyhow!("Python 3 with venv is not there; type: sudo apt-get install python3-venv"))?;
    let place = environment();
    println!("installing {} into {} …", PYTHON_PACKAGES.join(" "), place.display());
    // A half-made environment from an interrupted run would be taken for a whole one.
    let _ = fs::remove_dir_all(&place);
    tools::quietly(Command::new(python).args(["-m", "venv"]).arg(&place))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    tools::quietly(Command::new(place.join("bin/python")).args(pip).args(PYTHON_PACKAGES))?;
    Ok(())
}
