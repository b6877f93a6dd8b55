//! Numbers, shares, dates and durations as a language writes them.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use letterkeep_model::{Locale, Timestamp};
use maud::{Markup, html};

use crate::text::{Speaks, t};

const MONTHS: [[&str; 12]; 2] = [
    [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
];

const WEEKDAYS: [[&str; 7]; 2] =
    [["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"], ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]];

/// A whole number with its groups of three: `1.234` or `1,234`.
pub fn whole(speaks: &impl Speaks, number: i64) -> String {
    let group = if speaks.locale() == Locale::De { '.' } else { ',' };
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(group);
        }
        text.push(digit);
    }
    text
}

/// A number with at most two decimals: `1.234,5` or `1,234.5`.
pub fn decimal(locale: Locale, number: f64) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    let mut text = whole(&locale, rounded.trunc() as i64);
    if rounded < 0.0 && rounded > -1.0 {
        text.insert(0, '−');
    }
    let hundredths = ((rounded.abs() - rounded.abs().trunc()) * 100.0).round() as u32;
    if hundredths > 0 {
        let decimals = format!("{hundredths:02}");
        text.push(if locale == Locale::De { ',' } else { '.' });
        text.push_str(decimals.trim_end_matches('0'));
    }
    text
}

/// A share in percent with one decimal: `41,8 %` or `41.8%`. Of nothing it is a dash.
pub fn share(speaks: &impl Speaks, part: i64, of: i64) -> String {
    if of <= 0 {
        return "–".to_owned();
    }
    let tenths = (part as f64 * 1000.0 / of as f64).round() as i64;
    let (percent, tenth) = (whole(speaks, tenths / 10), tenths % 10);
    match speaks.locale() {
        Locale::De => format!("{percent},{tenth}\u{a0}%"),
        Locale::En => format!("{percent}.{tenth}%"),
    }
}

/// A size in bytes, with decimal units: `1,2 MB`.
pub fn bytes(speaks: &impl Speaks, size: i64) -> String {
    let locale = speaks.locale();
    let size = size as f64;
    let (value, unit) = match size {
        ..1e3 => (size, "B"),
        ..1e6 => (size / 1e3, "kB"),
        ..1e9 => (size / 1e6, "MB"),
        _ => (size / 1e9, "GB"),
    };
    format!("{}\u{a0}{unit}", decimal(locale, (value * 10.0).round() / 10.0))
}

/// A duration in the largest unit that says enough: `4 Minuten`.
pub fn duration(speaks: &impl Speaks, duration: Duration) -> String {
    let (count, unit) = unit(duration);
    match unit {
        "seconds" => t!(speaks, "duration-seconds", count = count),
        "minutes" => t!(speaks, "duration-minutes", count = count),
        "hours" => t!(speaks, "duration-hours", count = count),
        _ => t!(speaks, "duration-days", count = count),
    }
}

/// How many of which unit.
fn unit(duration: Duration) -> (u64, &'static str) {
    let seconds = duration.as_secs();
    match seconds {
        0..90 => (seconds, "seconds"),
        90..5_400 => ((seconds + 30) / 60, "minutes"),
        5_400..129_600 => ((seconds + 1_800) / 3_600, "hours"),
        _ => ((seconds + 43_200) / 86_400, "days"),
    }
}

/// `23. November 2026` or `23 November 2026`, in the given zone.
pub fn date(speaks: &impl Speaks, zone: &TimeZone, at: Timestamp) -> String {
    let Some(civil) = civil(zone, at) else { return at.to_string() };
    let locale = speaks.locale();
    let dot = if locale == Locale::De { "." } else { "" };
    let month = MONTHS[usize::from(locale != Locale::De)][civil.month() as usize - 1];
    format!("{}{dot}\u{a0}{month} {}", civil.day(), civil.year())
}

/// `23. November 2026, 08:00`, in the given zone.
pub fn date_time(speaks: &impl Speaks, zone: &TimeZone, at: Timestamp) -> String {
    let Some(civil) = civil(zone, at) else { return at.to_string() };
    format!("{}, {:02}:{:02}", date(speaks, zone, at), civil.hour(), civil.minute())
}

