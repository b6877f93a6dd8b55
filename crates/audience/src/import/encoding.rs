//! Which encoding a text file has, and reading it as UTF-8 piece by piece.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::SourceError;

/// Bytes read at once.
pub(super) const BLOCK: usize = 64 * 1024;
/// The longest byte order mark.
const MARK: usize = 3;

/// How much of the text around the first byte that is not UTF-8 the guess is made from.
const SAMPLE: usize = 1024 * 1024;

/// The encoding of a text file, by its name in the WHATWG Encoding Standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// UTF-8, with or without a byte order mark.
    pub const UTF_8: Self = Self(UTF_8);
    /// windows-1252, what German and English spreadsheets write when they do not write UTF-8.
    pub const WINDOWS_1252: Self = Self(WINDOWS_1252);

    /// The encodings that the user is offered.
    pub const OFFERED: [Self; 7] = [
        Self::UTF_8,
        Self::WINDOWS_1252,
        Self(encoding_rs::ISO_8859_15),
        Self(encoding_rs::WINDOWS_1250),
        Self(encoding_rs::MACINTOSH),
        Self(UTF_16LE),
        Self(UTF_16BE),
    ];

    /// The encoding that a label names, for example `iso-8859-1`. Encodings that hide ASCII behind escape sequences
    /// are refused.
    pub fn from_label(label: &str) -> Option<Self> {
        Encoding::for_label_no_replacement(label.as_bytes())
            .filter(|encoding| encoding.is_ascii_compatible() || *encoding == UTF_16LE || *encoding == UTF_16BE)
            .map(Self)
    }

    /// Its name, for example `windows-1252`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Finds the encoding of a whole file: a byte order mark decides; then UTF-16 by its zero bytes; then UTF-8 if
    /// every byte fits; else the most likely legacy encoding, windows-1252 in doubt.
    pub fn detect(mut file: impl Read) -> io::Result<Self> {
        let mut block = vec![0; BLOCK];
        let mut read = fill(&mut file, &mut block)?;
        if let Some((encoding, _)) = Encoding::for_bom(&block[..read]) {
            return Ok(Self(encoding));
        }
        if let Some(encoding) = utf_16_without_mark(&block[..read]) {
            return Ok(Self(encoding));
        }
        let mut decoder = UTF_8.new_decoder_without_bom_handling();
        let mut text = String::with_capacity(BLOCK * 3 + 16);
        let mut guess: Option<(EncodingDetector, usize)> = None;
        loop {
            let last = read < block.len();
            let piece = &block[..read];
            if let Some((detector, fed)) = &mut guess {
                detector.feed(piece, last);
                *fed += read;
                if *fed >= SAMPLE {
                    break;
                }
            } else {
                text.clear();
                let (result, _) = decoder.decode_to_string_without_replacement(piece, &mut text, last);
                if result != DecoderResult::InputEmpty {
                    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
                    detector.feed(piece, last);
                    guess = Some((detector, read));
                }
            }
            if last {
                break;
            }
            read = fill(&mut file, &mut block)?;
        }
        let Some((detector, _)) = guess else { return Ok(Self::UTF_8) };
        let guessed = detector.guess(Some(b"de"), Utf8Detection::Deny);
        // A few letters that are not ASCII do not carry a guess of a rare encoding; German files are the usual case.
        Ok(if Self::OFFERED.contains(&Self(guessed)) || guessed.is_single_byte() && guessed != encoding_rs::IBM866 {
            Self(guessed)
        } else {
            Self::WINDOWS_1252
        })
    }
}

impl serde::Serialize for TextEncoding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for TextEncoding {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let label = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_label(&label).ok_or_else(|| serde::de::Error::custom("unknown text encoding"))
    }
}

/// A file as UTF-8, one block after the other.
pub(super) struct Decoded<R> {
    file: R,
    decoder: Decoder,
    encoding: TextEncoding,
    raw: Vec<u8>,
    raw_len: usize,
    raw_at: usize,
    /// Bytes of the file that were decoded.
    position: u64,
    started: bool,
    ended: bool,
    malformed: Option<u64>,
}

impl<R: Read> Decoded<R> {
    /// Reads `file` in blocks of so many bytes, at least as many as a byte order mark has.
    pub(super) fn new(file: R, encoding: TextEncoding, block: usize) -> Self {
        Self {
            file,
            decoder: encoding.0.new_decoder_without_bom_handling(),
            encoding,
            raw: vec![0; block.max(MARK)],
            raw_len: 0,
            raw_at: 0,
            position: 0,
            started: false,
            ended: false,
            malformed: None,
        }
    }

