//! The rules of this program.

use super::layout::{Parts, date};
use super::{Released, setup::Family};

/// Names and texts, in the order in which they run.
const FILES: [(&str, &str); 1] = [("10-begin.conf", include_str!("../../rules/10-begin.conf"))];

pub(super) fn parts() -> Parts {
    let rules: Vec<(String, String)> =
        FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    // The version is the day on which they were changed last.
    let (_, _, version) = Family::of(&rules);
    let released = date(&version.replace('.', "-")).map(|at| Released { at, stated: true });
    Parts { rules, released, ..Parts::default() }
}
