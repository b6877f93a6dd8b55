//! A multipart body for the firewall.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::waf_multipart::check(bytes));
