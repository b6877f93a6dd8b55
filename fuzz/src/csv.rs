//! A CSV file of contacts: anything may be uploaded.

use std::io::Cursor;
use std::ops::ControlFlow;

use letterkeep_audience::import::row::RowProblem;
use letterkeep_audience::import::{Delimiter, Format, SourceError, TextEncoding, limits};

/// Bytes that the reader takes at once; what is read must not depend on where such a block ends.
const BLOCK: usize = 64 * 1024;

/// A row as it was read: its number, its cells, what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    pub(crate) cells: Vec<String>,
    pub(crate) problem: Option<RowProblem>,
}

/// Reads as detected, and in one other way that the bytes choose: all ways for each input would be eight times slower.
pub fn check(bytes: &[u8]) {
    if let Ok(format @ Format::Text { .. }) = Format::detect(&mut Cursor::new(bytes)) {
        sound(format, bytes);
    }
    let choice = bytes.iter().fold(0usize, |sum, byte| sum + usize::from(*byte));
    let encoding = [TextEncoding::UTF_8, TextEncoding::WINDOWS_1252][choice / Delimiter::ALL.len() % 2];
    let delimiter = Delimiter::ALL[choice % Delimiter::ALL.len()];
    let format = Format::Text { encoding, delimiter };
    let (rows, end) = sound(format, bytes);
    anywhere(format, bytes, &rows, end);
    again(delimiter, &rows);
}

/// Every row is within its limits, and together they are no longer than the file.
fn sound(format: Format, bytes: &[u8]) -> (Vec<Seen>, Option<&'static str>) {
    let (rows, end) = read(format, bytes);
    let read = rows.iter().flat_map(|row| &row.cells).map(String::len).sum::<usize>();
    // A byte of a legacy encoding is a character of at most three bytes.
    assert!(read <= bytes.len() * 3, "{read} bytes from {}", bytes.len());
    (rows, end.map(|error| error.code()))
}

/// The rows, and why reading stopped.
pub(crate) fn read(format: Format, bytes: &[u8]) -> (Vec<Seen>, Option<SourceError>) {
    let mut rows = Vec::<Seen>::new();
    let end = format.read_rows(Cursor::new(bytes), &mut |row, place| {
        assert!(row.len() <= limits::COLUMNS, "a row is wider than the limit");
        assert!(row.bytes() <= limits::ROW, "a row is longer than the limit");
        assert!(row.cells().all(|cell| cell.len() <= limits::CELL), "a cell is longer than the limit");
        assert!(place.done <= place.of, "{place:?}");
        assert!(rows.last().is_none_or(|last| last.number < row.number), "the numbers of the rows go back");
        assert!(row.problem.is_some() || row.cells().all(|cell| !cell.contains('\0')), "a NUL byte goes unnoticed");
        rows.push(Seen { number: row.number, cells: row.cells().map(str::to_owned).collect(), problem: row.problem });
        ControlFlow::Continue(())
    });
    (rows, end.err())
}

/// The same rows come out when a block ends in the middle of the bytes.
fn anywhere(format: Format, bytes: &[u8], rows: &[Seen], end: Option<&'static str>) {
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    // A mark counts only at the very start of a file.
    if bytes.len() >= BLOCK || marks.iter().any(|mark| bytes.starts_with(mark)) {
        return;
    }
    let mut longer = vec![b'x'; BLOCK - bytes.len() / 2 - 1];
    longer.push(b'\n');
    longer.extend_from_slice(bytes);
    let (found, found_end) = read(format, &longer);
    let found = found.into_iter().skip(1).map(|row| Seen { number: row.number - 1, ..row }).collect::<Vec<_>>();
    assert_eq!((found.as_slice(), found_end.map(|error| error.code())), (rows, end));
}

/// What was read and is written by the rules is read as the same cells.
fn again(delimiter: Delimiter, rows: &[Seen]) {
    let whole = rows.iter().filter(|row| row.problem.is_none()).map(|row| &row.cells).collect::<Vec<_>>();
    let mut text = String::new();
    for cells in &whole {
        let quoted = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>();
        text.push_str(&quoted.join(&char::from(delimiter.byte()).to_string()));
        text.push_str("\r\n");
    }
    let (read, end) = read(Format::Text { encoding: TextEncoding::UTF_8, delimiter }, text.as_bytes());
    assert!(end.is_none(), "{end:?}");
    assert!(read.iter().map(|row| &row.cells).eq(whole), "written and read again, the cells are others");
}
