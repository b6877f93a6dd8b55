mod crs;
mod patterns;
mod requirements;

use super::*;
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Shelf(HashMap<&'static str, &'static str>);

impl Files for Shelf {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self.0.get(name).map(|content| content.as_bytes().to_vec()).ok_or_else(|| "it does not exist".to_owned())
    }
}

fn shelf() -> Shelf {
    Shelf(HashMap::from([
        ("words.data", "# comment\nselect from\r\n\n  # another\nSleep(\n"),
        ("more.data", "|bar|\n"),
        ("empty.data", "# nothing\n"),
        ("addresses.data", "# ours\n10.0.0.0/8\n2001:db8::1, 192.0.2.7\n"),
    ]))
}

pub(super) fn kind(name: &str, argument: &str) -> Kind {
    parse(name, argument, &shelf()).unwrap_or_else(|error| panic!("@{name} {argument}: {error}"))
}

fn span(name: &str, argument: &str, value: &[u8]) -> Option<(usize, usize)> {
    let mut captures = Captures::default();
    captures.want_groups(true);
    let matched = kind(name, argument).evaluate(value, b"", &mut captures);
    assert_eq!(matched, captures.span().is_some(), "@{name} {argument}");
    captures.span()
}

#[expect(clippy::type_complexity, reason = "it is a table")]
#[test]
fn each_operator_matches_what_it_should_and_nothing_else() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &[u8], Option<(usize, usize)>)] = &[
        ("pm", "union select", b"a SELECT b", Some((2, 8))),
        ("pm", "union select", b"a sel ect b", None),
        ("pm", "A|7C 42|C", b"xa|bc", Some((1, 5))),
        ("pm", "a|b", b"A|B", Some((0, 3))),
        ("pm", "\u{c4}", "\u{e4}\u{c4}".as_bytes(), Some((2, 4))),
        ("pmFromFile", "words.data", b"SELECT FROM x", Some((0, 11))),
        ("pmf", "words.data more.data", b"x |BAR|", Some((2, 7))),
        ("pmFromFile", "words.data", b"# comment", None),
        ("eq", "3", b" +3x", Some((0, 4))),
        ("eq", "0", b"letters", Some((0, 7))),
        ("eq", "0", b"", Some((0, 0))),
        ("gt", "9", b"10", Some((0, 2))),
        ("gt", "-1", b"-2", None),
        ("ge", "9", b"9", Some((0, 1))),
        ("le", "9", b"10", None),
        ("lt", "5", b"99999999999999999999", None),
        ("lt", "5", b"-99999999999999999999", Some((0, 21))),
        ("streq", "GET", b"GET", Some((0, 3))),
        ("streq", "GET", b"get", None),
        ("strmatch", "b", b"abc", Some((1, 2))),
        ("contains", "b", b"abc", Some((1, 2))),
        ("contains", "B", b"abc", None),
        ("containsWord", "cat", b"concat cat9", Some((7, 10))),
        ("containsWord", "cat", b"concats", None),
        ("containsWord", "cat", b"cat", Some((0, 3))),
        ("beginsWith", "/a", b"/ab", Some((0, 2))),
        ("beginsWith", "/a", b"x/a", None),
        ("endsWith", ".php", b"/a.php", Some((2, 6))),
        ("endsWith", ".php", b"php", None),
        ("within", "GET POST", b"POST", Some((0, 4))),
        ("within", "GET POST", b"post", None),
        ("within", "GET POST", b"", Some((0, 0))),
        ("ipMatch", "10.0.0.0/8,::1", b"10.200.3.4", Some((0, 10))),
        ("ipMatch", "10.0.0.0/8,::1", b"::ffff:10.1.1.1", Some((0, 15))),
        ("ipMatch", "10.0.0.0/8,::1", b"11.0.0.1", None),
        ("ipMatch", "10.0.0.0/8,::1", b"::1", Some((0, 3))),
        ("ipMatch", "0.0.0.0/0", b"::1", None),
        ("ipMatch", "::/0", b"2001:db8::", Some((0, 10))),
        ("ipMatch", "10.0.0.0/8", b"letters", None),
        ("ipMatchFromFile", "addresses.data", b"192.0.2.7", Some((0, 9))),
        ("ipMatchF", "addresses.data", b"192.0.2.8", None),
        ("validateByteRange", "9,10,13,32-126", b"ab\x80c", Some((2, 3))),
        ("validateByteRange", "9,10,13,32-126", b"a\tb~", None),
        ("validateUrlEncoding", "", b"a%20b%2", Some((5, 7))),
        ("validateUrlEncoding", "", b"%zz%20", Some((0, 3))),
        ("validateUrlEncoding", "", b"%20%fF", None),
        ("validateUtf8Encoding", "", b"a\xC3\xA4\xC0\xAF", Some((3, 4))),
        ("validateUtf8Encoding", "", b"\xED\xA0\x80", Some((0, 1))),
        ("validateUtf8Encoding", "", "a\u{e4}\u{1f600}".as_bytes(), None),
        ("detectSQLi", "", b"1' OR '1'='1", Some((0, 12))),
        ("detectSQLi", "", b"a friendly letter", None),
        ("detectSQLi", "", b"a' iNTO dumpfile 'x", Some((0, 19))),
        ("detectSQLi", "", b"a' into outfile 'x", Some((0, 18))),
        ("detectXSS", "", b"<script>alert(1)</script>", Some((0, 25))),
        ("detectXSS", "", b"a < b", None),
        ("unconditionalMatch", "", b"", Some((0, 0))),
        ("noMatch", "", b"x", None),
    ];
    for (name, argument, value, expected) in cases {
        assert_eq!(span(name, argument, value), *expected, "@{name} {argument} on \"{}\"", value.escape_ascii());
        assert_eq!(span(&name.to_uppercase(), argument, value), *expected);
    }
}

