//! Percent signs, base64 and hexadecimal digits, read.

use super::{hex_byte, is_hex, narrow};

pub(super) fn url(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        at += match plain(value, at, out) {
            0 => percent_or_plus(value, at, byte, out),
            length => length,
        };
    }
}

/// Also the `%uHHHH` of IIS.
pub(super) fn url_with_unicode(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        if byte == b'%' && matches!(value.get(at + 1), Some(b'u' | b'U')) {
            if is_hex(value, at + 2, 4) {
                out.push(narrow(&value[at + 2..at + 6]));
                at += 6;
            } else {
                out.extend_from_slice(&value[at..at + 2]);
                at += 2;
            }
        } else {
            at += match plain(value, at, out) {
                0 => percent_or_plus(value, at, byte, out),
                length => length,
            };
        }
    }
}

/// Takes over what stands before the next percent sign or plus: how many bytes.
fn plain(value: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let rest = &value[at..];
    let length = memchr::memchr2(b'%', b'+', rest).unwrap_or(rest.len());
    out.extend_from_slice(&rest[..length]);
    length
}

/// How many bytes it read. What is no valid sequence stays as it is.
fn percent_or_plus(value: &[u8], at: usize, byte: u8, out: &mut Vec<u8>) -> usize {
    match byte {
        b'%' if is_hex(value, at + 1, 2) => {
            out.push(hex_byte(value[at + 1], value[at + 2]));
            return 3;
        }
        b'+' => out.push(b' '),
        _ => out.push(byte),
    }
    1
}

/// Ends at the first byte that is no base64, or passes over such bytes if `forgiving`.
pub(super) fn base64(value: &[u8], forgiving: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for &byte in value {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\r' | b'\n' => continue,
            _ if forgiving => continue,
            _ => break,
        };
        bits = bits << 6 | u32::from(digit);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    match count {
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => {}
    }
    out
}

/// An odd last digit is dropped.
pub(super) fn hex_pairs(value: &[u8]) -> Vec<u8> {
    value.chunks_exact(2).map(|pair| hex_byte(pair[0], pair[1])).collect()
}

/// `0x414243` of SQL.
pub(super) fn sql_hex(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        if byte == b'0' && matches!(value.get(at + 1), Some(b'x' | b'X')) && is_hex(value, at + 2, 2) {
            at += 2;
            while is_hex(value, at, 2) {
                out.push(hex_byte(value[at], value[at + 1]));
                at += 2;
            }
        } else {
            out.push(byte);
            at += 1;
        }
    }
}
