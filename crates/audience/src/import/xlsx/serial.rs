use jiff::civil::Date;

/// What a serial number of a spreadsheet means: `2026-12-31`, `2026-12-31T14:30:00` or, below one day, `14:30:00`.
/// `None` if it is no day that a spreadsheet can show.
pub fn date_from_serial(serial: f64, from_1904: bool) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&serial) {
        return None;
    }
    let mut days = serial.floor() as i64;
    let mut seconds = ((serial - serial.floor()) * 86_400.0).round() as i64;
    if seconds == 86_400 {
        days += 1;
        seconds = 0;
    }
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if days == 0 && seconds > 0 {
        return Some(time);
    }
    // Excel believes that 1900 was a leap year: serial 60 is a day that never was, later ones are one too high.
    let (first, days) = match (from_1904, days) {
        (true, days) => (Date::constant(1904, 1, 1), days),
        (false, days) if days < 60 => (Date::constant(1899, 12, 31), days),
        (false, 60) => return None,
        (false, days) => (Date::constant(1899, 12, 30), days),
    };
    let date = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    Some(if seconds == 0 { date.to_string() } else { format!("{date}T{time}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_excel() {
        for (serial, from_1904, text) in [
            (1.0, false, "1900-01-01"),
            (59.0, false, "1900-02-28"),
            (61.0, false, "1900-03-01"),
            (45_292.0, false, "2024-01-01"),
            (45_292.604_166_666_664, false, "2024-01-01T14:30:00"),
            (0.5, false, "12:00:00"),
            (43_830.0, true, "2024-01-01"),
            (45_291.999_999_999, false, "2024-01-01"),
        ] {
            assert_eq!(date_from_serial(serial, from_1904).as_deref(), Some(text), "{serial}");
        }
        for serial in [-1.0, 60.0, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(date_from_serial(serial, false), None, "{serial}");
        }
    }
}
