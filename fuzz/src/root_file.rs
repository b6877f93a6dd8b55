//! A root key file that somebody damaged, and sealed records and wrapped keys that somebody changed.

use std::sync::LazyLock;

use letterkeep_model::Id;
use letterkeep_vault::{Class, KeyBytes, KeyPurpose, Keyring, Root, RootId, Slot, WrapSlot, sealed_version};

use crate::tokens::{Still, ring};

const SLOT: Slot<'static> = Slot { table: "contact", column: "record", row: b"row", class: Class::Contact };
const PLACE: WrapSlot = WrapSlot { account: Id::NIL, purpose: KeyPurpose::Data, version: 1 };

/// A sealed record, and a root with a key that it wrapped: the only bytes that may open.
static SEALED: LazyLock<(Keyring, Vec<u8>, Root, Vec<u8>)> = LazyLock::new(|| {
    let (ring, root) = (ring(), Root::ephemeral(&Still(4)));
    let sealed = ring.seal(&SLOT, b"anna@beispiel.example", &Still(5));
    let wrapped = root.wrap(&PLACE, &KeyBytes::generate(&Still(6)), &Still(7)).bytes;
    (ring, sealed, root, wrapped)
});

/// The only record that opens.
#[cfg(test)]
pub(crate) fn sealed() -> &'static [u8] {
    &SEALED.1
}

/// A root file is read whole or not at all; of sealed bytes, only the untouched ones open.
pub fn check(bytes: &[u8]) {
    holds(bytes, &|bytes| SEALED.0.open(&SLOT, bytes).is_ok());
}

/// The check of anything that opens sealed records.
pub(crate) fn holds(bytes: &[u8], opens_record: &dyn Fn(&[u8]) -> bool) {
    if let Ok(root) = Root::parse(bytes) {
        let text = std::str::from_utf8(bytes).expect("a root file is text");
        assert!(text.trim_end().ends_with("\nend"), "a file that was cut off passes");
        let ids = root.ids().map(|id| id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids[0], root.current().to_string());
        assert!(ids.len() <= 64 && root.is_rotating() == (ids.len() > 1));
        // Every line but the first and last is a key, in the order of the file, under its own name.
        let lines = text.trim_end().lines().collect::<Vec<_>>();
        assert!(lines[1..lines.len() - 1].iter().zip(&ids).all(|(line, id)| line.starts_with(id.as_str())));
        assert_eq!(lines.len(), ids.len() + 2);
        let key = KeyBytes::generate(&Still(6));
        let wrapped = root.wrap(&PLACE, &key, &Still(7));
        assert!(root.unwrap(&PLACE, wrapped.root, &wrapped.bytes).is_ok(), "it opens what it wrapped");
    }
    assert_eq!(RootId::from_slice(bytes).is_some(), bytes.len() == 8);
    let _ = sealed_version(bytes);
    let (_, sealed, root, wrapped) = &*SEALED;
    // The bytes as they are, and as a change of the true ones: each byte of the input is added to one of them.
    for (whole, opens) in
        [(sealed, opens_record), (wrapped, &|bytes: &[u8]| root.unwrap(&PLACE, root.current(), bytes).is_ok())]
    {
        assert!(opens(whole));
        for changed in [bytes.to_vec(), added(whole, bytes)] {
            assert_eq!(opens(&changed), changed == *whole, "changed bytes open");
        }
    }
}

/// `whole`, with the bytes of `change` added to its own; what is longer is appended.
fn added(whole: &[u8], change: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for (byte, add) in bytes.iter_mut().zip(change) {
        *byte = byte.wrapping_add(*add);
    }
    bytes.extend(change.iter().skip(whole.len()));
    bytes
}
