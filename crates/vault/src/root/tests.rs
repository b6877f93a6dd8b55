use letterkeep_model::SystemEntropy;
use proptest::prelude::*;

use super::*;
use crate::fixture::{account, key};

const SLOT: WrapSlot = WrapSlot { account: Id::NIL, purpose: KeyPurpose::Data, version: 1 };

fn opens(root: &Root, slot: &WrapSlot, wrapped: &Wrapped) -> bool {
    root.unwrap(slot, wrapped.root, &wrapped.bytes).is_ok_and(|opened| opened.as_bytes() == key(7).as_bytes())
}

#[test]
fn a_wrapped_key_opens_in_its_own_place_alone() {
    let root = Root::ephemeral(&SystemEntropy);
    let wrapped = root.wrap(&SLOT, &key(7), &SystemEntropy);
    assert_eq!(wrapped.bytes.len(), Wrapped::LEN);
    assert_eq!(wrapped.root, root.current());
    for slot in [
        WrapSlot { account: account(1), ..SLOT },
        WrapSlot { purpose: KeyPurpose::Index, ..SLOT },
        WrapSlot { purpose: KeyPurpose::Link, ..SLOT },
        WrapSlot { version: 2, ..SLOT },
    ] {
        assert_eq!(root.unwrap(&slot, wrapped.root, &wrapped.bytes).err(), Some(UnwrapError::Refused), "{slot:?}");
    }
    assert!(opens(&root, &SLOT, &wrapped));
}

#[test]
fn every_single_bit_and_every_byte_of_a_wrapped_key_counts() {
    let root = Root::ephemeral(&SystemEntropy);
    let wrapped = root.wrap(&SLOT, &key(7), &SystemEntropy);
    for bit in 0..wrapped.bytes.len() * 8 {
        let mut changed = wrapped.clone();
        changed.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!opens(&root, &SLOT, &changed), "bit {bit}");
    }
    for length in 0..wrapped.bytes.len() {
        assert!(root.unwrap(&SLOT, wrapped.root, &wrapped.bytes[..length]).is_err(), "{length}");
    }
    let longer = [&wrapped.bytes[..], &[0]].concat();
    assert!(root.unwrap(&SLOT, wrapped.root, &longer).is_err());
    assert!(opens(&root, &SLOT, &wrapped));
}

#[test]
fn another_root_does_not_open_it_whatever_it_is_called() {
    let two = Root::from_keys(&[key(1), key(2)], [0; 32]);
    let wrapped = two.wrap(&SLOT, &key(7), &SystemEntropy);
    let other = Root::ephemeral(&SystemEntropy);
    assert_eq!(
        other.unwrap(&SLOT, wrapped.root, &wrapped.bytes).err(),
        Some(UnwrapError::UnknownRoot(wrapped.root)),
        "the caller learns that the root file must be read again"
    );
    assert!(two.is_rotating() && !other.is_rotating());
    let second = two.ids().nth(1).unwrap();
    assert_eq!(two.unwrap(&SLOT, second, &wrapped.bytes).err(), Some(UnwrapError::Refused));
    assert!(opens(&two, &SLOT, &wrapped));
}

#[test]
fn purposes_read_back_from_their_names() {
    for purpose in KeyPurpose::ALL {
        assert_eq!(KeyPurpose::from_name(purpose.name()), Some(purpose));
    }
    assert_eq!(KeyPurpose::from_name("Data"), None);
}

#[test]
fn a_root_file_reads_back_and_every_bit_of_it_counts() {
    let text = file::print(&[key(1), key(2), key(3)]);
    let root = Root::parse(&text).unwrap();
    assert_eq!(root.ids().collect::<Vec<_>>(), [key(1), key(2), key(3)].iter().map(RootId::of).collect::<Vec<_>>());
    for bit in 0..text.len() * 8 {
        let mut changed = text.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(Root::parse(&changed).is_err(), "bit {bit}: {}", String::from_utf8_lossy(&changed));
    }
}

#[test]
fn a_root_file_that_was_cut_off_never_passes_for_a_whole_one() {
    let text = file::print(&[key(1), key(2)]);
    for length in 0..text.len() - 1 {
        assert!(Root::parse(&text[..length]).is_err(), "the first {length} bytes");
    }
    assert!(Root::parse(&text[..text.len() - 1]).is_ok(), "an editor may drop the last line end");
    assert!(Root::parse(&[&text[..], b"\n\n"].concat()).is_ok());
    assert_eq!(Root::parse(&[&text[..], b"x"].concat()).err(), Some(RootTextError::CutOff));
    assert_eq!(Root::parse(b"letterkeep-root-keys 1\nend\n").err(), Some(RootTextError::CutOff));
    assert_eq!(Root::parse(b"letterkeep-root-keys 2\nend\n").err(), Some(RootTextError::FirstLine));
    assert_eq!(Root::parse(b"letterkeep-root-keys 1\nnonsense\nend\n").err(), Some(RootTextError::Line(2)));
}

#[test]
fn a_root_file_has_a_limit() {
    let keys = |count: usize| (0..count).map(|number| key(number as u8)).collect::<Vec<_>>();
    let most = file::print(&keys(file::MAX_ROOTS));
    assert!(most.len() < file::MAX_LEN / 2, "there is room for the seal around it");
    assert!(Root::parse(&most).is_ok());
    assert_eq!(Root::parse(&file::print(&keys(file::MAX_ROOTS + 1))).err(), Some(RootTextError::TooMany));
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused_calmly(text in "(letterkeep-root-keys 1\n)?([0-9a-f]{16} [A-Za-z0-9+/]{43}=\n){0,3}(end\n)?|.{0,200}") {
        prop_assert!(Root::parse(text.as_bytes()).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused_calmly(bytes: Vec<u8>) {
        prop_assert!(Root::parse(&bytes).is_err());
        let root = Root::ephemeral(&SystemEntropy);
        prop_assert!(root.unwrap(&SLOT, root.current(), &bytes).is_err());
    }
}
