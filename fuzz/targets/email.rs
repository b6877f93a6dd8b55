//! An e-mail address as somebody typed it: never a panic, and what is accepted is accepted again as it is shown.
#![no_main]

use letterkeep_model::EmailAddress;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(address) = text.parse::<EmailAddress>() {
        let shown = address.to_string();
        assert!(!shown.contains(['\r', '\n', '\0']));
        assert_eq!(shown.parse::<EmailAddress>().expect("its own text"), address);
    }
});
