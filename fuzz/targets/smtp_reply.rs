//! What a mail server answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::smtp_reply::check(bytes));
