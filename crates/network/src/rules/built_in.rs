//! The rules of this program.

use super::layout::{Parts, date};
use super::{Released, setup::Family};

/// Names and texts, in the order in which they run.
const FILES: [(&str, &str); 9] = [
    ("10-begin.conf", include_str!("../../rules/10-begin.conf")),
    ("20-protocol.conf", include_str!("../../rules/20-protocol.conf")),
    ("30-scanner.conf", include_str!("../../rules/30-scanner.conf")),
    ("40-path.conf", include_str!("../../rules/40-path.conf")),
    ("50-sql.conf", include_str!("../../rules/50-sql.conf")),
    ("60-script.conf", include_str!("../../rules/60-script.conf")),
    ("70-command.conf", include_str!("../../rules/70-command.conf")),
    ("80-language.conf", include_str!("../../rules/80-language.conf")),
    ("90-decision.conf", include_str!("../../rules/90-decision.conf")),
];

pub(super) fn parts() -> Parts {
    let rules: Vec<(String, String)> =
        FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    // The version is the day on which they were changed last.
    let (_, _, version) = Family::of(&rules);
    let released = date(&version.replace('.', "-")).map(|at| Released { at, stated: true });
    Parts { rules, released, ..Parts::default() }
}
