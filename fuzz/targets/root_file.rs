//! A root key file that somebody damaged.
#![no_main]

use letterkeep_vault::{Root, sealed_version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Root::parse(bytes);
    let _ = sealed_version(bytes);
});
