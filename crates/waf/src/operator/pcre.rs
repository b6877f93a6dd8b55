//! Patterns of PCRE, translated into what the engines of Rust understand.
//!
//! Rules are written for PCRE with `DOTALL` and `MULTILINE` and without UTF mode: a pattern and a value are bytes, case
//! folding and the classes are ASCII. Flags are resolved here, every class is written as ranges of bytes, and what is not
//! understood is an error. One translation gives two texts: `linear` for the linear-time engine, in which what that
//! engine lacks (look-around, back-references, atomic groups) is left out or widened, so that it matches wherever the
//! pattern does; and `exact`, for the backtracking engine, which is needed if something was `widened`, and for values
//! that end with a newline, behind which PCRE sees no line and the linear engine does.

use super::class;
use crate::byte_set::ByteSet;
use std::fmt::Write as _;

pub(super) struct Translation {
    pub(super) linear: String,
    pub(super) exact: String,
    pub(super) widened: bool,
}

/// Why a pattern was refused, and at which byte of it.
#[derive(Debug, thiserror::Error)]
#[error("{reason} at byte {at} of the pattern")]
pub(super) struct PatternError {
    pub(super) reason: &'static str,
    pub(super) at: usize,
}

const DEPTH: usize = 100;

#[derive(Clone, Copy)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    extended: bool,
}

pub(super) fn translate(pattern: &[u8]) -> Result<Translation, PatternError> {
    let mut translator = Translator { pattern, at: 0, linear: String::new(), exact: String::new(), widened: false };
    let flags = Flags { ignore_case: false, multi_line: true, dot_all: true, extended: false };
    translator.alternatives(flags, 0)?;
    if translator.at < pattern.len() {
        return Err(translator.error("a parenthesis closes nothing"));
    }
    let Translator { linear, exact, widened, .. } = translator;
    Ok(Translation { linear, exact, widened })
}

struct Translator<'p> {
    pattern: &'p [u8],
    at: usize,
    linear: String,
    exact: String,
    widened: bool,
}

