//! What an import reads at most. Everything beyond is refused by name, never cut off silently.

/// Bytes of an uploaded file.
pub const FILE: u64 = 200 * 1024 * 1024;
/// Rows of a file: bounds the memory that remembers which addresses stood further up (about 17 bytes a row).
pub const ROWS: u64 = 5_000_000;
/// Columns.
pub const COLUMNS: usize = 500;
/// Bytes of a cell, in UTF-8.
pub const CELL: usize = 64 * 1024;
/// Bytes of all cells of a row together.
pub const ROW: usize = 1024 * 1024;
/// Entries in an XLSX file (a zip archive).
pub const ZIP_ENTRIES: usize = 4096;
/// Bytes of the table of contents of an XLSX file.
pub const ZIP_DIRECTORY: u64 = 1024 * 1024;
/// Bytes of one entry of an XLSX file after decompression.
pub const ENTRY: u64 = 1024 * 1024 * 1024;
/// How many times larger than compressed an entry of an XLSX file may be. Real sheets stay below 30; DEFLATE ends at
/// 1032.
pub const RATIO: u64 = 150;
/// Below this many decompressed bytes the ratio is not looked at.
pub const RATIO_FROM: u64 = 8 * 1024 * 1024;
/// Bytes of all shared strings of an XLSX file together.
pub const SHARED_STRINGS: usize = 48 * 1024 * 1024;
/// Bytes of one tag or text of the XML in an XLSX file. Excel itself allows 32,767 characters in a cell.
pub const XML_EVENT: u64 = 512 * 1024;
