//! `multipart/form-data`, read as it arrives: fields are kept, contents of files are only counted.
//!
//! Lines end in CRLF. Whatever another parser might take for a line end, a boundary or a name and this one does not is
//! an error, and reading goes on, so that rules see all of it.

mod boundary;
mod disposition;
mod form;

use memchr::memmem::Finder;

use super::{Argument, BodyError, Limits};
pub(crate) use form::{File, Flags, Form};

/// Longer lines are read in pieces of this size; no header and no boundary is longer.
const PIECE: usize = 4096;

/// The parser: give it all chunks, then let it finish.
#[derive(Debug)]
pub(crate) struct Multipart {
    limits: Limits,
    /// Two dashes and the boundary.
    delimiter: Finder<'static>,
    form: Form,
    place: Place,
    /// A line, or a piece of one, that has not ended.
    line: Vec<u8>,
    /// Whether `line` is where a line starts.
    is_start: bool,
    /// The end of what came before in the same line, to find a boundary across pieces.
    tail: Vec<u8>,
    /// A line end that belongs to the content unless a boundary follows.
    held: Vec<u8>,
    /// How the line before ended: boundaries stand at starts of CRLF lines.
    after_crlf: bool,
    boundaries: usize,
    /// Bytes that are not content of files.
    bytes: usize,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Headers,
    Content,
    After,
    /// Nothing more is read.
    Stopped,
}

#[derive(Debug, Default)]
struct Part {
    /// Unfolded, without their line ends.
    headers: Vec<Vec<u8>>,
    name: Vec<u8>,
    file_name: Option<Vec<u8>>,
    value: Vec<u8>,
    size: u64,
}

impl Multipart {
    /// A parser for the body of a request with this `Content-Type`.
    pub(crate) fn new(content_type: &[u8], limits: Limits) -> Self {
        let boundary = boundary::read(content_type);
        let place = if boundary.text.is_some() { Place::Before } else { Place::Stopped };
        let delimiter = [b"--", boundary.text.as_deref().unwrap_or_default()].concat();
        let form = Form { flags: boundary.flags, error: boundary.error.map(BodyError::Multipart), ..Form::default() };
        Self {
            limits,
            delimiter: Finder::new(&delimiter).into_owned(),
            form,
            place,
            line: Vec::new(),
            is_start: true,
            tail: Vec::new(),
            held: Vec::new(),
            after_crlf: true,
            boundaries: 0,
            bytes: 0,
            part: Part::default(),
        }
    }

