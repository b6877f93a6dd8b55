//! What a rule compares values with: the `@` of SecLang.
//!
//! All that can be wrong with an argument is an error when the rules are loaded; an operator that is known but not built
//! here is one too, so that no rule silently never matches. Files are handed in.
//!
//! To add one: a variant of `Test`, its name in `parse`, its arms in `evaluate` and `requirement`.

mod captures;
mod class;
mod encoding;
mod networks;
mod pcre;
mod requirement;
mod rx;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use captures::Captures;
pub(crate) use requirement::{Gate, Requirement};

use crate::byte_set::ByteSet;
use networks::Networks;
use rx::Rx;
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use words::Words;

/// Where the files come from that rules name.
pub trait Files {
    /// The content of a file, or in words why there is none.
    fn read(&self, name: &str) -> Result<Vec<u8>, String>;
}

/// No files: rules that name one do not load.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("there are no files".into())
    }
}

/// Why a rule cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    #[error("the operator @{name} is not known")]
    Unknown { name: String },
    #[error("the operator @{name} is not supported: {reason}")]
    Unsupported { name: &'static str, reason: &'static str },
    #[error("the pattern {pattern} cannot be used: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("the file {name} cannot be read: {reason}")]
    File { name: String, reason: String },
    #[error("the argument cannot be used: {reason}")]
    Argument { reason: String },
}

/// What is tested, without the negation.
pub(crate) struct Kind {
    /// Empty where the test holds all of it.
    argument: Box<str>,
    takes_macro: bool,
    test: Test,
    requirement: Requirement,
}

enum Test {
    Rx(Rx),
    /// A pattern that is known only when its macros are expanded, and the one that was compiled last.
    RxOfMacro(Mutex<Option<(Vec<u8>, Rx)>>),
    Words(Words),
    Number(fn(&i64, &i64) -> bool),
    Equals,
    Contains,
    ContainsWord,
    BeginsWith,
    EndsWith,
    Within,
    Networks(Networks),
    /// The bytes that are allowed.
    ByteRange(ByteSet),
    UrlEncoding,
    Utf8Encoding,
    SqlInjection,
    ScriptInjection,
    Always,
    Never,
}

/// A comparison with a number that is known.
#[derive(Clone, Copy)]
pub(crate) struct Comparison {
    compare: fn(&i64, &i64) -> bool,
    with: i64,
}

impl Comparison {
    pub(crate) fn holds(self, value: i64) -> bool {
        (self.compare)(&value, &self.with)
    }

    pub(crate) fn holds_for(self, value: &[u8]) -> bool {
        self.holds(number(value))
    }
}

