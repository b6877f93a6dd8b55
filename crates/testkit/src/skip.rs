use std::io::Write as _;

/// Says that a test could not run here. `cargo xtask test` counts these lines, names them at the end, and fails on
/// them when `CI=true`.
///
/// It writes to standard error itself, because the test runner swallows what `println!` says in a test that passes.
pub fn skipped(subject: &str, reason: &str) {
    let mut stderr = std::io::stderr().lock();
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(stderr, "SKIPPED {subject}: {reason}");
}
