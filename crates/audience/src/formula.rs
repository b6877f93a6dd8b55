//! Keeps spreadsheets from running a text of ours as a formula, and reads such a text back.
//!
//! A spreadsheet does not have to read our files as they were written: a German Excel cuts them at `;` and ignores the
//! quotes of cells that do not begin with one, others cut at tabs or line by line. So a sign that begins a formula is
//! guarded wherever some program could begin a cell: at the beginning of the text and after each separator, with
//! nothing but blanks and quotes in between (OWASP, CSV injection).

use std::borrow::Cow;

/// Characters at which some program cuts a file into cells.
const SEPARATORS: [char; 6] = [';', ',', '|', '\t', '\r', '\n'];
/// Characters with which a formula begins, also in their full-width form.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// The text with an apostrophe before each sign that could begin a formula.
///
/// A text that is nothing but a number or a telephone number (`-12,50`, `+49 30 1234`) stays as it is: nothing in it can
/// name a cell or a function.
pub fn guard(text: &str) -> Cow<'_, str> {
    let mut guarded = String::new();
    let mut done = 0;
    for (at, _) in signs(text) {
        guarded.push_str(&text[done..at]);
        guarded.push('\'');
        done = at;
    }
    finish(text, done, guarded)
}

/// Undoes [`guard`].
pub fn unguard(text: &str) -> Cow<'_, str> {
    // Nearly every cell of a file ends here.
    if !text.contains('\'') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::new();
    let mut done = 0;
    for (at, _) in signs(text).filter(|(_, is_guarded)| *is_guarded) {
        plain.push_str(&text[done..at - 1]);
        done = at;
    }
    finish(text, done, plain)
}

fn finish(text: &str, done: usize, mut changed: String) -> Cow<'_, str> {
    if changed.is_empty() && done == 0 {
        return Cow::Borrowed(text);
    }
    changed.push_str(&text[done..]);
    Cow::Owned(changed)
}

/// Where signs stand that could begin a formula, and whether an apostrophe stands right before each.
///
/// Apostrophes are passed over like other quotes, so that a text that looks guarded already gets one more: that is what
/// makes [`unguard`] exact.
fn signs(text: &str) -> impl Iterator<Item = (usize, bool)> {
    let (mut may_begin, mut before) = (true, ' ');
    text.char_indices().filter_map(move |(at, char)| {
        let begins = may_begin && SIGNS.contains(&char) && !(at == 0 && is_number(text));
        may_begin = SEPARATORS.contains(&char) || (may_begin && is_passed_over(char));
        let is_guarded = std::mem::replace(&mut before, char) == '\'';
        begins.then_some((at, is_guarded))
    })
}

fn is_passed_over(char: char) -> bool {
    char.is_whitespace() || char.is_control() || matches!(char, '"' | '\'' | '\u{feff}' | '\u{200b}')
}

fn is_number(text: &str) -> bool {
    let Some(number) = text.strip_prefix(['+', '-']) else { return false };
    number.contains(|char: char| char.is_ascii_digit())
        && number.chars().all(|char| char.is_ascii_digit() || " ()./,-".contains(char))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_run_is_guarded() {
        for (text, guarded) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+49 cmd|'/c calc'!A1", "'+49 cmd|'/c calc'!A1"),
            ("+1,cmd|'/c calc'!A1", "'+1,cmd|'/c calc'!A1"),
            ("+49 30 1; +49 30 2", "'+49 30 1; '+49 30 2"),
            ("'-1", "''-1"),
            ("x;=cmd|' /C calc'!A0;", "x;'=cmd|' /C calc'!A0;"),
            ("notes\n=1", "notes\n'=1"),
            ("a\r\n \"=1", "a\r\n \"'=1"),
            ("\t@x", "\t'@x"),
            ("＝1", "'＝1"),
            ("-", "'-"),
            ("'=1", "''=1"),
            ("' \"=1", "' \"'=1"),
            ("x|-y,+z", "x|'-y,'+z"),
        ] {
            assert_eq!(guard(text), guarded);
            assert_eq!(unguard(guarded), text);
        }
    }

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        let texts = ["", "plain", "a=b", "-5,20", "+49 (30) 123-45", "'s-Hertogenbosch", "O'Neill", "a - b"];
        for text in texts {
            assert!(matches!(guard(text), Cow::Borrowed(_)), "{text}");
            assert_eq!(unguard(text), text);
        }
    }

    proptest! {
        #[test]
        fn the_guard_can_be_undone(text in "[-=+@＝;,|\t\r\n \"'a1]{0,12}|.{0,40}") {
            let guarded = guard(&text);
            prop_assert_eq!(unguard(&guarded), text.as_str());
        }

        #[test]
        fn no_piece_begins_a_formula(text in "[-=+@＝;,|\t\r\n \"'a1]{0,12}") {
            let guarded = guard(&text);
            let number = guarded.starts_with(['-', '+']) && guarded[1..].chars().all(|char| " ,-1".contains(char));
            for piece in guarded.split(SEPARATORS).skip(usize::from(number)) {
                prop_assert!(!piece.trim_start_matches([' ', '"']).starts_with(SIGNS), "{piece:?}");
            }
        }
    }
}
