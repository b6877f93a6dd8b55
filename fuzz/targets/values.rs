//! Cells of a contact file as numbers, days and the like.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::values::check(bytes));
