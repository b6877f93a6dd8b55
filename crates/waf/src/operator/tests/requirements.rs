//! A gate may only ever say "cannot match".

use super::*;
use proptest::prelude::*;

/// Whether the gates let a value through, all of them.
pub(super) fn admits(requirement: &Requirement, value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |texts: &Vec<Vec<u8>>| texts.iter().any(|text| memchr::memmem::find(&lower, text).is_some());
    requirement.clone().into_gate().admits(value.len(), &ByteSet::of(value))
        && requirement.literals.as_ref().is_none_or(holds)
}

#[test]
fn requirements_say_what_a_pattern_cannot_do_without() {
    let literals = |pattern: &str| {
        let texts = kind("rx", pattern).requirement().literals.unwrap_or_default();
        texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(literals("(?i)UNION.*select"), "select");
    assert_eq!(literals("(?:foo|bar)+x?"), "bar foo");
    assert_eq!(literals(r"\d+(?:eval|exec)\("), "eval( exec(");
    assert_eq!(literals("ab?c"), "abc ac");
    assert_eq!(literals("(?:foo|[^a])"), "");
    assert_eq!(literals("(?!foo)barb"), "barb");
    assert_eq!(literals("a*"), "");

    let requirement = kind("rx", r"<script[^>]*>\s").requirement();
    assert_eq!(requirement.min_len, 9);
    assert!(
        !requirement.clone().into_gate().admits(20, &ByteSet::of(b"script>\t"))
            && !requirement.clone().into_gate().admits(20, &ByteSet::of(b"<script>"))
    );
    assert!(
        requirement.clone().into_gate().admits(9, &ByteSet::of(b"<script> "))
            && !requirement.clone().into_gate().admits(8, &ByteSet::of(b"<script> "))
    );
    assert_eq!(kind("rx", "").requirement(), Requirement::none());
    assert_eq!(kind("within", "a b").requirement(), Requirement::none());
    assert_eq!(kind("streq", "%{tx.a}").requirement(), Requirement::none());
    assert_eq!(kind("streq", "").requirement().min_len, 0);
}

const KINDS: &[(&str, &str)] = &[
    ("rx", "(?i)union\\s+(?:all\\s+)?select|sleep\\("),
    ("rx", "^[a-f]+$"),
    ("rx", "\\b(?:cat|dog)s?\\b"),
    ("rx", "(?:^|[^a-z])(x{2,3}|yz)+"),
    ("rx", "[^\\x00-\\x7f]a"),
    ("rx", "(?<!&)#[a-f](?=;)"),
    ("rx", "(\\d)\\1"),
    ("rx", "a*+b|c"),
    ("rx", "(?:a|)b?"),
    ("rx", "$"),
    ("rx", "[Kk]s"),
    ("rx", "a{0}bc"),
    ("pm", "cat union a"),
    ("streq", "cat"),
    ("contains", "ats"),
    ("containsWord", "cat"),
    ("beginsWith", "ca"),
    ("endsWith", "s"),
    ("within", "cats and dogs"),
    ("validateByteRange", "32-126"),
    ("validateUrlEncoding", ""),
    ("validateUtf8Encoding", ""),
    ("detectSQLi", ""),
    ("detectXSS", ""),
    ("eq", "0"),
    ("noMatch", ""),
    ("unconditionalMatch", ""),
    ("ipMatch", "::/0"),
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::sample::select(vec![
        "union",
        "UNION",
        " ",
        "select",
        "Sleep(",
        "cat",
        "Cats",
        "dog",
        "x",
        "xx",
        "yz",
        "a",
        "b",
        "c",
        "f",
        "\u{e4}",
        "&",
        "#",
        ";",
        "1",
        "11",
        "\n",
        "k",
        "K",
        "s",
        "%",
        "%2",
        "'",
        "\"",
        "or",
        "1=1",
        "--",
        "<",
        ">",
        "=",
        "onerror",
        "script",
        "javascript:",
        "::1",
        "0",
    ]);
    proptest::collection::vec(
        prop_oneof![9 => pieces.prop_map(|text| text.as_bytes().to_vec()), 1 => any::<u8>().prop_map(|byte| vec![byte])],
        0..6,
    )
    .prop_map(|pieces| pieces.concat())
}

#[test]
fn the_gates_stop_something_and_let_something_through() {
    for (name, argument) in KINDS {
        let kind = kind(name, argument);
        let requirement = kind.requirement();
        let none =
            [("rx", "$"), ("rx", "(?:a|)b?"), ("within", ""), ("eq", ""), ("unconditionalMatch", ""), ("ipMatch", "")]
                .iter()
                .any(|(n, a)| n == name && (*name != "rx" || a == argument));
        assert_eq!(requirement == Requirement::none(), none, "@{name} {argument}: {requirement:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_a_gate_stops_would_not_have_matched(value in value()) {
        let mut captures = Captures::default();
        captures.want_groups(true);
        thread_local!(static ALL: Vec<(Kind, Requirement)> = KINDS
            .iter()
            .map(|(name, argument)| kind(name, argument))
            .map(|kind| { let requirement = kind.requirement(); (kind, requirement) })
            .collect());
        ALL.with(|all| {
            for ((kind, requirement), name) in all.iter().zip(KINDS) {
                if !admits(requirement, &value) {
                    prop_assert!(!kind.evaluate(&value, b"", &mut captures), "{:?} on {:?}", name, value.escape_ascii());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn letters_alone_are_no_injection(value in "[A-Za-z_]{0,40}", other in "[^<=]{0,40}") {
        prop_assert!(!kind("detectSQLi", "").evaluate(value.as_bytes(), b"", &mut Captures::default()));
        prop_assert!(!kind("detectXSS", "").evaluate(other.as_bytes(), b"", &mut Captures::default()));
    }
}