/// By its name in a rule (in any case of letters), with the argument as it stands there.
pub(crate) fn parse(name: &str, argument: &str, files: &dyn Files) -> Result<Kind, OperatorError> {
    const NOT_SUPPORTED: &[(&str, &str)] = &[
        ("rxGlobal", "write one @rx for each match"),
        ("rbl", "it would ask a name server for every request"),
        ("geoLookup", "there is no geographical database"),
        ("inspectFile", "it runs a program"),
        ("validateDTD", "DTDs are not read"),
        ("validateSchema", "schemas are not read"),
        ("validateHash", "links are not signed here"),
        ("fuzzyHash", "it needs ssdeep"),
        ("gsbLookup", "it would ask a service for every request"),
        ("rsub", "values are not rewritten"),
        ("verifyCC", "card numbers are not looked for"),
        ("verifyCPF", "numbers of persons are not looked for"),
        ("verifySSN", "numbers of persons are not looked for"),
        ("verifySVNR", "numbers of persons are not looked for"),
    ];
    let has_macro = argument.contains("%{");
    // What a test is built from says most about what it requires, and is not kept.
    let mut built_from = None;
    let test = match name.to_ascii_lowercase().as_str() {
        "rx" if has_macro => {
            // What the macros stand for is not known yet; that the rest is a pattern is.
            Rx::compile(without_macros(argument).as_bytes())?;
            Test::RxOfMacro(Mutex::default())
        }
        "rx" => {
            let (rx, requirement) = Rx::compile(argument.as_bytes())?;
            built_from = Some(requirement);
            Test::Rx(rx)
        }
        "pm" => {
            let texts = words::of_argument(argument);
            built_from = Some(Requirement::one_of(&texts));
            Test::Words(Words::new(&texts)?)
        }
        "pmfromfile" | "pmf" => {
            let contents = read_all(argument, files)?;
            let texts: Vec<_> = contents.iter().flat_map(|content| words::of_file(content)).collect();
            built_from = Some(Requirement::one_of(&texts));
            Test::Words(Words::new(&texts)?)
        }
        "eq" => Test::Number(i64::eq),
        "ge" => Test::Number(i64::ge),
        "gt" => Test::Number(i64::gt),
        "le" => Test::Number(i64::le),
        "lt" => Test::Number(i64::lt),
        "streq" => Test::Equals,
        "contains" | "strmatch" => Test::Contains,
        "containsword" => Test::ContainsWord,
        "beginswith" => Test::BeginsWith,
        "endswith" => Test::EndsWith,
        "within" => Test::Within,
        "ipmatch" => Test::Networks(Networks::parse(argument)?),
        "ipmatchfromfile" | "ipmatchf" => {
            let contents = read_all(argument, files)?;
            let lines = contents.iter().flat_map(|content| words::lines(content)).collect::<Vec<_>>().join(&b'\n');
            Test::Networks(Networks::parse(&String::from_utf8_lossy(&lines))?)
        }
        "validatebyterange" => Test::ByteRange(byte_range(argument)?),
        "validateurlencoding" => Test::UrlEncoding,
        "validateutf8encoding" => Test::Utf8Encoding,
        "detectsqli" => Test::SqlInjection,
        "detectxss" => Test::ScriptInjection,
        "unconditionalmatch" => Test::Always,
        "nomatch" => Test::Never,
        _ => {
            let known = NOT_SUPPORTED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            return Err(match known {
                Some(&(name, reason)) => OperatorError::Unsupported { name, reason },
                None => OperatorError::Unknown { name: name.to_owned() },
            });
        }
    };
    let takes_macro = has_macro
        && matches!(
            test,
            Test::RxOfMacro(_)
                | Test::Number(_)
                | Test::Equals
                | Test::Contains
                | Test::ContainsWord
                | Test::BeginsWith
                | Test::EndsWith
                | Test::Within
        );
    let kept = if built_from.is_some() { "" } else { argument };
    let mut kind = Kind { argument: kept.into(), takes_macro, test, requirement: Requirement::none() };
    kind.requirement = built_from.unwrap_or_else(|| kind.requires());
    Ok(kind)
}

fn read_all(argument: &str, files: &dyn Files) -> Result<Vec<Vec<u8>>, OperatorError> {
    let read = |name: &str| files.read(name).map_err(|reason| OperatorError::File { name: name.to_owned(), reason });
    argument.split_ascii_whitespace().map(read).collect()
}

fn without_macros(argument: &str) -> String {
    let mut out = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once("%{") {
        out.push_str(before);
        rest = after.split_once('}').map_or("", |(_, behind)| behind);
    }
    out + rest
}

fn byte_range(argument: &str) -> Result<ByteSet, OperatorError> {
    argument.split(',').map(str::trim).try_fold(ByteSet::EMPTY, |set, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(set.union(ByteSet::from_range(first, last))),
            _ => Err(OperatorError::Argument { reason: format!("\"{range}\" is no range of bytes") }),
        }
    })
}

impl Kind {
    /// Whether the argument has macros that must be expanded for each call of [`Kind::evaluate`].
    pub(crate) fn takes_macro(&self) -> bool {
        self.takes_macro
    }

    /// How it compares numbers, and with which, if it does and the number is known.
    pub(crate) fn comparison(&self) -> Option<Comparison> {
        match self.test {
            Test::Number(compare) if !self.takes_macro => {
                Some(Comparison { compare, with: number(self.argument.as_bytes()) })
            }
            _ => None,
        }
    }

    /// Whether the value matches. `argument` is the expanded one if it takes macros; else it is not looked at.
    pub(crate) fn evaluate(&self, value: &[u8], argument: &[u8], captures: &mut Captures) -> bool {
        captures.clear();
        let argument = if self.takes_macro { argument } else { self.argument.as_bytes() };
        let whole = (0, value.len());
        let found = |start: usize| (start, start + argument.len());
        let span = match &self.test {
            Test::Rx(rx) => return rx.find(value, captures),
            Test::RxOfMacro(last) => return find_expanded(last, value, argument, captures),
            Test::Words(words) => words.find(value),
            Test::Number(compare) => compare(&number(value), &number(argument)).then_some(whole),
            Test::Equals => (value == argument).then_some(whole),
            Test::Contains => memchr::memmem::find(value, argument).map(found),
            Test::ContainsWord => word(value, argument).map(found),
            Test::BeginsWith => value.starts_with(argument).then_some((0, argument.len())),
            Test::EndsWith => value.ends_with(argument).then(|| found(value.len() - argument.len())),
            Test::Within => memchr::memmem::find(argument, value).map(|_| whole),
            Test::Networks(networks) => networks.contain(value).then_some(whole),
            Test::ByteRange(allowed) => value.iter().position(|&byte| !allowed.contains(byte)).map(|at| (at, at + 1)),
            Test::UrlEncoding => encoding::invalid_url(value).map(|at| (at, value.len().min(at + 3))),
            Test::Utf8Encoding => encoding::invalid_utf8(value).map(|at| (at, at + 1)),
            Test::SqlInjection => sql_injection(value, captures).then_some(whole),
            Test::ScriptInjection => libinjectionrs::detect_xss(value).is_injection().then_some(whole),
            Test::Always => Some(whole),
            Test::Never => None,
        };
        captures.set(0, span);
        span.is_some()
    }

