use std::io::{Read, Seek};

use quick_xml::events::Event;
use zeroize::Zeroize as _;
use zip::ZipArchive;

use super::package::{append_text, open};
use crate::import::{SourceError, limits};

/// The texts that cells refer to by number, in one buffer.
pub(super) struct SharedStrings {
    text: String,
    ends: Vec<u32>,
}

impl SharedStrings {
    pub(super) fn read<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Self, SourceError> {
        let mut strings = Self { text: String::new(), ends: Vec::new() };
        let mut buffer = Vec::new();
        // Phonetic hints (`rPh`) stand beside the text and are not part of it.
        let (mut in_text, mut in_hint) = (false, false);
        let Some(mut part) = open(archive, "xl/sharedStrings.xml")? else { return Ok(strings) };
        loop {
            match part.next(&mut buffer)? {
                Event::Start(tag) => match tag.local_name().into_inner() {
                    "t" => in_text = true,
                    "rPh" => in_hint = true,
                    _ => {}
                },
                Event::End(tag) => match tag.local_name().into_inner() {
                    "t" => in_text = false,
                    "rPh" => in_hint = false,
                    "si" => strings.end()?,
                    _ => {}
                },
                Event::Empty(tag) if tag.local_name().into_inner() == "si" => strings.end()?,
                Event::Eof => return Ok(strings),
                event if in_text && !in_hint => {
                    append_text(&event, &mut strings.text)?;
                    strings.check()?;
                }
                _ => {}
            }
        }
    }

    pub(super) fn find(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        Some(&self.text[start..end])
    }

    fn end(&mut self) -> Result<(), SourceError> {
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.check()
    }

    fn check(&self) -> Result<(), SourceError> {
        if self.text.len() + self.ends.len() * 4 > limits::SHARED_STRINGS {
            return Err(SourceError::TooManyStrings);
        }
        Ok(())
    }
}

impl Drop for SharedStrings {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}
