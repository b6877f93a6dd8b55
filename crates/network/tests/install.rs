//! Installing a set of rules: what is verified and tried is used; whatever else leaves everything as it was.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use letterkeep_network::rules::{
    Current, InstallError, Installed, Origin, Package, RuleSet, Settings, Verification, VerifyError, find, install,
    installed, load, rollback, watch_token,
};
use letterkeep_vault::sha256;

/// Our own rules as a release of somebody else's; `mark` makes it another one.
fn release(place: &Path, mark: &str) -> PathBuf {
    let directory = place.join(format!("release-{mark}"));
    fs::create_dir_all(directory.join("rules")).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, directory.join("rules").join(path.file_name().unwrap())).unwrap();
    }
    fs::write(directory.join("crs-setup.conf.example"), format!("# {mark}\n")).unwrap();
    fs::write(directory.join("CHANGES.md"), "## Version 9 - 2026-03-28\n").unwrap();
    directory
}

fn packed(directory: &Path) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    archive.append_dir_all("release-9", directory).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn trusted(directory: &Path, data: &Path) -> Result<Installed, InstallError> {
    install(&Package::Directory(directory.to_owned()), data, &Verification::TrustUnverified, &Settings::default())
}

/// The set that a service would use now, on a machine without Debian's package.
fn used(data: &Path) -> RuleSet {
    load(&find(data, data).unwrap(), &Settings::default()).unwrap()
}

#[test]
fn a_directory_is_installed_used_and_rolled_back() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    assert_eq!((used(data).origin, watch_token(data)), (Origin::BuiltIn, None));
    let first = trusted(&release(place.path(), "one"), data).unwrap();
    assert_eq!((first.test.missed.len(), used(data).digest), (0, first.set.digest.clone()));
    assert!(first.set.released.is_some_and(|day| day.stated && day.at.to_string().starts_with("2026-03-28")));
    let token = watch_token(data);
    let second = trusted(&release(place.path(), "two"), data).unwrap();
    assert_ne!(watch_token(data), token);
    assert_eq!(used(data).digest, second.set.digest);
    // Twice the same changes nothing about where a rollback leads.
    trusted(&release(place.path(), "two"), data).unwrap();

    let settings = Settings::default();
    assert_eq!(rollback(data, data, &settings).unwrap().digest, first.set.digest);
    assert_eq!(used(data).digest, first.set.digest);
    assert_eq!(rollback(data, data, &settings).unwrap().digest, second.set.digest);
    // A third pushes out the first.
    let third = trusted(&release(place.path(), "three"), data).unwrap();
    let mut kept = vec![second.name.clone(), third.name];
    kept.sort();
    assert_eq!(installed(data), kept);
    assert_eq!(rollback(data, data, &settings).unwrap().digest, second.set.digest);
}

#[test]
fn the_first_installation_can_be_rolled_back_too() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let settings = Settings::default();
    assert!(matches!(rollback(data, data, &settings), Err(InstallError::NothingBefore)));
    let only = trusted(&release(place.path(), "one"), data).unwrap();
    assert_eq!(rollback(data, data, &settings).unwrap().origin, Origin::BuiltIn);
    assert_eq!(used(data).origin, Origin::BuiltIn);
    assert_eq!(rollback(data, data, &settings).unwrap().digest, only.set.digest);
    // One that no longer loads is not returned to.
    trusted(&release(place.path(), "two"), data).unwrap();
    fs::write(data.join("rules").join(&only.name).join("rules/10-begin.conf"), "SecMagic On\n").unwrap();
    let token = watch_token(data);
    assert!(matches!(rollback(data, data, &settings), Err(InstallError::Rules(_))));
    assert_eq!(watch_token(data), token);
}

#[test]
fn an_archive_needs_its_digest() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let bytes = packed(&release(place.path(), "one"));
    let digest = hexadecimal(&sha256(&bytes));
    let with = |bytes: &[u8], verification: &Verification| {
        install(&Package::Archive(bytes.to_vec()), data, verification, &Settings::default())
    };
    let wrong = [
        (Verification::TrustUnverified, "needs --sha256"),
        (Verification::Sha256("abc".to_owned()), "64 hexadecimal digits"),
        (Verification::Sha256("0".repeat(64)), "not the release that you wanted"),
    ];
    for (verification, said) in wrong {
        let error = with(&bytes, &verification).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let mut changed = bytes.clone();
    changed.push(0);
    let right = Verification::Sha256(digest.to_uppercase());
    assert!(matches!(with(&changed, &right), Err(InstallError::Verify(VerifyError::Digest { .. }))));
    assert_eq!((used(data).origin, installed(data).len(), watch_token(data)), (Origin::BuiltIn, 0, None));
    let done = with(&bytes, &right).unwrap();
    assert_eq!(used(data).digest, done.set.digest);

    // A directory has the digest that its files have.
    let other = release(place.path(), "two");
    let of = load(&Origin::Directory(other.clone()), &Settings::default()).unwrap().digest;
    let directory = |digest: String| {
        install(&Package::Directory(other.clone()), data, &Verification::Sha256(digest), &Settings::default())
    };
    assert!(directory("0".repeat(64)).is_err());
    assert!(directory(of).is_ok());
}

