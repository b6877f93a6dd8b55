//! Entry points for fuzzing: foreign bytes in, nothing but "it did not panic and stayed within its limits" out.

use std::io::Cursor;
use std::ops::ControlFlow;

use super::csv::Delimiter;
use super::encoding::TextEncoding;
use super::limits;
use super::source::Format;

/// Reads bytes as a text file: as detected, and with every delimiter as UTF-8 and windows-1252. Yields the rows read.
pub fn csv(bytes: &[u8]) -> u64 {
    let mut rows = 0;
    if let Ok(format @ Format::Text { .. }) = Format::detect(&mut Cursor::new(bytes)) {
        rows += read(format, bytes);
    }
    for encoding in [TextEncoding::UTF_8, TextEncoding::WINDOWS_1252] {
        for delimiter in Delimiter::ALL {
            rows += read(Format::Text { encoding, delimiter }, bytes);
        }
    }
    rows
}

/// Reads bytes as a workbook. Yields the rows read.
pub fn xlsx(bytes: &[u8]) -> u64 {
    read(Format::Xlsx, bytes)
}

fn read(format: Format, bytes: &[u8]) -> u64 {
    let mut rows = 0;
    let _ = format.read_rows(Cursor::new(bytes), &mut |row, _| {
        assert!(row.len() <= limits::COLUMNS, "a row is wider than the limit");
        assert!(row.bytes() <= limits::ROW, "a row is longer than the limit");
        assert!(row.cells().all(|cell| cell.len() <= limits::CELL), "a cell is longer than the limit");
        rows += 1;
        ControlFlow::Continue(())
    });
    rows
}
