//! Calling the binary as somebody at a terminal does.

use std::path::Path;
use std::process::{Command, Output};

/// The binary in `dir`, without what the environment of the tests says about another one.
pub(crate) fn letterkeep(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_letterkeep"));
    command.current_dir(dir);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LETTERKEEP_")) {
        command.env_remove(name);
    }
    command
}

/// Whether it succeeded, and everything that it said.
pub(crate) fn run(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}
