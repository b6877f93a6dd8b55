//! Rows that are refused: why, in words, and the file that gives them back to the user.

use letterkeep_model::{EmailError, Id, Locale, kind};

use super::row::RowProblem;
use crate::formula::guard;
use crate::{RecordError, ValueError};

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reject {
    /// The row cannot be read.
    Row(RowProblem),
    /// A cell does not fit its field; the column, from 1.
    Cell(usize, ValueError),
    /// A cell of the permission column says neither yes nor no nor a permission; the column, from 1.
    Permission(usize),
    /// The file has more different tags than an import makes.
    TooManyTags,
    /// Everything together does not fit.
    Record(RecordError),
    /// The address stood further up in the file.
    Duplicate,
    /// What is stored of the contact cannot be opened.
    Unreadable(Id<kind::Contact>),
    /// The row is refused for this reason; the no in it counts all the same.
    ButNo(Box<Self>),
}

/// Different tags that one file may bring.
pub(super) const TAGS: usize = 500;

impl Reject {
    /// A stable name, for translated texts and statistics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Row(RowProblem::TooFewCells { .. }) => "too-few-cells",
            Self::Row(RowProblem::TooManyCells { .. }) => "too-many-cells",
            Self::Row(RowProblem::CellTooLong(_)) => "cell-too-long",
            Self::Row(RowProblem::RowTooLong) => "row-too-long",
            Self::Row(RowProblem::Nul(_)) => "nul",
            Self::Row(RowProblem::OpenQuote) => "open-quote",
            Self::Cell(_, error) => error.code(),
            Self::Permission(_) => "permission",
            Self::TooManyTags => "too-many-tags",
            Self::Record(_) => "record",
            Self::Duplicate => "duplicate",
            Self::Unreadable(_) => "unreadable",
            Self::ButNo(reject) => reject.code(),
        }
    }

    /// Whether the address stood further up in the file.
    pub(super) fn is_duplicate(&self) -> bool {
        match self {
            Self::Duplicate => true,
            Self::ButNo(reject) => reject.is_duplicate(),
            _ => false,
        }
    }

    /// The reason in words, naming the column by its heading.
    pub fn text(&self, headings: &[String], locale: Locale) -> String {
        let column = |number: usize| match (headings.get(number.wrapping_sub(1)), locale) {
            (Some(heading), Locale::De) => format!("Spalte {number} („{heading}“)"),
            (Some(heading), Locale::En) => format!("Column {number} (\"{heading}\")"),
            (None, Locale::De) => format!("Spalte {number}"),
            (None, Locale::En) => format!("Column {number}"),
        };
        match locale {
            Locale::De => self.german(&column),
            Locale::En => self.english(&column),
        }
    }

    fn english(&self, column: &dyn Fn(usize) -> String) -> String {
        match self {
            Self::Row(RowProblem::TooFewCells { expected, found }) => {
                format!("The row has {found} cells, the heading has {expected}; is a separator or a quote missing?")
            }
            Self::Row(RowProblem::TooManyCells { expected, found }) => {
                format!("The row has {found} cells, the heading has {expected}; put cells that contain separators in quotes")
            }
            Self::Row(RowProblem::CellTooLong(number)) => format!("{}: the cell is longer than 64 KB", column(*number)),
            Self::Row(RowProblem::RowTooLong) => "The row is longer than 1 MB".into(),
            Self::Row(RowProblem::Nul(number)) => format!("{}: the cell contains a NUL character", column(*number)),
            Self::Row(RowProblem::OpenQuote) => {
                "A quote that opens in this row is never closed; everything after it was read as one cell. Close the quote and import the rest again".into()
            }
            Self::Cell(number, error) => format!("{}: {error}", column(*number)),
            Self::Permission(number) => format!("{}: neither yes nor no nor a permission (explicit, implicit, unsubscribed)", column(*number)),
            Self::TooManyTags => format!("The file has more than {TAGS} different tags; is the right column mapped to tags?"),
            Self::Record(error) => format!("The contact is too large: {error}"),
            Self::Duplicate => "The address stands further up in the file; that row was taken".into(),
            Self::Unreadable(contact) => {
                format!("What is stored of this contact cannot be read; it was left as it is. Ask whoever runs Letterkeep to restore {contact} from a backup, then import this row again")
            }
            Self::ButNo(reject) => format!("{}; the no in this row counts all the same", reject.english(column)),
        }
    }

    fn german(&self, column: &dyn Fn(usize) -> String) -> String {
        match self {
            Self::Row(RowProblem::TooFewCells { expected, found }) => {
                format!("Die Zeile hat {found} Zellen, die Überschrift {expected}; fehlt ein Trennzeichen oder ein Anführungszeichen?")
            }
            Self::Row(RowProblem::TooManyCells { expected, found }) => {
                format!("Die Zeile hat {found} Zellen, die Überschrift {expected}; Zellen mit Trennzeichen gehören in Anführungszeichen")
            }
            Self::Row(RowProblem::CellTooLong(number)) => format!("{}: die Zelle ist länger als 64 KB", column(*number)),
            Self::Row(RowProblem::RowTooLong) => "Die Zeile ist länger als 1 MB".into(),
            Self::Row(RowProblem::Nul(number)) => format!("{}: die Zelle enthält ein NUL-Zeichen", column(*number)),
            Self::Row(RowProblem::OpenQuote) => {
                "Ein Anführungszeichen wird in dieser Zeile geöffnet und nie geschlossen; alles danach wurde als eine Zelle gelesen. Bitte schließen und den Rest noch einmal importieren".into()
            }
            Self::Cell(number, error) => format!("{}: {}", column(*number), german_value(*error)),
            Self::Permission(number) => format!("{}: weder ja noch nein noch eine Berechtigung (explicit, implicit, unsubscribed)", column(*number)),
            Self::TooManyTags => format!("Die Datei hat mehr als {TAGS} verschiedene Schlagworte; ist die richtige Spalte zugeordnet?"),
            Self::Record(_) => "Die Angaben zum Kontakt sind zusammen zu lang; bitte Notizen oder lange Texte kürzen".into(),
            Self::Duplicate => "Die Adresse steht weiter oben in der Datei; jene Zeile wurde übernommen".into(),
            Self::Unreadable(contact) => {
                format!("Was zu diesem Kontakt gespeichert ist, lässt sich nicht lesen; er blieb, wie er war. Bitten Sie, wer Letterkeep betreibt, {contact} aus einer Sicherung wiederherzustellen, und importieren Sie diese Zeile noch einmal")
            }
            Self::ButNo(reject) => format!("{}; das Nein in dieser Zeile gilt trotzdem", reject.german(column)),
        }
    }
}

