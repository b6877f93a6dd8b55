use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use letterkeep_model::Timestamp;

use super::ValueError;

/// Month names, German and English, by their first three letters (umlauts folded).
const MONTHS: [(&str, i8); 18] = [
    ("jan", 1),
    ("feb", 2),
    ("mar", 3),
    ("mär", 3),
    ("mrz", 3),
    ("apr", 4),
    ("mai", 5),
    ("may", 5),
    ("jun", 6),
    ("jul", 7),
    ("aug", 8),
    ("sep", 9),
    ("okt", 10),
    ("oct", 10),
    ("nov", 11),
    ("dez", 12),
    ("dec", 12),
    ("jän", 1),
];

/// A birthday without its year: what a greeting needs and nothing more. In JSON `"12-24"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Birthday {
    month: i8,
    day: i8,
}

impl Birthday {
    /// The 29th of February is a birthday too.
    pub fn new(month: i8, day: i8) -> Option<Self> {
        // A leap year.
        Date::new(2000, month, day).ok().map(|_| Self { month, day })
    }

    /// 1 to 12.
    pub const fn month(self) -> i8 {
        self.month
    }

    /// 1 to 31.
    pub const fn day(self) -> i8 {
        self.day
    }

    /// Reads `24.12.`, `24.12.1980`, `12-24`, `--12-24`, `1980-12-24`, `12/24`, `24. Dezember`, `Dec 24`.
    /// A year is read and dropped.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        if text.len() > 40 {
            return Err(ValueError::Birthday);
        }
        match parse_date(text) {
            Ok(date) => return Self::new(date.month(), date.day()).ok_or(ValueError::Birthday),
            Err(ValueError::AmbiguousDate) => return Err(ValueError::AmbiguousDate),
            Err(_) => {}
        }
        let number = |text: &str| number(text, 2);
        let pair = if let Some((day, month)) = text.trim_end_matches('.').split_once('.') {
            number(day).zip(number(month.trim()).or_else(|| month_by_name(month)))
        } else if let Some((month, day)) = text.strip_prefix("--").unwrap_or(text).split_once('-') {
            number(day).zip(number(month))
        } else if let Some((first, second)) = text.split_once('/') {
            let (first, second) = number(first).zip(number(second)).ok_or(ValueError::Birthday)?;
            let (month, day) = slashed(first, second).ok_or(ValueError::AmbiguousDate)?;
            Some((day, month))
        } else if let Some((first, second)) = text.split_once(char::is_whitespace) {
            let second = second.trim();
            number(first).zip(month_by_name(second)).or_else(|| ordinal(second).zip(month_by_name(first)))
        } else {
            None
        };
        pair.and_then(|(day, month)| Self::new(month, day)).ok_or(ValueError::Birthday)
    }
}

impl fmt::Display for Birthday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl serde::Serialize for Birthday {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Birthday {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Reads a day: `2026-12-31`, `31.12.2026`, `31. Dezember 2026`, `December 31, 2026`, `12/31/2026` where only one
/// reading makes a day. A time of midnight behind it, as spreadsheets write it, is dropped. The year has four digits.
pub fn parse_date(text: &str) -> Result<Date, ValueError> {
    let text = text.trim();
    if text.len() > 40 {
        return Err(ValueError::Date);
    }
    let text = match text.split_once(['T', ' ']) {
        Some((day, "00:00:00" | "00:00" | "00:00:00Z" | "00:00:00.000" | "0:00")) => day,
        _ => text,
    };
    let year = |text: &str| -> Option<i16> {
        let sound = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| text.parse().ok()).flatten().filter(|year| *year >= 1000)
    };
    let short = |text: &str| number(text.trim(), 2);
    let parts = |sign| {
        let mut parts = text.splitn(3, sign);
        Some((parts.next()?, parts.next()?, parts.next()?))
    };
    let found = if let Some((first, second, third)) = parts('-') {
        year(first).zip(short(second).zip(short(third)))
    } else if let Some((first, second, third)) = parts('/') {
        if let Some(year) = year(first) {
            short(second).zip(short(third)).map(|pair| (year, pair))
        } else {
            let pair = short(first).zip(short(second)).zip(year(third));
            let ((first, second), year) = pair.ok_or(ValueError::Date)?;
            Some((year, slashed(first, second).ok_or(ValueError::AmbiguousDate)?))
        }
    } else if let Some((day, month, last)) = parts('.').filter(|(_, _, last)| year(last.trim()).is_some()) {
        let month = short(month).or_else(|| month_by_name(month));
        year(last.trim()).zip(month.zip(short(day)))
    } else {
        let mut words = text.split([' ', ',', '\u{a0}']).filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(first), Some(second), Some(last), None) => {
                let pair = month_by_name(second).zip(ordinal(first));
                let pair = pair.or_else(|| month_by_name(first).zip(ordinal(second)));
                year(last).zip(pair)
            }
            _ => None,
        }
    };
    let (year, (month, day)) = found.ok_or(ValueError::Date)?;
    Date::new(year, month, day).map_err(|_| ValueError::Date)
}

