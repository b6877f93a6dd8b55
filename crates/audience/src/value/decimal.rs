use std::fmt;

use super::{Notation, ValueError};

/// A decimal number of at most 15 digits, 9 of them after the point, so that it survives a round trip through the
/// floating-point numbers of JSON and spreadsheets.
///
/// Kept without trailing zeros: `1.50` equals `1.5`. In JSON a string: `"1.5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

const DIGITS: usize = 15;
const SCALE: usize = 9;

impl Decimal {
    /// `units` divided by ten to the power of `scale`; `None` if it has too many digits.
    pub fn new(units: i64, scale: u8) -> Option<Self> {
        let (mut units, mut scale) = (units, scale);
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        (units.unsigned_abs() < 10u64.pow(DIGITS as u32) && usize::from(scale) <= SCALE)
            .then_some(Self { units, scale })
    }

    /// The number without its point.
    pub const fn units(self) -> i64 {
        self.units
    }

    /// How many digits stand after the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Reads a number: `1234.56`, `1.234,56`, `1,234.56`, `1 234,56`, `1'234.56`, `-5`, `+5`.
    ///
    /// # Errors
    /// [`ValueError::AmbiguousNumber`] for `1.234` and `1,234` where the notation is not known.
    pub fn parse(text: &str, notation: Notation) -> Result<Self, ValueError> {
        let text = text.trim();
        if text.len() > 64 {
            return Err(if text.chars().all(|c| c.is_ascii_digit() || ".,".contains(c)) {
                ValueError::NumberSize
            } else {
                ValueError::Number
            });
        }
        let (negative, digits) = match text.strip_prefix(['-', '\u{2212}']) {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = split(digits, notation)?;
        let whole = ungroup(whole)?;
        if whole.is_empty() && fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ValueError::Number);
        }
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        if whole.len() + fraction.len() > DIGITS || fraction.len() > SCALE {
            return Err(ValueError::NumberSize);
        }
        let units = format!("0{whole}{fraction}").parse::<i64>().map_err(|_| ValueError::Number)?;
        let units = if negative { -units } else { units };
        Self::new(units, fraction.len() as u8).ok_or(ValueError::NumberSize)
    }
}

/// Cuts a number at its decimal sign.
fn split(digits: &str, notation: Notation) -> Result<(&str, &str), ValueError> {
    let point = match notation {
        Notation::German => ',',
        Notation::English => '.',
        Notation::Any => match (digits.rfind('.'), digits.rfind(',')) {
            (None, None) => return Ok((digits, "")),
            // Both occur: the last one is the decimal sign, if it occurs once.
            (Some(dot), Some(comma)) => {
                if dot > comma {
                    '.'
                } else {
                    ','
                }
            }
            (found, _) => {
                let sign = if found.is_some() { '.' } else { ',' };
                if digits.matches(sign).count() > 1 {
                    // Several: only thousands can be meant.
                    return Ok((digits, ""));
                }
                let (before, after) = digits.split_once(sign).unwrap_or((digits, ""));
                // `0.123` and `1234.567` cannot be groups of three.
                let grouped = after.len() == 3 && (1..=3).contains(&before.len()) && !before.starts_with('0');
                if grouped {
                    return Err(ValueError::AmbiguousNumber);
                }
                sign
            }
        },
    };
    let other = if point == '.' { ',' } else { '.' };
    match digits.matches(point).count() {
        0 => Ok((digits, "")),
        1 => {
            let (whole, fraction) = digits.split_once(point).unwrap_or((digits, ""));
            if fraction.contains(other) { Err(ValueError::Number) } else { Ok((whole, fraction)) }
        }
        _ => Err(ValueError::Number),
    }
}

/// Drops the separators of thousands: one kind only, groups of three after the first.
fn ungroup(whole: &str) -> Result<String, ValueError> {
    let separators = ['.', ',', ' ', '\'', '\u{2019}', '\u{a0}', '\u{202f}'];
    let Some(separator) = whole.chars().find(|c| separators.contains(c)) else {
        return if whole.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(whole.into())
        } else {
            Err(ValueError::Number)
        };
    };
    let mut groups = whole.split(separator);
    let first = groups.next().unwrap_or_default();
    let sound = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=3).contains(&first.len()) || !sound(first) {
        return Err(ValueError::Number);
    }
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || !sound(group) {
            return Err(ValueError::Number);
        }
        digits.push_str(group);
    }
    Ok(digits)
}

impl fmt::Display for Decimal {
    /// With a decimal point and no separators of thousands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.units.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        if self.units < 0 {
            f.write_str("-")?;
        }
        if scale == 0 {
            return f.write_str(&digits);
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{whole}.{fraction}")
    }
}

impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text, Notation::English).map_err(serde::de::Error::custom)
    }
}