fn german_value(error: ValueError) -> String {
    match error {
        ValueError::TooLong(chars) => format!("länger als {chars} Zeichen"),
        ValueError::Control => "enthält einen Zeilenumbruch oder ein Steuerzeichen".into(),
        ValueError::Number => "keine Zahl; bitte 1234,56 oder 1234.56 schreiben".into(),
        ValueError::AmbiguousNumber => {
            "unklar, ob das Zeichen Tausender oder Dezimalstellen trennt; bitte die Schreibweise der Datei angeben"
                .into()
        }
        ValueError::NumberSize => "eine Zahl darf höchstens 15 Ziffern haben, 9 davon nach dem Komma".into(),
        ValueError::Currency => "keine Währung; bitte drei Buchstaben schreiben, zum Beispiel EUR".into(),
        ValueError::NoCurrency => "dem Betrag fehlt die Währung; zum Beispiel 12,50 EUR".into(),
        ValueError::AmbiguousCurrency => {
            "das Zeichen steht für mehrere Währungen; bitte drei Buchstaben schreiben, zum Beispiel USD".into()
        }
        ValueError::MinorUnits(units) => format!("die Währung hat nur {units} Nachkommastellen"),
        ValueError::Boolean => "weder ja noch nein; bitte ja, nein, 1 oder 0 schreiben".into(),
        ValueError::Date => "kein Datum; bitte 31.12.2026 oder 2026-12-31 schreiben".into(),
        ValueError::AmbiguousDate => {
            "Tag und Monat könnten vertauscht sein; bitte 31.12.2026 oder 2026-12-31 schreiben".into()
        }
        ValueError::DateTime => "kein Datum mit Uhrzeit; bitte 31.12.2026 14:30 schreiben".into(),
        ValueError::ClockChange => {
            "zu dieser Zeit wird die Uhr umgestellt; bitte den Abstand zu UTC angeben, zum Beispiel +01:00".into()
        }
        ValueError::Birthday => "kein Geburtstag; bitte 24.12. oder 12-24 schreiben".into(),
        ValueError::Option => "keine der Möglichkeiten dieses Feldes".into(),
        ValueError::Email(error) => match error {
            EmailError::Empty => "die E-Mail-Adresse fehlt",
            EmailError::At => "die E-Mail-Adresse braucht genau ein @",
            EmailError::Control => "die E-Mail-Adresse enthält einen Zeilenumbruch oder ein Steuerzeichen",
            EmailError::Local => "der Teil vor dem @ enthält ein unerlaubtes Zeichen",
            EmailError::Domain => "der Teil nach dem @ ist kein Domainname",
            EmailError::Length => "die E-Mail-Adresse ist zu lang",
        }
        .into(),
    }
}

/// Writes the file of refused rows: row number, reason, the cells as they were.
///
/// What a spreadsheet would run as a formula is guarded ([`formula`](crate::formula)); the import reads it back.
#[derive(Default)]
pub(super) struct RejectRows {
    text: Vec<u8>,
}

impl RejectRows {
    pub(super) fn heading(headings: &[String], locale: Locale) -> Self {
        let mut rows = Self { text: "\u{feff}".into() };
        let (number, reason) = match locale {
            Locale::De => ("Zeile", "Grund"),
            Locale::En => ("Row", "Reason"),
        };
        rows.cell(number, true);
        rows.cell(reason, false);
        for heading in headings {
            rows.cell(heading, false);
        }
        rows.text.extend_from_slice(b"\r\n");
        rows
    }

    pub(super) fn push<'a>(&mut self, number: u64, reason: &str, cells: impl Iterator<Item = &'a str>) {
        self.cell(&number.to_string(), true);
        self.cell(reason, false);
        cells.for_each(|cell| self.cell(cell, false));
        self.text.extend_from_slice(b"\r\n");
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
    }

    fn cell(&mut self, cell: &str, first: bool) {
        if !first {
            self.text.push(b',');
        }
        self.text.push(b'"');
        for byte in guard(cell).bytes() {
            if byte == b'"' {
                self.text.push(b'"');
            }
            self.text.push(byte);
        }
        self.text.push(b'"');
    }
}
