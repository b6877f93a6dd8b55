//! What arrives, and the variables that it fills.

use super::{Cause, Interruption, Processor, Transaction};
use crate::body::multipart::{Flags, Multipart};
use crate::body::{self, Argument, BodyError, cookies, json, urlencoded, xml};
use crate::seclang::action::Phase;
use crate::variable::Variable;

/// Variables that say 0 until something is wrong.
pub(super) const FLAGS: [Variable; 21] = [
    Variable::ArgsCombinedSize,
    Variable::FilesCombinedSize,
    Variable::InboundDataError,
    Variable::MultipartBoundaryQuoted,
    Variable::MultipartBoundaryWhitespace,
    Variable::MultipartCrlfLfLines,
    Variable::MultipartDataAfter,
    Variable::MultipartDataBefore,
    Variable::MultipartFileLimitExceeded,
    Variable::MultipartHeaderFolding,
    Variable::MultipartInvalidHeaderFolding,
    Variable::MultipartInvalidPart,
    Variable::MultipartInvalidQuoting,
    Variable::MultipartLfLine,
    Variable::MultipartMissingSemicolon,
    Variable::MultipartStrictError,
    Variable::MultipartUnmatchedBoundary,
    Variable::OutboundDataError,
    Variable::ReqbodyError,
    Variable::ReqbodyProcessorError,
    Variable::UrlencodedError,
];

