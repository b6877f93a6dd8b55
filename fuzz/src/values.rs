//! Cells of a contact file read as numbers, money, days, instants, flags, options and texts.

use letterkeep_audience::formula::{guard, unguard};
use letterkeep_audience::value::{FieldKind, FieldValue, Foreign, Notation, Shape};
use letterkeep_audience::{Birthday, Decimal};

/// What is accepted is of the wanted kind, short, and means the same when it is written and read again; the
/// spreadsheet guard of the export can always be undone.
pub fn check(bytes: &[u8]) {
    holds(bytes, &|shape, text, foreign| FieldValue::parse(shape, text, foreign).ok().flatten());
}

/// The check of any parser of cells.
pub(crate) fn holds(bytes: &[u8], parse: &dyn Fn(&Shape<'_>, &str, &Foreign) -> Option<FieldValue>) {
    let text = crate::text(bytes);
    let options = ["Red".to_owned(), "Dark, blue".to_owned(), "Größe; XL".to_owned(), "red wine".to_owned()];
    for kind in FieldKind::ALL {
        let shape = Shape { kind, options: &options, currency: "EUR".parse().ok() };
        for notation in [Notation::Any, Notation::German, Notation::English] {
            let foreign = Foreign { notation, ..Foreign::default() };
            let Some(value) = parse(&shape, text, &foreign) else { continue };
            assert!(value.fits(kind), "{kind:?}");
            let shown = value.text();
            // One reading has won; only the notation that it is shown in may be needed to find it again.
            let english = Foreign { notation: Notation::English, ..Foreign::default() };
            let again = parse(&shape, &shown, &english);
            assert!(again.as_ref() == Some(&value), "{kind:?} {notation:?}: {text:?} is shown as {shown:?}");
            assert!(shown.len() <= 4 * 5_000 && shown.len() <= text.len() * 2 + 64, "{kind:?}: longer than it came");
            if kind == FieldKind::Text {
                assert!(!shown.contains(char::is_control), "{shown:?} does not fit one line");
            }
        }
    }
    if let Ok(number) = Decimal::parse(text, Notation::Any) {
        // A text with one reading means the same to whoever knows the notation, in at least one of them.
        let known = [Notation::German, Notation::English].map(|notation| Decimal::parse(text, notation));
        assert!(known.contains(&Ok(number)), "{text:?} is {number} to nobody");
    }
    if let Ok(birthday) = Birthday::parse(text) {
        assert_eq!(Birthday::parse(&birthday.to_string()), Ok(birthday));
    }
    let guarded = guard(text);
    assert_eq!(unguard(&guarded), text);
    let number = |char: char| char.is_ascii_digit() || "+ ()./,-".contains(char);
    for piece in guarded.split([';', ',', '|', '\t', '\r', '\n']) {
        let begins = piece.trim_start_matches([' ', '"']).starts_with(['=', '+', '-', '@']);
        assert!(!begins || guarded.chars().all(number), "{guarded:?} runs as a formula");
    }
}