impl Translator<'_> {
    fn error(&self, reason: &'static str) -> PatternError {
        PatternError { reason, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn take(&mut self, text: &[u8]) -> bool {
        let found = self.pattern[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn put(&mut self, text: &str) {
        self.put_each(text, text);
    }

    fn put_each(&mut self, linear: &str, exact: &str) {
        self.linear.push_str(linear);
        self.exact.push_str(exact);
    }

    /// What only backtracking can do; `linear` gets something that matches at least there.
    fn widen(&mut self, linear: &str, exact: &str) {
        self.widened = true;
        self.put_each(linear, exact);
    }

    fn put_set(&mut self, set: ByteSet) {
        let mut text = String::from("[");
        let mut first = 0_u16;
        while first < 256 {
            if !set.contains(first as u8) {
                first += 1;
                continue;
            }
            let mut last = first;
            while last < 255 && set.contains((last + 1) as u8) {
                last += 1;
            }
            let _ = write!(text, "\\x{first:02X}");
            if last > first {
                let _ = write!(text, "-\\x{last:02X}");
            }
            first = last + 1;
        }
        if set.is_empty() {
            text.push_str("^\\x00-\\xFF");
        }
        text.push(']');
        self.put(&text);
    }

    fn put_byte(&mut self, byte: u8, flags: Flags) {
        if flags.ignore_case && byte.is_ascii_alphabetic() {
            self.put_set(class::fold(ByteSet::EMPTY.with(byte)));
        } else if byte.is_ascii_alphanumeric() {
            self.put(char::from(byte).encode_utf8(&mut [0; 4]));
        } else {
            self.put(&format!("\\x{byte:02X}"));
        }
    }

    /// Up to the end, or to the parenthesis that closes the group.
    fn alternatives(&mut self, mut flags: Flags, depth: usize) -> Result<(), PatternError> {
        if depth > DEPTH {
            return Err(self.error("groups are nested too deeply"));
        }
        while let Some(byte) = self.peek() {
            let start = (self.linear.len(), self.exact.len());
            match byte {
                b')' => return Ok(()),
                b'|' => {
                    self.at += 1;
                    self.put("|");
                    continue;
                }
                b' ' | b'\t'..=b'\r' if flags.extended => {
                    self.at += 1;
                    continue;
                }
                b'#' if flags.extended => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                    continue;
                }
                b'(' => {
                    self.at += 1;
                    // Flags hold for the rest of the group, and nothing is there to be repeated.
                    if !self.group(&mut flags, depth)? {
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    let set = class::parse(self.pattern, &mut self.at, flags.ignore_case)?;
                    self.put_set(set);
                }
                b'\\' => {
                    self.at += 1;
                    if !self.escape(flags)? {
                        continue;
                    }
                }
                b'.' => {
                    self.at += 1;
                    let newline = ByteSet::EMPTY.with(b'\n');
                    self.put_set(if flags.dot_all { ByteSet::ALL } else { newline.complement() });
                }
                b'^' => {
                    self.at += 1;
                    if flags.multi_line {
                        self.put_each("(?m:^)", r"(?:\A|(?<=\n)(?!\z))");
                    } else {
                        self.put(r"\A");
                    }
                }
                b'$' => {
                    self.at += 1;
                    if flags.multi_line {
                        self.put_each("(?m:$)", r"(?=\n|\z)");
                    } else {
                        self.widen("(?m:$)", r"(?=\n?\z)");
                    }
                }
                b'*' | b'+' | b'?' => return Err(self.error("a quantifier has nothing to repeat")),
                b'{' if self.counted().is_some() => return Err(self.error("a quantifier has nothing to repeat")),
                _ => {
                    self.at += 1;
                    self.put_byte(byte, flags);
                }
            }
            self.quantifiers(start, flags)?;
        }
        Ok(())
    }

    /// Behind the opening parenthesis. Whether it was something that can be repeated.
    fn group(&mut self, flags: &mut Flags, depth: usize) -> Result<bool, PatternError> {
        if self.peek() == Some(b'*') {
            return Err(self.error("verbs are not supported"));
        }
        if !self.take(b"?") {
            self.put("(");
            return self.close(*flags, depth);
        }
        if self.take(b"#") {
            while !self.take(b")") {
                if self.peek().is_none() {
                    return Err(self.error("a comment has no end"));
                }
                self.at += 1;
            }
            return Ok(false);
        }
        for look in ["=", "!", "<=", "<!"] {
            if self.take(look.as_bytes()) {
                let kept = self.linear.len();
                self.widen("", &format!("(?{look}"));
                self.close(*flags, depth)?;
                self.linear.truncate(kept);
                self.linear.push_str("(?:)");
                return Ok(true);
            }
        }
        if self.take(b">") {
            self.widen("(?:", "(?>");
            return self.close(*flags, depth);
        }
        if self.take(b"P<") || self.take(b"<") {
            while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                self.at += 1;
            }
            if !self.take(b">") {
                return Err(self.error("the name of a group has no end"));
            }
            self.put("(");
            return self.close(*flags, depth);
        }
        let mut inner = *flags;
        let mut on = true;
        loop {
            match self.peek() {
                Some(b'-') => on = false,
                Some(b'i') => inner.ignore_case = on,
                Some(b'm') => inner.multi_line = on,
                Some(b's') => inner.dot_all = on,
                Some(b'x') => inner.extended = on,
                Some(b':') => {
                    self.at += 1;
                    self.put("(?:");
                    return self.close(inner, depth);
                }
                Some(b')') => {
                    self.at += 1;
                    *flags = inner;
                    return Ok(false);
                }
                _ => return Err(self.error("a kind of group that is not supported")),
            }
            self.at += 1;
        }
    }

    fn close(&mut self, flags: Flags, depth: usize) -> Result<bool, PatternError> {
        self.alternatives(flags, depth + 1)?;
        if !self.take(b")") {
            return Err(self.error("a group has no end"));
        }
        self.put(")");
        Ok(true)
    }

    /// Behind the backslash. Whether it was something that can be repeated.
    fn escape(&mut self, flags: Flags) -> Result<bool, PatternError> {
        const WORD: &str = "[0-9A-Z_a-z]";
        let Some(byte) = self.peek() else { return Err(self.error("a backslash ends the pattern")) };
        if let Some(set) = class::shorthand(byte) {
            self.at += 1;
            self.put_set(set);
            return Ok(true);
        }
        match byte {
            b'b' => self.put_each(r"\b", &format!("(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))")),
            b'B' => self.put_each(r"\B", &format!("(?:(?<={WORD})(?={WORD})|(?<!{WORD})(?!{WORD}))")),
            b'A' => self.put(r"\A"),
            b'z' => self.put(r"\z"),
            b'Z' => self.widen("(?m:$)", r"(?=\n?\z)"),
            b'N' => self.put_set(ByteSet::EMPTY.with(b'\n').complement()),
            b'R' => self.widen(r"(?:\r\n|[\n\x0B\x0C\r\x85])", r"(?>\r\n|[\n\x0B\x0C\r\x85])"),
            b'E' => {
                self.at += 1;
                return Ok(false);
            }
            b'Q' => {
                self.at += 1;
                while self.at < self.pattern.len() && !self.take(b"\\E") {
                    self.put_byte(self.pattern[self.at], flags);
                    self.at += 1;
                }
                // What a quantifier behind it would repeat is its last byte; nobody writes that.
                return Ok(false);
            }
            b'1'..=b'9' if !class::is_octal(self.pattern, self.at) => {
                if self.pattern.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
                    return Err(self.error("a back-reference beyond the ninth group is not supported"));
                }
                let fold = if flags.ignore_case { "i" } else { "" };
                self.widen(r"[\x00-\xFF]*", &format!("(?{fold}:\\{})", char::from(byte)));
            }
            _ => {
                let byte = class::character(self.pattern, &mut self.at)?;
                self.put_byte(byte, flags);
                return Ok(true);
            }
        }
        self.at += 1;
        Ok(true)
    }

    /// The text and the length of a quantifier in braces; anything else that begins with a brace is a literal brace.
    fn counted(&self) -> Option<(String, usize)> {
        let rest = &self.pattern[self.at..];
        let end = rest.iter().take(16).position(|&byte| byte == b'}')?;
        let inner = str::from_utf8(rest.get(1..end)?).ok().filter(|_| rest[0] == b'{')?;
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let valid = match inner.split_once(',') {
            None => number(inner),
            Some((least, most)) => number(least) && (most.is_empty() || number(most)),
        };
        valid.then(|| (format!("{{{inner}}}"), end + 1))
    }

    /// Behind something that can be repeated, which begins at `start` in the two texts.
    fn quantifiers(&mut self, start: (usize, usize), flags: Flags) -> Result<(), PatternError> {
        let mut seen = false;
        loop {
            while flags.extended && self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
                self.at += 1;
            }
            let (text, length) = match self.peek() {
                Some(b'*') => ("*".to_owned(), 1),
                Some(b'+') => ("+".to_owned(), 1),
                Some(b'?') => ("?".to_owned(), 1),
                Some(b'{') => match self.counted() {
                    Some(counted) => counted,
                    None => return Ok(()),
                },
                _ => return Ok(()),
            };
            if seen && length == 1 {
                return Err(self.error("a quantifier has nothing to repeat"));
            }
            if seen {
                self.wrap(start, "(?:");
            }
            seen = true;
            self.at += length;
            self.put(&text);
            if self.take(b"?") {
                self.put("?");
            } else if self.take(b"+") {
                self.widened = true;
                self.exact.insert_str(start.1, "(?>");
                self.exact.push(')');
            }
        }
    }

    fn wrap(&mut self, start: (usize, usize), open: &str) {
        self.linear.insert_str(start.0, open);
        self.exact.insert_str(start.1, open);
        self.put(")");
    }
}
