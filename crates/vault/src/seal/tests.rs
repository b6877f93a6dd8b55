use std::collections::HashSet;

use letterkeep_model::SystemEntropy;
use proptest::prelude::*;

use super::*;
use crate::fixture::{account, key, ring};

const SLOT: Slot<'_> = Slot { table: "contact", column: "sealed", row: b"row one", class: Class::Contact };

fn sealed() -> Vec<u8> {
    ring(1).seal(&SLOT, b"erika@example.org", &SystemEntropy)
}

fn opens(slot: &Slot<'_>, sealed: &[u8]) -> bool {
    ring(1).open(slot, sealed).is_ok_and(|plain| plain.as_slice() == b"erika@example.org")
}

#[test]
fn every_single_bit_counts() {
    let (ring, record) = (ring(1), sealed());
    for bit in 0..record.len() * 8 {
        let mut changed = record.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open(&SLOT, &changed).is_err(), "bit {bit}");
    }
    assert!(opens(&SLOT, &record));
}

#[test]
fn nothing_may_be_cut_off_or_added() {
    let (ring, record) = (ring(1), sealed());
    for length in 0..record.len() {
        assert!(ring.open(&SLOT, &record[..length]).is_err(), "the first {length}");
        assert!(ring.open(&SLOT, &record[record.len() - length..]).is_err(), "the last {length}");
    }
    for byte in [0, 1, 255] {
        assert!(ring.open(&SLOT, &[&record[..], &[byte]].concat()).is_err());
        assert!(ring.open(&SLOT, &[&[byte], &record[..]].concat()).is_err());
    }
    assert!(opens(&SLOT, &record));
}

#[test]
fn a_record_opens_in_its_own_place_alone() {
    let record = sealed();
    for (what, slot) in [
        ("table", Slot { table: "user", ..SLOT }),
        ("column", Slot { column: "notes", ..SLOT }),
        ("row", Slot { row: b"row two", ..SLOT }),
        ("no row", Slot { row: b"", ..SLOT }),
    ] {
        assert_eq!(ring(1).open(&slot, &record).err(), Some(OpenError::Refused), "{what}");
    }
    for class in Class::ALL {
        assert_eq!(opens(&Slot { class, ..SLOT }, &record), class == Class::Contact, "{class:?}");
    }
    assert!(opens(&SLOT, &record));
}

#[test]
fn accounts_with_the_same_key_do_not_open_each_others_records() {
    let record = sealed();
    assert_eq!(ring(2).open(&SLOT, &record).err(), Some(OpenError::Refused));
    assert!(ring(2).open(&SLOT, &ring(2).seal(&SLOT, b"", &SystemEntropy)).is_ok());
    assert!(opens(&SLOT, &record));
}

#[test]
fn a_record_opens_under_the_version_it_was_sealed_under_alone() {
    // The same key under both versions: only what is bound tells them apart.
    let ring = Keyring::new(account(1), vec![(1, key(1)), (2, key(1))], &key(50), &key(51)).unwrap();
    let record = ring.seal(&SLOT, b"secret", &SystemEntropy);
    assert_eq!(sealed_version(&record), Some(2));
    let mut claimed = record.clone();
    claimed[5] = 1;
    assert_eq!(sealed_version(&claimed), Some(1));
    assert_eq!(ring.open(&SLOT, &claimed).err(), Some(OpenError::Refused));
    claimed[5] = 3;
    assert_eq!(ring.open(&SLOT, &claimed).err(), Some(OpenError::UnknownVersion(3)));
    assert_eq!(ring.open(&SLOT, &record).unwrap().as_slice(), b"secret");
}

