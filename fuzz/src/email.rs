//! An e-mail address as somebody typed it.

use letterkeep_model::{EmailAddress, EmailError};

/// What is accepted fits an envelope and a header line as it stands, and has one spelling.
pub fn check(bytes: &[u8]) {
    holds(bytes, &EmailAddress::parse);
}

/// The check of any parser of addresses.
pub(crate) fn holds(bytes: &[u8], parse: &dyn Fn(&str) -> Result<EmailAddress, EmailError>) {
    let Ok(address) = parse(crate::text(bytes)) else { return };
    let shown = address.to_string();
    assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown:?} does not fit a header");
    assert!(!shown.contains(['<', '>', '(', ')', '[', ']', '"', ',', ';', ':', '\\']), "{shown:?} needs quoting");
    assert!(shown.len() <= 254 && address.local().len() <= 64, "{shown:?} is too long");
    assert_eq!(shown, format!("{}@{}", address.local(), address.domain()));
    let labels = || address.domain().split('.');
    assert!(labels().count() > 1, "{shown:?} is a bare host name");
    for label in labels() {
        assert!((1..=63).contains(&label.len()), "{shown:?} has a label that DNS cannot carry");
        assert!(!label.starts_with('-') && !label.ends_with('-'), "{shown:?} has a label that is no host name");
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(label.bytes().all(sound), "{shown:?} has a label that is no host name");
    }
    assert_eq!(parse(&shown).as_ref(), Ok(&address), "its own text means something else");
    // Two spellings of one person meet in the blind index: the normal form of the normal form is itself.
    let normal = parse(&address.normalised()).expect("the normal form is an address");
    assert_eq!(normal.as_str(), address.normalised());
    assert_eq!(normal.normalised(), address.normalised());
}