    /// How many bytes of the file were decoded.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Replaces `block` by the next piece of text; `false` at the end. `row` is named in errors.
    pub(super) fn next(&mut self, block: &mut String, row: u64) -> Result<bool, SourceError> {
        block.clear();
        block.reserve(self.raw.len() * 3 + 16);
        loop {
            if let Some(byte) = self.malformed {
                return Err(SourceError::Encoding { encoding: self.encoding.name(), byte, row });
            }
            if self.raw_at == self.raw_len && !self.ended {
                self.raw_len = fill(&mut self.file, &mut self.raw)?;
                self.raw_at = 0;
                self.ended = self.raw_len < self.raw.len();
                if !self.started {
                    self.started = true;
                    if let Some((encoding, mark)) = Encoding::for_bom(&self.raw[..self.raw_len])
                        && encoding == self.encoding.0
                    {
                        self.raw_at = mark;
                        self.position = mark as u64;
                    }
                }
            } else if self.raw_at == self.raw_len {
                return Ok(false);
            }
            let piece = &self.raw[self.raw_at..self.raw_len];
            let (result, read) = self.decoder.decode_to_string_without_replacement(piece, block, self.ended);
            self.raw_at += read;
            self.position += read as u64;
            if let DecoderResult::Malformed(length, after) = result {
                self.malformed = Some(self.position.saturating_sub(u64::from(length) + u64::from(after)));
            }
            if !block.is_empty() {
                return Ok(true);
            }
            if self.ended && self.raw_at == self.raw_len && self.malformed.is_none() {
                return Ok(false);
            }
        }
    }
}

/// Reads until `buffer` is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// ASCII letters in UTF-16 have a zero byte beside them, always on the same side.
fn utf_16_without_mark(start: &[u8]) -> Option<&'static Encoding> {
    let pairs = start.len().min(4096) / 2;
    let zeros = |side: usize| start.chunks_exact(2).take(pairs).filter(|pair| pair[side] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    if pairs < 4 {
        return None;
    }
    if second * 10 > pairs * 7 && first * 10 < pairs {
        Some(UTF_16LE)
    } else if first * 10 > pairs * 7 && second * 10 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(bytes: &[u8]) -> &'static str {
        TextEncoding::detect(bytes).unwrap().name()
    }

    #[test]
    fn finds_what_spreadsheets_write() {
        assert_eq!(detected(b"a,b\n1,2\n"), "UTF-8");
        assert_eq!(detected("Straße,Müller".as_bytes()), "UTF-8");
        assert_eq!(detected(b"\xef\xbb\xbfa,b"), "UTF-8");
        assert_eq!(detected(b"\xff\xfea\0,\0"), "UTF-16LE");
        assert_eq!(detected(b"e\0-\0m\0a\0i\0l\0;\0n\0a\0m\0e\0"), "UTF-16LE");
        assert_eq!(detected(b"\0e\0-\0m\0a\0i\0l\0;\0n\0a\0m\0e"), "UTF-16BE");
        assert_eq!(
            detected(b"Vorname;Stra\xdfe\nJ\xfcrgen;M\xfchlstra\xdfe 3\nBj\xf6rn;\xc4ckerweg\n"),
            "windows-1252"
        );
        assert_eq!(detected(b""), "UTF-8");
        // The first letter that is not ASCII may stand far down.
        let mut late = vec![b'a'; 3 * BLOCK + 7];
        late.extend_from_slice(b";M\xfcller;Stra\xdfe;gr\xf6\xdfer\n");
        assert_eq!(detected(&late), "windows-1252");
    }

    #[test]
    fn a_wrong_byte_is_named_by_its_place() {
        let mut bytes = vec![b'x'; BLOCK + 10];
        bytes.push(0xfc);
        bytes.extend_from_slice(b"yz");
        let mut decoded = Decoded::new(&bytes[..], TextEncoding::UTF_8, BLOCK);
        let mut block = String::new();
        let mut read = 0;
        let error = loop {
            match decoded.next(&mut block, 7) {
                Ok(true) => read += block.len(),
                Ok(false) => panic!("the wrong byte was not noticed"),
                Err(error) => break error,
            }
        };
        assert_eq!(read, BLOCK + 10);
        match error {
            SourceError::Encoding { byte, row, .. } => assert_eq!((byte, row), (BLOCK as u64 + 10, 7)),
            other => panic!("{other}"),
        }
    }
}
