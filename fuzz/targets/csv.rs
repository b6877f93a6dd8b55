//! A CSV file of contacts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::csv::check(bytes));
