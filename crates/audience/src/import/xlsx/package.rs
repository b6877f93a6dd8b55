use std::io::{self, BufRead, Read, Seek, SeekFrom};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::import::{SourceError, limits};

/// How deep tags may stand inside each other; a workbook needs nine.
const DEPTH: usize = 64;

/// Why reading an entry was stopped; travels inside an [`io::Error`].
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(in crate::import) enum Stopped {
    #[error("an entry is too large")]
    Size,
    #[error("an entry grows too much")]
    Ratio,
    #[error("a tag or text is too long")]
    Event,
}

/// Looks at the end of the archive before anything is allocated for its table of contents.
pub(super) fn check_directory<R: Read + Seek>(file: &mut R) -> Result<(), SourceError> {
    let damaged = SourceError::Workbook("the zip archive is damaged");
    let length = file.seek(SeekFrom::End(0)).map_err(|error| SourceError::from_io(&error))?;
    let tail = length.min(22 + 65_535);
    file.seek(SeekFrom::Start(length - tail)).map_err(|error| SourceError::from_io(&error))?;
    let mut end = Vec::new();
    file.take(tail).read_to_end(&mut end).map_err(|error| SourceError::from_io(&error))?;
    file.rewind().map_err(|error| SourceError::from_io(&error))?;
    // Every place that looks like an end record must be harmless, because readers disagree on which one counts.
    let mut found = false;
    for at in (0..end.len().saturating_sub(21)).filter(|at| end[*at..].starts_with(b"PK\x05\x06")) {
        found = true;
        let entries = usize::from(u16::from_le_bytes([end[at + 10], end[at + 11]]));
        let directory = u32::from_le_bytes([end[at + 12], end[at + 13], end[at + 14], end[at + 15]]);
        if entries > limits::ZIP_ENTRIES || u64::from(directory) > limits::ZIP_DIRECTORY {
            return Err(SourceError::ZipBomb("it has too many entries"));
        }
    }
    // The 64-bit form may repeat these numbers in a larger record; no workbook below the size limit needs it.
    if end.windows(4).any(|window| window == b"PK\x06\x07") {
        return Err(SourceError::ZipBomb("it uses the format for archives of more than 4 GB"));
    }
    if found { Ok(()) } else { Err(damaged) }
}

pub(super) fn check_archive<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<(), SourceError> {
    if archive.len() > limits::ZIP_ENTRIES {
        return Err(SourceError::ZipBomb("it has too many entries"));
    }
    Ok(())
}

/// An entry that is decompressed while it is read, and counted.
pub(super) struct Bounded<R> {
    entry: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    compressed: u64,
    total: u64,
    event: u64,
}

impl<R> Bounded<R> {
    /// Decompressed bytes read so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl<R: Read> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.event > limits::XML_EVENT {
            return Err(io::Error::other(Stopped::Event));
        }
        if self.start == self.end {
            self.start = 0;
            self.end = self.entry.read(&mut self.buffer)?;
            self.total += self.end as u64;
            if self.total > limits::ENTRY {
                return Err(io::Error::other(Stopped::Size));
            }
            if self.total > limits::RATIO_FROM && self.total / self.compressed.max(1) > limits::RATIO {
                return Err(io::Error::other(Stopped::Ratio));
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.start += amount;
        self.event += amount as u64;
    }
}

/// The tags and texts of one part.
pub(super) struct Part<R: Read> {
    reader: Reader<Bounded<R>>,
    depth: usize,
    size: u64,
}

impl<R: Read> Part<R> {
    /// The next tag or text, in `buffer`. A document type declaration is refused: no part has one, and entities are
    /// declared there.
    pub(super) fn next<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<Event<'b>, SourceError> {
        buffer.clear();
        self.reader.get_mut().event = 0;
        let event = self.reader.read_event_into(buffer).map_err(|error| match error {
            quick_xml::Error::Io(error) => SourceError::from_io(&error),
            _ => SourceError::Workbook("its XML is damaged"),
        })?;
        match &event {
            Event::DocType(_) => return Err(SourceError::Workbook("it declares a document type")),
            Event::Start(_) => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return Err(SourceError::Workbook("its XML is nested too deeply"));
                }
            }
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Ok(event)
    }

    /// Decompressed bytes in all, as the archive claims.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Decompressed bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.reader.get_ref().total()
    }
}

