//! Classes and escaped characters of a PCRE pattern.

use super::pcre::PatternError;
use crate::byte_set::ByteSet;

const DIGIT: ByteSet = ByteSet::from_range(b'0', b'9');
const UPPER: ByteSet = ByteSet::from_range(b'A', b'Z');
const LOWER: ByteSet = ByteSet::from_range(b'a', b'z');
const ALPHA: ByteSet = UPPER.union(LOWER);
const ALNUM: ByteSet = ALPHA.union(DIGIT);
const SPACE: ByteSet = ByteSet::from_bytes(b" \t\n\x0b\x0c\r");

/// `\d` and its like.
pub(super) fn shorthand(letter: u8) -> Option<ByteSet> {
    let set = match letter.to_ascii_lowercase() {
        b'd' => DIGIT,
        b'w' => ALNUM.with(b'_'),
        b's' => SPACE,
        b'h' => ByteSet::from_bytes(b" \t\xA0"),
        b'v' => ByteSet::from_bytes(b"\n\x0b\x0c\r\x85"),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { set.complement() } else { set })
}

fn posix(name: &[u8]) -> Option<ByteSet> {
    let graph = ByteSet::from_range(b'!', b'~');
    Some(match name {
        b"alpha" => ALPHA,
        b"digit" => DIGIT,
        b"alnum" => ALNUM,
        b"upper" => UPPER,
        b"lower" => LOWER,
        b"space" => SPACE,
        b"blank" => ByteSet::from_bytes(b" \t"),
        b"word" => ALNUM.with(b'_'),
        b"xdigit" => DIGIT.union(ByteSet::from_bytes(b"abcdefABCDEF")),
        b"punct" => ByteSet::from_bytes(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        b"graph" => graph,
        b"print" => graph.with(b' '),
        b"cntrl" => ByteSet::from_range(0, 31).with(127),
        b"ascii" => ByteSet::from_range(0, 127),
        _ => return None,
    })
}

/// The set with each letter in both cases.
pub(super) fn fold(set: ByteSet) -> ByteSet {
    set.iter().fold(set, |set, byte| set.with(byte.to_ascii_lowercase()).with(byte.to_ascii_uppercase()))
}

/// Behind the opening bracket; leaves `at` behind the closing one.
pub(super) fn parse(pattern: &[u8], at: &mut usize, ignore_case: bool) -> Result<ByteSet, PatternError> {
    let negated = pattern.get(*at) == Some(&b'^');
    *at += usize::from(negated);
    let first = *at;
    let mut set = ByteSet::EMPTY;
    loop {
        let error = |reason| PatternError { reason, at: first };
        let item = match pattern.get(*at) {
            None => return Err(error("a class has no end")),
            Some(b']') if *at > first => break,
            _ => item(pattern, at)?,
        };
        let Item::Byte(low) = item else {
            if let Item::Set(more) = item {
                set = set.union(more);
            }
            continue;
        };
        // A hyphen stands for itself before the closing bracket and before a set.
        let range = pattern.get(*at) == Some(&b'-') && pattern.get(*at + 1).is_some_and(|&next| next != b']');
        if !range {
            set = set.with(low);
            continue;
        }
        *at += 1;
        match self::item(pattern, at)? {
            Item::Byte(high) if low <= high => set = set.union(ByteSet::from_range(low, high)),
            Item::Byte(_) => return Err(error("a range in a class is upside down")),
            Item::Set(more) => set = set.union(more).with(low).with(b'-'),
            Item::Nothing => return Err(error("a range in a class ends in a quotation")),
        }
    }
    *at += 1;
    if ignore_case {
        set = fold(set);
    }
    Ok(if negated { set.complement() } else { set })
}

enum Item {
    Byte(u8),
    Set(ByteSet),
    Nothing,
}

fn item(pattern: &[u8], at: &mut usize) -> Result<Item, PatternError> {
    let start = *at;
    let error = |reason| PatternError { reason, at: start };
    let rest = &pattern[start..];
    if let Some((kind, name)) = named(rest) {
        *at += name.len() + 4;
        let (name, negated) = name.strip_prefix(b"^").map_or((name, false), |name| (name, true));
        let set = posix(name).filter(|_| kind == b':').ok_or(error("a named class that is not supported"))?;
        return Ok(Item::Set(if negated { set.complement() } else { set }));
    }
    *at += 1;
    if rest.first() != Some(&b'\\') {
        return rest.first().map(|&byte| Item::Byte(byte)).ok_or(error("a class has no end"));
    }
    let Some(&letter) = rest.get(1) else { return Err(error("a backslash ends the pattern")) };
    if let Some(set) = shorthand(letter) {
        *at += 1;
        return Ok(Item::Set(set));
    }
    match letter {
        b'b' => *at += 1,
        b'E' => {
            *at += 1;
            return Ok(Item::Nothing);
        }
        b'Q' => {
            let quoted = &rest[2..];
            let end = memchr::memmem::find(quoted, b"\\E").ok_or(error("a quotation in a class has no end"))?;
            *at += 3 + end;
            return Ok(Item::Set(ByteSet::from_bytes(&quoted[..end])));
        }
        _ => return character(pattern, at).map(Item::Byte),
    }
    Ok(Item::Byte(0x08))
}

/// `[:name:]`, `[.name.]` or `[=name=]`; without its end, or with a closing bracket before it, it is none.
fn named(rest: &[u8]) -> Option<(u8, &[u8])> {
    let [b'[', kind @ (b':' | b'.' | b'='), inner @ ..] = rest else { return None };
    let end = inner.iter().position(|&byte| byte == b']')?.checked_sub(1)?;
    (inner[end] == *kind).then(|| (*kind, &inner[..end]))
}

/// Whether an octal number of three digits stands here; one that begins with a zero may be shorter.
pub(super) fn is_octal(pattern: &[u8], at: usize) -> bool {
    pattern.get(at..at + 3).is_some_and(|digits| digits.iter().all(|digit| matches!(digit, b'0'..=b'7')))
}

/// A single byte, behind the backslash; leaves `at` behind it.
pub(super) fn character(pattern: &[u8], at: &mut usize) -> Result<u8, PatternError> {
    let start = *at;
    let error = |reason| PatternError { reason, at: start };
    let Some(&letter) = pattern.get(start) else { return Err(error("a backslash ends the pattern")) };
    *at += 1;
    Ok(match letter {
        b'a' => 0x07,
        b'e' => 0x1B,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'x' => {
            let rest = &pattern[*at..];
            let digits = if let Some(braced) = rest.strip_prefix(b"{") {
                let end = memchr::memchr(b'}', braced).ok_or(error("the number of a character has no end"))?;
                *at += end + 2;
                &braced[..end]
            } else {
                let length = rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
                *at += length;
                &rest[..length]
            };
            number(digits, 16).ok_or(error("a character beyond one byte"))?
        }
        b'0' => {
            let length = pattern[start..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            *at = start + length;
            number(&pattern[start..start + length], 8).ok_or(error("a character beyond one byte"))?
        }
        b'1'..=b'7' if is_octal(pattern, start) => {
            *at = start + 3;
            number(&pattern[start..start + 3], 8).ok_or(error("a character beyond one byte"))?
        }
        b'c' => {
            let control = pattern.get(*at).filter(|byte| byte.is_ascii_graphic());
            *at += 1;
            control.ok_or(error("a control character without its letter"))?.to_ascii_uppercase() ^ 0x40
        }
        _ if letter.is_ascii_alphanumeric() => return Err(error("an escape sequence that is not supported")),
        _ => letter,
    })
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    if digits.is_empty() {
        return Some(0);
    }
    let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u8::from_str_radix(digits, radix).ok()
}