#[test]
fn what_cannot_work_is_refused_in_words() {
    for (name, argument, words) in [
        ("rxx", "a", "the operator @rxx is not known"),
        ("rbl", "x", "the operator @rbl is not supported: it would ask a name server for every request"),
        ("geolookup", "", "@geoLookup is not supported"),
        ("rxGlobal", "a", "is not supported"),
        ("rx", "(a", "a group has no end"),
        ("rx", "%{tx.a}(", "a group has no end"),
        ("pm", " ", "nothing to look for"),
        ("pmFromFile", "absent.data", "the file absent.data cannot be read: it does not exist"),
        ("pmFromFile", "words.data absent.data", "the file absent.data"),
        ("pmFromFile", "empty.data", "nothing to look for"),
        ("ipMatch", "10.0.0.0/33", "\"10.0.0.0/33\" is no address"),
        ("ipMatch", "example.org", "is no address"),
        ("ipMatch", "", "lists no address"),
        ("ipMatchFromFile", "words.data", "is no address"),
        ("validateByteRange", "1-256", "\"1-256\" is no range"),
        ("validateByteRange", "9-1", "\"9-1\" is no range"),
        ("validateByteRange", "", "is no range"),
    ] {
        let error = parse(name, argument, &shelf()).err().unwrap_or_else(|| panic!("@{name} {argument} was taken"));
        assert!(error.to_string().contains(words), "@{name} {argument}: {error}");
    }
}

#[test]
fn macros_are_taken_where_they_can_be_expanded() {
    let mut captures = Captures::default();
    let within = kind("within", "%{tx.allowed_methods}");
    assert!(within.takes_macro());
    assert!(within.evaluate(b"PUT", b"GET PUT", &mut captures));
    assert!(!within.evaluate(b"PUT", b"GET POST", &mut captures));

    let gt = kind("gt", "%{tx.limit}");
    assert!(gt.evaluate(b"300", b"200", &mut captures) && !gt.evaluate(b"300", b"400", &mut captures));

    let rx = kind("rx", "^%{tx.charset}$");
    assert!(rx.takes_macro());
    assert!(rx.evaluate(b"utf-8", b"^utf-8|latin1$", &mut captures));
    assert!(!rx.evaluate(b"utf-7", b"^utf-8|latin1$", &mut captures));
    assert!(!captures.gave_up());
    assert!(!rx.evaluate(b"utf-7", b"^(utf-7$", &mut captures));
    assert!(captures.gave_up(), "nobody was told that the expanded pattern is none");
    assert!(!captures.gave_up(), "it is told once");

    // A fixed argument does not depend on what the caller hands in.
    assert!(!kind("streq", "a").takes_macro());
    assert!(kind("streq", "a").evaluate(b"a", b"b", &mut captures));
}

#[test]
fn the_fingerprint_of_an_injection_is_its_first_capture() {
    let mut captures = Captures::default();
    captures.want_groups(true);
    let value = b"1' OR '1'='1";
    assert!(kind("detectSQLi", "").evaluate(value, b"", &mut captures));
    assert_eq!(captures.group(0, value), Some(&b"s&sos"[..]));
    assert_eq!(captures.span(), Some((0, value.len())));
    // The next call leaves nothing of it.
    assert!(kind("contains", "OR").evaluate(value, b"", &mut captures));
    assert_eq!(captures.group(0, value), Some(&b"OR"[..]));
    assert!(!kind("contains", "AND").evaluate(value, b"", &mut captures));
    assert_eq!(captures.group(0, value), None);
}
