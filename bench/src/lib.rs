//! What the benches share: an account's keyring and made-up contacts of a realistic size.
//!
//! The benches are in `benches/`, one file per subject; `cargo xtask bench` runs them and puts their figures beside
//! the machine's own yardsticks. Each bench names in its id the size that it looked at. The most common change is
//! another bench: add the file, its `[[bench]]` in the manifest, and its yardstick in `xtask/src/bench.rs`.

use letterkeep_model::{Id, SystemClock, SystemEntropy, kind};
use letterkeep_vault::{KeyBytes, Keyring};

/// A ring with fresh keys.
pub fn keyring() -> Keyring {
    let entropy = SystemEntropy;
    let account: Id<kind::Account> = Id::generate(&SystemClock, &entropy);
    let key = || KeyBytes::generate(&entropy);
    let ring = Keyring::new(account, vec![(1, key())], &key(), &key());
    ring.unwrap_or_else(|_| unreachable!("one data key is enough"))
}

/// A contact's record as JSON, about 400 bytes: names, company, address, two custom fields.
pub fn contact_record(number: u32) -> Vec<u8> {
    format!(
        "{{\"email\":\"anna.schmidt{number}@beispiel.example\",\"first_name\":\"Anna\",\"last_name\":\"Schmidt-Möller\",\
         \"job_title\":\"Geschäftsführerin\",\"company\":\"Bäckerei Möller GmbH & Co. KG\",\"phone\":\"+49 30 5550{number:06}\",\
         \"street\":\"Lindenstraße {number}\",\"postcode\":\"10969\",\"city\":\"Berlin\",\"country\":\"DE\",\
         \"birthday\":\"07-14\",\"custom\":{{\"customer_number\":{number},\"favourite\":\"Roggenbrot\"}},\
         \"notes\":\"Kommt samstags, bestellt gern vor.\"}}"
    )
    .into_bytes()
}
