//! What is done to a value before a rule looks at it: the `t:` of SecLang.
//!
//! The meaning of each is that of libmodsecurity 3, byte for byte, with these exceptions, each on the side of inspecting
//! more: `cssDecode` does not end at a NUL, `compressWhitespace` takes the byte 0xA0 for white space, `base64Decode` keeps
//! what stands before the first byte that is no base64, `sqlHexDecode` keeps the last byte, `removeComments` adds no NUL
//! after a comment that ends the value, and `normalizePathWin` leaves no backslash of a run of three.
//!
//! To add one: a variant, its name in `NAMES`, its arm in `run`, and in `triggers` the bytes without which it does nothing.

mod decode;
mod encode;
mod escape;
mod path;
mod text;

#[cfg(test)]
mod tests;

use crate::byte_set::ByteSet;
use std::borrow::Cow;

/// A transformation. `t:none` is not one: it empties the list, which is the parser's affair.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Transform {
    Base64Decode,
    Base64DecodeExt,
    Base64Encode,
    CmdLine,
    CompressWhitespace,
    CssDecode,
    EscapeSeqDecode,
    HexDecode,
    HexEncode,
    HtmlEntityDecode,
    JsDecode,
    Length,
    Lowercase,
    Md5,
    NormalizePath,
    NormalizePathWin,
    ParityEven7bit,
    ParityOdd7bit,
    ParityZero7bit,
    RemoveComments,
    RemoveCommentsChar,
    RemoveNulls,
    RemoveWhitespace,
    ReplaceComments,
    ReplaceNulls,
    Sha1,
    SqlHexDecode,
    Trim,
    TrimLeft,
    TrimRight,
    Uppercase,
    UrlDecode,
    UrlDecodeUni,
    UrlEncode,
    Utf8ToUnicode,
}

const NAMES: &[(&str, Transform)] = &[
    ("base64Decode", Transform::Base64Decode),
    ("base64DecodeExt", Transform::Base64DecodeExt),
    ("base64Encode", Transform::Base64Encode),
    ("cmdLine", Transform::CmdLine),
    ("compressWhitespace", Transform::CompressWhitespace),
    ("cssDecode", Transform::CssDecode),
    ("escapeSeqDecode", Transform::EscapeSeqDecode),
    ("hexDecode", Transform::HexDecode),
    ("hexEncode", Transform::HexEncode),
    ("htmlEntityDecode", Transform::HtmlEntityDecode),
    ("jsDecode", Transform::JsDecode),
    ("length", Transform::Length),
    ("lowercase", Transform::Lowercase),
    ("md5", Transform::Md5),
    ("normalizePath", Transform::NormalizePath),
    ("normalisePath", Transform::NormalizePath),
    ("normalizePathWin", Transform::NormalizePathWin),
    ("normalisePathWin", Transform::NormalizePathWin),
    ("parityEven7bit", Transform::ParityEven7bit),
    ("parityOdd7bit", Transform::ParityOdd7bit),
    ("parityZero7bit", Transform::ParityZero7bit),
    ("removeComments", Transform::RemoveComments),
    ("removeCommentsChar", Transform::RemoveCommentsChar),
    ("removeNulls", Transform::RemoveNulls),
    ("removeWhitespace", Transform::RemoveWhitespace),
    ("replaceComments", Transform::ReplaceComments),
    ("replaceNulls", Transform::ReplaceNulls),
    ("sha1", Transform::Sha1),
    ("sqlHexDecode", Transform::SqlHexDecode),
    ("trim", Transform::Trim),
    ("trimLeft", Transform::TrimLeft),
    ("trimRight", Transform::TrimRight),
    ("uppercase", Transform::Uppercase),
    ("urlDecode", Transform::UrlDecode),
    ("urlDecodeUni", Transform::UrlDecodeUni),
    ("urlEncode", Transform::UrlEncode),
    ("utf8toUnicode", Transform::Utf8ToUnicode),
];

const SPACES: ByteSet = ByteSet::from_bytes(b" \t\n\x0b\x0c\r");
const UPPER: ByteSet = ByteSet::from_range(b'A', b'Z');
const LOWER: ByteSet = ByteSet::from_range(b'a', b'z');
const HIGH: ByteSet = ByteSet::from_range(0x80, 0xFF);
const SHELL: ByteSet = ByteSet::from_bytes(b"\"'\\^ ,;\t\r\n").union(UPPER);
const URL_SAFE: ByteSet = ByteSet::from_bytes(b"*").union(ByteSet::from_range(b'0', b'9')).union(UPPER).union(LOWER);

