//! Tokens from links, cookies and forms.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::tokens::check(bytes));
