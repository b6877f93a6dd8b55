//! Percent signs, base64, hexadecimal digits and digests, written.

use super::URL_SAFE;
use sha1::Digest as _;
use std::io::Write as _;

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) fn hex(value: &[u8]) -> Vec<u8> {
    value.iter().flat_map(|&byte| digits(byte)).collect()
}

fn digits(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

pub(super) fn url(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    for &byte in value {
        match byte {
            b' ' => out.push(b'+'),
            _ if URL_SAFE.contains(byte) => out.push(byte),
            _ => {
                out.push(b'%');
                out.extend(digits(byte));
            }
        }
    }
    out
}

pub(super) fn base64(value: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(value.len().div_ceil(3) * 4);
    for chunk in value.chunks(3) {
        let mut three = [0; 4];
        three[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(three);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { digit } else { b'=' });
        }
    }
    out
}

/// The digest itself, not its hexadecimal digits: rules add `t:hexEncode`.
pub(super) fn sha1(value: &[u8]) -> Vec<u8> {
    sha1::Sha1::digest(value).to_vec()
}

/// As [`sha1`].
pub(super) fn md5(value: &[u8]) -> Vec<u8> {
    md5::Md5::digest(value).to_vec()
}

/// What is UTF-8 beyond ASCII becomes `%uHHHH`. As in libmodsecurity, NULs vanish, a first byte without its followers
/// vanishes, and what is overlong or half of a surrogate pair leaves its first byte behind the `%u`.
pub(super) fn utf8_to_unicode(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&first) = value.get(at) {
        let (followers, bits, least) = match first {
            0 => {
                at += 1;
                continue;
            }
            0xC0..=0xDF => (1, first & 0x1F, 0x80),
            0xE0..=0xEF => (2, first & 0x0F, 0x800),
            0xF0..=0xF7 => (3, first & 0x07, 0x1_0000),
            _ => {
                let rest = &value[at..];
                let end = rest.iter().position(|&byte| byte == 0 || byte >= 0xC0).unwrap_or(rest.len()).max(1);
                out.extend_from_slice(&rest[..end]);
                at += end;
                continue;
            }
        };
        if first >= 0xF5 {
            out.push(first);
        }
        let Some(rest) = value.get(at + 1..=at + followers).filter(|rest| rest.iter().all(|byte| byte & 0xC0 == 0x80))
        else {
            at += 1;
            continue;
        };
        let point = rest.iter().fold(u32::from(bits), |point, &byte| point << 6 | u32::from(byte & 0x3F));
        // Writing into a vector cannot fail.
        let _ = write!(out, "%u{point:04x}");
        if (0xD800..=0xDFFF).contains(&point) {
            out.push(first);
        }
        if point < least {
            out.push(first);
        }
        at += 1 + followers;
    }
}
