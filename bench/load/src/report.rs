//! The table, and what is not as it has to be.
#![expect(clippy::print_stdout, reason = "a measurement talks to its terminal")]

/// What was found so far. Rows are printed as they come.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: usize,
    failures: Vec<String>,
}

impl Report {
    pub(crate) fn new() -> Self {
        println!("| what | figure |\n|---|---:|");
        Self::default()
    }

    pub(crate) fn row(&mut self, what: &str, figure: &str) {
        self.rows += 1;
        println!("| {what} | {figure} |");
    }

    /// Keeps in mind what does not hold.
    pub(crate) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(what());
        }
    }

    /// Prints what did not hold. Whether there is nothing, and something was measured at all.
    pub(crate) fn close(self) -> bool {
        println!();
        for failure in &self.failures {
            println!("FAILED: {failure}");
        }
        self.rows > 0 && self.failures.is_empty()
    }
}

pub(crate) fn megabytes(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 * 1024.0 / 1e6)
}
