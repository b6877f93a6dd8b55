//! Query strings and `application/x-www-form-urlencoded` bodies.

use super::{Argument, BodyError, Limits, add};

/// Appends the arguments of `query`. The separator is `&` alone; what `%` does not decode stays as it stands, so that
/// rules see it. A part without `=` is a name with an empty value; an empty part is nothing.
pub(crate) fn parse(query: &[u8], limits: Limits, into: &mut Vec<Argument>) -> Result<(), BodyError> {
    if query.len() > limits.bytes {
        return Err(BodyError::Bytes(limits.bytes));
    }
    for part in query.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
        let (name, value) = match memchr::memchr(b'=', part) {
            Some(at) => (&part[..at], &part[at + 1..]),
            None => (part, &[][..]),
        };
        add(into, Argument { name: decode(name), value: decode(value) }, limits)?;
    }
    Ok(())
}

fn decode(text: &[u8]) -> Vec<u8> {
    if memchr::memchr(b'+', text).is_none() {
        return percent_decoded(text);
    }
    let blanks = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte });
    percent_decoded(&blanks.collect::<Vec<_>>())
}

/// A text with each `%` and two hexadecimal digits replaced by their byte; what is not decoded stays as it stands.
pub(crate) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    if memchr::memchr(b'%', text).is_none() {
        return text.to_vec();
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return decoded,
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(nibble(*high) << 4 | nibble(*low));
                after
            }
            [other, after @ ..] => {
                decoded.push(*other);
                after
            }
        };
    }
}

/// The value of a hexadecimal digit; 0 for anything else.
pub(super) fn nibble(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{pairs, texts};
    use super::*;

    fn parsed(query: &[u8]) -> Vec<(String, String)> {
        let mut arguments = Vec::new();
        parse(query, Limits::default(), &mut arguments).unwrap();
        texts(&arguments)
    }

    #[test]
    fn arguments_are_decoded_once() {
        assert_eq!(parsed(b"a=1&b=x+y%20z&c=%2541"), pairs(&[("a", "1"), ("b", "x y z"), ("c", "%41")]));
        assert_eq!(parsed(b"%61%3d=%00%ff"), pairs(&[("a=", "\\x00\\xff")]));
    }

    #[test]
    fn odd_queries_lose_nothing() {
        assert_eq!(parsed(b"name&=value&a=b=c"), pairs(&[("name", ""), ("", "value"), ("a", "b=c")]));
        assert_eq!(parsed(b"a=1;b=2"), pairs(&[("a", "1;b=2")]), "a semicolon separates nothing");
        assert_eq!(parsed(b"&&a=1&"), pairs(&[("a", "1")]));
        assert_eq!(
            parsed(b"a=%zz&b=%4&c=%&d=%u0041"),
            pairs(&[("a", "%zz"), ("b", "%4"), ("c", "%"), ("d", "%u0041")])
        );
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { bytes: 9, arguments: 2, ..Limits::default() };
        let mut arguments = Vec::new();
        assert_eq!(parse(b"a=1&b=2&c", limits, &mut arguments), Err(BodyError::Arguments(2)));
        assert_eq!(texts(&arguments), pairs(&[("a", "1"), ("b", "2")]), "what came before is still seen");
        assert_eq!(parse(b"a=12345678", limits, &mut arguments), Err(BodyError::Bytes(9)));
        assert_eq!(BodyError::Bytes(9).to_string(), "the body has more than 9 bytes that are not files");
    }

    proptest! {
        #[test]
        fn what_a_browser_encodes_comes_back(arguments in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 1..9), proptest::collection::vec(any::<u8>(), 0..9)), 0..9)) {
            let encode = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            let query: Vec<_> = arguments.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
            let mut found = Vec::new();
            parse(query.join("&").as_bytes(), Limits::default(), &mut found).unwrap();
            prop_assert_eq!(found.into_iter().map(|it| (it.name, it.value)).collect::<Vec<_>>(), arguments);
        }

        #[test]
        fn no_bytes_panic_or_pass_the_limit(query in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut found = Vec::new();
            let _ = parse(&query, Limits { arguments: 3, ..Limits::default() }, &mut found);
            prop_assert!(found.len() <= 3);
        }
    }
}