    /// Reads on. An error is the first one of the whole body, and stays.
    pub(crate) fn push(&mut self, mut chunk: &[u8]) -> Result<(), BodyError> {
        while !chunk.is_empty() && self.place != Place::Stopped {
            let window = &chunk[..chunk.len().min(PIECE - self.line.len())];
            let end = memchr::memchr(b'\n', window).map(|at| at + 1);
            let length = end.unwrap_or(window.len());
            let is_whole = end.is_some() || self.line.len() + length == PIECE;
            if !is_whole {
                self.line.extend_from_slice(window);
                break;
            }
            if self.line.is_empty() {
                self.piece(&window[..length]);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&window[..length]);
                self.piece(&line);
                line.clear();
                self.line = line;
            }
            chunk = &chunk[length..];
        }
        self.form.error.map_or(Ok(()), Err)
    }

    /// What the body held.
    pub(crate) fn finish(mut self) -> Form {
        let rest = std::mem::take(&mut self.line);
        if !rest.is_empty() && self.place != Place::Stopped {
            self.piece(&rest);
        }
        match self.place {
            Place::Before => self.refuse("there is no boundary"),
            Place::Headers | Place::Content => {
                self.end_part();
                self.refuse("the final boundary is missing");
            }
            Place::After | Place::Stopped => {}
        }
        self.form
    }

    /// A line, or a piece of a long one, or the last bytes of the body.
    fn piece(&mut self, piece: &[u8]) {
        let is_start = std::mem::replace(&mut self.is_start, piece.ends_with(b"\n"));
        if !(is_start && self.is_boundary(piece)) {
            self.note_unmatched(piece, is_start);
            match self.place {
                Place::Before => self.form.flags.data_before = true,
                Place::Headers => self.header(piece, is_start),
                Place::Content => self.content(piece),
                Place::After => self.form.flags.data_after = true,
                Place::Stopped => {}
            }
        }
        if piece.ends_with(b"\n") {
            let is_crlf = piece.ends_with(b"\r\n") || piece == b"\n" && self.tail.ends_with(b"\r");
            self.after_crlf = is_crlf;
            self.tail.clear();
        } else {
            let keep = self.delimiter.needle().len() - 1;
            self.tail.extend_from_slice(piece);
            self.tail.drain(..self.tail.len().saturating_sub(keep));
        }
    }

    /// Acts on a boundary line; false if it is none.
    fn is_boundary(&mut self, line: &[u8]) -> bool {
        let Some(after) = line.strip_prefix(self.delimiter.needle()) else { return false };
        if self.place == Place::After {
            return false;
        }
        let (after, is_final) = after.strip_prefix(b"--").map_or((after, false), |after| (after, true));
        match after {
            b"\r\n" => self.form.flags.crlf_line = true,
            b"\n" => {
                self.form.flags.lf_line = true;
                self.refuse("a boundary ends in a bare line feed");
            }
            // The end of the body, where `finish` misses what is missing.
            b"" if is_final => {}
            _ => {
                self.form.flags.error = true;
                self.refuse("something follows a boundary in its line");
                return false;
            }
        }
        if !self.after_crlf {
            self.refuse("a boundary follows a bare line feed");
        }
        if self.boundaries > 0 && self.form.flags.unmatched_boundary == 1 {
            self.form.flags.unmatched_boundary = 2;
        }
        // The line end that ends the headers is not also the one before a boundary: others read this one as content.
        if self.place == Place::Content && self.held.is_empty() {
            self.refuse("a boundary follows the headers of a part at once");
        }
        self.boundaries += 1;
        self.held.clear();
        if matches!(self.place, Place::Headers | Place::Content) {
            self.end_part();
        }
        if self.place != Place::Stopped {
            self.place = if is_final { Place::After } else { Place::Headers };
        }
        true
    }

    /// A line that looks like a boundary and is none, or a boundary where none can be.
    fn note_unmatched(&mut self, piece: &[u8], is_start: bool) {
        if is_start && piece.len() > 3 && piece.starts_with(b"--") {
            self.form.flags.unmatched_boundary = 1;
        }
        let across = !self.tail.is_empty() && {
            let reach = &piece[..piece.len().min(self.delimiter.needle().len() - 1)];
            self.delimiter.find(&[&self.tail, reach].concat()).is_some()
        };
        if across || self.delimiter.find(piece).is_some() {
            self.form.flags.unmatched_boundary = 1;
            self.refuse("the boundary stands where none can be");
        }
    }

    fn header(&mut self, line: &[u8], is_start: bool) {
        if !self.count(line.len()) {
            return;
        }
        if !is_start || !line.ends_with(b"\n") && line.len() >= PIECE {
            self.form.flags.error = true;
            self.refuse("a header of a part is too long");
            self.place = Place::Stopped;
            return;
        }
        if line.ends_with(b"\r\n") {
            self.form.flags.crlf_line = true;
        } else {
            self.form.flags.lf_line = true;
            self.refuse("a header of a part ends in a bare line feed");
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            self.end_headers();
            return;
        }
        if text.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            self.refuse("a header of a part has a control character");
        }
        if text[0].is_ascii_whitespace() || text[0] == 0x0b {
            self.form.flags.header_folding = true;
            let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b);
            self.form.flags.invalid_header_folding |= blanks.into_iter().any(|byte| !matches!(byte, b' ' | b'\t'));
            self.refuse("a header of a part is folded");
            if let Some(header) = self.part.headers.last_mut() {
                header.push(b' ');
                header.extend_from_slice(text.trim_ascii_start());
                return;
            }
        } else {
            let name = memchr::memchr(b':', text).map(|at| &text[..at]);
            if !name.is_some_and(|name| !name.is_empty() && name.iter().all(|byte| disposition::is_token(*byte))) {
                self.refuse("a header of a part has no proper name");
            }
        }
        self.part.headers.push(text.to_vec());
    }

    fn end_headers(&mut self) {
        self.place = Place::Content;
        let mut names: Vec<&[u8]> = self.part.headers.iter().map(|header| form::split_header(header).0).collect();
        names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
        let is_double = names.windows(2).any(|pair| pair[0].eq_ignore_ascii_case(pair[1]));
        let mut values = self.part.headers.iter().map(|header| form::split_header(header));
        let value = values.find(|(name, _)| name.eq_ignore_ascii_case(b"content-disposition")).map(|(_, value)| value);
        let found = disposition::read(value.unwrap_or(b"form-data"));
        if value.is_none() {
            self.refuse("a part has no Content-Disposition");
        }
        if is_double {
            self.refuse("a part has a header twice");
        }
        if let Some(error) = found.error {
            self.refuse(error);
        }
        self.form.flags.invalid_quoting |= found.invalid_quoting;
        self.part.name = found.names.first().cloned().unwrap_or_default();
        // An empty one is what a browser sends where no file was chosen; its content is inspected as a field.
        self.part.file_name = found.file_names.iter().find(|name| !name.is_empty()).cloned();
        self.form.names.extend(found.names);
        self.form.file_names.extend(found.file_names);
        if self.part.name.is_empty() {
            self.refuse("a part has no name");
        }
        if self.part.file_name.is_some() && self.form.files.len() >= self.limits.arguments {
            self.form.flags.file_limit_exceeded = true;
            self.stop(BodyError::Arguments(self.limits.arguments));
        } else if self.part.file_name.is_none() && self.form.fields.len() >= self.limits.arguments {
            self.stop(BodyError::Arguments(self.limits.arguments));
        }
    }

    fn content(&mut self, piece: &[u8]) {
        if self.held == b"\r" && piece == b"\n" {
            self.held.push(b'\n');
            return;
        }
        let held = std::mem::take(&mut self.held);
        let kept = [&b"\r\n"[..], b"\n", b"\r"].iter().find(|end| piece.ends_with(end)).map_or(0, |end| end.len());
        let (content, end) = piece.split_at(piece.len() - kept);
        if self.part.file_name.is_some() {
            self.part.size += (held.len() + content.len()) as u64;
        } else if self.count(held.len() + content.len()) {
            self.part.value.extend_from_slice(&held);
            self.part.value.extend_from_slice(content);
        }
        self.held = held;
        self.held.clear();
        self.held.extend_from_slice(end);
    }

    fn end_part(&mut self) {
        if self.place == Place::Headers {
            self.form.flags.invalid_part = true;
            self.refuse("a part ends inside its headers");
        }
        let Part { headers, name, file_name, value, size } = std::mem::take(&mut self.part);
        self.form.headers.extend(headers.into_iter().map(|value| Argument { name: name.clone(), value }));
        self.form.flags.invalid_part |= name.is_empty();
        match file_name {
            Some(file_name) => self.form.files.push(File { field: name, name: file_name, size }),
            None if self.form.fields.len() < self.limits.arguments => self.form.fields.push(Argument { name, value }),
            None => self.stop(BodyError::Arguments(self.limits.arguments)),
        }
    }

    /// Counts bytes that are not content of files; false if they are too many.
    fn count(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        if self.bytes > self.limits.bytes {
            self.stop(BodyError::Bytes(self.limits.bytes));
        }
        self.place != Place::Stopped
    }

    fn refuse(&mut self, why: &'static str) {
        self.form.error.get_or_insert(BodyError::Multipart(why));
    }

    fn stop(&mut self, error: BodyError) {
        self.form.error.get_or_insert(error);
        self.place = Place::Stopped;
    }
}

#[cfg(test)]
mod tests;