impl Transform {
    /// By its name in a rule, in any case of letters.
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, transform)| transform)
    }

    /// The value as the rule sees it. Borrowed when nothing changes, or when a part of the value is left.
    pub(crate) fn apply(self, value: &[u8]) -> Cow<'_, [u8]> {
        match self.run(value) {
            Cow::Owned(changed) if changed == value => Cow::Borrowed(value),
            result => result,
        }
    }

    /// Bytes of which at least one must be present for `apply` to change anything; `None`: it always may.
    pub(crate) fn triggers(self) -> Option<ByteSet> {
        Some(match self {
            Self::Base64Decode
            | Self::Base64DecodeExt
            | Self::Base64Encode
            | Self::HexDecode
            | Self::HexEncode
            | Self::Length
            | Self::Md5
            | Self::ParityEven7bit
            | Self::ParityOdd7bit
            | Self::Sha1 => return None,
            Self::CmdLine => SHELL,
            Self::CompressWhitespace => SPACES.with(0xA0),
            Self::RemoveWhitespace => SPACES.with(0xA0).with(0xC2),
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => ByteSet::from_bytes(b"\\"),
            Self::HtmlEntityDecode => ByteSet::from_bytes(b"&"),
            Self::Lowercase => UPPER,
            Self::Uppercase => LOWER,
            Self::NormalizePath => ByteSet::from_bytes(b"./"),
            Self::NormalizePathWin => ByteSet::from_bytes(b"./\\"),
            Self::ParityZero7bit => HIGH,
            Self::RemoveComments => ByteSet::from_bytes(b"/<-#"),
            Self::RemoveCommentsChar => ByteSet::from_bytes(b"/*<-#"),
            Self::RemoveNulls | Self::ReplaceNulls => ByteSet::from_bytes(&[0]),
            Self::ReplaceComments => ByteSet::from_bytes(b"/"),
            Self::SqlHexDecode => ByteSet::from_bytes(b"xX"),
            Self::Trim | Self::TrimLeft | Self::TrimRight => SPACES,
            Self::UrlDecode | Self::UrlDecodeUni => ByteSet::from_bytes(b"%+"),
            Self::UrlEncode => URL_SAFE.complement(),
            Self::Utf8ToUnicode => HIGH.with(0),
        })
    }

    /// Which bytes occur afterwards, where that follows from which occur before.
    pub(crate) fn bytes_after(self, before: &ByteSet) -> Option<ByteSet> {
        Some(match self {
            Self::Lowercase => before.to_lowercase(),
            Self::RemoveNulls => before.without(ByteSet::from_bytes(&[0])),
            Self::RemoveWhitespace => before.without(SPACES.with(0xA0).with(0xC2)),
            Self::CompressWhitespace => before.without(SPACES.with(0xA0)).with(b' '),
            _ => return None,
        })
    }

    fn run(self, value: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Base64Decode => decode::base64(value, false).into(),
            Self::Base64DecodeExt => decode::base64(value, true).into(),
            Self::Base64Encode => encode::base64(value).into(),
            Self::CmdLine => text::command_line(value),
            Self::CompressWhitespace => text::compress_whitespace(value),
            Self::CssDecode => from(value, memchr::memchr(b'\\', value), escape::css),
            Self::EscapeSeqDecode => from(value, memchr::memchr(b'\\', value), escape::ansi_c),
            Self::HexDecode => decode::hex_pairs(value).into(),
            Self::HexEncode => encode::hex(value).into(),
            Self::HtmlEntityDecode => from(value, memchr::memchr(b'&', value), escape::html),
            Self::JsDecode => from(value, memchr::memchr(b'\\', value), escape::javascript),
            Self::Length => value.len().to_string().into_bytes().into(),
            Self::Lowercase => each(value, |byte| byte.to_ascii_lowercase()),
            Self::Md5 => encode::md5(value).into(),
            Self::NormalizePath => path::normalize(value, false).into(),
            Self::NormalizePathWin => path::normalize(value, true).into(),
            Self::ParityEven7bit => each(value, |byte| if odd(byte) { byte | 0x80 } else { byte & 0x7F }),
            Self::ParityOdd7bit => each(value, |byte| if odd(byte) { byte & 0x7F } else { byte | 0x80 }),
            Self::ParityZero7bit => each(value, |byte| byte & 0x7F),
            Self::RemoveComments => text::remove_comments(value).into(),
            Self::RemoveCommentsChar => text::remove_comment_marks(value).into(),
            Self::RemoveNulls => without(value, |byte| byte == 0),
            Self::RemoveWhitespace => {
                let gone = SPACES.with(0xA0).with(0xC2);
                without(value, |byte| gone.contains(byte))
            }
            Self::ReplaceComments => from(value, memchr::memmem::find(value, b"/*"), text::replace_comments),
            Self::ReplaceNulls => each(value, |byte| if byte == 0 { b' ' } else { byte }),
            Self::Sha1 => encode::sha1(value).into(),
            Self::SqlHexDecode => from(value, memchr::memchr(b'0', value), decode::sql_hex),
            Self::Trim => trim(value, true, true).into(),
            Self::TrimLeft => trim(value, true, false).into(),
            Self::TrimRight => trim(value, false, true).into(),
            Self::Uppercase => each(value, |byte| byte.to_ascii_uppercase()),
            Self::UrlDecode => from(value, memchr::memchr2(b'%', b'+', value), decode::url),
            Self::UrlDecodeUni => from(value, memchr::memchr2(b'%', b'+', value), decode::url_with_unicode),
            Self::UrlEncode => encode::url(value).into(),
            Self::Utf8ToUnicode => {
                from(value, value.iter().position(|&byte| byte == 0 || byte >= 0x80), encode::utf8_to_unicode)
            }
        }
    }
}

