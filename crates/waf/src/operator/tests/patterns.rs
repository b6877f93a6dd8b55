//! The meaning of PCRE.

use super::*;

fn find(pattern: &str, value: &[u8]) -> Option<Vec<Option<(usize, usize)>>> {
    let mut captures = Captures::default();
    captures.want_groups(true);
    kind("rx", pattern)
        .evaluate(value, b"", &mut captures)
        .then(|| (0..Captures::GROUPS).map(|group| captures.group_span(group)).collect())
}

#[expect(clippy::type_complexity, reason = "it is a table")]
#[test]
fn patterns_match_as_pcre_has_them() {
    #[rustfmt::skip]
    let cases: &[(&str, &[u8], Option<(usize, usize)>)] = &[
        // The dot takes newlines, the anchors take lines.
        ("a.b", b"a\nb", Some((0, 3))),
        ("^b$", b"a\nb\nc", Some((2, 3))),
        ("(?-s)a.b", b"a\nb", None),
        (r"\Ab", b"a\nb", None),
        (r"a\z", b"a\nb", None),
        (r"b\Z", b"a\nb\n", Some((2, 3))),
        ("(?-m)b$", b"a\nb\n", Some((2, 3))),
        ("(?-m)a$", b"a\nb", None),
        ("", b"x", Some((0, 0))),
        // Classes are of ASCII and of bytes.
        (r"\s", b"\x0b", Some((0, 1))),
        (r"\h+", b"a\xA0\t ", Some((1, 4))),
        (r"\v", b"a\x85", Some((1, 2))),
        (r"\w+", b"\xE4ab_9\xC3", Some((1, 5))),
        (r"^\W$", b"\xE4", Some((0, 1))),
        (r"\xe4", b"\xE4", Some((0, 1))),
        (r"\x{e4}\x{2F}", b"\xE4/", Some((0, 2))),
        (r"[^\x00-\x7f]", b"a\xFF", Some((1, 2))),
        (r"[\x80-\xff]+", b"a\xC3\xA4b", Some((1, 3))),
        ("\u{e4}", "\u{e4}".as_bytes(), Some((0, 2))),
        ("[\u{e4}]", b"\xC3", Some((0, 1))),
        (r"\bcat\b", b"\xE4cat\xE4", Some((1, 4))),
        (r"\Bat", b"cat at", Some((1, 3))),
        // Case folding is of ASCII.
        ("(?i)k", "\u{212a}".as_bytes(), None),
        ("(?i)sElecT", b"SELECT", Some((0, 6))),
        ("(?i)[^a]", b"A", None),
        ("(?i)[k-m]", b"L", Some((0, 1))),
        ("(?i)\u{e4}", "\u{c4}".as_bytes(), None),
        ("a(?i)b|c", b"C", Some((0, 1))),
        ("(?:(?i)a)b", b"AB", None),
        ("(?i:a)b", b"Ab", Some((0, 2))),
        ("(?i)a(?-i:b)", b"AB", None),
        // Brackets and braces that stand for themselves.
        ("a{b}", b"a{b}", Some((0, 4))),
        ("a{,2}", b"a{,2}", Some((0, 5))),
        ("a{2}", b"aaa", Some((0, 2))),
        ("a{2,}", b"aaa", Some((0, 3))),
        ("a{1,2}?", b"aaa", Some((0, 1))),
        ("a]}", b"a]}", Some((0, 3))),
        ("[]a]+", b"]a", Some((0, 2))),
        ("[^]a]", b"]a", None),
        ("[[a]+", b"[a", Some((0, 2))),
        ("[a&&b]+", b"&b", Some((0, 2))),
        ("[a-]", b"-", Some((0, 1))),
        (r"[\w-.]+", b"a-.", Some((0, 3))),
        (r"[a-\d]+", b"a-5", Some((0, 3))),
        ("[[:alpha:]_]+", b"1aB_", Some((1, 4))),
        ("[[:^digit:]]", b"1a", Some((1, 2))),
        ("[:a]", b":", Some((0, 1))),
        ("[a [=<>]+", b"<[=", Some((0, 3))),
        ("[[:a]", b"[", Some((0, 1))),
        (r"[\b]", b"\x08", Some((0, 1))),
        // Escapes.
        (r#"\/\'\"\-\#\,\_\ \<"#, b"/'\"-#,_ <", Some((0, 9))),
        (r"\Q.*\Ea", b".*a", Some((0, 3))),
        (r"[\Q^]\E]+", b"^]", Some((0, 2))),
        (r"\t\n\r\f\a\e\cA", b"\t\n\r\x0c\x07\x1b\x01", Some((0, 7))),
        (r"\0\012\101", b"\0\nA", Some((0, 3))),
        (r"[\0-\x1f]", b"\x10", Some((0, 1))),
        (r"\N", b"\na", Some((1, 2))),
        ("(?#comment)a", b"a", Some((0, 1))),
        ("(?x) a  b # comment\n c", b"abc", Some((0, 3))),
        // What needs backtracking.
        ("a(?=b)", b"ac ab", Some((3, 4))),
        ("a(?!b)", b"ab ac", Some((3, 4))),
        ("(?<=\x20)b", b"ab b", Some((3, 4))),
        ("(?<!a)b", b"ab\xFFb", Some((3, 4))),
        (r"(a|b)\1", b"ab\xE4bb", Some((3, 5))),
        (r"(?i)(a)\1", b"aA", Some((0, 2))),
        ("a++a", b"aaa", None),
        ("(?>a|ab)c", b"abc", None),
        ("a*+b", b"aab", Some((0, 3))),
        (r"\b(?!xml)\w+", b"xml \xE4xmas", Some((5, 9))),
        ("(?!x)^$", b"a\n", None),
        // There is no line behind a newline that ends the value, but one before it.
        ("^0?$", b"a\n", None),
        ("(^|x)[a-z]*$", b"A\n", None),
        ("^0?$", b"a\n0\n", Some((2, 3))),
        ("^$", b"a\n\n", Some((2, 2))),
        ("^$", b"", Some((0, 0))),
        ("a\n^b?", b"a\n", None),
        (r"\R", b"a\r\n", Some((1, 3))),
    ];
    for (pattern, value, expected) in cases {
        let got = find(pattern, value).map(|spans| spans[0].expect("a match has a span"));
        assert_eq!(got, *expected, "{pattern} on \"{}\"", value.escape_ascii());
    }
}

#[test]
fn groups_are_where_they_are_in_the_bytes() {
    for pattern in ["(\\w+)=(?:x|(y))(z?)", "(\\w+)=(?:x|(y))(z?)(?!q)"] {
        let spans = find(pattern, b"\xE4\xE4ab=x").expect("it matches");
        assert_eq!(spans[..5], [Some((2, 6)), Some((2, 4)), None, Some((6, 6)), None], "{pattern}");
    }
    let spans = find(&"(a)".repeat(12), b"aaaaaaaaaaaa").expect("it matches");
    assert_eq!(spans[9], Some((8, 9)), "ten are kept");
    // Without `capture` only the span is looked for.
    let mut captures = Captures::default();
    assert!(kind("rx", "(a)b").evaluate(b"ab", b"", &mut captures));
    assert_eq!((captures.group_span(0), captures.group_span(1)), (Some((0, 2)), None));
}

#[test]
fn what_is_not_understood_is_refused() {
    for pattern in [
        "(",
        ")",
        "[a",
        "a**",
        "*a",
        "+",
        "?",
        "{2}",
        "a|*",
        "(?",
        "(?q)",
        "(?|a)",
        "(?R)",
        "(?1)",
        "(*UTF)a",
        r"\y",
        r"\p{L}",
        r"\X",
        r"\K",
        r"\G",
        r"\g1",
        r"[\y]",
        "[z-a]",
        r"[\x{100}]",
        r"\x{100}",
        r"\",
        r"[\",
        "[[:foo:]]",
        "[[.a.]]",
        r"\1",
        r"\12",
        "(?<n",
        "(?#",
        r"\400",
        r"\x{zz}",
        r"\c",
        "(?U)a",
    ] {
        assert!(parse("rx", pattern, &Shelf::default()).is_err(), "{pattern} was taken");
    }
    let deep = "(".repeat(5000) + &")".repeat(5000);
    assert!(parse("rx", &deep, &Shelf::default()).is_err());
    assert!(parse("rx", "(?:a{1000}){1000}", &Shelf::default()).is_err(), "a pattern without bound was taken");
}

#[test]
fn a_pattern_that_would_never_end_gives_up_and_says_so() {
    let mut captures = Captures::default();
    let pattern = kind("rx", r"^(?:(a+)+)+(?!b)$(?<=c)|\1c");
    assert!(!pattern.evaluate(&b"a".repeat(60), b"", &mut captures), "nothing of it matches");
    assert!(captures.gave_up());
    assert!(!pattern.evaluate(b"x", b"", &mut captures));
    assert!(!captures.gave_up());
}
