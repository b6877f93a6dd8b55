//! Foreign bytes: what is read, what is refused and by which name, and that nothing outgrows its limit.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::fmt::Write as _;
use std::io::{self, Cursor, Read, Write as _};
use std::ops::ControlFlow;

use letterkeep_audience::import::reject::Reject;
use letterkeep_audience::import::row::{Row, RowProblem};
use letterkeep_audience::import::{Delimiter, Format, SourceError, TextEncoding, csv::CsvRows, limits};
use letterkeep_model::Locale;
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn detect(bytes: &[u8]) -> Result<Format, SourceError> {
    Format::detect(&mut Cursor::new(bytes))
}

/// A row: its number, its cells, what is wrong with it.
#[derive(Debug)]
struct Seen(u64, Vec<String>, Option<RowProblem>);

fn rows_as(format: Format, bytes: &[u8]) -> Result<Vec<Seen>, SourceError> {
    let mut rows = Vec::new();
    format.read_rows(Cursor::new(bytes), &mut |row, _| {
        rows.push(Seen(row.number, row.cells().map(str::to_owned).collect(), row.problem));
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn rows(bytes: &[u8]) -> Result<Vec<Seen>, SourceError> {
    rows_as(detect(bytes)?, bytes)
}

fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
    rows(bytes).unwrap().into_iter().map(|Seen(_, cells, _)| cells).collect()
}

#[test]
fn the_delimiter_is_found() {
    for (text, delimiter) in [
        ("a,b\n1,2\n", Delimiter::Comma),
        ("a;b\n1,5;2,5\n3,5;4,5\n", Delimiter::Semicolon),
        ("a\tb\n\"x,y;z\"\t2\n", Delimiter::Tab),
        ("a|b\n1|2\n", Delimiter::Pipe),
        ("\"Name, Vorname\";Mail\n\"Müller, Jörg\";a@example.org\n", Delimiter::Semicolon),
        ("only\none\n", Delimiter::Comma),
    ] {
        let found = detect(text.as_bytes()).unwrap();
        assert_eq!(found, Format::Text { encoding: TextEncoding::UTF_8, delimiter }, "{text}");
    }
}

#[test]
fn csv_as_people_write_it() {
    assert_eq!(
        cells("\u{feff}a,b\r\n\"x\"\"y\",\"1\n2\"\r\n\r\n5\" disk,\"shut\"open\rlast,".as_bytes()),
        [["a", "b"], ["x\"y", "1\n2"], ["5\" disk", "shutopen"], ["last", ""]]
    );
    let rows = rows(b"a,b\n\n1,2\n").unwrap();
    assert_eq!(rows[1].0, 3, "blank rows count, as a spreadsheet counts them");
}

#[test]
fn other_encodings_are_read() {
    let expected = vec![vec!["Straße".to_owned(), "größer".to_owned()], vec!["ä".to_owned(), "ö".to_owned()]];
    let text = "Straße;größer\nä;ö\n";
    let utf_16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect::<Vec<_>>()
    };
    assert_eq!(cells(&utf_16([0xff, 0xfe], u16::to_le_bytes)), expected);
    assert_eq!(cells(&utf_16([0xfe, 0xff], u16::to_be_bytes)), expected);
    assert_eq!(cells(b"Stra\xdfe;gr\xf6\xdfer\n\xe4;\xf6\n"), expected);
}

#[test]
fn a_csv_of_the_wrong_encoding_is_refused_with_its_place() {
    let bytes = b"E-Mail;Ort\na@example.org;K\xf6ln\n";
    let utf_8 = Format::Text { encoding: TextEncoding::UTF_8, delimiter: Delimiter::Semicolon };
    match rows_as(utf_8, bytes) {
        Err(SourceError::Encoding { encoding: "UTF-8", byte: 26, row: 2 }) => {}
        other => panic!("{:?}", other.map(|rows| rows.len())),
    }
    // Positive control: as windows-1252 the same file is read.
    assert_eq!(cells(bytes)[1][1], "Köln");
}

#[test]
fn a_row_with_too_few_cells_or_too_many_is_named() {
    let mut problems = Vec::new();
    let text = b"a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n1,2,3\n";
    detect(text)
        .unwrap()
        .read_rows(Cursor::new(text), &mut |row, _| {
            row.check_width(3);
            problems.push(row.problem);
            ControlFlow::Continue(())
        })
        .unwrap();
    let too_few = RowProblem::TooFewCells { expected: 3, found: 2 };
    let too_many = RowProblem::TooManyCells { expected: 3, found: 4 };
    assert_eq!(problems, [None, Some(too_few), Some(too_many), None, None]);
}

#[test]
fn nul_bytes_and_open_quotes_are_named() {
    let rows = rows(b"a,b\nx\0y,2\n1,\"never closed\nrest,of\nthe,file\n").unwrap();
    assert_eq!(rows[1].2, Some(RowProblem::Nul(1)));
    assert_eq!((rows[2].0, rows[2].2), (3, Some(RowProblem::OpenQuote)));
    assert_eq!(rows.len(), 3);
    // Also where so much follows that the cell is too long: otherwise nobody would be told that the rest was not read.
    let long = format!("a,b\n1,\"never closed\n{}", "row,after\n".repeat(limits::CELL / 8));
    assert_eq!(self::rows(long.as_bytes()).unwrap()[1].2, Some(RowProblem::OpenQuote));
}

/// A file with one cell of any size that is never in memory as a whole: what stands before it, the cell, what follows.
struct HugeCell<'a> {
    head: &'a [u8],
    left: u64,
    tail: &'a [u8],
}

