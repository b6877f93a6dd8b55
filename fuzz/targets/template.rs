//! A template that somebody wrote.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::template::check(bytes));