impl Transaction {
    /// The method, the target as sent, and the version (`HTTP/1.1`).
    pub fn request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        let line = [method, target, version].join(&b' ');
        self.values.set(Variable::RequestLine, &line);
        self.values.set(Variable::RequestMethod, method);
        self.values.set(Variable::RequestProtocol, version);
        self.values.set(Variable::RequestUriRaw, target);
        let uri = without_origin(target.split(|byte| *byte == b'#').next().unwrap_or_default());
        self.values.set(Variable::RequestUri, uri);
        let (path, query) = match uri.iter().position(|byte| *byte == b'?') {
            Some(at) => (&uri[..at], &uri[at + 1..]),
            None => (uri, &b""[..]),
        };
        let path = urlencoded::percent_decoded(path);
        let after = path.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |at| at + 1);
        let base = if after < path.len() { &path[after..] } else { &path[..] };
        self.values.set(Variable::RequestBasename, base);
        self.values.set(Variable::RequestFilename, &path);
        self.values.set(Variable::QueryString, query);
        let mut arguments = Vec::new();
        if urlencoded::parse(query, self.body_limits(), &mut arguments).is_err() {
            self.body.is_too_large = true;
        }
        self.add_arguments(Variable::ArgsGet, &arguments);
    }

    /// One header; a name may come again.
    pub fn request_header(&mut self, name: &[u8], value: &[u8]) {
        self.values.add(Variable::RequestHeaders, name, value);
        if name.eq_ignore_ascii_case(b"cookie") {
            for Argument { name, value } in cookies::cookies(value) {
                self.values.add(Variable::RequestCookies, &name, &value);
            }
        } else if name.eq_ignore_ascii_case(b"content-type") {
            self.body.content_type = value.to_vec();
            self.choose_processor(Processor::of(value));
        } else if name.eq_ignore_ascii_case(b"host") {
            let host = value.split(|byte| *byte == b':').next().unwrap_or_default();
            self.values.set(Variable::ServerName, host);
        }
    }

    /// Runs the first phase.
    pub fn end_request_headers(&mut self) -> Option<Interruption> {
        self.sum_arguments();
        if self.body.is_too_large {
            return self.too_large();
        }
        self.run(Phase::RequestHeaders);
        if self.body.processor.is_none() && self.body.forced {
            self.choose_processor(Some(Processor::Urlencoded));
        }
        self.interruption
    }

    /// A piece of the body.
    pub fn request_body(&mut self, bytes: &[u8]) -> Option<Interruption> {
        if self.interruption.is_some() || self.body.ignored {
            return self.interruption;
        }
        self.body.length += bytes.len() as u64;
        if self.body.processor == Some(Processor::Multipart) {
            let limits = self.body_limits();
            let content_type = &self.body.content_type;
            let parser = self.body.multipart.get_or_insert_with(|| Box::new(Multipart::new(content_type, limits)));
            // What is wrong is told when the body has ended.
            let _ = parser.push(bytes);
            return None;
        }
        if self.body.bytes.len() + bytes.len() > self.limits.body {
            return self.too_large();
        }
        self.body.bytes.extend_from_slice(bytes);
        None
    }

    /// Reads the body as a whole and runs the second phase.
    pub fn end_request_body(&mut self) -> Option<Interruption> {
        if self.interruption.is_some() {
            return self.interruption;
        }
        let length = self.body.length.to_string();
        self.values.set(Variable::RequestBodyLength, length.as_bytes());
        if !self.body.ignored && self.body.length > 0 {
            self.read_body();
        }
        self.sum_arguments();
        if self.body.is_too_large {
            return self.too_large();
        }
        self.run(Phase::RequestBody)
    }

    fn read_body(&mut self) {
        let bytes = std::mem::take(&mut self.body.bytes);
        let limits = self.body_limits();
        let mut arguments = Vec::new();
        let read = match self.body.processor {
            None => return,
            Some(Processor::Urlencoded) => {
                self.values.set(Variable::RequestBody, &bytes);
                urlencoded::parse(&bytes, limits, &mut arguments)
            }
            Some(Processor::Json) => json::parse(&bytes, limits, &mut arguments),
            Some(Processor::Xml) => {
                let mut document = xml::Document::default();
                let read = xml::parse(&bytes, limits, &mut document);
                for text in &document.texts {
                    self.values.add(Variable::XmlText, b"", text);
                }
                // An application may join what tags separate; a rule must see that, too.
                if document.texts.len() > 1 {
                    self.values.add(Variable::XmlText, b"", &document.text);
                }
                for value in &document.attributes {
                    self.values.add(Variable::XmlAttributes, b"", value);
                }
                read
            }
            Some(Processor::Multipart) => self.read_multipart(&mut arguments),
        };
        self.add_arguments(Variable::ArgsPost, &arguments);
        if let Err(error) = read {
            self.body.is_too_large |= error.is_limit();
            self.values.set(Variable::ReqbodyError, b"1");
            self.values.set(Variable::ReqbodyProcessorError, b"1");
            self.values.set(Variable::ReqbodyErrorMsg, error.to_string().as_bytes());
        }
    }

    fn read_multipart(&mut self, arguments: &mut Vec<Argument>) -> Result<(), BodyError> {
        let Some(parser) = self.body.multipart.take() else { return Ok(()) };
        let mut form = parser.finish();
        arguments.append(&mut form.fields);
        for file in &form.files {
            self.values.add(Variable::Files, &file.field, &file.name);
            self.values.add(Variable::FilesSizes, &file.field, file.size.to_string().as_bytes());
        }
        self.values.set(Variable::FilesCombinedSize, form.files_size().to_string().as_bytes());
        for name in &form.names {
            self.values.add(Variable::MultipartName, name, name);
        }
        for name in &form.file_names {
            self.values.add(Variable::MultipartFilename, name, name);
        }
        for Argument { name, value } in &form.headers {
            self.values.add(Variable::MultipartPartHeaders, name, value);
        }
        self.raise(&form.flags);
        form.error.map_or(Ok(()), Err)
    }

    fn raise(&mut self, flags: &Flags) {
        let raised = [
            (Variable::MultipartStrictError, flags.strict_error()),
            (Variable::MultipartBoundaryQuoted, flags.boundary_quoted),
            (Variable::MultipartBoundaryWhitespace, flags.boundary_whitespace),
            (Variable::MultipartDataBefore, flags.data_before),
            (Variable::MultipartDataAfter, flags.data_after),
            (Variable::MultipartHeaderFolding, flags.header_folding),
            (Variable::MultipartLfLine, flags.lf_line),
            (Variable::MultipartCrlfLfLines, flags.mixed_lines()),
            (Variable::MultipartMissingSemicolon, flags.missing_semicolon),
            (Variable::MultipartInvalidQuoting, flags.invalid_quoting),
            (Variable::MultipartInvalidPart, flags.invalid_part),
            (Variable::MultipartInvalidHeaderFolding, flags.invalid_header_folding),
            (Variable::MultipartFileLimitExceeded, flags.file_limit_exceeded),
        ];
        for (variable, _) in raised.iter().filter(|(_, raised)| *raised) {
            self.values.set(*variable, b"1");
        }
        let unmatched = flags.unmatched_boundary.to_string();
        self.values.set(Variable::MultipartUnmatchedBoundary, unmatched.as_bytes());
    }

    /// The status and the version of the answer.
    pub fn response_status(&mut self, status: u16, version: &[u8]) {
        self.values.set(Variable::ResponseStatus, status.to_string().as_bytes());
        self.values.set(Variable::ResponseProtocol, version);
    }

    /// One header of the answer.
    pub fn response_header(&mut self, name: &[u8], value: &[u8]) {
        self.values.add(Variable::ResponseHeaders, name, value);
        if name.eq_ignore_ascii_case(b"content-type") {
            let media = value.split(|byte| *byte == b';').next().unwrap_or_default();
            self.values.set(Variable::ResponseContentType, media.trim_ascii());
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.values.set(Variable::ResponseContentLength, value);
        }
    }

    /// Runs the third phase.
    pub fn end_response_headers(&mut self) -> Option<Interruption> {
        self.run(Phase::ResponseHeaders)
    }

    /// A piece of the answer's body; what is beyond the limit is not looked at.
    pub fn response_body(&mut self, bytes: &[u8]) {
        let room = self.limits.response_body.saturating_sub(self.body.response.len());
        self.body.response.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Runs the fourth phase.
    pub fn end_response_body(&mut self) -> Option<Interruption> {
        let bytes = std::mem::take(&mut self.body.response);
        self.values.set(Variable::ResponseBody, &bytes);
        self.run(Phase::ResponseBody)
    }

    pub(super) fn choose_processor(&mut self, processor: Option<Processor>) {
        self.body.processor = processor;
        let name = processor.map_or("", Processor::name);
        self.values.set(Variable::ReqbodyProcessor, name.as_bytes());
    }

    fn body_limits(&self) -> body::Limits {
        let arguments = self.limits.arguments.saturating_sub(self.body.arguments);
        body::Limits { bytes: self.limits.body, arguments, depth: self.limits.depth }
    }

    fn add_arguments(&mut self, variable: Variable, arguments: &[Argument]) {
        self.body.arguments += arguments.len();
        for argument in arguments {
            self.values.add(variable, &argument.name, &argument.value);
        }
    }

    fn sum_arguments(&mut self) {
        let of = |variable: Variable| {
            let ids = self.values.of(variable);
            ids.map(|id| self.values.bytes(id).len() + self.values.name(id).len()).sum::<usize>()
        };
        let sum = of(Variable::ArgsGet) + of(Variable::ArgsPost);
        self.values.set(Variable::ArgsCombinedSize, sum.to_string().as_bytes());
    }

    fn too_large(&mut self) -> Option<Interruption> {
        if self.interruption.is_none() {
            self.interruption = Some(Interruption { status: 413, rule: 0, cause: Cause::TooLarge });
        }
        self.interruption
    }
}

/// A target without scheme and host, if it begins with them.
fn without_origin(target: &[u8]) -> &[u8] {
    let Some(at) = target.windows(3).position(|window| window == b"://") else { return target };
    if at == 0 || !target[..at].iter().all(u8::is_ascii_alphanumeric) {
        return target;
    }
    let rest = &target[at + 3..];
    match rest.iter().position(|byte| matches!(byte, b'/' | b'?')) {
        Some(path) => &rest[path..],
        None => b"/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_off_only_where_one_stands() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"/a?u=http://x/y", b"/a?u=http://x/y"),
            (b"http://host/p?q", b"/p?q"),
            (b"https://host", b"/"),
            (b"*", b"*"),
            (b"://x", b"://x"),
        ];
        for (target, expected) in cases {
            assert_eq!(without_origin(target), expected);
        }
    }
}
