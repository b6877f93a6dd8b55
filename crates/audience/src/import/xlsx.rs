//! Reading the first sheet of an XLSX workbook (ECMA-376, part 1) as a stream.
//!
//! A workbook is a zip archive of XML parts. Of all parts only five are opened: the workbook, its relationships, the
//! styles (which numbers are dates), the shared strings and the first sheet. Nothing is ever written to disk, no path
//! from the archive is followed, a document type declaration is refused, and everything that could grow is counted:
//! see [`limits`].

mod package;
mod serial;
mod shared_strings;
mod sheet;
mod styles;

use std::io::{Read, Seek};
use std::ops::ControlFlow;

use zip::ZipArchive;
use zip::result::ZipError;

use super::SourceError;
use super::row::Row;
use super::source::Place;

pub(super) use package::Stopped;
pub use serial::date_from_serial;

/// Reads the rows of the first sheet in order until `visit` breaks.
pub(super) fn read_rows<R: Read + Seek>(
    mut file: R,
    visit: &mut dyn FnMut(&mut Row, Place) -> ControlFlow<()>,
) -> Result<(), SourceError> {
    package::check_directory(&mut file)?;
    let mut archive = ZipArchive::new(file).map_err(|error| zip_error(&error))?;
    package::check_archive(&archive)?;
    let workbook = package::Workbook::read(&mut archive)?;
    let styles = styles::Styles::read(&mut archive)?;
    let strings = shared_strings::SharedStrings::read(&mut archive)?;
    sheet::read_rows(&mut archive, &workbook, &styles, &strings, visit)
}

fn zip_error(error: &ZipError) -> SourceError {
    match error {
        ZipError::Io(error) => SourceError::from_io(error),
        ZipError::UnsupportedArchive(_) => SourceError::Workbook("it is encrypted or packed in an unusual way"),
        ZipError::FileNotFound => SourceError::Workbook("a part is missing"),
        _ => SourceError::Workbook("the zip archive is damaged"),
    }
}
