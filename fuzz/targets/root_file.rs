//! A root key file that somebody damaged.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::root_file::check(bytes));
