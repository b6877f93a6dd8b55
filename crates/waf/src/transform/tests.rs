use super::*;
use proptest::prelude::*;

#[rustfmt::skip]
const CASES: &[(Transform, &[u8], &[u8])] = {
    use Transform::{
        Base64Decode, Base64DecodeExt, Base64Encode, CmdLine, CompressWhitespace, CssDecode, EscapeSeqDecode, HexDecode,
        HexEncode, HtmlEntityDecode, JsDecode, Length, Lowercase, Md5, NormalizePath, NormalizePathWin, ParityEven7bit,
        ParityOdd7bit, ParityZero7bit, RemoveComments, RemoveCommentsChar, RemoveNulls, RemoveWhitespace,
        ReplaceComments, ReplaceNulls, Sha1, SqlHexDecode, Trim, TrimLeft, TrimRight, Uppercase, UrlDecode,
        UrlDecodeUni, UrlEncode, Utf8ToUnicode,
    };
    &[
        (Base64Decode, b"bGV0dGVy", b"letter"),
        (Base64Decode, b"bGV0dGVycw==", b"letters"),
        (Base64Decode, b"bGV0\r\ndGVycw", b"letters"),
        (Base64Decode, b"bGV0!dGVy", b"let"),
        (Base64Decode, b"!", b""),
        (Base64Decode, b"A", b""),
        (Base64DecodeExt, b"bG-V0.!d GVycw==", b"letters"),
        (Base64Encode, b"a", b"YQ=="),
        (Base64Encode, b"ab", b"YWI="),
        (Base64Encode, b"abc\xFF\xFE", b"YWJj//4="),
        (CmdLine, b"C^OMMAND /C DIR", b"command/c dir"),
        (CmdLine, b"\"cat\" 'x',;\t (y)", b"cat x(y)"),
        (CmdLine, b"w\\g\"\"et  ;  http", b"wget http"),
        (CmdLine, b" \"/etc", b"/etc"),
        (CompressWhitespace, b" a \t\r\n\x0b\x0c\xA0 b ", b" a b "),
        (CompressWhitespace, b"a\tb", b"a b"),
        (CompressWhitespace, b"a  ", b"a "),
        (CssDecode, b"\\73\\63 ript\\3a", b"script:"),
        (CssDecode, b"\\000073cript", b"script"),
        (CssDecode, b"\\ff21\\0FF41 \\00fF5e.", b"Aa~."),
        (CssDecode, b"\\10ff21", b"!"),
        (CssDecode, b"ja\\\nva\\script\\", b"javascript"),
        (CssDecode, b"\\7", b"\x07"),
        (CssDecode, b"\\141 b", b"\x41b"),
        (EscapeSeqDecode, b"\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\'\\\"", b"\x07\x08\x0c\n\r\t\x0b\\?'\""),
        (EscapeSeqDecode, b"\\x41\\X4a\\xzz", b"AJxzz"),
        (EscapeSeqDecode, b"\\101\\60\\0\\777\\8", b"A0\0\xFF8"),
        (EscapeSeqDecode, b"c\\at\\", b"c\x07t\\"),
        (HexDecode, b"6c65747465724", b"letter"),
        (HexDecode, b"FFfe", b"\xFF\xFE"),
        (HexEncode, b"\x00\xABz", b"00ab7a"),
        (HtmlEntityDecode, b"&lt;&GT;&quot;&Amp;&nbsp;", b"<>\"&\xA0"),
        (HtmlEntityDecode, b"&lt b&gt", b"< b>"),
        (HtmlEntityDecode, b"&#x61;&#X62&#99;&#100e", b"abcde"),
        (HtmlEntityDecode, b"&#x161;", b"a"),
        (HtmlEntityDecode, b"&#x;&#;&# &;&ltx;&eacute;&", b"&#x;&#;&# &;&ltx;&eacute;&"),
        (HtmlEntityDecode, b"&#99999999999999999999999;", b"\xFF"),
        (HtmlEntityDecode, b"&#&lt;", b"&#<"),
        (JsDecode, b"\\u0061\\u0162\\uFF1c\\uff5E\\uff5f", b"ab<~_"),
        (JsDecode, b"\\x3cscript\\x3E", b"<script>"),
        (JsDecode, b"\\101\\7\\377\\400\\88", b"A\x07\xFF\x20088"),
        (JsDecode, b"\\a\\b\\f\\n\\r\\t\\v\\'\\\"\\\\\\q", b"\x07\x08\x0c\n\r\t\x0b'\"\\q"),
        (JsDecode, b"\\u12\\x1\\", b"u12x1\\"),
        (Length, b"", b"0"),
        (Length, b"letterkeep \xFF", b"12"),
        (Lowercase, b"SeLeCT \xC4", b"select \xC4"),
        (Uppercase, b"SeLeCT \xE4", b"SELECT \xE4"),
        (Md5, b"", b"\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e"),
        (Sha1, b"abc", b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"),
        (NormalizePath, b"/a/./b/../c//d", b"/a/c/d"),
        (NormalizePath, b"/a/b/../../../etc/passwd", b"/etc/passwd"),
        (NormalizePath, b"../../etc", b"../../etc"),
        (NormalizePath, b"dir/foo//bar/..", b"dir/foo"),
        (NormalizePath, b"dir/../../foo", b"../foo"),
        (NormalizePath, b"./a/", b"a/"),
        (NormalizePath, b"/..", b""),
        (NormalizePath, b"/a/..", b""),
        (NormalizePath, b"/a/../", b"/"),
        (NormalizePath, b".", b""),
        (NormalizePath, b"//", b"/"),
        (NormalizePath, b"/a/.hidden/..b", b"/a/.hidden/..b"),
        (NormalizePath, b"a\\..\\b", b"a\\..\\b"),
        (NormalizePathWin, b"a\\..\\b", b"b"),
        (NormalizePathWin, b"\\windows\\.\\/win.ini", b"/windows/win.ini"),
        (NormalizePathWin, b"a\\\\\\b", b"a/b"),
        (ParityEven7bit, b"\x01\x03\x81", b"\x81\x03\x01"),
        (ParityOdd7bit, b"\x83\x03", b"\x03\x83"),
        (ParityZero7bit, b"\xE1b", b"ab"),
        (RemoveComments, b"a/* b */c<!-- d -->e", b"ace"),
        (RemoveComments, b"1 union-- x", b"1 union"),
        (RemoveComments, b"1 # x", b"1 "),
        (RemoveComments, b"a /* open", b"a  "),
        (RemoveComments, b"a/*b*/", b"a"),
        (RemoveCommentsChar, b"a/*b*/c<!--d-->e--f#g", b"abcdefg"),
        (RemoveCommentsChar, b"a-/-b<!-", b"a-/-b<!-"),
        (RemoveNulls, b"se\0le\0\0ct", b"select"),
        (ReplaceNulls, b"a\0b", b"a b"),
        (RemoveWhitespace, b" a\tb\x0b\xC2\xA0c\n", b"abc"),
        (ReplaceComments, b"un/**/ion/* x */select/* open", b"un ion select "),
        (ReplaceComments, b"a/*/b*/c*/", b"a c*/"),
        (SqlHexDecode, b"select 0x414243, 0X6a6", b"select ABC, j6"),
        (SqlHexDecode, b"0xg 00x41", b"0xg 0A"),
        (Trim, b" \x0b a b \n", b"a b"),
        (TrimLeft, b"  a ", b"a "),
        (TrimRight, b"  a ", b"  a"),
        (Trim, b" \t ", b""),
        (UrlDecode, b"a+b%20c%4a%u0041%zz%4", b"a b cJ%u0041%zz%4"),
        (UrlDecodeUni, b"%u0061%U0162%uff1c%uFF5E%uff5f+%20", b"ab<~_  "),
        (UrlDecodeUni, b"%u00zz%u1%2%%41%", b"%u00zz%u1%2%A%"),
        (UrlEncode, b"a b*c/\xFF", b"a+b*c%2f%ff"),
        (Utf8ToUnicode, b"a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", b"a%u00e4%u20ac%u1f600"),
        (Utf8ToUnicode, b"\xC0\xBCscript", b"%u003c\xC0script"),
        (Utf8ToUnicode, b"a\xC3b\x80\xFFc\xE2\x82", b"ab\x80\xFFc\x82"),
        (Utf8ToUnicode, b"\xED\xA0\x80se\0lect", b"%ud800\xEDselect"),
        (Utf8ToUnicode, b"\xF5\x80\x80\x80", b"\xF5%u140000"),
    ]
};

fn all() -> impl Iterator<Item = Transform> {
    NAMES.iter().map(|&(_, transform)| transform)
}

#[test]
fn each_transformation_does_what_its_table_says() {
    for (transform, value, expected) in CASES {
        let got = transform.apply(value);
        assert!(
            *got == **expected,
            "{transform:?} of \"{}\" is \"{}\", not \"{}\"",
            value.escape_ascii(),
            got.escape_ascii(),
            expected.escape_ascii()
        );
        if *value == *expected {
            assert!(matches!(got, Cow::Borrowed(_)), "{transform:?} copied what it did not change");
        }
    }
    for transform in all() {
        assert!(CASES.iter().any(|(tried, ..)| *tried == transform), "no case for {transform:?}");
    }
}

#[test]
fn names_are_known_in_any_case_and_others_are_not() {
    assert_eq!(Transform::named("urldecodeuni"), Some(Transform::UrlDecodeUni));
    assert_eq!(Transform::named("UTF8TOUNICODE"), Some(Transform::Utf8ToUnicode));
    assert_eq!(Transform::named("normalisePathWin"), Some(Transform::NormalizePathWin));
    for unknown in ["none", "", "urlDecodeUn", "urlDecodeUnix", "compress_whitespace"] {
        assert_eq!(Transform::named(unknown), None);
    }
}

#[test]
fn what_is_trimmed_is_a_part_of_the_value() {
    assert!(matches!(Transform::Trim.apply(b" a "), Cow::Borrowed(b"a")));
}

#[test]
fn a_long_run_of_comments_takes_time_in_proportion() {
    // Two megabytes: a search that began anew at each comment would not come back.
    for text in ["/**/x".repeat(400_000), "/*".repeat(1_000_000), "<!---->".repeat(300_000)] {
        for transform in all() {
            transform.apply(text.as_bytes());
        }
    }
}

/// Bytes that look like what transformations look for, which plain chance would not hit.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => any::<u8>().prop_map(|byte| vec![byte]),
        6 => proptest::sample::select(&b"%+u\\x0fF&#;./-*<!> \t\"'^,;(aZ79\0=\xA0\xC2\xE2\x82"[..]).prop_map(|byte| vec![byte]),
        1 => proptest::sample::select(vec!["%u", "\\u00", "&#x", "&lt;", "/*", "*/", "<!--", "-->", "../", "/./", "0x4"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics_and_without_a_trigger_nothing_changes(value in value()) {
        let present = ByteSet::of(&value);
        for transform in all() {
            let got = transform.apply(&value);
            if let Some(triggers) = transform.triggers() && !triggers.intersects(&present) {
                prop_assert!(*got == *value, "{:?} changed {:?}", transform, value);
            }
            if *got == *value {
                prop_assert!(matches!(got, Cow::Borrowed(_)));
            }
        }
    }

    #[test]
    fn what_leaves_nothing_to_do_does_nothing_again(value in value()) {
        for transform in [
            Transform::CompressWhitespace, Transform::Lowercase, Transform::Uppercase, Transform::RemoveNulls,
            Transform::ReplaceNulls, Transform::RemoveWhitespace, Transform::Trim, Transform::TrimLeft,
            Transform::TrimRight, Transform::ParityZero7bit,
        ] {
            let once = transform.apply(&value);
            prop_assert_eq!(&*transform.apply(&once), &*once, "{:?}", transform);
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_itself(value in proptest::collection::vec(any::<u8>(), 0..60)) {
        for (encode, decode) in [
            (Transform::Base64Encode, Transform::Base64Decode),
            (Transform::Base64Encode, Transform::Base64DecodeExt),
            (Transform::HexEncode, Transform::HexDecode),
            (Transform::UrlEncode, Transform::UrlDecode),
            (Transform::UrlEncode, Transform::UrlDecodeUni),
        ] {
            let encoded = encode.apply(&value);
            prop_assert_eq!(&*decode.apply(&encoded), &*value);
        }
    }
}
