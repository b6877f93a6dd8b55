//! What rules see of a form.

use super::{Argument, BodyError};

/// A form, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Form {
    /// Fields that are not files: `ARGS_POST`.
    pub(crate) fields: Vec<Argument>,
    pub(crate) files: Vec<File>,
    /// `MULTIPART_PART_HEADERS`: each header line under the name of its field.
    pub(crate) headers: Vec<Argument>,
    /// `MULTIPART_NAME`: all names of parts, also those of refused ones.
    pub(crate) names: Vec<Vec<u8>>,
    /// `MULTIPART_FILENAME`: all names of files, also empty ones and those of refused parts.
    pub(crate) file_names: Vec<Vec<u8>>,
    pub(crate) flags: Flags,
    /// Why the body is refused: the first reason.
    pub(crate) error: Option<BodyError>,
}

/// A part with the name of a file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct File {
    /// `FILES_NAMES`, and the key of the others.
    pub(crate) field: Vec<u8>,
    /// `FILES`.
    pub(crate) name: Vec<u8>,
    /// `FILES_SIZES`.
    pub(crate) size: u64,
}

impl Form {
    /// `FILES_COMBINED_SIZE`.
    pub(crate) fn files_size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// Each `MULTIPART_…` variable that is a flag, under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// The form has no form.
    pub(crate) error: bool,
    pub(crate) boundary_quoted: bool,
    pub(crate) boundary_whitespace: bool,
    pub(crate) data_before: bool,
    pub(crate) data_after: bool,
    pub(crate) header_folding: bool,
    /// A line of ours ended in CRLF.
    pub(crate) crlf_line: bool,
    /// A line of ours ended in LF alone.
    pub(crate) lf_line: bool,
    pub(crate) missing_semicolon: bool,
    pub(crate) invalid_quoting: bool,
    pub(crate) invalid_part: bool,
    pub(crate) invalid_header_folding: bool,
    pub(crate) file_limit_exceeded: bool,
    /// 1: something looks like a boundary; 2: and the boundary itself followed.
    pub(crate) unmatched_boundary: u8,
}

impl Flags {
    /// `MULTIPART_STRICT_ERROR`.
    pub(crate) fn strict_error(&self) -> bool {
        self.error
            || self.boundary_quoted
            || self.boundary_whitespace
            || self.data_before
            || self.data_after
            || self.header_folding
            || self.lf_line
            || self.missing_semicolon
            || self.invalid_quoting
            || self.invalid_part
            || self.invalid_header_folding
            || self.file_limit_exceeded
    }

    /// `MULTIPART_CRLF_LF_LINES`.
    pub(crate) fn mixed_lines(&self) -> bool {
        self.crlf_line && self.lf_line
    }
}

/// Name and value of a header line; without a colon it is a name.
pub(super) fn split_header(line: &[u8]) -> (&[u8], &[u8]) {
    memchr::memchr(b':', line).map_or((line, &[]), |at| (&line[..at], line[at + 1..].trim_ascii()))
}
