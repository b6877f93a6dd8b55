//! The text of a root file: what stands in a key file as it is, and in a passphrase file sealed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::RootId;
use crate::KeyBytes;

const FIRST_LINE: &str = "letterkeep-root-keys 1";
/// A file that was cut off between two lines must not pass for a whole one.
const LAST_LINE: &str = "end";
/// A rotation adds one and its end drops the old ones: more than a few means something is wrong.
pub(super) const MAX_ROOTS: usize = 64;
/// The most bytes a root file may have, sealed or not.
pub(super) const MAX_LEN: usize = 16 * 1024;

/// The text is not that of a whole root file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RootTextError {
    /// The first line is another.
    #[error("the first line is not `letterkeep-root-keys 1`")]
    FirstLine,
    /// A line is not `id key`, or the key does not fit its id.
    #[error("line {0} is damaged")]
    Line(usize),
    /// The last line is missing, something stands behind it, or there is no key.
    #[error("the file is cut off")]
    CutOff,
    /// More keys than any rotation leaves behind.
    #[error("the file holds more than {MAX_ROOTS} keys")]
    TooMany,
}

pub(super) fn parse(text: &[u8]) -> Result<Vec<KeyBytes>, RootTextError> {
    let text = std::str::from_utf8(text).map_err(|_| RootTextError::FirstLine)?;
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, line)| line != FIRST_LINE) {
        return Err(RootTextError::FirstLine);
    }
    let mut keys = Vec::new();
    for (number, line) in &mut lines {
        if line == LAST_LINE {
            let whole = !keys.is_empty() && lines.all(|(_, line)| line.is_empty());
            return if whole { Ok(keys) } else { Err(RootTextError::CutOff) };
        }
        if keys.len() == MAX_ROOTS {
            return Err(RootTextError::TooMany);
        }
        keys.push(parse_line(line).ok_or(RootTextError::Line(number + 1))?);
    }
    Err(RootTextError::CutOff)
}

fn parse_line(line: &str) -> Option<KeyBytes> {
    let (id, key) = line.split_once(' ')?;
    let key = KeyBytes::from_slice(&Zeroizing::new(STANDARD.decode(key).ok()?))?;
    (RootId::of(&key).to_string() == id).then_some(key)
}

pub(super) fn print(keys: &[KeyBytes]) -> Zeroizing<Vec<u8>> {
    // Room for everything at once: a buffer that grows leaves copies of keys behind.
    let mut text = Zeroizing::new(Vec::with_capacity(FIRST_LINE.len() + LAST_LINE.len() + 2 + keys.len() * 64));
    text.extend_from_slice(FIRST_LINE.as_bytes());
    for key in keys {
        text.push(b'\n');
        text.extend_from_slice(RootId::of(key).to_string().as_bytes());
        text.push(b' ');
        text.extend_from_slice(Zeroizing::new(STANDARD.encode(key.as_bytes())).as_bytes());
    }
    text.push(b'\n');
    text.extend_from_slice(LAST_LINE.as_bytes());
    text.push(b'\n');
    text
}
