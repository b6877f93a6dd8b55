//! An e-mail address as somebody typed it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::email::check(bytes));