impl Read for HugeCell<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(buffer);
        }
        if self.left > 0 {
            let length = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            buffer[..length].fill(b'x');
            self.left -= length as u64;
            return Ok(length);
        }
        self.tail.read(buffer)
    }
}

/// The most memory that this process ever had, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Reads a file whose second contact has a cell of `size` bytes.
fn read_past_a_cell_of(size: u64, quote: &str) {
    let head = format!("E-Mail,Vorname\nanna@example.org,Anna\nhuge@example.org,{quote}");
    let tail = format!("{quote}\njo@example.org,Jo\n");
    let file = HugeCell { head: head.as_bytes(), left: size, tail: tail.as_bytes() };
    let mut text = CsvRows::new(file, TextEncoding::UTF_8, Delimiter::Comma);
    let mut row = Row::default();
    for name in ["Vorname", "Anna"] {
        assert!(text.read(&mut row).unwrap());
        assert_eq!((row.problem, row.cell(1)), (None, name), "the rows before it are read");
    }
    assert!(text.read(&mut row).unwrap());
    assert_eq!((row.number, row.cell(0), row.problem), (3, "huge@example.org", Some(RowProblem::CellTooLong(2))));
    assert!(row.bytes() <= limits::CELL + 64);
    let reject = Reject::Row(row.problem.unwrap());
    let headings = ["E-Mail", "Vorname"].map(str::to_owned);
    assert_eq!(reject.text(&headings, Locale::En), "Column 2 (\"Vorname\"): the cell is longer than 64 KB");
    assert_eq!(reject.text(&headings, Locale::De), "Spalte 2 („Vorname“): die Zelle ist länger als 64 KB");
    assert!(text.read(&mut row).unwrap(), "the rows after it are read");
    assert_eq!((row.number, row.problem, row.cell(1)), (4, None, "Jo"));
    assert!(!text.read(&mut row).unwrap());
    assert_eq!(text.position(), head.len() as u64 + size + tail.len() as u64, "every byte was looked at");
}

#[test]
fn a_2_gb_cell_refuses_its_row_in_words_and_is_never_held() {
    const SIZE: u64 = 2 << 30;
    read_past_a_cell_of(SIZE, "\"");
    // Looking for any of three ends takes an unoptimised build five times as long; the limit is the same.
    read_past_a_cell_of(if cfg!(debug_assertions) { SIZE / 64 } else { SIZE }, "");
    assert!(peak_memory().is_none_or(|peak| peak < SIZE / 4), "{:?} bytes of memory", peak_memory());
}

