//! Cells of a contact file read as dates, numbers and money: never a panic, and a number that is accepted is accepted again as it is shown.
#![no_main]

use letterkeep_audience::value::{parse_boolean, parse_date};
use letterkeep_audience::{Birthday, Decimal, Money, Notation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = parse_boolean(text);
    let _ = parse_date(text);
    let _ = Birthday::parse(text);
    if let Ok(number) = Decimal::parse(text, Notation::Any) {
        let shown = number.to_string();
        assert_eq!(Decimal::parse(&shown, Notation::English).expect("its own text"), number, "{shown}");
    }
    let _ = Money::parse(text, Notation::German, None);
});
