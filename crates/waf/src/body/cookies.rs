//! The `Cookie` header.

use super::Argument;

/// The cookies of one header, in their order. They end at `;`, blanks before a name and at the end of the header do not
/// count, and values stay as they were sent. A value without a name is kept: some applications read it.
pub(crate) fn cookies(header: &[u8]) -> Vec<Argument> {
    let parts = header.trim_ascii_end().split(|byte| *byte == b';').map(<[u8]>::trim_ascii_start);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| match memchr::memchr(b'=', part) {
            Some(at) => Argument { name: part[..at].to_vec(), value: part[at + 1..].to_vec() },
            None => Argument { name: part.to_vec(), value: Vec::new() },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{pairs, texts};
    use super::*;

    #[test]
    fn values_stay_as_they_were_sent() {
        let expected = pairs(&[("a", "1"), ("b", "x%20y+z"), ("c", "d=e"), ("flag", ""), ("q", r#"\"a b\""#)]);
        assert_eq!(texts(&cookies(br#"a=1; b=x%20y+z;c=d=e;;  flag; q="a b"  "#)), expected);
    }

    #[test]
    fn odd_headers_lose_nothing() {
        assert_eq!(texts(&cookies(b"=<script>; a =1 ;b")), pairs(&[("", "<script>"), ("a ", "1 "), ("b", "")]));
        assert_eq!(texts(&cookies(b" ; ;")), pairs(&[]));
    }

    proptest! {
        #[test]
        fn every_byte_but_separators_is_handed_out(header in proptest::collection::vec(any::<u8>(), 0..200)) {
            let found = cookies(&header);
            let bytes = |text: &[u8]| text.iter().filter(|byte| !b";= \t\r\n\x0c\x0b".contains(byte)).count();
            let handed_out: usize = found.iter().map(|it| bytes(&it.name) + bytes(&it.value)).sum();
            prop_assert_eq!(handed_out, bytes(&header));
        }
    }
}
