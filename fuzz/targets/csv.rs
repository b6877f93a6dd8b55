//! A CSV file of contacts: anything may be uploaded.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    letterkeep_audience::import::fuzz::csv(bytes);
});
