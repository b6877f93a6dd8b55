//! A message from any name, subject, text and HTML.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::message::check(bytes));