#[test]
fn whatever_fails_leaves_the_set_in_use() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let good = trusted(&release(place.path(), "one"), data).unwrap();
    let token = watch_token(data);
    let broken: [(&str, &str, &str); 4] = [
        ("magic", "SecMagic On", "there is no directive"),
        ("all", "SecAction \"id:5,phase:1,deny\"", "did not pass its test: of 20 ordinary requests it refuses 20"),
        ("none", "SecAction \"id:5,phase:1,pass,ctl:ruleEngine=Off\"", "it does not see 20"),
        ("list", "SecRule ARGS \"@pmFromFile /etc/hostname\" \"id:5\"", "not among the files"),
    ];
    for (mark, text, said) in broken {
        let directory = release(place.path(), mark);
        fs::write(directory.join("rules/00-bad.conf"), text).unwrap();
        let error = trusted(&directory, data).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!((watch_token(data), installed(data)), (token.clone(), vec![good.name.clone()]), "{mark}");
    }
    let left: Vec<_> = fs::read_dir(data.join("rules")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing half done is left: {left:?}");
    // A pointer that is damaged is told; nothing else is taken in its place.
    fs::write(data.join("rules/current"), "../../elsewhere\n-\n").unwrap();
    assert!(find(data, data).is_err() && Current::read(data).is_err());
}

fn gpg(home: &Path, words: &[&str]) -> Option<()> {
    let mut command = Command::new("gpg");
    command.arg("--homedir").arg(home).args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"]);
    let status = command.args(["--passphrase", ""]).args(words).status().ok()?;
    status.success().then_some(())
}

#[test]
fn a_signature_is_one_of_the_key_over_the_archive() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = data.path();
    let archive = place.path().join("release.tar.gz");
    let bytes = packed(&release(place.path(), "one"));
    fs::write(&archive, &bytes).unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    for who in ["maker", "stranger"] {
        let home = place.path().join(who);
        fs::create_dir(&home).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let key = ["--quick-generate-key", &format!("{who}@example.org"), "ed25519", "sign", "never"];
        if gpg(&home, &key).is_none() {
            let _ = writeln!(std::io::stderr(), "SKIPPED gpg: it is not installed or makes no keys");
            return;
        }
        let (key, bare, signature) =
            (path(&format!("{who}.asc")), path(&format!("{who}.gpg")), path(&format!("{who}.sig")));
        gpg(&home, &["--armor", "--output", &key, "--export"]).unwrap();
        gpg(&home, &["--output", &bare, "--export"]).unwrap();
        gpg(&home, &["--armor", "--output", &signature, "--detach-sign", archive.to_str().unwrap()]).unwrap();
        // The agent that signed would outlive its directory.
        let _ = Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]).status();
    }
    let with = |bytes: &[u8], signature: &str, key: &str| {
        let verification = Verification::Signature { signature: path(signature).into(), key: path(key).into() };
        install(&Package::Archive(bytes.to_vec()), data, &verification, &Settings::default())
    };
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (bytes, signature, key) in [
        (&bytes, "stranger.sig", "maker.asc"),
        (&bytes, "maker.sig", "stranger.asc"),
        (&changed, "maker.sig", "maker.asc"),
        (&bytes, "maker.asc", "maker.asc"),
    ] {
        let refused = with(bytes, signature, key);
        assert!(
            matches!(refused, Err(InstallError::Verify(VerifyError::Signature(_)))),
            "{signature} {key} {refused:?}"
        );
    }
    assert!(matches!(with(&bytes, "nowhere.sig", "maker.asc"), Err(InstallError::Verify(VerifyError::File(..)))));
    assert_eq!(used(data).origin, Origin::BuiltIn);
    for key in ["maker.asc", "maker.gpg"] {
        with(&bytes, "maker.sig", key).unwrap();
    }
    assert_ne!(used(data).origin, Origin::BuiltIn);
}
