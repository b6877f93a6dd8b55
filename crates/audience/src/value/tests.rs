use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn number(text: &str, notation: Notation) -> Result<String, ValueError> {
    Decimal::parse(text, notation).map(|number| number.to_string())
}

#[test]
fn numbers_in_german_and_english() {
    use Notation::{Any, English, German};
    for (text, notation, value) in [
        ("1.234,56", Any, "1234.56"),
        ("1,234.56", Any, "1234.56"),
        ("1.234.567", Any, "1234567"),
        ("1 234,5", Any, "1234.5"),
        ("1'234.50", Any, "1234.5"),
        ("12,5", Any, "12.5"),
        ("0.123", Any, "0.123"),
        ("-7", Any, "-7"),
        ("\u{2212}7,25", Any, "-7.25"),
        (",5", Any, "0.5"),
        ("1.234", German, "1234"),
        ("1.234", English, "1.234"),
        ("1,234", English, "1234"),
        ("1,234", German, "1.234"),
        ("007", Any, "7"),
        ("0,00", Any, "0"),
    ] {
        assert_eq!(number(text, notation).as_deref(), Ok(value), "{text:?} {notation:?}");
    }
    for (text, error) in [
        ("1.234", ValueError::AmbiguousNumber),
        ("12,345", ValueError::AmbiguousNumber),
        ("1.23.456", ValueError::Number),
        ("1,2,3.4", ValueError::Number),
        ("1.234,56,7", ValueError::Number),
        ("12a", ValueError::Number),
        ("", ValueError::Number),
        (".", ValueError::Number),
        ("1e5", ValueError::Number),
        ("--1", ValueError::Number),
        ("٣", ValueError::Number),
        ("1234567890123456", ValueError::NumberSize),
        ("0.1234567891", ValueError::NumberSize),
    ] {
        assert_eq!(number(text, Any), Err(error), "{text:?}");
    }
}

#[test]
fn amounts_with_their_currency() {
    let eur = "EUR".parse::<Currency>().ok();
    let cad = "CAD".parse::<Currency>().ok();
    for (text, usual, value) in [
        ("12,50 €", None, "12.50 EUR"),
        ("EUR 1.234", None, "1234.00 EUR"),
        ("-£5", None, "-5.00 GBP"),
        ("12.5", eur, "12.50 EUR"),
        ("$12.50", cad, "12.50 CAD"),
        ("1500 JPY", None, "1500 JPY"),
        ("1,234.567 kwd", None, "1234.567 KWD"),
        ("-0,05 €", None, "-0.05 EUR"),
    ] {
        assert_eq!(
            Money::parse(text, Notation::Any, usual).map(|money| money.to_string()).as_deref(),
            Ok(value),
            "{text}"
        );
    }
    for (text, usual, error) in [
        ("12.50", None, ValueError::NoCurrency),
        ("$5", eur, ValueError::AmbiguousCurrency),
        ("5 XYZ", None, ValueError::Currency),
        ("EUR 5 EUR", None, ValueError::Currency),
        ("5.5 JPY", None, ValueError::MinorUnits(0)),
        ("1.234 KWD", None, ValueError::AmbiguousNumber),
        ("€", None, ValueError::Number),
    ] {
        assert_eq!(Money::parse(text, Notation::Any, usual).map(|money| money.to_string()), Err(error), "{text}");
    }
}

#[test]
fn days_and_birthdays() {
    let day = date(2026, 12, 31);
    for text in [
        "2026-12-31",
        "31.12.2026",
        " 31. 12. 2026",
        "31. Dezember 2026",
        "31 Dec 2026",
        "December 31, 2026",
        "Dec 31st 2026",
        "12/31/2026",
        "31/12/2026",
        "2026/12/31",
        "2026-12-31T00:00:00",
        "31.12.2026 00:00:00",
    ] {
        assert_eq!(parse_date(text), Ok(day), "{text:?}");
    }
    assert_eq!(parse_date("03/04/2026"), Err(ValueError::AmbiguousDate));
    assert_eq!(parse_date("05/05/2026"), Ok(date(2026, 5, 5)));
    assert_eq!(parse_date("1.3.2026"), Ok(date(2026, 3, 1)));
    for text in [
        "31.12.26",
        "31.02.2026",
        "2026-13-01",
        "13/13/2026",
        "today",
        "",
        "20261231",
        "31.12.2026 14:30",
        "1.2.3.2026",
    ] {
        assert_eq!(parse_date(text), Err(ValueError::Date), "{text:?}");
    }
    for text in [
        "24.12.",
        "24.12",
        "12-24",
        "--12-24",
        "24.12.1980",
        "1980-12-24",
        "12/24",
        "24/12",
        "24. Dezember",
        "Dec 24",
        "24 December",
    ] {
        assert_eq!(Birthday::parse(text).map(|day| day.to_string()).as_deref(), Ok("12-24"), "{text:?}");
    }
    assert_eq!(Birthday::parse("29.2.").map(|day| (day.month(), day.day())), Ok((2, 29)));
    assert_eq!(Birthday::parse("03/04"), Err(ValueError::AmbiguousDate));
    for text in ["30.2.", "24-12", "Christmas", "", "12", "."] {
        assert_eq!(Birthday::parse(text), Err(ValueError::Birthday), "{text:?}");
    }
}

