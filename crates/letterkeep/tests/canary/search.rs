//! Looking for bytes as they stand, in hexadecimal, and in base64 at each of its three offsets.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What is looked for, and what it is called when it is found.
#[derive(Clone)]
pub(crate) struct Needle {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Needle {
    pub(crate) fn text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    fn forms(&self) -> Vec<Vec<u8>> {
        let hex = hex(&self.bytes);
        let mut forms = vec![self.bytes.clone(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
        for before in 0..3 {
            let shifted = [&vec![0; before][..], &self.bytes].concat();
            // Digits that bits of a neighbour go into are left out.
            let own = (before * 8).div_ceil(6)..shifted.len() * 8 / 6;
            for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
                forms.push(text[own.clone()].as_bytes().to_vec());
            }
        }
        forms
    }
}

/// As a dump writes bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// The names of those needles that stand in `bytes` in any form.
pub(crate) fn found<'a>(bytes: &[u8], needles: &'a [Needle]) -> BTreeSet<&'a str> {
    // By the first two bytes, so that one pass looks for all of them.
    let mut starts = vec![Vec::new(); 1 << 16];
    let key = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
    for needle in needles {
        assert!(needle.bytes.len() >= 7, "{} is too short to mean anything where it is found", needle.name);
        for form in needle.forms() {
            starts[key(&form)].push((form, needle.name.as_str()));
        }
    }
    let mut seen = BTreeSet::new();
    for at in 0..bytes.len().saturating_sub(1) {
        let rest = &bytes[at..];
        seen.extend(starts[key(rest)].iter().filter(|(form, _)| rest.starts_with(form)).map(|(_, name)| *name));
    }
    seen
}

#[test]
fn every_form_is_found_and_nothing_else() {
    let needles = [Needle::text("planted", "canary-0815"), Needle::text("other", "canary-4711")];
    for before in ["", "x", "xy", "xyz"] {
        let text = format!("{before}canary-0815z");
        let hex = hex(text.as_bytes());
        for written in
            [&text, &hex, &hex.to_uppercase(), &STANDARD_NO_PAD.encode(&text), &URL_SAFE_NO_PAD.encode(&text)]
        {
            assert_eq!(found(written.as_bytes(), &needles), BTreeSet::from(["planted"]), "{written}");
        }
        assert!(found(format!("{before}canary-0816").as_bytes(), &needles).is_empty());
    }
}