/// Opens a part; `None` if the archive has none of that name.
pub(super) fn open<'a, R: Read + Seek>(
    archive: &'a mut ZipArchive<R>,
    name: &str,
) -> Result<Option<Part<ZipFile<'a, R>>>, SourceError> {
    let Some(index) = archive.index_for_name(name) else { return Ok(None) };
    let entry = archive.by_index(index).map_err(|error| super::zip_error(&error))?;
    let (compressed, size) = (entry.compressed_size(), entry.size());
    if size > limits::ENTRY {
        return Err(SourceError::ZipBomb("a part is larger than 1 GB"));
    }
    let bounded = Bounded { entry, buffer: vec![0; 32 * 1024], start: 0, end: 0, compressed, total: 0, event: 0 };
    let mut reader = Reader::from_reader(bounded);
    reader.config_mut().check_end_names = true;
    Ok(Some(Part { reader, depth: 0, size }))
}

/// The value of an attribute, with its predefined entities resolved.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, SourceError> {
    let damaged = |_| SourceError::Workbook("its XML is damaged");
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| SourceError::Workbook("its XML is damaged"))?;
        if attribute.key.local_name().into_inner() == name {
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(damaged)?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// Appends the text of an event: characters, CDATA, character references and the five predefined entities.
pub(super) fn append_text(event: &Event<'_>, text: &mut String) -> Result<(), SourceError> {
    match event {
        Event::Text(piece) => text.push_str(&piece.xml10_content()),
        Event::CData(piece) => text.push_str(&piece.xml10_content()),
        Event::GeneralRef(reference) => {
            let unknown = SourceError::Workbook("it uses an unknown entity");
            match reference.resolve_char_ref() {
                Ok(Some(character)) => text.push(character),
                Ok(None) => {
                    text.push_str(quick_xml::escape::resolve_predefined_entity(reference).ok_or(unknown)?);
                }
                Err(_) => return Err(unknown),
            }
        }
        _ => {}
    }
    Ok(())
}

/// What the workbook says about its sheets.
pub(super) struct Workbook {
    /// The path of the first sheet in the archive.
    pub(super) sheet: String,
    /// Whether days are counted from 1904 (files from old Macs).
    pub(super) from_1904: bool,
}

impl Workbook {
    pub(super) fn read<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Self, SourceError> {
        let mut buffer = Vec::new();
        let (mut relation, mut from_1904) = (None, false);
        let Some(mut part) = open(archive, "xl/workbook.xml")? else {
            return Err(SourceError::Workbook("it has no workbook; is it another kind of file with the ending .xlsx?"));
        };
        loop {
            match part.next(&mut buffer)? {
                Event::Start(tag) | Event::Empty(tag) => match tag.local_name().into_inner() {
                    "workbookPr" => {
                        from_1904 = attribute(&tag, "date1904")?.is_some_and(|value| value == "1" || value == "true");
                    }
                    "sheet" if relation.is_none() => relation = attribute(&tag, "id")?,
                    _ => {}
                },
                Event::Eof => break,
                _ => {}
            }
        }
        drop(part);
        let mut sheet = None;
        if let (Some(relation), Some(mut part)) = (relation, open(archive, "xl/_rels/workbook.xml.rels")?) {
            loop {
                match part.next(&mut buffer)? {
                    Event::Start(tag) | Event::Empty(tag)
                        if tag.local_name().into_inner() == "Relationship"
                            && attribute(&tag, "Id")?.as_deref() == Some(&relation) =>
                    {
                        sheet = attribute(&tag, "Target")?;
                        break;
                    }
                    Event::Eof => break,
                    _ => {}
                }
            }
        }
        let sheet = match sheet.as_deref() {
            Some(target) => target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned),
            None => "xl/worksheets/sheet1.xml".to_owned(),
        };
        Ok(Self { sheet, from_1904 })
    }
}
