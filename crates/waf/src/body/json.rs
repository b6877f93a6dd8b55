//! JSON bodies, read by RFC 8259 and no more kindly: what some parsers forgive and others do not is an error.

use std::collections::HashSet;

use super::urlencoded::nibble;
use super::{Argument, BodyError, Limits, add};

/// Appends the scalars of `body`, named by their path: `json.a.b`, and `json.a.0` for the first of a list. `null` is an
/// empty value. Escapes are decoded; numbers, `true` and `false` are their text.
pub(crate) fn parse(body: &[u8], limits: Limits, into: &mut Vec<Argument>) -> Result<(), BodyError> {
    if body.len() > limits.bytes {
        return Err(BodyError::Bytes(limits.bytes));
    }
    let walker = Walker { body, at: 0, path: b"json".to_vec(), open: Vec::new(), limits, forgiven: None };
    walker.walk(into)?;
    // Last, so that rules see the values of what is not UTF-8 as well.
    match std::str::from_utf8(body) {
        Ok(_) => Ok(()),
        Err(error) => Err(BodyError::Json { at: error.valid_up_to(), what: "this is not UTF-8" }),
    }
}

struct Walker<'a> {
    body: &'a [u8],
    at: usize,
    /// The name of the value that comes next.
    path: Vec<u8>,
    open: Vec<Open>,
    limits: Limits,
    /// The first error that does not keep the rest from being read.
    forgiven: Option<BodyError>,
}

/// An object or a list that has not ended.
struct Open {
    /// How much of the path names it.
    name: usize,
    content: Content,
}

enum Content {
    Object(HashSet<Vec<u8>>),
    List(usize),
}

