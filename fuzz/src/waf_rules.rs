//! Rules for the firewall, as an operator may install them.

use std::sync::Arc;

use letterkeep_waf::{Files, LoadError, Ruleset, Source};

use crate::waf;

/// A list for whatever rule names one.
struct List;

impl Files for List {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        if name.starts_with("list") { Ok(b"one\n# two\nthree\n".to_vec()) } else { Err("there is none".to_owned()) }
    }
}

/// Rules load, or an error names the file, a line that is there and the problem; one line more above, and it is the next.
/// Rules that load can be run.
pub fn check(bytes: &[u8]) {
    holds(bytes, &|text| Ruleset::load(&[Source { name: "fuzz.conf", text }], &List));
}

/// The check of anything that loads rules.
pub(crate) fn holds(bytes: &[u8], load: &dyn Fn(&str) -> Result<Ruleset, LoadError>) {
    let text = crate::text(bytes);
    let lower = format!("# a comment\n{text}");
    match (load(text), load(&lower)) {
        (Ok(rules), Ok(again)) => {
            assert_eq!(rules.len(), again.len());
            waf::run(&Arc::new(rules));
        }
        (Err(error), Err(again)) => {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&error.line), "line {} of {lines}: {error}", error.line);
            assert_eq!((error.line + 1, &*error.problem), (again.line, &*again.problem));
            assert_eq!((&*error.file, error.problem.is_empty()), ("fuzz.conf", false));
        }
        (first, second) => panic!("a comment changes {first:?} to {second:?}"),
    }
}
