//! The commands, one file each.

pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod serve;

/// Prints a result line for the person or pipe that called the command.
#[expect(clippy::print_stdout, reason = "the one place where commands print their results")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a line for the person at the terminal, beside the results.
#[expect(clippy::print_stderr, reason = "the one place where commands talk beside their results")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}
