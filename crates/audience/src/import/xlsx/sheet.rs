use std::borrow::Cow;
use std::io::{Read, Seek};
use std::ops::ControlFlow;

use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::date_from_serial;
use super::package::{Workbook, append_text, attribute, open};
use super::shared_strings::SharedStrings;
use super::styles::Styles;
use crate::import::row::{Row, RowProblem};
use crate::import::source::Place;
use crate::import::{SourceError, limits};

/// What a cell's `t` attribute says (ECMA-376 part 1, 18.18.11).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Shared,
    Text,
    Boolean,
}

struct Cell {
    column: usize,
    kind: Kind,
    style: usize,
}

pub(super) fn read_rows<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    workbook: &Workbook,
    styles: &Styles,
    strings: &SharedStrings,
    visit: &mut dyn FnMut(&mut Row, Place) -> ControlFlow<()>,
) -> Result<(), SourceError> {
    let Some(mut part) = open(archive, &workbook.sheet)? else {
        return Err(SourceError::Workbook("its first sheet is missing"));
    };
    let size = part.size();
    let mut buffer = Vec::new();
    let mut row = Row::default();
    let mut number = 0;
    let mut cell: Option<Cell> = None;
    let mut text = String::new();
    let (mut in_row, mut in_value, mut in_hint) = (false, false, false);
    loop {
        let event = part.next(&mut buffer)?;
        match &event {
            Event::Start(tag) => match tag.local_name().into_inner() {
                "row" => {
                    number = row_number(tag, number)?;
                    row.clear(number);
                    in_row = true;
                }
                "c" if in_row => {
                    cell = Some(open_cell(tag, &row)?);
                    text.clear();
                }
                "v" | "t" => in_value = cell.is_some(),
                "rPh" => in_hint = true,
                _ => {}
            },
            Event::Empty(tag) => match tag.local_name().into_inner() {
                "row" => number = row_number(tag, number)?,
                "c" if in_row => {
                    let cell = open_cell(tag, &row)?;
                    put(&mut row, cell.column, "");
                }
                _ => {}
            },
            Event::End(tag) => match tag.local_name().into_inner() {
                "v" | "t" => in_value = false,
                "rPh" => in_hint = false,
                "c" => {
                    if let Some(cell) = cell.take() {
                        let value = value(&cell, &text, workbook, styles, strings)?;
                        put(&mut row, cell.column, &value);
                    }
                }
                "row" => {
                    in_row = false;
                    let place = Place { done: part.position().min(size), of: size };
                    if !row.is_blank() && visit(&mut row, place).is_break() {
                        return Ok(());
                    }
                }
                "sheetData" => return Ok(()),
                _ => {}
            },
            Event::Eof => return Ok(()),
            event if in_value && !in_hint => {
                append_text(event, &mut text)?;
                // Beyond this the row is refused anyway; what comes after is not kept.
                if text.len() > 2 * limits::CELL {
                    text.truncate(text.floor_char_boundary(limits::CELL + 4));
                }
            }
            _ => {}
        }
    }
}

/// Rows may leave numbers out, but never go back.
fn row_number(tag: &BytesStart<'_>, before: u64) -> Result<u64, SourceError> {
    match attribute(tag, "r")?.map(|number| number.parse::<u64>()) {
        Some(Ok(number)) if number > before && number <= 1_048_576 => Ok(number),
        None if before < 1_048_576 => Ok(before + 1),
        _ => Err(SourceError::Workbook("the rows of its first sheet are out of order")),
    }
}

fn open_cell(tag: &BytesStart<'_>, row: &Row) -> Result<Cell, SourceError> {
    let (mut column, mut kind, mut style) = (row.len(), Kind::Number, 0);
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| SourceError::Workbook("its XML is damaged"))?;
        match attribute.key.into_inner() {
            "r" => column = column_of(&attribute.value).unwrap_or(usize::MAX),
            "s" => style = attribute.value.parse().unwrap_or(0),
            "t" => {
                kind = match &*attribute.value {
                    "s" => Kind::Shared,
                    "b" => Kind::Boolean,
                    "str" | "inlineStr" | "d" | "e" => Kind::Text,
                    _ => Kind::Number,
                }
            }
            _ => {}
        }
    }
    if column < row.len() && row.len() < limits::COLUMNS {
        return Err(SourceError::Workbook("the cells of its first sheet are out of order"));
    }
    Ok(Cell { column, kind, style })
}

/// `C5` is in column 2.
fn column_of(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let column =
        letters.fold(0usize, |column, letter| column * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    column.checked_sub(1)
}

/// Cells without content are left out of the file; they count all the same.
fn put(row: &mut Row, column: usize, text: &str) {
    if column >= limits::COLUMNS {
        if !text.is_empty() {
            row.note(RowProblem::TooManyCells { expected: limits::COLUMNS, found: column.saturating_add(1) });
        }
        return;
    }
    while row.len() < column {
        row.end_cell();
    }
    row.push(text);
    row.end_cell();
}

/// The value is borrowed where it can be: a shared text may be long, and thousands of cells may refer to it.
fn value<'a>(
    cell: &Cell,
    text: &'a str,
    workbook: &Workbook,
    styles: &Styles,
    strings: &'a SharedStrings,
) -> Result<Cow<'a, str>, SourceError> {
    match cell.kind {
        Kind::Text => Ok(text.into()),
        Kind::Boolean => Ok(if text.trim() == "1" { "true" } else { "false" }.into()),
        Kind::Shared => {
            let index = text.trim().parse::<usize>().ok();
            let found = index.and_then(|index| strings.find(index));
            Ok(found.ok_or(SourceError::Workbook("a cell refers to a text that is not there"))?.into())
        }
        Kind::Number => {
            let Ok(number) = text.trim().parse::<f64>() else { return Ok(text.into()) };
            if styles.is_date(cell.style)
                && let Some(date) = date_from_serial(number, workbook.from_1904)
            {
                return Ok(date.into());
            }
            // Telephone and customer numbers come as 4.9301234567E10; nobody means the exponent.
            if number.fract() == 0.0 && number.abs() < 1e15 {
                Ok(format!("{}", number as i64).into())
            } else if text.contains(['e', 'E']) {
                Ok(number.to_string().into())
            } else {
                Ok(text.trim().into())
            }
        }
    }
}
