//! Arguments and cookies of a request to the firewall.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| letterkeep_fuzz::waf_form::check(bytes));
