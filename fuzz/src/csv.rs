//! A CSV file of contacts: anything may be uploaded.

use std::io::Cursor;
use std::ops::ControlFlow;

use letterkeep_audience::import::row::RowProblem;
use letterkeep_audience::import::{Delimiter, Format, SourceError, TextEncoding, limits};

/// A row as it was read: its number, its cells, what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    pub(crate) cells: Vec<String>,
    pub(crate) problem: Option<RowProblem>,
}

/// What came out of a file: its rows, and why reading stopped.
pub(crate) struct Found {
    pub(crate) rows: Vec<Seen>,
    pub(crate) end: Option<SourceError>,
}

/// Blocks in which a file is read, in bytes; the last one holds most inputs whole.
const BLOCKS: [usize; 8] = [3, 4, 5, 7, 16, 61, 256, 4096];

/// The first byte says how the rest is read: with which encoding and delimiter, or as detected, and in which blocks.
/// All ways for each input would be many times slower.
pub fn check(bytes: &[u8]) {
    holds(bytes, &read);
}

/// The check of any reader of text files in blocks of so many bytes.
pub(crate) fn holds(bytes: &[u8], read: &dyn Fn(Format, &[u8], usize) -> Found) {
    let Some((choice, file)) = bytes.split_first() else { return };
    let choice = usize::from(*choice);
    let chosen = Format::Text {
        delimiter: Delimiter::ALL[choice % 4],
        encoding: [TextEncoding::UTF_8, TextEncoding::WINDOWS_1252][choice / 4 % 2],
    };
    let format = match choice / 8 % 4 {
        0 => Format::detect(&mut Cursor::new(file)).unwrap_or(chosen),
        _ => chosen,
    };
    let Format::Text { delimiter, .. } = format else { return };
    let whole = sound(read(format, file, BLOCKS[7]), file);
    // The same rows come out wherever a block ends.
    assert_eq!(sound(read(format, file, BLOCKS[choice / 32]), file), whole);
    again(delimiter, &whole.0, read);
}

/// Together the rows are no longer than the file.
fn sound(found: Found, file: &[u8]) -> (Vec<Seen>, Option<&'static str>) {
    let read = found.rows.iter().flat_map(|row| &row.cells).map(String::len).sum::<usize>();
    // A byte of a legacy encoding is a character of at most three bytes.
    assert!(read <= file.len() * 3, "{read} bytes from {}", file.len());
    (found.rows, found.end.map(|error| error.code()))
}

/// The rows, each within its limits, and why reading stopped.
pub(crate) fn read(format: Format, bytes: &[u8], block: usize) -> Found {
    let mut rows = Vec::<Seen>::new();
    let end = format.read_rows_in_blocks(Cursor::new(bytes), block, &mut |row, place| {
        assert!(row.len() <= limits::COLUMNS, "a row is wider than the limit");
        assert!(row.bytes() <= limits::ROW, "a row is longer than the limit");
        assert!(row.cells().all(|cell| cell.len() <= limits::CELL), "a cell is longer than the limit");
        assert!(place.done <= place.of, "{place:?}");
        assert!(rows.last().is_none_or(|last| last.number < row.number), "the numbers of the rows go back");
        assert!(row.problem.is_some() || row.cells().all(|cell| !cell.contains('\0')), "a NUL byte goes unnoticed");
        rows.push(Seen { number: row.number, cells: row.cells().map(str::to_owned).collect(), problem: row.problem });
        ControlFlow::Continue(())
    });
    Found { rows, end: end.err() }
}

/// What was read and is written by the rules is read as the same cells.
fn again(delimiter: Delimiter, rows: &[Seen], read: &dyn Fn(Format, &[u8], usize) -> Found) {
    let whole = rows.iter().filter(|row| row.problem.is_none()).map(|row| &row.cells).collect::<Vec<_>>();
    let mut text = String::new();
    for cells in &whole {
        let quoted = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>();
        text.push_str(&quoted.join(&char::from(delimiter.byte()).to_string()));
        text.push_str("\r\n");
    }
    let format = Format::Text { encoding: TextEncoding::UTF_8, delimiter };
    let Found { rows: read, end } = read(format, text.as_bytes(), BLOCKS[7]);
    assert!(end.is_none(), "{end:?}");
    assert!(read.iter().map(|row| &row.cells).eq(whole), "written and read again, the cells are others");
}