    /// What a value must have to match.
    #[cfg(test)]
    pub(crate) fn requirement(&self) -> Requirement {
        self.requirement.clone()
    }

    /// The gate before it. The rest of what is required is forgotten.
    pub(crate) fn take_gate(&mut self) -> Gate {
        std::mem::take(&mut self.requirement).into_gate()
    }

    fn requires(&self) -> Requirement {
        let argument = || vec![self.argument.as_bytes().to_vec()];
        match &self.test {
            Test::Equals | Test::Contains | Test::ContainsWord | Test::BeginsWith | Test::EndsWith
                if !self.takes_macro =>
            {
                Requirement::one_of(&argument())
            }
            Test::ByteRange(allowed) => Requirement::mask(allowed.complement()),
            Test::UrlEncoding => Requirement::mask(ByteSet::from_bytes(b"%")),
            Test::Utf8Encoding => Requirement::mask(ByteSet::from_range(0x80, 0xFF)),
            Test::SqlInjection => Requirement::masks(vec![NO_WORD, NO_NUMBER]),
            Test::ScriptInjection => Requirement::mask(ByteSet::from_bytes(b"<=")),
            Test::Never => Requirement::impossible(),
            _ => Requirement::none(),
        }
    }
}

/// A value of letters alone is one token to libinjection, and the only fingerprint of one token that it takes for an
/// attack is that of a comment.
const NO_WORD: ByteSet = ByteSet::from_range(b'a', b'z').union(ByteSet::from_range(b'A', b'Z')).with(b'_').complement();

/// Digits alone are one token too, a number.
const NO_NUMBER: ByteSet = ByteSet::from_range(b'0', b'9').complement();

fn find_expanded(last: &Mutex<Option<(Vec<u8>, Rx)>>, value: &[u8], pattern: &[u8], captures: &mut Captures) -> bool {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_ref().is_none_or(|(compiled, _)| compiled != pattern) {
        *last = Rx::compile(pattern).ok().map(|(rx, _)| (pattern.to_vec(), rx));
    }
    if let Some((_, rx)) = &*last {
        return rx.find(value, captures);
    }
    captures.give_up();
    false
}

fn sql_injection(value: &[u8], captures: &mut Captures) -> bool {
    let value = with_upper_into(value);
    let mut state = libinjectionrs::SqliState::new(&value, libinjectionrs::SqliFlags::FLAG_NONE);
    let found = state.detect();
    if found {
        let mut fingerprint = [0; 8];
        for (to, from) in fingerprint.iter_mut().zip(state.fingerprint_string().bytes()) {
            *to = from;
        }
        captures.set_fingerprint(fingerprint);
    }
    found
}

/// libinjectionrs 0.1 knows `INTO OUTFILE` only in upper case, where libinjection ignores case. In everything else both
/// do not care how the word is written.
fn with_upper_into(value: &[u8]) -> Cow<'_, [u8]> {
    let mut value = Cow::Borrowed(value);
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'i', b'I', &value[from..]).map(|at| from + at) {
        from = at + 1;
        if value.get(at..at + 4).is_some_and(|word| word != b"INTO" && word.eq_ignore_ascii_case(b"INTO")) {
            value.to_mut()[at..at + 4].copy_from_slice(b"INTO");
        }
    }
    value
}

/// As C reads numbers: white space, a sign, digits, and whatever follows; what is no number is zero.
fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let sign = if text.starts_with(b"-") { -1 } else { 1 };
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    digits
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(sign * i64::from(digit - b'0')))
}

/// Where the argument stands without a letter before or behind it.
fn word(value: &[u8], argument: &[u8]) -> Option<usize> {
    if argument.is_empty() {
        return Some(0);
    }
    let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&value[from..], argument).map(|at| at + from) {
        let before = at.checked_sub(1).and_then(|before| value.get(before));
        if !letter(before) && !letter(value.get(at + argument.len())) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
