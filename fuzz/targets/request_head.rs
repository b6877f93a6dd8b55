//! What a client sends on an HTTP/1 connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::request_head::check(bytes));