/// Every way to cut one text into two neighbouring parts: what was sealed for one opens for no other.
#[test]
fn a_byte_moved_to_the_neighbour_is_noticed() {
    const TEXT: &str = "contactsealed";
    let ring = ring(1);
    let names = (0..=TEXT.len()).map(|at| Slot { table: &TEXT[..at], column: &TEXT[at..], ..SLOT });
    let places = (0..=TEXT.len()).map(|at| Slot { column: &TEXT[..at], row: &TEXT.as_bytes()[at..], ..SLOT });
    for slots in [names.collect::<Vec<_>>(), places.collect::<Vec<_>>()] {
        for (at, slot) in slots.iter().enumerate() {
            let record = ring.seal(slot, b"secret", &SystemEntropy);
            for (other, place) in slots.iter().enumerate() {
                assert_eq!(ring.open(place, &record).is_ok(), at == other, "{slot:?} {place:?}");
            }
        }
    }
}

#[test]
fn rotation_reseals_and_the_old_key_can_go() {
    let old = Keyring::new(account(1), vec![(1, key(1))], &key(50), &key(51)).unwrap();
    let new = Keyring::new(account(1), vec![(2, key(2))], &key(50), &key(51)).unwrap();
    let both = ring(1);
    let record = old.seal(&SLOT, b"secret", &SystemEntropy);
    assert_eq!(both.open(&SLOT, &record).unwrap().as_slice(), b"secret");
    assert_eq!(new.open(&SLOT, &record).err(), Some(OpenError::UnknownVersion(1)));

    let resealed = both.reseal(&SLOT, &record, &SystemEntropy).unwrap();
    assert_eq!(sealed_version(&resealed), Some(2));
    assert_eq!(new.open(&SLOT, &resealed).unwrap().as_slice(), b"secret");
    assert_eq!(old.open(&SLOT, &resealed).err(), Some(OpenError::UnknownVersion(2)));

    let elsewhere = Slot { row: b"row two", ..SLOT };
    assert_eq!(both.reseal(&elsewhere, &record, &SystemEntropy).err(), Some(OpenError::Refused));
}

#[test]
fn equal_contents_look_different() {
    let ring = ring(1);
    let records = (0..1_000).map(|_| ring.seal(&SLOT, b"same", &SystemEntropy)).collect::<Vec<_>>();
    let nonces = records.iter().map(|record| &record[6..18]).collect::<HashSet<_>>();
    let texts = records.iter().map(|record| &record[18..22]).collect::<HashSet<_>>();
    assert_eq!(nonces.len(), 1_000);
    assert!(texts.len() > 990, "four bytes collide now and then, but not often");
}

#[test]
fn json_keeps_its_shape() {
    let ring = ring(1);
    let record = ring.seal_json(&SLOT, &("Köln", 3), &SystemEntropy);
    assert_eq!(ring.open_json::<(String, u8)>(&SLOT, &record), Ok(("Köln".into(), 3)));
    assert_eq!(ring.open_json::<(u8, u8)>(&SLOT, &record), Err(OpenError::Shape));
    assert_eq!(ring.open_json::<(String, u8)>(&Slot { row: b"", ..SLOT }, &record), Err(OpenError::Refused));
}

proptest! {
    #[test]
    fn what_was_sealed_opens(plain: Vec<u8>, row: Vec<u8>, class in 0..Class::ALL.len()) {
        let slot = Slot { row: &row, class: Class::ALL[class], ..SLOT };
        let record = ring(1).seal(&slot, &plain, &SystemEntropy);
        prop_assert_eq!(record.len(), plain.len() + SEAL_OVERHEAD);
        let opened = ring(1).open(&slot, &record).unwrap();
        prop_assert_eq!(opened.as_slice(), plain);
    }

    #[test]
    fn arbitrary_bytes_are_refused_calmly(bytes: Vec<u8>, known in any::<bool>()) {
        let mut bytes = bytes;
        if known {
            bytes.splice(..0, [1, 1, 0, 0, 0, 2]);
        }
        prop_assert!(ring(1).open(&SLOT, &bytes).is_err());
        let _ = sealed_version(&bytes);
    }
}
