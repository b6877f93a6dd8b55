use proptest::prelude::*;

use super::super::{pairs, texts};
use super::*;

const TYPE: &[u8] = b"multipart/form-data; boundary=xyz";

fn read(body: &str) -> Form {
    read_with(body.replace('\n', "\r\n").as_bytes(), Limits::default())
}

fn read_with(body: &[u8], limits: Limits) -> Form {
    let mut parser = Multipart::new(TYPE, limits);
    let _ = parser.push(body);
    parser.finish()
}

const GOOD: &str = "--xyz
Content-Disposition: form-data; name=\"a\"

one
two

--xyz
content-disposition: form-data; name=\"f\"; filename=\"n.txt\"
Content-Type: text/plain

12345
7
--xyz
Content-Disposition: form-data; name=\"empty\"; filename=\"\"


--xyz--
";

#[test]
fn fields_are_kept_and_files_counted() {
    let form = read(GOOD);
    assert_eq!(form.error, None);
    assert_eq!(texts(&form.fields), pairs(&[("a", "one\\r\\ntwo\\r\\n"), ("empty", "")]));
    assert_eq!(form.files, [File { field: b"f".to_vec(), name: b"n.txt".to_vec(), size: 8 }]);
    assert_eq!(form.files_size(), 8);
    assert_eq!(form.names, [&b"a"[..], b"f", b"empty"]);
    assert_eq!(form.file_names, [&b"n.txt"[..], b""]);
    assert_eq!(form.flags, Flags { crlf_line: true, ..Flags::default() });
    assert!(!form.flags.strict_error());
    let headers = texts(&form.headers);
    assert_eq!(headers[2], ("f".to_owned(), "Content-Type: text/plain".to_owned()));
    assert_eq!(headers.len(), 4);
}

#[test]
fn the_last_line_may_lack_its_end() {
    assert_eq!(read(GOOD.trim_end()), read(GOOD));
}

#[test]
fn what_parsers_read_differently_is_refused_and_still_seen() {
    let part = |head: &str| format!("--xyz\n{head}\n\nvalue\n--xyz--\n");
    let name = "Content-Disposition: form-data; name=\"a\"";
    let cases = [
        (part("Content-Type: text/plain"), "no Content-Disposition"),
        (part(&format!("{name}; name=\"b\"")), "named twice"),
        (part(&format!("{name}; filename*=utf-8''x")), "besides name"),
        (part(&format!("{name}\n{name}")), "a header twice"),
        (part(&format!("{name}\n continued")), "folded"),
        (part(&format!("{name}\nno colon")), "no proper name"),
        (part(&format!("Content-\u{e}Type: x\n{name}")), "no proper name"),
        (part(&format!("{name}\nX: \0")), "control character"),
        (part("Content-Disposition: form-data"), "no name"),
        (format!("--xyz\n{name}\n\nvalue --xyz\n--xyz--\n"), "where none can be"),
        (format!("--xyz\n{name}\n\nvalue\n--xyzz\n--xyz--\n"), "follows a boundary"),
        (format!("--xyz\n{name}\n\nvalue\n--xyz \n--xyz--\n"), "follows a boundary"),
        (format!("--xyz\n{name}\n\nvalue\n"), "final boundary"),
        (format!("--xyz\n{name}\n\n--xyz--\n"), "at once"),
        (format!("--xyz\n{name}\n--xyz--\n"), "inside its headers"),
        ("value".to_owned(), "no boundary"),
    ];
    for (body, word) in cases {
        let form = read(&body);
        assert!(form.error.is_some_and(|error| error.to_string().contains(word)), "{body}: {:?}", form.error);
        let seen = form.fields.iter().any(|field| field.value.starts_with(b"value"));
        assert!(seen || !body.contains("\n\nvalue") || !form.files.is_empty(), "{body}");
    }
}

#[test]
fn bare_line_feeds_are_refused_around_boundaries_and_belong_to_files() {
    let body =
        |end: &str| format!("--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\ntwo{end}--xyz--\r\n");
    assert_eq!(read_with(body("\r\n").as_bytes(), Limits::default()).error, None);
    let error = read_with(body("\n").as_bytes(), Limits::default()).error;
    assert_eq!(error, Some(BodyError::Multipart("a boundary follows a bare line feed")));
    let unix = read_with(GOOD.as_bytes(), Limits::default());
    assert!(unix.flags.lf_line && unix.flags.strict_error() && unix.error.is_some());
    let mixed = read_with(GOOD.replacen('\n', "\r\n", 3).as_bytes(), Limits::default());
    assert!(mixed.flags.mixed_lines());
}

