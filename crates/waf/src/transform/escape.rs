//! Escape sequences of HTML, CSS, JavaScript and C, read.

use super::{hex_byte, is_hex, is_space, narrow};

/// `&#x41;`, `&#65;` and the five names that ModSecurity knows; the semicolon may be missing.
pub(super) fn html(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let entity = if byte == b'&' { html_entity(&value[at + 1..]) } else { None };
        if let Some((_, length)) = entity {
            at += length;
            at += usize::from(value.get(at + 1) == Some(&b';'));
        }
        out.push(entity.map_or(byte, |(decoded, _)| decoded));
        at += 1;
    }
}

/// What the text after an ampersand stands for, and how long it is.
fn html_entity(rest: &[u8]) -> Option<(u8, usize)> {
    let run = |from: usize, is: fn(&u8) -> bool| rest[from..].iter().take_while(|byte| is(byte)).count();
    match rest {
        [b'#', b'x' | b'X', ..] => {
            let length = run(2, u8::is_ascii_hexdigit);
            (length > 0).then(|| (number(&rest[2..2 + length], 16), 2 + length))
        }
        [b'#', ..] => {
            let length = run(1, u8::is_ascii_digit);
            (length > 0).then(|| (number(&rest[1..=length], 10), 1 + length))
        }
        _ => {
            let length = run(0, u8::is_ascii_alphanumeric);
            let decoded = match rest[..length].to_ascii_lowercase().as_slice() {
                b"quot" => b'"',
                b"amp" => b'&',
                b"lt" => b'<',
                b"gt" => b'>',
                b"nbsp" => 0xA0,
                _ => return None,
            };
            Some((decoded, length))
        }
    }
}

/// The low byte of a number. One beyond 63 bits is the greatest there is, as `strtol` has it.
fn number(digits: &[u8], radix: u32) -> u8 {
    digits
        .iter()
        .try_fold(0_i64, |sum, &digit| {
            let digit = i64::from(char::from(digit).to_digit(radix).unwrap_or(0));
            sum.checked_mul(i64::from(radix))?.checked_add(digit)
        })
        .unwrap_or(i64::MAX) as u8
}

/// A backslash and up to six hexadecimal digits, one white space after them included.
pub(super) fn css(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(&next) = value.get(at) else { return };
        let length = value[at..].iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if length == 0 {
            if next != b'\n' {
                out.push(next);
            }
            at += 1;
            continue;
        }
        let digits = &value[at..at + length];
        let full_width = match length {
            4 => true,
            5 => digits[0] == b'0',
            6 => digits[..2] == *b"00",
            _ => false,
        };
        out.push(match digits {
            [one] => hex_byte(b'0', *one),
            _ if full_width => narrow(&digits[length - 4..]),
            _ => hex_byte(digits[length - 2], digits[length - 1]),
        });
        at += length;
        at += usize::from(value.get(at).is_some_and(|&byte| is_space(byte)));
    }
}

pub(super) fn javascript(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let Some(&next) = value.get(at + 1).filter(|_| byte == b'\\') else {
            out.push(byte);
            at += 1;
            continue;
        };
        match next {
            b'u' if is_hex(value, at + 2, 4) => {
                out.push(narrow(&value[at + 2..at + 6]));
                at += 6;
            }
            b'x' if is_hex(value, at + 2, 2) => {
                out.push(hex_byte(value[at + 2], value[at + 3]));
                at += 4;
            }
            b'0'..=b'7' => {
                let mut length = octal_digits(value, at + 1);
                // Three digits only for what fits into a byte.
                if length == 3 && next > b'3' {
                    length = 2;
                }
                out.push(octal(&value[at + 1..=at + length]));
                at += 1 + length;
            }
            _ => {
                out.push(control(next).unwrap_or(next));
                at += 2;
            }
        }
    }
}

/// The escape sequences of ANSI C; an unknown one loses its backslash.
pub(super) fn ansi_c(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let Some(&next) = value.get(at + 1).filter(|_| byte == b'\\') else {
            out.push(byte);
            at += 1;
            continue;
        };
        match next {
            b'x' | b'X' if is_hex(value, at + 2, 2) => {
                out.push(hex_byte(value[at + 2], value[at + 3]));
                at += 4;
            }
            b'0'..=b'7' => {
                let length = octal_digits(value, at + 1);
                out.push(octal(&value[at + 1..=at + length]));
                at += 1 + length;
            }
            _ => {
                out.push(control(next).unwrap_or(next));
                at += 2;
            }
        }
    }
}

fn octal_digits(value: &[u8], from: usize) -> usize {
    value[from..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count()
}

fn octal(digits: &[u8]) -> u8 {
    digits.iter().fold(0_u16, |sum, digit| sum << 3 | u16::from(digit - b'0')) as u8
}

fn control(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0B,
        _ => return None,
    })
}
