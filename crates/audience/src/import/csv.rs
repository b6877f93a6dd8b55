//! Reading delimited text row by row, in memory that does not grow with the file or with a cell.
//!
//! The rules are those of RFC 4180, read generously: a row ends with LF, CR LF or CR; a quote opens a quoted cell only
//! at the very start of the cell, everywhere else it is an ordinary character; what stands between a closing quote and
//! the next delimiter is kept. A cell that is too long is read to its end and dropped, its row is refused. A quote
//! that is never closed refuses the row in which it opens and says so.

use std::io::Read;

use super::SourceError;
use super::encoding::{BLOCK, Decoded, TextEncoding};
use super::row::{Row, RowProblem};

/// What separates the cells of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delimiter {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl Delimiter {
    /// Every delimiter, in the order in which they win a tie.
    pub const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Pipe];

    /// The character.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }

    /// Finds the delimiter by reading the first rows with each of them: the one that gives the most rows of the same
    /// width, more than one cell wide, wins.
    pub fn detect(start: &str) -> Self {
        // The last row of the sample may be cut off.
        let whole = match start.rfind(['\n', '\r']) {
            Some(end) if end > 0 => &start[..end],
            _ => start,
        };
        let mut best = (0, Self::Comma);
        for delimiter in Self::ALL {
            let mut rows = CsvRows::in_blocks(whole.as_bytes(), TextEncoding::UTF_8, delimiter, whole.len().min(BLOCK));
            let mut row = Row::default();
            let mut widths = Vec::new();
            while widths.len() < 50 && matches!(rows.read(&mut row), Ok(true)) {
                widths.push(row.len());
            }
            let width = widths.first().copied().unwrap_or(0);
            if width < 2 {
                continue;
            }
            let same = widths.iter().filter(|found| **found == width).count();
            // Consistency first, width only between equals.
            let score = same * 1000 / widths.len() * 1000 + width.min(999);
            if score > best.0 {
                best = (score, delimiter);
            }
        }
        best.1
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    AfterQuote,
}

/// The rows of a delimited text.
pub struct CsvRows<R> {
    text: Decoded<R>,
    delimiter: u8,
    block: String,
    at: usize,
    number: u64,
    skip_line_feed: bool,
    ended: bool,
}

impl<R: Read> CsvRows<R> {
    /// Reads `file`, from its start.
    pub fn new(file: R, encoding: TextEncoding, delimiter: Delimiter) -> Self {
        Self::in_blocks(file, encoding, delimiter, BLOCK)
    }

    /// The same in blocks of so many bytes: what is read does not depend on it.
    pub fn in_blocks(file: R, encoding: TextEncoding, delimiter: Delimiter, block: usize) -> Self {
        Self {
            text: Decoded::new(file, encoding, block),
            delimiter: delimiter.byte(),
            block: String::new(),
            at: 0,
            number: 0,
            skip_line_feed: false,
            ended: false,
        }
    }

    /// Bytes of the file read so far.
    pub fn position(&self) -> u64 {
        self.text.position()
    }

    /// Reads the next row that is not blank into `row`; `false` at the end of the file.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, SourceError> {
        loop {
            self.number += 1;
            row.clear(self.number);
            if !self.read_any(row)? {
                return Ok(false);
            }
            if row.len() != 1 || !row.is_blank() {
                return Ok(true);
            }
        }
    }

    fn read_any(&mut self, row: &mut Row) -> Result<bool, SourceError> {
        let mut state = State::CellStart;
        let mut begun = false;
        loop {
            if self.at >= self.block.len() && !self.refill()? {
                if !begun {
                    return Ok(false);
                }
                if state == State::Quoted {
                    // Outweighs a cell that is too long, which it soon is: whoever closes the quote gets the rest back.
                    row.problem = Some(RowProblem::OpenQuote);
                }
                row.end_cell();
                return Ok(true);
            }
            let bytes = self.block.as_bytes();
            if self.skip_line_feed {
                self.skip_line_feed = false;
                if bytes[self.at] == b'\n' {
                    self.at += 1;
                    continue;
                }
            }
            begun = true;
            match state {
                State::CellStart if bytes[self.at] == b'"' => {
                    self.at += 1;
                    state = State::Quoted;
                }
                State::AfterQuote if bytes[self.at] == b'"' => {
                    row.push("\"");
                    self.at += 1;
                    state = State::Quoted;
                }
                State::Quoted => {
                    let rest = &self.block[self.at..];
                    let length = rest.find('"').unwrap_or(rest.len());
                    row.push(&self.block[self.at..self.at + length]);
                    self.at += length;
                    if length < rest.len() {
                        self.at += 1;
                        state = State::AfterQuote;
                    }
                }
                State::CellStart | State::Plain | State::AfterQuote => {
                    let rest = &bytes[self.at..];
                    let delimiter = self.delimiter;
                    let length = rest
                        .iter()
                        .position(|byte| *byte == delimiter || *byte == b'\n' || *byte == b'\r')
                        .unwrap_or(rest.len());
                    row.push(&self.block[self.at..self.at + length]);
                    self.at += length;
                    if length == rest.len() {
                        state = State::Plain;
                        continue;
                    }
                    let end = rest[length];
                    self.at += 1;
                    row.end_cell();
                    if end == delimiter {
                        state = State::CellStart;
                        continue;
                    }
                    self.skip_line_feed = end == b'\r';
                    return Ok(true);
                }
            }
        }
    }

    fn refill(&mut self) -> Result<bool, SourceError> {
        if self.ended {
            return Ok(false);
        }
        self.at = 0;
        let more = self.text.next(&mut self.block, self.number)?;
        self.ended = !more;
        Ok(more)
    }
}