/// Leaves what stands before `start` as it is; with no start there is nothing to do.
fn from(value: &[u8], start: Option<usize>, rest: fn(&[u8], &mut Vec<u8>)) -> Cow<'_, [u8]> {
    let Some(start) = start else { return value.into() };
    let mut out = Vec::with_capacity(value.len());
    out.extend_from_slice(&value[..start]);
    rest(&value[start..], &mut out);
    out.into()
}

fn each(value: &[u8], map: impl Fn(u8) -> u8) -> Cow<'_, [u8]> {
    if value.iter().all(|&byte| map(byte) == byte) {
        return value.into();
    }
    value.iter().map(|&byte| map(byte)).collect::<Vec<_>>().into()
}

fn without(value: &[u8], gone: impl Fn(u8) -> bool) -> Cow<'_, [u8]> {
    if !value.iter().any(|&byte| gone(byte)) {
        return value.into();
    }
    value.iter().copied().filter(|&byte| !gone(byte)).collect::<Vec<_>>().into()
}

fn odd(byte: u8) -> bool {
    byte.count_ones() % 2 == 1
}

/// White space as C's `isspace` has it, with the vertical tab that Rust's `is_ascii_whitespace` lacks.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim(mut value: &[u8], left: bool, right: bool) -> &[u8] {
    while let [first, rest @ ..] = value
        && left
        && is_space(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && right
        && is_space(*last)
    {
        value = rest;
    }
    value
}

fn is_hex(value: &[u8], from: usize, count: usize) -> bool {
    value.get(from..from + count).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// The byte that two characters stand for. For what are no digits it follows the arithmetic of ModSecurity, which
/// `hexDecode` shows.
fn hex_byte(high: u8, low: u8) -> u8 {
    hex_digit(high).wrapping_mul(16).wrapping_add(hex_digit(low))
}

fn hex_digit(digit: u8) -> u8 {
    if digit >= b'A' { (digit & 0xDF).wrapping_sub(b'A').wrapping_add(10) } else { digit.wrapping_sub(b'0') }
}

/// The low byte of four hexadecimal digits; full-width ASCII (U+FF01 to U+FF5E) becomes ASCII.
fn narrow(digits: &[u8]) -> u8 {
    let low = hex_byte(digits[2], digits[3]);
    if digits[..2].eq_ignore_ascii_case(b"ff") && (0x01..0x5F).contains(&low) { low + 0x20 } else { low }
}
