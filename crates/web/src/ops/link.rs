//! The way in: an address with a secret that works once, for ten minutes. Whoever can write into the data directory may
//! make one; the file there holds only the secret's hash and its end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use letterkeep_model::{Entropy, Timestamp};
use letterkeep_vault::{Token, constant_time_eq};
use zeroize::Zeroizing;

/// How long a link is good.
pub const VALID: Duration = Duration::from_mins(10);

/// The path that a link leads to; the secret stands behind it.
const PATH: &str = "/ops/enter?token=";

/// The file of a link.
#[derive(Debug, Clone)]
pub struct OneTimeLink(PathBuf);

impl OneTimeLink {
    /// The link of the installation whose data directory this is.
    pub fn of(data: &Path) -> Self {
        Self(data.join("ops-link"))
    }

    /// Makes a new one for the service at `address`; an older one is none any more. The file belongs to whom the
    /// directory belongs, so that a service without privileges can read what root has made.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn issue(&self, address: &str, entropy: &dyn Entropy, now: Timestamp) -> io::Result<Zeroizing<String>> {
        let token = Token::generate(entropy);
        let line = format!("{} {}\n", hexadecimal(&token.hash()), now.plus(VALID).micros());
        let new = self.0.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        #[cfg(unix)]
        hand_over(&file, self.0.parent())?;
        fs::rename(&new, &self.0)?;
        Ok(Zeroizing::new(format!("{}{PATH}{}", address.trim_end_matches('/'), &*token.text())))
    }

    /// Whether this is the secret of a link that is still good. Then it is used up; a link whose file cannot be deleted
    /// lets nobody in.
    pub(super) fn redeem(&self, token: &Token, now: Timestamp) -> bool {
        let Some((hash, end)) = self.read() else { return false };
        let is_same = constant_time_eq(hexadecimal(&token.hash()).as_bytes(), hash.as_bytes());
        // A clock that was set back must not make a link good for longer than any is.
        let is_good = now < end && end <= now.plus(VALID);
        is_same && is_good && fs::remove_file(&self.0).is_ok()
    }

    /// Hash and end. A file that others could have written is none.
    fn read(&self) -> Option<(String, Timestamp)> {
        let file = File::open(&self.0).ok()?;
        let metadata = file.metadata().ok()?;
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::mode(&metadata) & 0o077 != 0 {
            tracing::warn!("the file of the operator's link is open to others and is not believed");
            return None;
        }
        let mut line = String::new();
        file.take(if metadata.is_file() { 200 } else { 0 }).read_to_string(&mut line).ok()?;
        let (hash, end) = line.trim_end().split_once(' ')?;
        Some((hash.to_owned(), Timestamp::from_micros(end.parse().ok()?)))
    }
}

/// Root can give a file away; anybody else who may write here is its owner already.
#[cfg(unix)]
fn hand_over(file: &File, directory: Option<&Path>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let Some(directory) = directory else { return Ok(()) };
    let (wanted, have) = (fs::metadata(directory)?, file.metadata()?);
    if have.uid() == 0 && wanted.uid() != 0 { fchown(file, Some(wanted.uid()), Some(wanted.gid())) } else { Ok(()) }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use letterkeep_model::SystemEntropy;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_417_200);

    fn issue(link: &OneTimeLink) -> Token {
        let address = link.issue("https://127.0.0.1:8444/", &SystemEntropy, NOW).unwrap();
        Token::parse(address.strip_prefix("https://127.0.0.1:8444/ops/enter?token=").unwrap()).unwrap()
    }

    #[test]
    fn a_link_works_once_and_only_the_newest_and_only_for_its_time() {
        let data = tempfile::tempdir().unwrap();
        let link = OneTimeLink::of(data.path());
        let token = issue(&link);
        assert!(!link.redeem(&Token::generate(&SystemEntropy), NOW), "another secret");
        assert!(!link.redeem(&token, NOW.plus(VALID)), "after its time");
        assert!(!link.redeem(&token, NOW.minus(Duration::from_secs(1))), "before it was made");
        assert!(link.redeem(&token, NOW.plus(VALID).minus(Duration::from_micros(1))));
        assert!(!link.redeem(&token, NOW), "a second time");
        let (older, newer) = (issue(&link), issue(&link));
        assert!(!link.redeem(&older, NOW) && link.redeem(&newer, NOW));
    }

    #[test]
    fn the_file_holds_no_secret_and_is_private() {
        let data = tempfile::tempdir().unwrap();
        let link = OneTimeLink::of(data.path());
        let token = issue(&link);
        let text = fs::read_to_string(&link.0).unwrap();
        assert!(!text.contains(token.text().as_str()) && text.len() < 100, "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&link.0).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&link.0, fs::Permissions::from_mode(0o620)).unwrap();
            assert!(!link.redeem(&token, NOW), "others could have written it");
            fs::set_permissions(&link.0, fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert!(link.redeem(&token, NOW));
    }

    #[test]
    fn what_is_no_link_lets_nobody_in() {
        let data = tempfile::tempdir().unwrap();
        let link = OneTimeLink::of(data.path());
        let token = issue(&link);
        let hash = hexadecimal(&token.hash());
        let good = NOW.plus(VALID).micros();
        for text in ["", " ", "\n", &hash, &format!("{hash} x"), &format!(" {good}"), &format!("{hash} {}", i64::MAX)] {
            fs::write(&link.0, text).unwrap();
            assert!(!link.redeem(&token, NOW), "{text:?}");
        }
        fs::write(&link.0, format!("{hash} {good}")).unwrap();
        assert!(link.redeem(&token, NOW), "the measure itself");
        assert!(!link.redeem(&token, NOW), "without a file");
    }
}
