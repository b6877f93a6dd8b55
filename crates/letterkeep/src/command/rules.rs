//! `letterkeep rules`: the sets of rules of the firewall.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use letterkeep_model::{Clock as _, SystemClock};
use letterkeep_network::rules::{self, Current, MAX_PACKAGE, Origin, Package, RuleSet, SelfTest, Verification};

use super::say;
use crate::config::{Config, own_exclusions};
use crate::edge;

/// Where Debian's package is looked for.
const ROOT: &str = "/";
/// From this age on, in days, a set is called old.
const OLD_DAYS: u64 = 365;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Show the set that the service uses: name, version, age, number of rules.
    Show,
    /// List the sets that are there: installed, Debian's, built in.
    List,
    /// Try a set with harmless attacks and ordinary requests, and tell its digest; changes nothing.
    Test {
        /// A directory with a release. Without it, the set that the service uses is tried.
        directory: Option<PathBuf>,
    },
    /// Install a release of the OWASP Core Rule Set, or of rules in the same form.
    ///
    /// It is verified, loaded and tried first; if anything fails, the set in use stays. The one that was in use before is
    /// kept for a rollback. A running service notices the new set by itself.
    Install {
        /// A directory, a file (.tar or .tar.gz), or an https:// address.
        source: String,
        /// The SHA-256 digest that it must have: of the file, or of a directory as `rules test DIR` tells it.
        #[arg(long, value_name = "DIGEST", conflicts_with = "signature")]
        sha256: Option<String>,
        /// A detached OpenPGP signature of the file; needs gpgv.
        #[arg(long, value_name = "FILE", requires = "key")]
        signature: Option<PathBuf>,
        /// The public key that must have made the signature.
        #[arg(long, value_name = "FILE", requires = "signature")]
        key: Option<PathBuf>,
        /// Vouch for a local directory yourself.
        #[arg(long, conflicts_with_all = ["sha256", "signature"])]
        trust_unverified: bool,
    },
    /// Return to the set that was in use before the last installation.
    Rollback,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let (data, root) = (config.data.as_path(), Path::new(ROOT));
    // As the service itself loads them, with the exclusions of its own pages.
    let settings = edge::rules_settings(&config.firewall, &own_exclusions()?);
    match args.what {
        What::Show => {
            let set = rules::load(&rules::find(data, root)?, &settings)?;
            describe(&set);
        }
        What::List => list(data, root)?,
        What::Test { directory } => {
            let origin = match directory {
                Some(directory) => Origin::Directory(directory),
                None => rules::find(data, root)?,
            };
            let set = rules::load(&origin, &settings)?;
            describe(&set);
            let done = rules::self_test(&set).context("the set did not pass its test")?;
            say_test(&done);
        }
        What::Install { source, sha256, signature, key, trust_unverified } => {
            ensure!(data.is_dir(), "there is no data directory {}; make one: letterkeep init", data.display());
            let verification = match (sha256, signature, key) {
                (Some(digest), ..) => Verification::Sha256(digest),
                (None, Some(signature), Some(key)) => Verification::Signature { signature, key },
                _ if trust_unverified && Path::new(&source).is_dir() => Verification::TrustUnverified,
                _ if trust_unverified => bail!("--trust-unverified is for a local directory alone"),
                _ => bail!(
                    "{source} is not verified: give its --sha256, or --signature and --key; for a local directory that \
                     you vouch for yourself, --trust-unverified"
                ),
            };
            let package = package(&source).await?;
            let done = rules::install(&package, data, &verification, &settings)
                .context("nothing was installed; the set in use is the one that was")?;
            describe(&done.set);
            say_test(&done.test);
            say(&format!("Installed as {}. A running service uses it within a minute.", done.name));
            say("To return to the set before: letterkeep rules rollback");
        }
        What::Rollback => {
            let set = rules::rollback(data, root, &settings).context("nothing was changed")?;
            describe(&set);
            say("This set is in use again. A running service uses it within a minute.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn package(source: &str) -> anyhow::Result<Package> {
    if source.contains("://") {
        return Ok(Package::Archive(rules::fetch(source).await?));
    }
    let path = Path::new(source);
    if path.is_dir() {
        return Ok(Package::Directory(path.to_owned()));
    }
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {source}"))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_PACKAGE as u64 + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {source}"))?;
    ensure!(bytes.len() <= MAX_PACKAGE, "{source} has more than {} MB", MAX_PACKAGE >> 20);
    Ok(Package::Archive(bytes))
}

fn describe(set: &RuleSet) {
    say(&format!("{} {}", set.name, set.version));
    say(&format!("  from      {}", place(&set.origin)));
    if let (Some(released), Some(age)) = (set.released, set.age(SystemClock.now())) {
        let days = age.as_secs() / 86_400;
        let day: String = released.at.to_string().chars().take(10).collect();
        let by = if released.stated { "released" } else { "files of" };
        say(&format!("  {by:<8}  {day}, {days} days ago"));
        if days >= OLD_DAYS {
            say("            It is more than a year old: look for a newer release at https://coreruleset.org");
        }
    }
    say(&format!("  rules     {}", set.len()));
    if !set.left_out.is_empty() {
        let ids: Vec<String> = set.left_out.iter().map(u32::to_string).collect();
        say(&format!("  left out  {} (they would ask other servers for every request)", ids.join(", ")));
    }
    say(&format!("  sha-256   {}", set.digest));
}

fn say_test(done: &SelfTest) {
    let seen = done.attacks - done.missed.len();
    let passed = done.ordinary - done.refused.len();
    say(&format!(
        "  test      sees {seen} of {} harmless attacks, lets {passed} of {} ordinary requests pass",
        done.attacks, done.ordinary
    ));
    for what in &done.missed {
        say(&format!("            does not see: {what}"));
    }
    for what in &done.refused {
        say(&format!("            refuses: {what}"));
    }
}

fn place(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "this program".to_owned(),
        Origin::Directory(path) => path.display().to_string(),
        Origin::Debian(_) => "Debian's package modsecurity-crs".to_owned(),
    }
}

fn list(data: &Path, root: &Path) -> anyhow::Result<()> {
    let current = Current::read(data).context("the pointer to the installed rules cannot be read")?;
    let used = rules::find(data, root)?;
    let mark = |is_used: bool| if is_used { "in use" } else { "" };
    for name in rules::installed(data) {
        let is_used = current.now.as_ref() == Some(&name);
        let mark = if current.before.as_ref() == Some(&name) { "before" } else { mark(is_used) };
        say(&format!("{mark:<8}  {name}"));
    }
    let debian = Origin::Debian(root.to_owned());
    if rules::find(Path::new(""), root).is_ok_and(|found| found == debian) {
        say(&format!("{:<8}  {}", mark(used == debian), place(&debian)));
    }
    say(&format!("{:<8}  the rules of this program", mark(used == Origin::BuiltIn)));
    Ok(())
}