/// Reads an instant: RFC 3339, or a day as in [`parse_date`] and a time `14:30`, `14:30:15`, `2:30 pm`, `14:30 Uhr`.
/// Without an offset the time is one of `zone`.
pub fn parse_date_time(text: &str, zone: &TimeZone) -> Result<Timestamp, ValueError> {
    let text = text.trim();
    if text.len() > 64 {
        return Err(ValueError::DateTime);
    }
    let sane = |instant: jiff::Timestamp| {
        let year = zone.to_datetime(instant).year();
        if (1000..=9999).contains(&year) {
            Ok(Timestamp::from_micros(instant.as_microsecond()))
        } else {
            Err(ValueError::DateTime)
        }
    };
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return sane(instant);
    }
    // The day may contain spaces, the time may too: cut before the part that holds the first colon.
    let colon = text.find(':');
    let (day, time) = match colon {
        None => (text, None),
        Some(colon) => {
            let cut = text[..colon].rfind(['T', ' ', ',', '\u{a0}']).ok_or(ValueError::DateTime)?;
            let sign = text[cut..].chars().next().map_or(1, char::len_utf8);
            (text[..cut].trim_end_matches([',', ' ', '\u{a0}']), Some(&text[cut + sign..]))
        }
    };
    let date = parse_date(day).map_err(|error| match error {
        ValueError::AmbiguousDate => error,
        _ => ValueError::DateTime,
    })?;
    let time = time.map_or(Ok(Time::midnight()), parse_time)?;
    let ambiguous = zone.to_ambiguous_timestamp(DateTime::from_parts(date, time));
    let instant = ambiguous.unambiguous().map_err(|_| ValueError::ClockChange)?;
    sane(instant)
}

fn parse_time(text: &str) -> Result<Time, ValueError> {
    let lower = text.trim().to_lowercase();
    let lower = lower.strip_suffix("uhr").unwrap_or(&lower).trim_end();
    let (clock, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock.trim_end(), Some(0)),
        (_, Some(clock)) => (clock.trim_end(), Some(12)),
        _ => (lower, None),
    };
    let mut parts = clock.split(':');
    let hour = parts.next().and_then(|part| number(part, 2)).ok_or(ValueError::DateTime)?;
    let minute = parts.next().filter(|part| part.len() == 2).and_then(|part| number(part, 2));
    let minute = minute.ok_or(ValueError::DateTime)?;
    let second = match parts.next() {
        None => 0,
        Some(part) => number(part.split('.').next().unwrap_or(part), 2).ok_or(ValueError::DateTime)?,
    };
    let hour = match half {
        None => hour,
        Some(offset) if (1..=12).contains(&hour) => hour % 12 + offset,
        Some(_) => return Err(ValueError::DateTime),
    };
    if parts.next().is_some() {
        return Err(ValueError::DateTime);
    }
    Time::new(hour, minute, second, 0).map_err(|_| ValueError::DateTime)
}

/// `first/second` as (month, day), if only one order makes sense or both mean the same.
fn slashed(first: i8, second: i8) -> Option<(i8, i8)> {
    if first == second || (first <= 12 && second > 12) {
        Some((first, second))
    } else if first > 12 {
        // If the second is no month either, it is not a date, which the caller finds out.
        Some((second, first))
    } else {
        None
    }
}

/// One or two digits.
fn number(text: &str, digits: usize) -> Option<i8> {
    let sound = (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

/// `31`, `31.`, `31st`.
fn ordinal(text: &str) -> Option<i8> {
    let text = text.trim_end_matches(['.', ',']);
    let bare = ["st", "nd", "rd", "th"].iter().find_map(|suffix| text.strip_suffix(suffix));
    number(bare.unwrap_or(text), 2)
}

fn month_by_name(text: &str) -> Option<i8> {
    let name = text.trim().trim_end_matches(['.', ',']).to_lowercase();
    if !(3..=12).contains(&name.len()) || !name.chars().all(char::is_alphabetic) {
        return None;
    }
    let start = name.chars().take(3).collect::<String>();
    MONTHS.iter().find(|(short, _)| *short == start).map(|(_, month)| *month)
}
