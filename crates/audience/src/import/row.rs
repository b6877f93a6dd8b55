//! One row of a foreign table, held in one buffer that is used again for the next row.

use super::limits;

/// A row as it stands in the file.
#[derive(Default)]
pub struct Row {
    /// The number that a spreadsheet shows beside it: 1 is the first row, blank rows count.
    pub number: u64,
    /// Why the row cannot be used, if it cannot; the cells then hold what fitted.
    pub problem: Option<RowProblem>,
    text: String,
    ends: Vec<usize>,
}

/// Why a row cannot be read. The text of the cells is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowProblem {
    /// Fewer cells than the heading.
    TooFewCells {
        /// In the heading.
        expected: usize,
        /// In the row.
        found: usize,
    },
    /// More cells than the heading.
    TooManyCells {
        /// In the heading, or the most that are read at all.
        expected: usize,
        /// In the row.
        found: usize,
    },
    /// A cell longer than [`limits::CELL`]; its column, from 1.
    CellTooLong(usize),
    /// Cells that are longer than [`limits::ROW`] together.
    RowTooLong,
    /// A NUL byte in a cell; its column, from 1.
    Nul(usize),
    /// A quote that opens in this row is never closed: the rest of the file was read as one cell.
    OpenQuote,
}

/// The cells of many rows in one buffer, for those that are refused after they were read.
#[derive(Default)]
pub(super) struct KeptRows {
    text: String,
    ends: Vec<usize>,
    /// Number, and where its cells end in `ends`.
    rows: Vec<(u64, usize)>,
}

impl KeptRows {
    /// Keeps a row; its number is greater than those before.
    pub(super) fn push(&mut self, row: &Row) {
        let start = self.text.len();
        self.text.push_str(&row.text);
        self.ends.extend(row.ends.iter().map(|end| start + end));
        self.rows.push((row.number, self.ends.len()));
    }

    /// The cells of a row.
    pub(super) fn cells(&self, number: u64) -> impl Iterator<Item = &str> {
        let found = self.rows.binary_search_by_key(&number, |(number, _)| *number).ok();
        let cells = found.map_or(0..0, |at| at.checked_sub(1).map_or(0, |before| self.rows[before].1)..self.rows[at].1);
        cells.map(|cell| {
            let start = cell.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.text[start..self.ends[cell]]
        })
    }
}

impl Row {
    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has no cell.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cell at `index`; empty where the row is shorter.
    pub fn cell(&self, index: usize) -> &str {
        let Some(end) = self.ends.get(index) else { return "" };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..*end]
    }

    /// Every cell in order.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.cell(index))
    }

    /// Bytes of all cells together.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether every cell is blank.
    pub fn is_blank(&self) -> bool {
        self.problem.is_none() && self.text.trim().is_empty()
    }

    /// Checks the number of cells against the heading. Empty cells after the last heading are no harm: spreadsheets
    /// write them.
    pub fn check_width(&mut self, expected: usize) {
        if self.problem.is_some() {
            return;
        }
        let found = self.len();
        if found < expected {
            self.problem = Some(RowProblem::TooFewCells { expected, found });
        } else if (expected..found).any(|index| !self.cell(index).trim().is_empty()) {
            self.problem = Some(RowProblem::TooManyCells { expected, found });
        }
    }

    pub(super) fn clear(&mut self, number: u64) {
        self.number = number;
        self.problem = None;
        self.text.clear();
        self.ends.clear();
    }

    /// Appends to the cell that is being read; what is beyond the limits is dropped and noted.
    pub(super) fn push(&mut self, piece: &str) {
        let start = self.ends.last().copied().unwrap_or(0);
        if self.text.len() - start + piece.len() > limits::CELL {
            self.note(RowProblem::CellTooLong(self.ends.len() + 1));
        } else if self.text.len() + piece.len() > limits::ROW {
            self.note(RowProblem::RowTooLong);
        } else if self.ends.len() < limits::COLUMNS {
            self.text.push_str(piece);
        }
    }

    /// Ends the cell that is being read.
    pub(super) fn end_cell(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        if self.text[start..].contains('\0') {
            self.note(RowProblem::Nul(self.ends.len() + 1));
        }
        if self.ends.len() < limits::COLUMNS {
            self.ends.push(self.text.len());
        } else {
            self.text.truncate(start);
            self.note(RowProblem::TooManyCells { expected: limits::COLUMNS, found: limits::COLUMNS + 1 });
        }
    }

    /// The first problem counts: it is the one that the user can see in the file.
    pub(super) fn note(&mut self, problem: RowProblem) {
        self.problem.get_or_insert(problem);
    }
}
