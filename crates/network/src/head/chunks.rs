//! A body in chunks (RFC 9112 §7.1), without extensions and trailers.

use super::{Refusal, Step};

/// Sizes are below 2^60; no more digits are read, so that leading zeros end somewhere too.
const DIGITS: u8 = 15;

/// Where in a chunk the next byte is.
#[derive(Debug, Default, Clone, Copy)]
enum Place {
    #[default]
    Size,
    SizeLineFeed,
    Content,
    ContentReturn,
    ContentLineFeed,
    LastReturn,
    LastLineFeed,
    Complete,
}

/// Reads one body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    /// The size that is being read, then what is left of it.
    size: u64,
    digits: u8,
}

impl Chunks {
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.place, Place::Complete)
    }

    /// Takes what is all content or all framing from the front.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, Step), Refusal> {
        if matches!(self.place, Place::Content) {
            let taken = bytes.len().min(usize::try_from(self.size).unwrap_or(usize::MAX));
            self.size -= taken as u64;
            if self.size == 0 {
                self.place = Place::ContentReturn;
            }
            return Ok((taken, Step::Content));
        }
        for (taken, byte) in bytes.iter().enumerate() {
            if matches!(self.place, Place::Content | Place::Complete) {
                return Ok((taken, Step::Framing));
            }
            self.place = self.next(*byte)?;
        }
        Ok((bytes.len(), Step::Framing))
    }

    fn next(&mut self, byte: u8) -> Result<Place, Refusal> {
        Ok(match (self.place, byte) {
            (Place::Size, b'\r') if self.digits > 0 => Place::SizeLineFeed,
            (Place::Size, b';') if self.digits > 0 => return Err(Refusal::ChunkExtension),
            (Place::Size, b'\n') if self.digits > 0 => return Err(Refusal::BareLineFeed),
            (Place::Size, digit) => {
                let value = char::from(digit).to_digit(16).ok_or(Refusal::ChunkSize)?;
                if self.digits == DIGITS {
                    return Err(Refusal::ChunkSize);
                }
                self.digits += 1;
                self.size = self.size << 4 | u64::from(value);
                Place::Size
            }
            (Place::SizeLineFeed, b'\n') if self.size == 0 => Place::LastReturn,
            (Place::SizeLineFeed, b'\n') => Place::Content,
            (Place::SizeLineFeed, _) => return Err(Refusal::ChunkSize),
            (Place::ContentReturn, b'\r') => Place::ContentLineFeed,
            (Place::ContentLineFeed, b'\n') => {
                self.digits = 0;
                Place::Size
            }
            (Place::ContentReturn | Place::ContentLineFeed | Place::Content | Place::Complete, _) => {
                return Err(Refusal::ChunkEnd);
            }
            (Place::LastReturn, b'\r') => Place::LastLineFeed,
            (Place::LastReturn, b'\n') => return Err(Refusal::BareLineFeed),
            (Place::LastReturn, _) => return Err(Refusal::Trailers),
            (Place::LastLineFeed, b'\n') => Place::Complete,
            (Place::LastLineFeed, _) => return Err(Refusal::ChunkEnd),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content and how many bytes the body took.
    fn all(mut bytes: &[u8]) -> Result<(Vec<u8>, usize), Refusal> {
        let (mut chunks, mut content, length) = (Chunks::default(), Vec::new(), bytes.len());
        while !bytes.is_empty() && !chunks.is_complete() {
            let (taken, step) = chunks.read(bytes)?;
            if step == Step::Content {
                content.extend_from_slice(&bytes[..taken]);
            }
            bytes = &bytes[taken..];
        }
        Ok((content, length - bytes.len()))
    }

    #[test]
    fn chunks_are_read_strictly() {
        assert_eq!(all(b"3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nGET"), Ok((b"abc0123456789".to_vec(), 30)));
        for (body, refusal) in [
            (&b"\r\n"[..], Refusal::ChunkSize),
            (b" 3\r\nabc", Refusal::ChunkSize),
            (b"3 \r\nabc", Refusal::ChunkSize),
            (b"+3\r\nabc", Refusal::ChunkSize),
            (b"0x3\r\nabc", Refusal::ChunkSize),
            (b"3\rX", Refusal::ChunkSize),
            (b"0000000000000003\r\n", Refusal::ChunkSize),
            (b"fffffffffffffffff\r\n", Refusal::ChunkSize),
            (b"3;a=b\r\n", Refusal::ChunkExtension),
            (b"3\nabc", Refusal::BareLineFeed),
            (b"3\r\nabcd", Refusal::ChunkEnd),
            (b"3\r\nabc\n", Refusal::ChunkEnd),
            (b"3\r\nabc\rX", Refusal::ChunkEnd),
            (b"0\r\nA: b\r\n\r\n", Refusal::Trailers),
            (b"0\r\n\n", Refusal::BareLineFeed),
            (b"0\r\n\rX", Refusal::ChunkEnd),
        ] {
            assert_eq!(all(body), Err(refusal), "{}", body.escape_ascii());
        }
    }
}
