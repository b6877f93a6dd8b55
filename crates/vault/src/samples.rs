//! One sample of everything that is stored or sent, computed from the description in `lib.rs` by another
//! program (Python's `cryptography`, `hmac` and `hashlib`). If one of these fails, data that is out there
//! no longer opens.

use crate::fixture::{Same, account, key, ring};
use crate::{Class, IndexField, KeyPurpose, Link, LinkToken, Purpose, Root, Slot, WrapSlot};

const SLOT: Slot<'_> = Slot { table: "contact", column: "sealed", row: b"row one", class: Class::Contact };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[test]
fn a_sealed_record() {
    let record = ring(1).seal(&SLOT, b"erika@example.org", &Same(9));
    assert_eq!(
        hex(&record),
        "01010000000209090909090909090909090961f1f9089a319163142e76e03cfd1859966adc10730ad7f43430c01bdb92a919a1"
    );
}

#[test]
fn a_blind_index() {
    let index = ring(1).blind_index(IndexField::ContactEmail, b"erika@example.org");
    assert_eq!(hex(&index), "987b74baf57050867a35b7e5c5d9939a");
}

#[test]
fn a_link_token() {
    let link = Link {
        account: account(1),
        activity: letterkeep_model::Id::from_uuid(uuid::Uuid::from_bytes([7; 16])),
        contact: letterkeep_model::Id::from_uuid(uuid::Uuid::from_bytes([8; 16])),
        purpose: Purpose::Click(3),
    };
    let text = "AQEBAQEBAQEBAQEBAQEBAQEHBwcHBwcHBwcHBwcHBwcHCAgICAgICAgICAgICAgICAIAA26Nuv3ZTn9G1AZLxJ71I2M";
    assert_eq!(ring(1).link_token(&link), text);
    assert_eq!(ring(1).read_link(&LinkToken::parse(text).unwrap()), Ok(link));
}

#[test]
fn a_root_file_and_a_wrapped_key() {
    let text = "letterkeep-root-keys 1\n7542abbfa7c71866 AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\nend\n";
    let root = Root::parse(text.as_bytes()).unwrap();
    let slot = WrapSlot { account: account(1), purpose: KeyPurpose::Data, version: 2 };
    let wrapped = root.wrap(&slot, &key(2), &Same(9));
    assert_eq!(wrapped.root.to_string(), "7542abbfa7c71866");
    assert_eq!(
        hex(&wrapped.bytes),
        "01010909090909090909090909094f00c82b8cdb401e8dc8b36860e29d344e84aa99f68c3f4ae7b0416258b59d5631c03b3b47cf\
         490848a2e82f6f3a0f4b"
    );
}