#[test]
fn other_kinds_of_file_are_named() {
    for (bytes, code) in [
        (&b""[..], "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "foreign"),
        (b"%PDF-1.7", "foreign"),
        (b"\x1f\x8b\x08\0", "foreign"),
        (b"PK\x03\x04 and nothing else", "workbook"),
    ] {
        assert_eq!(rows(bytes).unwrap_err().code(), code);
    }
}

const WORKBOOK: &str = r#"<workbook xmlns:r="r"><workbookPr/><sheets><sheet name="Kontakte" sheetId="1" r:id="rId7"/>
<sheet name="other" sheetId="2" r:id="rId8"/></sheets></workbook>"#;
const RELATIONS: &str = r#"<Relationships><Relationship Id="rId8" Target="worksheets/other.xml"/>
<Relationship Id="rId7" Target="/xl/worksheets/first.xml"/></Relationships>"#;
const STYLES: &str = r#"<styleSheet><numFmts count="1"><numFmt numFmtId="164" formatCode="dd\.mm\.yyyy"/></numFmts>
<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="22"/></cellXfs></styleSheet>"#;

fn workbook(sheet: &str, strings: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", RELATIONS),
        ("xl/styles.xml", STYLES),
        ("xl/sharedStrings.xml", strings),
        ("xl/worksheets/first.xml", sheet),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_workbook_is_read_with_its_kinds_of_cells() {
    let sheet = r#"<worksheet><sheetData>
        <row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="inlineStr"><is><t>Seit</t></is></c></row>
        <row r="3"><c r="A3" t="str"><v>a&amp;b@example.org</v></c><c r="B3"><v>4.9301234567E10</v></c><c r="C3" t="b"><v>1</v></c>
            <c r="D3" s="1"><v>45292</v></c><c r="E3" s="2"><v>45292.5</v></c><c r="F3"><v>12.5</v></c></row>
        <row r="4"/></sheetData></worksheet>"#;
    let strings = "<sst><si><t>E-Mail</t></si><si><r><t>Tele</t></r><r><t xml:space=\"preserve\">fon &#252;</t></r><rPh><t>hint</t></rPh></si></sst>";
    let rows = rows(&workbook(sheet, strings)).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].1, ["E-Mail", "Telefon ü", "", "Seit"]);
    assert_eq!(rows[1].0, 3);
    assert_eq!(rows[1].1, ["a&b@example.org", "49301234567", "true", "2024-01-01", "2024-01-01T12:00:00", "12.5"]);
}

#[test]
fn an_xlsx_zip_bomb_is_refused() {
    // 12 MB of the same row in a few kilobytes.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("xl/workbook.xml", WORKBOOK), ("xl/_rels/workbook.xml.rels", RELATIONS)] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.start_file("xl/worksheets/first.xml", SimpleFileOptions::default().compression_level(Some(9))).unwrap();
    zip.write_all(b"<worksheet><sheetData>").unwrap();
    let row = "<row><c t=\"str\"><v></v></c></row>".repeat(2000);
    for _ in 0..200 {
        zip.write_all(row.as_bytes()).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    assert_eq!(rows(&bytes).unwrap_err().code(), "zip-bomb");

    // Thousands of entries.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..=limits::ZIP_ENTRIES {
        zip.start_file(format!("e{number}"), SimpleFileOptions::default()).unwrap();
    }
    assert_eq!(rows(&zip.finish().unwrap().into_inner()).unwrap_err().code(), "zip-bomb");
}

#[test]
fn a_workbook_cannot_reach_outside_or_grow_without_end() {
    let declared = r#"<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet><sheetData><row><c t="str"><v>&e;</v></c></row></sheetData></worksheet>"#;
    let nested = format!("<worksheet><sheetData>{}", "<a>".repeat(10_000));
    let long = format!(
        "<worksheet><sheetData><row><c t=\"str\"><v>{}</v></c></row>",
        (0..200_000).fold(String::new(), |mut text, number| {
            let _ = write!(text, "{number:06}");
            text
        })
    );
    let unknown = "<worksheet><sheetData><row><c t=\"str\"><v>&nope;</v></c></row></sheetData></worksheet>".to_owned();
    let missing = "<worksheet><sheetData><row><c t=\"s\"><v>7</v></c></row></sheetData></worksheet>".to_owned();
    let backwards =
        "<worksheet><sheetData><row r=\"2\"><c/></row><row r=\"1\"><c/></row></sheetData></worksheet>".to_owned();
    for sheet in [declared.to_owned(), nested, long, unknown, missing, backwards] {
        assert_eq!(rows(&workbook(&sheet, "<sst/>")).unwrap_err().code(), "workbook");
    }
    let wide = "<worksheet><sheetData><row><c r=\"A1\" t=\"str\"><v>x</v></c><c r=\"XFD1\" t=\"str\"><v>x</v></c></row></sheetData></worksheet>";
    let found = rows(&workbook(wide, "<sst/>")).unwrap();
    assert_eq!(found[0].2, Some(RowProblem::TooManyCells { expected: limits::COLUMNS, found: 16_384 }));
    let cell = "x".repeat(limits::CELL + 1);
    let sheet = format!("<worksheet><sheetData><row><c t=\"str\"><v>{cell}</v></c></row></sheetData></worksheet>");
    assert_eq!(rows(&workbook(&sheet, "<sst/>")).unwrap()[0].2, Some(RowProblem::CellTooLong(1)));
}

