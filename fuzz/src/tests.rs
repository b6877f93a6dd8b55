use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use letterkeep_audience::import::Format;
use letterkeep_delivery::smtp::parse_reply;
use letterkeep_model::{EmailAddress, Id};
use letterkeep_vault::{Link, LinkToken, Purpose, Root, csrf_token};

use super::*;
use crate::tokens::{Still, ring};

/// The seeds of a target: name and bytes.
pub(crate) fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())).collect()
}

fn seed(target: &str, name: &str) -> Vec<u8> {
    seeds(target).into_iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn every_target_has_a_binary_and_seeds() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let binaries = manifest.lines().filter_map(|line| line.strip_prefix("path = \"targets/")?.strip_suffix(".rs\""));
    let names = TARGETS.map(|target| target.name);
    assert_eq!(binaries.collect::<BTreeSet<_>>(), BTreeSet::from(names));
    for name in names {
        assert!(!seeds(name).is_empty(), "{name}");
        let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets").join(format!("{name}.rs"));
        assert!(fs::read_to_string(wrapper).unwrap().contains(&format!("letterkeep_fuzz::{name}::check(bytes)")));
    }
}

/// The seed cut off, and with one byte changed, in turn at about forty places: in an unoptimised build all take too long.
pub(crate) fn damaged(seed: Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
    let places = (0..seed.len()).step_by(seed.len() / 40 + 1);
    places.flat_map(move |at| {
        let mut changed = seed.clone();
        changed[at] = b"\"\n<{;\0=\xff0"[at % 9];
        [seed[..at].to_vec(), changed]
    })
}

/// What the fuzzer does first, in small: seeds, seeds cut off, seeds with one byte changed.
#[test]
fn seeds_hold_whole_and_damaged() {
    for Target { name, check } in TARGETS {
        for (_, bytes) in seeds(name) {
            check(&bytes);
            damaged(bytes).for_each(|bytes| check(&bytes));
        }
    }
}

/// A seed that its parser refuses at once teaches a fuzzer nothing.
#[test]
fn some_seeds_are_accepted() {
    assert!(EmailAddress::parse(text(&seed("email", "umlaut"))).is_ok());
    assert!(parse_reply(&seed("smtp_reply", "hello")).is_ok());
    assert!(Root::parse(&seed("root_file", "two")).is_ok_and(|root| root.is_rotating()));
    let table = &seed("csv", "semicolon")[1..];
    let found = csv::read(Format::detect(&mut std::io::Cursor::new(table)).unwrap(), table, 16);
    assert_eq!((found.rows.len(), found.end.is_none()), (3, true));
    let wire = request_head::read(&seed("request_head", "chunked"), usize::MAX);
    assert_eq!((wire.found.len(), wire.end), (2, None));
    // The tokens are the ones that the keys of the target make.
    let link = Link { account: Id::NIL, activity: Id::NIL, contact: Id::NIL, purpose: Purpose::Click(3) };
    let token = seed("tokens", "link");
    assert_eq!(text(&token), ring().link_token(&link));
    assert_eq!(ring().read_link(&LinkToken::parse(text(&token)).unwrap()), Ok(link));
    let session = letterkeep_vault::Token::generate(&Still(8));
    assert_eq!(text(&seed("tokens", "session")), session.text().as_str());
    assert_eq!(text(&seed("tokens", "form")), csrf_token(&session, &Still(9)));
}