impl Walker<'_> {
    fn walk(mut self, into: &mut Vec<Argument>) -> Result<(), BodyError> {
        loop {
            self.blanks();
            let is_open = self.value(into)?;
            let goes_on = (is_open && self.enter()?) || self.next()?;
            if !goes_on {
                break;
            }
        }
        self.blanks();
        if self.at < self.body.len() {
            return Err(self.error("something follows the value"));
        }
        self.forgiven.map_or(Ok(()), Err)
    }

    /// A scalar, which is added; or the start of an object or list, which is true.
    fn value(&mut self, into: &mut Vec<Argument>) -> Result<bool, BodyError> {
        let value = match self.peek() {
            Some(b'{') => return self.open(Content::Object(HashSet::new())),
            Some(b'[') => return self.open(Content::List(0)),
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true")?.to_vec(),
            Some(b'f') => self.word(b"false")?.to_vec(),
            Some(b'n') => self.word(b"null").map(|_| Vec::new())?,
            Some(_) => return Err(self.error("no value starts like this")),
            None => return Err(self.error("the body ends where a value should be")),
        };
        add(into, Argument { name: self.path.clone(), value }, self.limits)?;
        Ok(false)
    }

    fn open(&mut self, content: Content) -> Result<bool, BodyError> {
        if self.open.len() >= self.limits.depth {
            return Err(BodyError::Depth(self.limits.depth));
        }
        self.at += 1;
        self.open.push(Open { name: self.path.len(), content });
        Ok(true)
    }

    /// Goes to the first value of what was just opened; false if there is none.
    fn enter(&mut self) -> Result<bool, BodyError> {
        self.blanks();
        let closing = match self.open.last() {
            Some(Open { content: Content::Object(_), .. }) => b'}',
            _ => b']',
        };
        if self.peek() == Some(closing) {
            return Ok(false);
        }
        self.name()?;
        Ok(true)
    }

    /// Goes to the value after the one that was read; false if there is none in the whole body.
    fn next(&mut self) -> Result<bool, BodyError> {
        while let Some(open) = self.open.last() {
            self.path.truncate(open.name);
            let is_object = matches!(open.content, Content::Object(_));
            self.blanks();
            match (self.peek(), is_object) {
                (Some(b','), _) => {
                    self.at += 1;
                    self.blanks();
                    self.name()?;
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.open.pop();
                }
                (None, _) => return Err(self.error("the body ends inside an object or a list")),
                _ => return Err(self.error("neither a comma nor the end follows a value")),
            }
        }
        Ok(false)
    }

    /// Reads the key of the next value, or counts it.
    fn name(&mut self) -> Result<(), BodyError> {
        self.path.push(b'.');
        if let Some(Open { content: Content::List(index), .. }) = self.open.last_mut() {
            self.path.extend_from_slice(index.to_string().as_bytes());
            *index += 1;
            return Ok(());
        }
        if self.peek() != Some(b'"') {
            return Err(self.error("a key is a string"));
        }
        let start = self.at;
        let key = self.string()?;
        self.path.extend_from_slice(&key);
        self.blanks();
        if self.peek() != Some(b':') {
            return Err(self.error("a colon follows a key"));
        }
        self.at += 1;
        if let Some(Open { content: Content::Object(keys), .. }) = self.open.last_mut()
            && !keys.insert(key)
        {
            self.forgive(start, "the key stands in this object twice");
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Vec<u8>, BodyError> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let rest = &self.body[self.at..];
            let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            text.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape(&mut text),
                Some(control) => {
                    self.forgive(self.at, "a control character in a string is escaped");
                    text.push(control);
                    self.at += 1;
                }
                None => return Err(self.error("the body ends inside a string")),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let start = self.at;
        let escaped = self.body.get(start + 1).copied();
        self.at = (start + 2).min(self.body.len());
        match escaped {
            Some(b'b') => text.push(8),
            Some(b'f') => text.push(12),
            Some(b'n') => text.push(b'\n'),
            Some(b'r') => text.push(b'\r'),
            Some(b't') => text.push(b'\t'),
            Some(same @ (b'"' | b'\\' | b'/')) => text.push(same),
            Some(b'u') => {
                if let Some((character, length)) = code_point(&self.body[start..]) {
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at = start + length;
                } else {
                    self.forgive(start, "\\u is followed by no character");
                    text.extend_from_slice(b"\\u");
                }
            }
            other => {
                self.forgive(start, "there is no such escape");
                text.push(b'\\');
                text.extend(other);
            }
        }
    }

    fn number(&mut self) -> Result<Vec<u8>, BodyError> {
        let start = self.at;
        self.skip(|byte| byte == b'-', 1);
        let whole = self.at;
        if self.skip(|byte| byte == b'0', 1) == 0 && self.skip(|byte| byte.is_ascii_digit(), usize::MAX) == 0 {
            return Err(self.error("a number has digits"));
        }
        if self.body[whole] == b'0' && self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.error("a number does not start with 0"));
        }
        let fraction = self.skip(|byte| byte == b'.', 1) == 1;
        if fraction && self.skip(|byte| byte.is_ascii_digit(), usize::MAX) == 0 {
            return Err(self.error("digits follow the point of a number"));
        }
        if self.skip(|byte| matches!(byte, b'e' | b'E'), 1) == 1 {
            self.skip(|byte| matches!(byte, b'+' | b'-'), 1);
            if self.skip(|byte| byte.is_ascii_digit(), usize::MAX) == 0 {
                return Err(self.error("digits follow the exponent of a number"));
            }
        }
        Ok(self.body[start..self.at].to_vec())
    }

    /// Goes over at most `limit` bytes that are `wanted` and says how many there were.
    fn skip(&mut self, wanted: impl Fn(u8) -> bool, limit: usize) -> usize {
        let count = self.body[self.at..].iter().take(limit).take_while(|byte| wanted(**byte)).count();
        self.at += count;
        count
    }

    fn word(&mut self, word: &'static [u8]) -> Result<&'static [u8], BodyError> {
        if !self.body[self.at..].starts_with(word) {
            return Err(self.error("no value starts like this"));
        }
        self.at += word.len();
        Ok(word)
    }

    fn blanks(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'), usize::MAX);
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn forgive(&mut self, at: usize, what: &'static str) {
        self.forgiven.get_or_insert(BodyError::Json { at, what });
    }

    /// The error to end with: the first one.
    fn error(&self, what: &'static str) -> BodyError {
        self.forgiven.unwrap_or(BodyError::Json { at: self.at, what })
    }
}

/// The character of the `\u` escape that `text` starts with, and the length of the escape; a pair of surrogates is one.
fn code_point(text: &[u8]) -> Option<(char, usize)> {
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"\\u")?.get(..4)?;
        let value = |sum: u32, digit: &u8| digit.is_ascii_hexdigit().then(|| sum << 4 | u32::from(nibble(*digit)));
        digits.iter().try_fold(0, value)
    };
    let first = unit(text)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).map(|character| (character, 6));
    }
    let second = unit(&text[6..]).filter(|second| (0xdc00..0xe000).contains(second))?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10 | (second - 0xdc00))).map(|character| (character, 12))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::{pairs, texts};
    use super::*;

    fn read(body: &[u8], limits: Limits) -> (Vec<(String, String)>, Option<BodyError>) {
        let mut arguments = Vec::new();
        let error = parse(body, limits, &mut arguments).err();
        (texts(&arguments), error)
    }

    #[test]
    fn values_are_named_by_their_path() {
        let body = br#" {"a":{"b":"x","":-1.5e+3},"l":[1,[true,null],{"k":false}],"e":{},"f":[]} "#;
        let expected = [
            ("json.a.b", "x"),
            ("json.a.", "-1.5e+3"),
            ("json.l.0", "1"),
            ("json.l.1.0", "true"),
            ("json.l.1.1", ""),
            ("json.l.2.k", "false"),
        ];
        assert_eq!(read(body, Limits::default()), (pairs(&expected), None));
        assert_eq!(read(b"\"x\"", Limits::default()), (pairs(&[("json", "x")]), None));
        assert_eq!(read(b"[[],0]", Limits::default()), (pairs(&[("json.1", "0")]), None));
    }

    #[test]
    fn escapes_are_decoded() {
        let (found, error) = read(br#"{"\u003ca":"\u0000\n\/\"\\\ud83d\ude00"}"#, Limits::default());
        assert_eq!(error, None);
        assert_eq!(found, pairs(&[("json.<a", r#"\x00\n/\"\\\xf0\x9f\x98\x80"#)]));
    }

    #[test]
    fn what_parsers_read_differently_is_refused_and_still_seen() {
        let cases: [(&[u8], usize, &str, &str); 9] = [
            (br#"{"a":1,"a":2}"#, 7, "twice", "json.a=1 json.a=2 "),
            (br#"{"a":1,"\u0061":2}"#, 7, "twice", "json.a=1 json.a=2 "),
            (b"{\"a\":\"x\ny\"}", 7, "control", "json.a=x\\ny "),
            (br#"["\ud800x","\q"]"#, 2, "no character", r"json.0=\\ud800x json.1=\\q "),
            (b"[\"\xff\"]", 2, "UTF-8", "json.0=\\xff "),
            (b"{\"a\":1} {", 8, "follows", "json.a=1 "),
            (b"[1,]", 3, "no value", "json.0=1 "),
            (b"[01]", 2, "start with 0", ""),
            (b"\xef\xbb\xbf[1]", 0, "no value", ""),
        ];
        for (body, at, word, seen) in cases {
            let (found, error) = read(body, Limits::default());
            let found: Vec<String> = found.iter().map(|(name, value)| format!("{name}={value} ")).collect();
            assert_eq!(found.concat(), seen, "{}", body.escape_ascii());
            let Some(BodyError::Json { at: found_at, what }) = error else { panic!("{}", body.escape_ascii()) };
            assert!(found_at == at && what.contains(word), "{}: {found_at}, {what}", body.escape_ascii());
        }
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { depth: 2, arguments: 3, bytes: 20 };
        assert_eq!(read(b"[[1]]", limits).1, None);
        assert_eq!(read(b"[[[1]]]", limits).1, Some(BodyError::Depth(2)));
        assert_eq!(read(b"[1,2,3]", limits).1, None);
        assert_eq!(
            read(b"[1,2,3,4]", limits),
            (pairs(&[("json.0", "1"), ("json.1", "2"), ("json.2", "3")]), Some(BodyError::Arguments(3)))
        );
        assert_eq!(read(b"[\"123456789012345678\"]", limits).1, Some(BodyError::Bytes(20)));
        let deep = "[".repeat(1 << 20);
        assert_eq!(
            read(deep.as_bytes(), Limits { depth: usize::MAX, ..Limits::default() }).1.map(|error| error.to_string()),
            Some("JSON, byte 1048576: the body ends where a value should be".to_owned())
        );
    }

    /// The scalars of a value that another parser has read.
    fn flatten(value: &Value, path: &str, into: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| flatten(value, &format!("{path}.{key}"), into)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, value)| flatten(value, &format!("{path}.{index}"), into));
            }
            Value::String(text) => into.push((path.to_owned(), text.clone())),
            Value::Null => into.push((path.to_owned(), String::new())),
            other => into.push((path.to_owned(), other.to_string())),
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_another_parser_reads(value in any_json()) {
            let mut found = Vec::new();
            prop_assert_eq!(parse(value.to_string().as_bytes(), Limits::default(), &mut found), Ok(()));
            let mut found: Vec<_> = found.into_iter()
                .map(|it| (String::from_utf8(it.name).unwrap(), String::from_utf8(it.value).unwrap())).collect();
            let mut expected = Vec::new();
            flatten(&value, "json", &mut expected);
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn accepts_nothing_that_another_parser_refuses(body in "[\\[\\]{}:,\"\\\\a-f0-3.eE+ -]{0,12}|[\\[\\]{},:\"u\\\\d8c0]{0,24}") {
            if parse(body.as_bytes(), Limits::default(), &mut Vec::new()).is_ok() {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok(), "{}", body);
            }
        }

        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut found = Vec::new();
            let _ = parse(&body, Limits { arguments: 3, ..Limits::default() }, &mut found);
            prop_assert!(found.len() <= 3);
        }
    }
}
