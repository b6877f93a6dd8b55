//! A workbook of contacts: anything may be uploaded.
//!
//! A fuzzer that changes bytes of a packed archive meets its checksums and gets no further, so an input that is not an
//! archive is packed into one first: as the parts of a workbook, and as the cells of one.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use letterkeep_audience::import::Format;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::csv::{Found, Seen, read};

/// An archive is read as it is. Anything else becomes the parts `sheet`, `shared strings`, `styles`, `workbook` and
/// `relations` of one, in that order, and is also written into cells by the rules and must come back.
pub fn check(bytes: &[u8]) {
    // Blocks are for texts.
    holds(bytes, &|bytes| read(Format::Xlsx, bytes, 4096));
}

/// The check of any reader of workbooks.
pub(crate) fn holds(bytes: &[u8], read: &dyn Fn(&[u8]) -> Found) {
    if bytes.starts_with(b"PK") {
        read(bytes);
        return;
    }
    let parts = crate::parts::<5>(bytes);
    let [sheet, strings, styles, workbook, relations] = parts;
    let or = |part: &str, usual: &str| if part.trim().is_empty() { usual.to_owned() } else { part.to_owned() };
    let files = [
        ("xl/worksheets/first.xml", sheet.to_owned()),
        ("xl/sharedStrings.xml", or(strings, "<sst/>")),
        ("xl/styles.xml", or(styles, "<styleSheet/>")),
        ("xl/workbook.xml", or(workbook, WORKBOOK)),
        ("xl/_rels/workbook.xml.rels", or(relations, RELATIONS)),
    ];
    let Found { rows, end } = read(&archive(&files));
    // A row ends where a sheet says so; nothing makes more rows or cells than there are tags.
    assert!(rows.len() <= sheet.len() / 4 + 1, "{} rows from {} bytes", rows.len(), sheet.len());
    assert!(end.is_none_or(|error| !error.to_string().is_empty()));
    cells(crate::text(bytes), read);
}

const WORKBOOK: &str = r#"<workbook xmlns:r="r"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>"#;
const RELATIONS: &str = r#"<Relationships><Relationship Id="r1" Target="worksheets/first.xml"/></Relationships>"#;

/// Packs files as they are, so that what the fuzzer changes is what is read.
pub(crate) fn archive(files: &[(&str, String)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, text) in files {
        zip.start_file(*name, stored).expect("a name that fits");
        zip.write_all(text.as_bytes()).expect("memory takes bytes");
    }
    zip.finish().expect("memory takes bytes").into_inner()
}

/// Lines are rows, tabs part cells; odd cells are shared strings and even ones stand in the sheet.
fn cells(text: &str, read: &dyn Fn(&[u8]) -> Found) {
    // XML 1.0 has no other control characters.
    let text = text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "");
    let text = text.replace(['\u{fffe}', '\u{ffff}'], "");
    let rows = text.lines().filter(|line| !line.trim().is_empty()).take(50);
    let rows = rows.map(|line| line.split('\t').take(50).collect::<Vec<_>>()).collect::<Vec<_>>();
    let (mut sheet, mut strings, mut count) = (String::new(), String::new(), 0);
    for row in &rows {
        sheet.push_str("<row>");
        for (number, cell) in row.iter().enumerate() {
            let escaped = cell.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&#62;");
            if number % 2 == 0 {
                let _ = write!(sheet, "<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{escaped}</t></is></c>");
            } else {
                let _ = write!(sheet, "<c t=\"s\"><v>{count}</v></c>");
                let _ = write!(strings, "<si><t>{escaped}</t></si>");
                count += 1;
            }
        }
        sheet.push_str("</row>");
    }
    let files = [
        ("xl/worksheets/first.xml", format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>")),
        ("xl/sharedStrings.xml", format!("<sst>{strings}</sst>")),
        ("xl/workbook.xml", WORKBOOK.to_owned()),
        ("xl/_rels/workbook.xml.rels", RELATIONS.to_owned()),
    ];
    let Found { rows: found, end } = read(&archive(&files));
    assert!(end.is_none(), "{end:?}");
    let found = found.into_iter().map(|Seen { cells, .. }| cells).collect::<Vec<_>>();
    assert_eq!(found, rows, "the cells of a workbook are not what was written into it");
}