#[test]
fn flags_name_what_is_around_the_form() {
    assert!(read(&format!("before\n{GOOD}")).flags.data_before);
    assert!(read(&format!("{GOOD}after")).flags.data_after);
    let dashes = GOOD.replace("one", "-----");
    assert_eq!(read(&dashes).flags.unmatched_boundary, 2);
    assert_eq!(read(&dashes).error, None, "a line of dashes is a text like others");
    assert!(read(&GOOD.replace("name=\"a\"", "name='a'")).flags.invalid_quoting);
    assert!(read(&GOOD.replace("Content-Type", "\u{b}\tContent-Type")).flags.invalid_header_folding);
}

#[test]
fn another_content_type_stops_it() {
    let mut parser = Multipart::new(b"multipart/mixed; boundary=xyz", Limits::default());
    assert!(parser.push(GOOD.as_bytes()).is_err());
    let form = parser.finish();
    assert!(form.fields.is_empty() && form.flags.strict_error());
}

#[test]
fn limits_hold_and_files_do_not_count() {
    let part = |name: &str, value: &str| format!("--xyz\nContent-Disposition: form-data; {name}\n\n{value}\n");
    let file = part("name=\"f\"; filename=\"f\"", &"x".repeat(100_000));
    let limits = Limits { bytes: 1000, arguments: 2, ..Limits::default() };
    let read =
        |parts: &[String]| read_with(format!("{}--xyz--\n", parts.concat()).replace('\n', "\r\n").as_bytes(), limits);
    let form = read(&[file.clone(), part("name=\"a\"", "1"), part("name=\"b\"", "2"), file.clone()]);
    assert_eq!((form.error, form.files_size()), (None, 200_000));
    let form = read(&[file.clone(), file.clone(), file]);
    assert!(form.error == Some(BodyError::Arguments(2)) && form.flags.file_limit_exceeded && form.files.len() == 2);
    let form = read(&[part("name=\"a\"", "1"), part("name=\"b\"", "2"), part("name=\"c\"", "3")]);
    assert!(form.error == Some(BodyError::Arguments(2)) && form.fields.len() == 2);
    assert_eq!(read(&[part("name=\"a\"", &"x".repeat(1000))]).error, Some(BodyError::Bytes(1000)));
    let long = read_with(format!("--xyz\r\nA: {}", "x".repeat(5000)).as_bytes(), Limits::default());
    assert!(long.error.is_some_and(|error| error.to_string().contains("too long")));
}

#[test]
fn a_long_line_hides_no_boundary() {
    for length in PIECE - 8..PIECE + 3 {
        let head = "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n";
        let inside = format!("{head}{}--xyz{}\r\n--xyz--\r\n", "x".repeat(length), "y".repeat(9));
        assert!(read_with(inside.as_bytes(), Limits::default()).error.is_some(), "{length}");
        let ended = format!("{head}{}\r\n--xyz--\r\n", "x".repeat(length));
        let form = read_with(ended.as_bytes(), Limits::default());
        assert_eq!((form.error, form.files_size()), (None, length as u64), "{length}");
    }
}

/// Bodies of the pieces that matter.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just("\r\n".to_owned()),
        3 => Just("--xyz\r\n".to_owned()),
        3 => Just("Content-Disposition: form-data; name=\"a\"\r\n\r\n".to_owned()),
        1 => Just("Content-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n".to_owned()),
        1 => "[-xyz\r\n\":;=a ]{0,8}",
        1 => (PIECE - 9..PIECE + 2).prop_map(|length| "x".repeat(length)),
        1 => Just("--xyz--".to_owned()),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn chunks_do_not_matter(body in any_body(), sizes in proptest::collection::vec(1..5000usize, 1..9)) {
        let limits = Limits { bytes: 9000, arguments: 4, depth: 1 };
        let whole = read_with(&body, limits);
        let mut parser = Multipart::new(TYPE, limits);
        let mut rest = &body[..];
        for size in sizes.iter().cycle() {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            let _ = parser.push(chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(parser.finish(), whole.clone());
        let mut parser = Multipart::new(TYPE, limits);
        for byte in &body {
            let _ = parser.push(std::slice::from_ref(byte));
        }
        prop_assert_eq!(parser.finish(), whole.clone());
        prop_assert!(whole.fields.len() <= 4 && whole.files.len() <= 4);
        prop_assert!(whole.fields.iter().map(|field| field.value.len()).sum::<usize>() <= 9000);
    }

    #[test]
    fn fields_come_back(fields in proptest::collection::vec(("[a-z]{1,5}", proptest::collection::vec(any::<u8>(), 0..60)), 1..5)) {
        let mut body = Vec::new();
        for (name, value) in &fields {
            body.extend_from_slice(format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--xyz--\r\n");
        let form = read_with(&body, Limits::default());
        prop_assert_eq!(form.error, None);
        let found: Vec<_> = form.fields.into_iter().map(|it| (String::from_utf8(it.name).unwrap(), it.value)).collect();
        prop_assert_eq!(found, fields);
    }
}
