//! What a mail server answers: never a panic, and a reply never takes more bytes than there are.
#![no_main]

use letterkeep_delivery::smtp::{Parsed, parse_reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Parsed::Whole(_, taken)) = parse_reply(bytes) {
        assert!(taken > 0 && taken <= bytes.len());
    }
});
