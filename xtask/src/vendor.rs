//! `cargo xtask vendor`: files of others, committed as published on npm, so that no build needs Node or the network.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha512};

use crate::tidy::{self, Finding};
use crate::tools;

/// The record of what is vendored.
pub(crate) const LIST: &str = "assets/vendor.toml";

/// The record, read.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    pub(crate) package: Vec<Package>,
}

/// A package of npm and the files that are taken from it.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    pub(crate) name: String,
    version: String,
    pub(crate) licence: String,
    /// npm's `dist.integrity`: `sha512-` and the digest of the package in base64.
    integrity: String,
    #[expect(dead_code, reason = "for readers of the record")]
    purpose: String,
    pub(crate) file: Vec<File>,
}

/// One file: its place in the package and in the repository.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    from: String,
    pub(crate) to: String,
    pub(crate) sha256: String,
}

/// Reads the record.
pub(crate) fn parse(text: &str) -> Result<List> {
    toml::from_str(text).context("the record of vendored files cannot be read")
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Re-hashes the files (`check`), or fetches them anew.
pub(crate) fn run(check: bool) -> Result<ExitCode> {
    if check {
        let findings: Vec<Finding> = tidy::vendored_files(tools::root())?;
        for finding in &findings {
            println!("{finding}");
        }
        return Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let list = parse(&fs::read_to_string(tools::root().join(LIST))?)?;
    ensure!(tools::find(&["npm"]).is_some(), "npm is needed to fetch packages; type: sudo apt-get install npm");
    for package in &list.package {
        fetch(package).with_context(|| format!("{} {}", package.name, package.version))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(package: &Package) -> Result<()> {
    let place = tools::target().join("tools/vendor");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place)?;
    let wanted = format!("{}@{}", package.name, package.version);
    // Nothing of the package runs: it is packed, hashed and unpacked.
    let packed = tools::quietly(
        Command::new("npm").args(["pack", "--ignore-scripts", "--silent", &wanted]).current_dir(&place),
    )?;
    let archive = place.join(packed.lines().last().context("npm names the archive")?.trim());
    let digest = format!("sha512-{}", base64(&Sha512::digest(fs::read(&archive)?)));
    ensure!(digest == package.integrity, "npm hands out {digest}, the record says {}", package.integrity);
    tools::quietly(Command::new("tar").arg("-xzf").arg(&archive).current_dir(&place))?;
    for file in &package.file {
        let bytes = fs::read(place.join("package").join(&file.from)).with_context(|| file.from.clone())?;
        let digest = sha256(&bytes);
        fs::write(tools::root().join(&file.to), bytes)?;
        let state =
            if digest == file.sha256 { "as recorded".to_owned() } else { format!("NEW: record sha256 = \"{digest}\"") };
        println!("{}: {state}", file.to);
    }
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_every_length() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }
}