/// Copied for each of the cells, the text would be 100 GB.
#[test]
fn a_long_text_that_many_cells_share_is_refused_in_each_and_copied_for_none() {
    let piece = (0..83_000).fold(String::new(), |mut text, number| {
        let _ = write!(text, "{number:06}");
        text
    });
    let strings = format!("<sst><si>{}</si><si><t>x</t></si></sst>", format!("<r><t>{piece}</t></r>").repeat(20));
    let sheet = format!(
        "<worksheet><sheetData>{}<row><c t=\"s\"><v>1</v></c></row></sheetData></worksheet>",
        "<row><c t=\"s\"><v>0</v></c></row>".repeat(10_000)
    );
    let found = rows(&workbook(&sheet, &strings)).unwrap();
    assert_eq!(found.len(), 10_001);
    assert!(found[..10_000].iter().all(|Seen(_, _, problem)| *problem == Some(RowProblem::CellTooLong(1))));
    assert_eq!((&found[10_000].1[0][..], found[10_000].2), ("x", None), "other cells are read all the same");
}

/// Reads whatever comes without a panic; no row outgrows its limits. `fuzz/src/csv.rs` looks closer.
fn read_within_limits(format: Format, bytes: &[u8]) {
    let _ = format.read_rows(Cursor::new(bytes), &mut |row, _| {
        assert!(row.len() <= limits::COLUMNS && row.bytes() <= limits::ROW);
        assert!(row.cells().all(|cell| cell.len() <= limits::CELL));
        ControlFlow::Continue(())
    });
}

fn read_as_any_text(bytes: &[u8]) {
    let _ = detect(bytes).map(|format| read_within_limits(format, bytes));
    for encoding in [TextEncoding::UTF_8, TextEncoding::WINDOWS_1252] {
        for delimiter in Delimiter::ALL {
            read_within_limits(Format::Text { encoding, delimiter }, bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        read_as_any_text(&bytes);
        read_within_limits(Format::Xlsx, &bytes);
    }

    #[test]
    fn any_text_with_quotes_and_delimiters(text in "[a,;\t|\"\r\n\0ü]{0,300}") {
        read_as_any_text(text.as_bytes());
    }

    #[test]
    fn any_change_to_a_workbook(at in 0usize..3000, byte in any::<u8>()) {
        let mut bytes = workbook("<worksheet><sheetData><row><c t=\"s\"><v>0</v></c></row></sheetData></worksheet>", "<sst><si><t>x</t></si></sst>");
        let at = at % bytes.len();
        bytes[at] = byte;
        read_within_limits(Format::Xlsx, &bytes);
    }

    #[test]
    fn any_sheet_text(text in "(<row>|</row>|<c r=\"[A-Z]{1,4}[0-9]\" t=\"(s|b|str|n)\"( s=\"[0-9]{1,3}\")?>|</c>|<v>|</v>|[0-9.eE-]{1,9}|&amp;|&#x?[0-9]{1,9};){0,60}") {
        read_within_limits(Format::Xlsx, &workbook(&format!("<worksheet><sheetData>{text}</sheetData></worksheet>"), "<sst><si><t>x</t></si></sst>"));
    }

    #[test]
    fn what_is_written_by_the_rules_comes_back(table in proptest::collection::vec(proptest::collection::vec("[ -~äöü€\n\"]{0,12}", 2..5), 1..8)) {
        let width = table[0].len();
        let table = table.into_iter().map(|mut row| { row.resize(width, "x".into()); row }).collect::<Vec<_>>();
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let text = table.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(";") + "\r\n").collect::<String>();
        let format = Format::Text { encoding: TextEncoding::UTF_8, delimiter: Delimiter::Semicolon };
        let read = rows_as(format, text.as_bytes()).unwrap().into_iter().map(|Seen(_, cells, _)| cells).collect::<Vec<_>>();
        prop_assert_eq!(read, table);
    }
}
