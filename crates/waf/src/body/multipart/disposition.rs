//! The `Content-Disposition` of a part.

/// What it says; several names are an error, and are all handed out.
#[derive(Debug, Default)]
pub(super) struct Disposition {
    pub(super) names: Vec<Vec<u8>>,
    pub(super) file_names: Vec<Vec<u8>>,
    pub(super) invalid_quoting: bool,
    /// Why parsers might disagree about it.
    pub(super) error: Option<&'static str>,
}

/// Reads the value of the header.
pub(super) fn read(value: &[u8]) -> Disposition {
    let mut found = Disposition::default();
    if let Err(error) = parameters(value, &mut found) {
        found.error.get_or_insert(error);
    }
    if found.names.len() > 1 || found.file_names.len() > 1 {
        found.error.get_or_insert("a part is named twice");
    }
    found
}

fn parameters(value: &[u8], found: &mut Disposition) -> Result<(), &'static str> {
    let value = value.trim_ascii();
    let kind = value.iter().take_while(|byte| is_token(**byte)).count();
    if !value[..kind].eq_ignore_ascii_case(b"form-data") {
        found.error = Some("a part is not form-data");
    }
    let mut rest = value[kind..].trim_ascii_start();
    while !rest.is_empty() {
        rest = rest.strip_prefix(b";").ok_or("no semicolon separates the parameters of a part")?.trim_ascii_start();
        let length = rest.iter().take_while(|byte| is_token(**byte)).count();
        let (name, after) = rest.split_at(length);
        let after = after.trim_ascii_start().strip_prefix(b"=").ok_or("a parameter of a part has no value")?;
        let (value, after) = if let [quote @ (b'"' | b'\''), quoted @ ..] = after.trim_ascii_start() {
            found.invalid_quoting |= *quote == b'\'';
            unquote(quoted, *quote)?
        } else {
            let after = after.trim_ascii_start();
            let length = after.iter().take_while(|byte| is_token(**byte)).count();
            (after[..length].to_vec(), &after[length..])
        };
        // Some parsers take it for a quote.
        found.invalid_quoting |= value.contains(&b'\'');
        if name.eq_ignore_ascii_case(b"name") {
            found.names.push(value);
        } else if name.eq_ignore_ascii_case(b"filename") {
            found.file_names.push(value);
        } else {
            found.error.get_or_insert("a part has a parameter besides name and filename");
            let extended = name.strip_suffix(b"*").unwrap_or_default();
            if extended.eq_ignore_ascii_case(b"name") {
                found.names.push(value);
            } else if extended.eq_ignore_ascii_case(b"filename") {
                found.file_names.push(value);
            }
        }
        rest = after.trim_ascii_start();
    }
    Ok(())
}

/// Only the quote itself and the backslash are escaped: old browsers send paths with single backslashes.
fn unquote(quoted: &[u8], quote: u8) -> Result<(Vec<u8>, &[u8]), &'static str> {
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        rest = match rest {
            [] => return Err("a quoted name of a part does not end"),
            [b'\\', escaped, after @ ..] if *escaped == quote || *escaped == b'\\' => {
                value.push(*escaped);
                after
            }
            [end, after @ ..] if *end == quote => return Ok((value, after)),
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
        };
    }
}

/// RFC 9110, section 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[Vec<u8>]) -> Vec<&str> {
        values.iter().map(|value| std::str::from_utf8(value).unwrap()).collect()
    }

    #[test]
    fn names_are_unquoted() {
        let found = read(br#"form-data; name="a\"\\b"; filename="C:\dir\x.txt""#);
        assert_eq!(strings(&found.names), ["a\"\\b"]);
        assert_eq!(strings(&found.file_names), ["C:\\dir\\x.txt"]);
        assert_eq!((found.error, found.invalid_quoting), (None, false));
        assert_eq!(strings(&read(b"Form-Data;NAME=plain").names), ["plain"]);
    }

    #[test]
    fn what_parsers_read_differently_is_refused_and_still_seen() {
        let cases: [(&str, &[&str], &[&str]); 9] = [
            (r#"form-data; name="a"; name="b""#, &["a", "b"], &[]),
            (r#"form-data; name="a"; filename="b"; filename="c""#, &["a"], &["b", "c"]),
            (r#"form-data; name="a"; name*=utf-8''b"#, &["a", "utf-8''b"], &[]),
            (r#"form-data; name="a"; filename*=utf-8''b"#, &["a"], &["utf-8''b"]),
            (r#"form-data; name="a"; size=1; filename="b""#, &["a"], &["b"]),
            (r#"form-data; name="a" filename="b""#, &["a"], &[]),
            (r#"form-data; name="a"#, &[], &[]),
            (r#"attachment; name="a""#, &["a"], &[]),
            (r#"form-data; name="a";"#, &["a"], &[]),
        ];
        for (value, names, file_names) in cases {
            let found = read(value.as_bytes());
            assert!(found.error.is_some(), "{value}");
            assert_eq!(
                (strings(&found.names), strings(&found.file_names)),
                (names.to_vec(), file_names.to_vec()),
                "{value}"
            );
        }
    }

    #[test]
    fn single_quotes_are_noted() {
        assert!(read(b"form-data; name='a'").invalid_quoting);
        assert!(read(b"form-data; name=\"it's\"").invalid_quoting);
    }
}
