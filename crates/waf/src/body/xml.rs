//! XML bodies: their texts and attribute values. Document types are refused, and with them every entity that is not one
//! of the five or a number.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{BodyError, Limits};

/// What rules see of an XML body.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Document {
    /// All text of the root element, one after the other: the string value of `/*`.
    pub(crate) text: Vec<u8>,
    /// Each text between two tags that is not blank, without the blanks around it.
    pub(crate) texts: Vec<Vec<u8>>,
    /// The value of each attribute (`//@*`), namespaces among them.
    pub(crate) attributes: Vec<Vec<u8>>,
}

/// Adds what `body` holds to `into`.
pub(crate) fn parse(body: &[u8], limits: Limits, into: &mut Document) -> Result<(), BodyError> {
    if body.len() > limits.bytes {
        return Err(BodyError::Bytes(limits.bytes));
    }
    let (text, broken) = match std::str::from_utf8(body) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.valid_up_to();
            let before = std::str::from_utf8(&body[..at]).unwrap_or_default();
            (before, Some(BodyError::Xml { at, what: "this is not UTF-8" }))
        }
    };
    let mut walker =
        Walker { reader: Reader::from_str(text), limits, depth: 0, roots: 0, start: into.text.len(), into };
    let walked = walker.walk();
    walker.end_text().and(broken.map_or(walked, Err))
}

struct Walker<'a, 'b> {
    reader: Reader<&'a [u8]>,
    limits: Limits,
    depth: usize,
    roots: usize,
    /// Where the text since the last tag starts.
    start: usize,
    into: &'b mut Document,
}

impl Walker<'_, '_> {
    fn walk(&mut self) -> Result<(), BodyError> {
        loop {
            let Ok(event) = self.reader.read_event() else { return Err(self.error("this is not well formed")) };
            match event {
                Event::Start(start) => {
                    self.element(&start)?;
                    self.depth += 1;
                }
                Event::Empty(start) => self.element(&start)?,
                Event::End(_) => {
                    self.end_text()?;
                    self.depth = self.depth.saturating_sub(1);
                }
                Event::Text(text) => self.text(&text, text.trim_ascii().is_empty())?,
                Event::CData(text) => self.text(&text, false)?,
                Event::GeneralRef(reference) => {
                    let resolved = resolve(&reference).ok_or_else(|| self.error(UNKNOWN))?;
                    self.text(resolved.encode_utf8(&mut [0; 4]), false)?;
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().transpose().ok().flatten();
                    if self.roots > 0 || encoding.is_some_and(|name| !name.eq_ignore_ascii_case("utf-8")) {
                        return Err(self.error("the declaration names another encoding or does not come first"));
                    }
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err(self.error("a document type is refused")),
                Event::Eof if self.depth > 0 => return Err(self.error("the body ends inside an element")),
                Event::Eof if self.roots == 0 => return Err(self.error("there is no element")),
                Event::Eof => return Ok(()),
            }
        }
    }

    fn element(&mut self, start: &BytesStart<'_>) -> Result<(), BodyError> {
        self.end_text()?;
        self.roots += usize::from(self.depth == 0);
        if self.depth >= self.limits.depth {
            return Err(BodyError::Depth(self.limits.depth));
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| self.error("an attribute is not well formed or stands twice"))?;
            let value = unescape(&attribute.value).ok_or_else(|| self.error(UNKNOWN))?;
            self.count()?;
            self.into.attributes.push(value);
        }
        if self.roots > 1 {
            return Err(self.error("there is more than one root"));
        }
        Ok(())
    }

    fn text(&mut self, text: &str, is_blank: bool) -> Result<(), BodyError> {
        if self.depth > 0 || !is_blank {
            self.into.text.extend_from_slice(text.as_bytes());
        }
        if self.depth == 0 && !is_blank {
            return Err(self.error("text stands outside of the root"));
        }
        Ok(())
    }

    /// The text since the last tag is whole.
    fn end_text(&mut self) -> Result<(), BodyError> {
        let text = self.into.text[self.start..].trim_ascii().to_vec();
        self.start = self.into.text.len();
        if !text.is_empty() {
            self.count()?;
            self.into.texts.push(text);
        }
        Ok(())
    }

    fn count(&self) -> Result<(), BodyError> {
        if self.into.texts.len() + self.into.attributes.len() >= self.limits.arguments {
            return Err(BodyError::Arguments(self.limits.arguments));
        }
        Ok(())
    }

    fn error(&self, what: &'static str) -> BodyError {
        BodyError::Xml { at: self.reader.buffer_position() as usize, what }
    }
}

const UNKNOWN: &str = "an entity that is not one of the five is refused";

