//! Progress of a long step: a bar with rate and time left at a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::command::complain;

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The progress of one step.
pub(crate) struct Progress {
    label: &'static str,
    unit: &'static str,
    total: u64,
    started: Instant,
    shown: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `unit` is what is counted, in the plural.
    pub(crate) fn start(label: &'static str, unit: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{prefix:<10} {bar:32} {human_pos}/{human_len} {msg} · {per_sec} · {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total).with_style(style.progress_chars("━╸ ")).with_prefix(label);
            bar.set_message(unit);
            bar
        });
        let now = Instant::now();
        Self { label, unit, total, started: now, shown: now, bar }
    }

    /// The step has come this far.
    pub(crate) fn at(&mut self, done: u64, total: u64) {
        self.total = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        } else if self.shown.elapsed() >= LINE_EVERY {
            self.shown = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let rate = done as f64 / seconds.max(0.001);
            let left = (total.saturating_sub(done)) as f64 / rate.max(0.001);
            complain(&format!("{:<10} {done}/{total} {} · {rate:.0}/s · {left:.0} s left", self.label, self.unit));
        }
    }

    /// The step is done; yields the seconds that it took.
    pub(crate) fn finish(self, done: u64) -> f64 {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let rate = done as f64 / seconds.max(0.001);
        complain(&format!("{:<10} {done} {} in {seconds:.1} s ({rate:.0}/s)", self.label, self.unit));
        seconds
    }
}