#[test]
fn instants_with_and_without_offset() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let at = |text| parse_date_time(text, &berlin).map(|instant| instant.to_string());
    for text in [
        "2026-12-31T13:30:00Z",
        "2026-12-31T14:30:00+01:00",
        "2026-12-31 14:30",
        "31.12.2026 14:30:00",
        "31.12.2026, 14:30 Uhr",
        "12/31/2026 2:30 PM",
        "31. Dezember 2026 14:30",
        "2026-12-31T14:30:00",
    ] {
        assert_eq!(at(text).as_deref(), Ok("2026-12-31T13:30:00.000000Z"), "{text:?}");
    }
    assert_eq!(at("2026-03-29 02:30"), Err(ValueError::ClockChange), "never");
    assert_eq!(at("2026-10-25 02:30"), Err(ValueError::ClockChange), "twice");
    assert_eq!(at("03/04/2026 10:00"), Err(ValueError::AmbiguousDate));
    for text in ["14:30", "2026-12-31 25:00", "2026-12-31 13:00 pm", "2026-12-31 1:2", ":", "10:00:00:00"] {
        assert_eq!(at(text), Err(ValueError::DateTime), "{text:?}");
    }
}

#[test]
fn options_and_flags() {
    let options = ["Red".to_owned(), "Dark, blue".to_owned(), "Green".to_owned()];
    let parse = |kind, text: &str| {
        FieldValue::parse(&Shape { kind, options: &options, currency: None }, text, &Foreign::default())
    };
    let text = |kind, text: &str| parse(kind, text).map(|value| value.map(|value| value.text()));
    assert_eq!(text(FieldKind::Select, " red "), Ok(Some("Red".into())));
    assert_eq!(text(FieldKind::Select, "blue"), Err(ValueError::Option));
    assert_eq!(text(FieldKind::MultiSelect, "green; red;red"), Ok(Some("Red; Green".into())));
    assert_eq!(text(FieldKind::MultiSelect, "Dark, blue"), Ok(Some("Dark, blue".into())));
    assert_eq!(text(FieldKind::MultiSelect, ";"), Err(ValueError::Option));
    assert_eq!(text(FieldKind::Boolean, "Ja"), Ok(Some("yes".into())));
    assert_eq!(text(FieldKind::Boolean, "falsch"), Ok(Some("no".into())));
    assert_eq!(text(FieldKind::Boolean, "maybe"), Err(ValueError::Boolean));
    assert_eq!(text(FieldKind::Text, " a\r\nb "), Ok(Some("a b".into())));
    assert_eq!(text(FieldKind::Text, "a\0b"), Err(ValueError::Control));
    assert_eq!(text(FieldKind::Text, "a\u{202e}b"), Err(ValueError::Control));
    assert_eq!(text(FieldKind::TextArea, "a\r\nb"), Ok(Some("a\nb".into())));
    assert_eq!(text(FieldKind::Text, "  "), Ok(None));
    assert_eq!(text(FieldKind::Text, &"ä".repeat(255)), Ok(Some("ä".repeat(255))));
    assert_eq!(text(FieldKind::Text, &"ä".repeat(256)), Err(ValueError::TooLong(255)));
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_stumble(text in "\\PC{0,80}|[0-9.,:/ €$+-]{0,24}") {
        let options = ["a".to_owned()];
        for kind in FieldKind::ALL {
            for notation in [Notation::Any, Notation::German, Notation::English] {
                let foreign = Foreign { notation, time_zone: TimeZone::UTC };
                let shape = Shape { kind, options: &options, currency: "EUR".parse().ok() };
                if let Ok(Some(value)) = FieldValue::parse(&shape, &text, &foreign) {
                    prop_assert!(value.fits(kind));
                    // What is written is read back as the same value, also through JSON.
                    let english = Foreign { notation: Notation::English, ..foreign };
                    let again = FieldValue::parse(&shape, &value.text(), &english).unwrap().unwrap();
                    prop_assert!(again == value);
                    let json = serde_json::to_string(&value).unwrap();
                    prop_assert!(serde_json::from_str::<FieldValue>(&json).unwrap() == value);
                }
            }
        }
        let _ = Birthday::parse(&text);
    }

    #[test]
    fn every_number_is_read_in_both_notations(units in -999_999_999_999_999i64..=999_999_999_999_999, scale in 0u8..=9) {
        let number = Decimal::new(units, scale).unwrap();
        let english = number.to_string();
        prop_assert_eq!(Decimal::parse(&english, Notation::English), Ok(number));
        prop_assert_eq!(Decimal::parse(&english.replace('.', ","), Notation::German), Ok(number));
    }

    #[test]
    fn every_day_is_read(days in 0i64..2_900_000) {
        let day = date(1001, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        prop_assert_eq!(parse_date(&day.to_string()), Ok(day));
        prop_assert_eq!(parse_date(&day.strftime("%d.%m.%Y").to_string()), Ok(day));
        prop_assert_eq!(Birthday::parse(&day.strftime("%d.%m.").to_string()).unwrap().month(), day.month());
    }
}