/// The character of an entity: its name without `&` and `;`.
fn resolve(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        number => {
            let number = number.strip_prefix('#')?;
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
            // `from_str_radix` would take a sign.
            let clean = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let code = u32::from_str_radix(digits, radix).ok().filter(|code| clean && *code > 0)?;
            char::from_u32(code)
        }
    }
}

fn unescape(value: &str) -> Option<Vec<u8>> {
    let mut parts = value.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';')?;
        plain.push(resolve(name)?);
        plain.push_str(rest);
    }
    Some(plain.into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &[u8]) -> (Document, Option<String>) {
        let mut document = Document::default();
        let error = parse(body, Limits::default(), &mut document).err();
        (document, error.map(|error| error.to_string()))
    }

    fn strings(values: &[Vec<u8>]) -> Vec<&str> {
        values.iter().map(|value| std::str::from_utf8(value).unwrap()).collect()
    }

    #[test]
    fn texts_and_attributes_are_handed_out() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
            <a xmlns="urn:x" b='1 &lt; &#50;'> one <b>t&#x77;o<!-- no --></b><![CDATA[<three>]]> &amp;<c d="4"/></a>"#;
        let (document, error) = read(body);
        assert_eq!(error, None);
        assert_eq!(strings(&document.texts), ["one", "two", "<three> &"]);
        assert_eq!(strings(&document.attributes), ["urn:x", "1 < 2", "4"]);
        assert_eq!(document.text, b" one two<three> &");
    }

    #[test]
    fn a_comment_does_not_split_a_text() {
        assert_eq!(strings(&read(b"<a>sel<!-- x -->ect</a>").0.texts), ["select"]);
    }

    #[test]
    fn what_is_refused_is_named_and_what_came_before_is_seen() {
        let cases: [(&[u8], &str, &[&str]); 12] = [
            (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "document type", &[]),
            (b"<a>one<b>two&x;</b></a>", "entity", &["one", "two"]),
            (b"<a>one</b>", "well formed", &["one"]),
            (b"<a>one</a><b>two</b>", "more than one root", &["one"]),
            (b"<a>one", "inside an element", &["one"]),
            (b"<a>one</a>two", "outside", &["one", "two"]),
            (b"one", "outside", &["one"]),
            (b"<a>one</a>\xff", "UTF-8", &["one"]),
            (b"<?xml version='1.0' encoding='UTF-7'?><a>one</a>", "encoding", &[]),
            (b"<a b='1' b='2'>one</a>", "twice", &[]),
            (b"<a b='&x;'>one</a>", "entity", &[]),
            (b"  ", "no element", &[]),
        ];
        for (body, word, seen) in cases {
            let (document, error) = read(body);
            assert!(error.as_ref().is_some_and(|error| error.contains(word)), "{}: {error:?}", body.escape_ascii());
            assert_eq!(strings(&document.texts), seen, "{}", body.escape_ascii());
        }
        for body in ["&#0;", "&#xd800;", "&#+65;", "&#;", "&;", "& "] {
            assert!(read(format!("<a>{body}</a>").as_bytes()).1.is_some(), "{body}");
            assert!(read(format!("<a b='{body}'/>").as_bytes()).1.is_some(), "{body} in an attribute");
        }
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { depth: 2, arguments: 2, bytes: 30 };
        let read = |body: &[u8]| parse(body, limits, &mut Document::default());
        assert_eq!(read(b"<a><b/></a>"), Ok(()));
        assert_eq!(read(b"<a><b><c/></b></a>"), Err(BodyError::Depth(2)));
        assert_eq!(read(b"<a b='1'>2</a>"), Ok(()));
        assert_eq!(read(b"<a b='1'>2<b/>3</a>"), Err(BodyError::Arguments(2)));
        assert_eq!(read(b"<a>123456789012345678901234</a>"), Err(BodyError::Bytes(30)));
    }

    proptest! {
        #[test]
        fn a_text_comes_back(text in "[ -~äß€\n]{0,40}") {
            let encoded = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;");
            let (document, error) = read(format!("<a b='{encoded}'>{encoded}</a>").as_bytes());
            prop_assert_eq!(error, None);
            prop_assert_eq!(&document.text, text.as_bytes());
            prop_assert_eq!(document.attributes, [text.as_bytes()]);
        }

        #[test]
        fn no_bytes_panic_or_pass_the_limit(body in "[<>/ab='\"&;#x!\\[\\]?C -]{0,60}", noise in proptest::collection::vec(any::<u8>(), 0..9)) {
            let mut document = Document::default();
            let _ = parse(&[body.as_bytes(), &noise].concat(), Limits { arguments: 3, ..Limits::default() }, &mut document);
            prop_assert!(document.texts.len() + document.attributes.len() <= 3);
        }
    }
}
