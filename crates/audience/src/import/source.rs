//! A foreign file as a sequence of rows, whatever its kind.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use super::csv::{CsvRows, Delimiter};
use super::encoding::{BLOCK, Decoded, TextEncoding};
use super::row::Row;
use super::xlsx;

/// What kind of file it is and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Format {
    /// Text with a delimiter: CSV, TSV.
    Text {
        /// Its encoding.
        encoding: TextEncoding,
        /// What separates the cells.
        delimiter: Delimiter,
    },
    /// A workbook of Excel 2007 or later.
    Xlsx,
}

/// Why a whole file cannot be read. Nothing was imported from the row named on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// A byte does not belong to the encoding.
    #[error("byte {byte} (in row {row}) is not {encoding}; choose the encoding that the file was saved with")]
    Encoding {
        /// The encoding that the file was read as.
        encoding: &'static str,
        /// The place of the byte, from 0.
        byte: u64,
        /// The row that it stands in, from 1.
        row: u64,
    },
    /// Not a workbook that can be read.
    #[error("the Excel file cannot be read: {0}. Open it and save it again as .xlsx, or as CSV")]
    Workbook(&'static str),
    /// A workbook made to use up memory or disk.
    #[error("the Excel file is refused: {0}. Files like that are made to fill up memory (\"zip bomb\")")]
    ZipBomb(&'static str),
    /// The texts of a workbook do not fit in memory.
    #[error("the Excel file has more than 48 MB of different texts; save it as CSV and import that")]
    TooManyStrings,
    /// An old or foreign kind of file.
    #[error("the file is {0}; save it as .xlsx or CSV and import that")]
    Foreign(&'static str),
    /// Nothing in it.
    #[error("the file has no rows")]
    Empty,
    /// More rows than an import takes.
    #[error("the file has more than 5,000,000 rows; split it")]
    TooManyRows,
    /// The stored file cannot be read.
    #[error("the stored file cannot be read: {0}")]
    Read(String),
}

impl SourceError {
    /// A stable name, for translated texts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Encoding { .. } => "encoding",
            Self::Workbook(_) => "workbook",
            Self::ZipBomb(_) => "zip-bomb",
            Self::TooManyStrings => "too-many-strings",
            Self::Foreign(_) => "foreign",
            Self::Empty => "empty",
            Self::TooManyRows => "too-many-rows",
            Self::Read(_) => "read",
        }
    }

    pub(super) fn from_io(error: &io::Error) -> Self {
        if let Some(stopped) = error.get_ref().and_then(|inner| inner.downcast_ref::<xlsx::Stopped>()) {
            return match stopped {
                xlsx::Stopped::Size => Self::ZipBomb("a part is larger than 1 GB"),
                xlsx::Stopped::Ratio => Self::ZipBomb("a part is more than 150 times larger than its archive"),
                xlsx::Stopped::Event => Self::Workbook("a tag or text in it is longer than 512 KB"),
            };
        }
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                Self::Workbook("the zip archive is damaged")
            }
            _ => Self::Read(error.to_string()),
        }
    }
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        Self::Read(error.to_string())
    }
}

/// How far into the file a row stands, in bytes that were read; for progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes read.
    pub done: u64,
    /// Bytes in all.
    pub of: u64,
}

impl Place {
    /// Rows in the whole file, if the rest is like the `rows` that were read.
    pub(super) fn rows_in_all(self, rows: i64) -> i64 {
        if self.done == 0 {
            return rows;
        }
        let all = rows as f64 * self.of as f64 / self.done as f64;
        (all as i64).max(rows)
    }
}

impl Format {
    /// Finds out what kind of file it is. The file is read once if it is a text.
    pub fn detect<R: Read + Seek>(file: &mut R) -> Result<Self, SourceError> {
        let mut start = [0; 8];
        file.rewind()?;
        let mut read = 0;
        while read < start.len() {
            match file.read(&mut start[read..])? {
                0 => break,
                more => read += more,
            }
        }
        file.rewind()?;
        match &start[..read] {
            [] => return Err(SourceError::Empty),
            [b'P', b'K', 3 | 5, 4 | 6, ..] => return Ok(Self::Xlsx),
            [0xd0, 0xcf, 0x11, 0xe0, ..] => return Err(SourceError::Foreign("an old Excel file (.xls) or encrypted")),
            [b'%', b'P', b'D', b'F', ..] => return Err(SourceError::Foreign("a PDF")),
            [0x1f, 0x8b, ..] => return Err(SourceError::Foreign("compressed (gzip)")),
            _ => {}
        }
        let encoding = TextEncoding::detect(&mut *file)?;
        let delimiter = Self::detect_delimiter(file, encoding)?;
        Ok(Self::Text { encoding, delimiter })
    }

    /// Finds the delimiter of a text file in `encoding`.
    pub fn detect_delimiter<R: Read + Seek>(file: &mut R, encoding: TextEncoding) -> Result<Delimiter, SourceError> {
        file.rewind()?;
        let mut start = String::new();
        Decoded::new(&mut *file, encoding, BLOCK).next(&mut start, 1)?;
        file.rewind()?;
        Ok(Delimiter::detect(&start))
    }

    /// Reads the rows of `file` in order until `visit` breaks. The first row is the heading.
    pub fn read_rows<R: Read + Seek>(
        self,
        file: R,
        visit: &mut dyn FnMut(&mut Row, Place) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.read_rows_in_blocks(file, BLOCK, visit)
    }

    /// The same, a text file in blocks of so many bytes: what is read does not depend on it.
    pub fn read_rows_in_blocks<R: Read + Seek>(
        self,
        mut file: R,
        block: usize,
        visit: &mut dyn FnMut(&mut Row, Place) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let mut rows = 0u64;
        let mut too_many = false;
        let mut counted = |row: &mut Row, place| {
            rows += 1;
            too_many = rows > super::limits::ROWS + 1;
            if too_many { ControlFlow::Break(()) } else { visit(row, place) }
        };
        match self {
            Self::Xlsx => xlsx::read_rows(file, &mut counted)?,
            Self::Text { encoding, delimiter } => {
                let of = file.seek(SeekFrom::End(0))?;
                file.rewind()?;
                let mut text = CsvRows::in_blocks(file, encoding, delimiter, block);
                let mut row = Row::default();
                while text.read(&mut row)? {
                    if counted(&mut row, Place { done: text.position(), of }).is_break() {
                        break;
                    }
                }
            }
        }
        if too_many { Err(SourceError::TooManyRows) } else { Ok(()) }
    }
}
