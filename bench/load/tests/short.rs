//! The short run holds, and its checks notice when limits or the firewall are missing.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Command;

/// Whether everything held, and what was said.
fn run(words: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_letterkeep-load")).args(words).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn honest_clients_are_served_beside_idle_and_slow_ones_attacks_and_reloads() {
    let (holds, said) = run(&["short"]);
    assert!(holds, "{said}");
}

#[test]
fn slow_clients_that_nobody_ends_are_noticed() {
    let (holds, said) = run(&["tiny", "--without-limits"]);
    assert!(!holds && said.contains("FAILED: 5 of 5 slow clients were not ended"), "{said}");
    assert_eq!(said.matches("FAILED").count(), 1, "{said}");
}

#[test]
fn attacks_that_nobody_refuses_are_noticed() {
    let (holds, said) = run(&["tiny", "--without-firewall"]);
    assert!(!holds && said.contains("attacks were let through"), "{said}");
}
