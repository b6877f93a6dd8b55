//! Whether a value is encoded as it should be.

/// Where the first `%` is that no two hexadecimal digits follow.
pub(super) fn invalid_url(value: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'%', value)
        .find(|at| !value.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// Where the first byte is that is no UTF-8: overlong forms, halves of surrogate pairs and numbers beyond U+10FFFF are
/// none.
pub(super) fn invalid_utf8(value: &[u8]) -> Option<usize> {
    str::from_utf8(value).err().map(|error| error.valid_up_to())
}
