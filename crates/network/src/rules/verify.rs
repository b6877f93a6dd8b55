//! Whether a package is what its makers have published: its digest, or their signature.
//!
//! Signatures are read by GnuPG's `gpgv`, in a process of its own. An OpenPGP library would bring its own RSA and a dozen
//! ciphers beside the one provider of this program; `gpgv` is on every Debian, made for just this, and only run by an
//! operator at the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use letterkeep_vault::sha256;

use super::hexadecimal;

/// What makes a package trustworthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// SHA-256 in hexadecimal digits: of the archive, or of a directory as `rules test` tells it.
    Sha256(String),
    /// A detached OpenPGP signature of the archive, and the public key that must have made it.
    Signature {
        /// The file of the signature.
        signature: PathBuf,
        /// The file of the key, armoured or not.
        key: PathBuf,
    },
    /// Nothing: the operator vouches for a local directory.
    TrustUnverified,
}

/// A package is not shown to be what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not a digest.
    #[error("a SHA-256 digest has 64 hexadecimal digits")]
    NoDigest,
    /// Another digest.
    #[error("its SHA-256 digest is {found}, and {wanted} was expected: this is not the release that you wanted")]
    Digest {
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// An archive needs one of the two.
    #[error("an archive needs --sha256, or --signature and --key")]
    Needed,
    /// A directory has no signature.
    #[error("a directory has no signature; name the archive itself")]
    DirectorySignature,
    /// A file that cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// `gpgv` is not there.
    #[error("gpgv is needed to check a signature (on Debian: apt-get install gpgv), and cannot be run: {0}")]
    NoGpgv(std::io::Error),
    /// The signature is not good.
    #[error("the signature is not one of this key over this archive: {0}")]
    Signature(String),
}

/// Compares a digest with the one that was given.
pub(super) fn digest(found: &str, wanted: &str) -> Result<(), VerifyError> {
    let wanted = wanted.trim().to_ascii_lowercase();
    if wanted.len() != 64 || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(VerifyError::NoDigest);
    }
    if found == wanted { Ok(()) } else { Err(VerifyError::Digest { found: found.to_owned(), wanted }) }
}

/// Verifies an archive; `place` is a directory of ours for temporary files.
pub(super) fn archive(bytes: &[u8], verification: &Verification, place: &Path) -> Result<(), VerifyError> {
    match verification {
        Verification::TrustUnverified => Err(VerifyError::Needed),
        Verification::Sha256(wanted) => digest(&hexadecimal(&sha256(bytes)), wanted),
        Verification::Signature { signature, key } => signed(bytes, signature, key, place),
    }
}

fn signed(bytes: &[u8], signature: &Path, key: &Path, place: &Path) -> Result<(), VerifyError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| VerifyError::File(path, error)
    };
    let key_bytes = fs::read(key).map_err(at(key))?;
    let signature_bytes = fs::read(signature).map_err(at(signature))?;
    // Copies of what is judged: nothing can change between the look at it and its use.
    let names = ["archive", "signature", "key"].map(|name| place.join(name));
    let contents = [bytes, &signature_bytes, &without_armour(&key_bytes)];
    for (path, content) in names.iter().zip(contents) {
        fs::write(path, content).map_err(at(path))?;
    }
    let [archive, signature, key] = &names;
    let output = Command::new("gpgv")
        .args(["--status-fd", "1", "--weak-digest", "SHA1", "--homedir"])
        .arg(place)
        .arg("--keyring")
        .arg(key)
        .arg(signature)
        .arg(archive)
        .stdin(Stdio::null())
        .output()
        .map_err(VerifyError::NoGpgv)?;
    let status = String::from_utf8_lossy(&output.stdout);
    let says = |word: &str| {
        status.lines().any(|line| line.strip_prefix("[GNUPG:] ").is_some_and(|rest| rest.starts_with(word)))
    };
    // A key that has expired or was revoked yields no GOODSIG, though the numbers may fit.
    if output.status.success() && says("GOODSIG ") && says("VALIDSIG ") {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(VerifyError::Signature(said.lines().map(str::trim).collect::<Vec<_>>().join("; ")))
}

/// The bytes of a key, out of its armour (RFC 9580 §6.2) if it has one: `gpgv` wants them bare.
fn without_armour(bytes: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    let Some((_, after)) = text.split_once("-----BEGIN PGP PUBLIC KEY BLOCK-----") else { return bytes.to_vec() };
    let body = after.split("-----END").next().unwrap_or_default().replace('\r', "");
    let data = body.split_once("\n\n").map_or(&*body, |(_, data)| data);
    let digits: String = data.lines().map(str::trim).filter(|line| !line.starts_with('=')).collect();
    STANDARD.decode(digits).unwrap_or_else(|_| bytes.to_vec())
}