/// `08:00`, in the given zone.
pub fn clock(zone: &TimeZone, at: Timestamp) -> String {
    civil(zone, at).map_or_else(|| at.to_string(), |civil| format!("{:02}:{:02}", civil.hour(), civil.minute()))
}

/// `Mo` or `Mon`, in the given zone.
pub fn weekday(speaks: &impl Speaks, zone: &TimeZone, at: Timestamp) -> &'static str {
    let names = WEEKDAYS[usize::from(speaks.locale() != Locale::De)];
    civil(zone, at).map_or("", |civil| names[civil.weekday().to_monday_zero_offset() as usize])
}

/// The date and time as a `<time>` with the exact instant and its zone as the title.
pub fn moment(speaks: &impl Speaks, zone: &TimeZone, at: Timestamp) -> Markup {
    html! { time datetime=(machine(at)) title=(exact(zone, at)) { (date_time(speaks, zone, at)) } }
}

/// How long ago `at` was (or how soon it will be), as a `<time>` with the exact instant as the title.
pub fn ago(speaks: &impl Speaks, zone: &TimeZone, now: Timestamp, at: Timestamp) -> Markup {
    let (count, unit) = unit(if at > now { at.since(now) } else { now.since(at) });
    let text = if at > now {
        t!(speaks, "time-in", count = count, unit = unit)
    } else if now.since(at).as_secs() < 45 {
        t!(speaks, "time-now")
    } else if now.since(at).as_secs() < 7 * 86_400 {
        t!(speaks, "time-ago", count = count, unit = unit)
    } else {
        date(speaks, zone, at)
    };
    html! { time datetime=(machine(at)) title=(exact(zone, at)) { (text) } }
}

fn civil(zone: &TimeZone, at: Timestamp) -> Option<jiff::civil::DateTime> {
    let instant = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
    Some(zone.to_datetime(instant))
}

fn machine(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).map(|instant| format!("{instant:.0}")).unwrap_or_default()
}

fn exact(zone: &TimeZone, at: Timestamp) -> String {
    let Ok(instant) = jiff::Timestamp::from_microsecond(at.micros()) else { return String::new() };
    let mut text = String::new();
    let _ = write!(text, "{:.0}", instant.to_zoned(zone.clone()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DE: Locale = Locale::De;
    const EN: Locale = Locale::En;

    #[test]
    fn numbers() {
        assert_eq!(whole(&DE, 1_234_567), "1.234.567");
        assert_eq!(whole(&EN, -1_234), "−1,234");
        assert_eq!(whole(&EN, 999), "999");
        assert_eq!(decimal(DE, 1234.5), "1.234,5");
        assert_eq!(decimal(EN, -0.25), "−0.25");
        assert_eq!(decimal(EN, 2.999), "3");
        assert_eq!(share(&DE, 418, 1000), "41,8\u{a0}%");
        assert_eq!(share(&EN, 2, 3), "66.7%");
        assert_eq!(share(&EN, 0, 0), "–");
        assert_eq!(bytes(&DE, 1_234_567), "1,2\u{a0}MB");
    }

    #[test]
    fn times_stand_in_the_readers_zone() {
        let at = Timestamp::from_seconds(1_795_417_200);
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(date_time(&DE, &berlin, at), "23.\u{a0}November 2026, 08:00");
        assert_eq!(date_time(&EN, &TimeZone::UTC, at), "23\u{a0}November 2026, 07:00");
        assert_eq!((weekday(&DE, &berlin, at), weekday(&EN, &berlin, at)), ("Mo", "Mon"));
        let markup = moment(&EN, &berlin, at).into_string();
        assert!(markup.contains("datetime=\"2026-11-23T07:00:00Z\""), "{markup}");
        assert!(markup.contains("2026-11-23T08:00:00+01:00[Europe/Berlin]"), "{markup}");
    }

    #[test]
    fn durations_round() {
        assert_eq!(duration(&EN, Duration::from_secs(1)), "1 second");
        assert_eq!(duration(&DE, Duration::from_mins(4)), "4 Minuten");
        assert_eq!(duration(&DE, Duration::from_hours(48)), "2 Tage");
    }
}
