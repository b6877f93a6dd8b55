//! What rules have written: `TX` and the other collections, matched variables, and what `ctl` has switched off.

use std::collections::BTreeMap;

use crate::collections::Key;
use crate::ruleset::{Look, Names};
use crate::seclang::target::Selector;
use crate::variable::Variable;

/// What changes while rules run.
pub(super) struct State {
    /// `TX` values whose names rules mention, by place.
    slots: Vec<Option<Vec<u8>>>,
    /// All others.
    others: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    pub(super) matched: Vec<Matched>,
    /// What each collection was opened under.
    pub(super) opened: Vec<Key>,
    /// Rules that were removed, by their place; empty until one is.
    pub(super) removed: Vec<bool>,
    /// Values that were taken from rules, by the rule's place: the variable and its names.
    pub(super) removed_targets: BTreeMap<usize, Vec<(Variable, Selector)>>,
}

/// A value that a rule has matched, after its transformations.
#[derive(Debug, Clone)]
pub(super) struct Matched {
    /// `ARGS:name`
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl State {
    pub(super) fn new(names: &Names) -> Self {
        Self {
            slots: vec![None; names.names.len()],
            others: BTreeMap::new(),
            matched: Vec::new(),
            opened: Vec::new(),
            removed: Vec::new(),
            removed_targets: BTreeMap::new(),
        }
    }

    pub(super) fn slot(&self, slot: usize) -> Option<&[u8]> {
        self.slots.get(slot)?.as_deref()
    }

    pub(super) fn set_slot(&mut self, slot: usize, value: Option<Vec<u8>>) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = value;
        }
    }

    /// A value by its name in lower case.
    pub(super) fn get(&self, names: &Names, collection: Variable, name: &[u8]) -> Option<&[u8]> {
        match names.slot(name) {
            Some(slot) if collection == Variable::Tx => self.slot(slot),
            _ => self.others.get(&(collection as u8, name.to_vec())).map(Vec::as_slice),
        }
    }

    /// Sets or removes a value by its name in lower case.
    pub(super) fn set(&mut self, names: &Names, collection: Variable, name: Vec<u8>, value: Option<Vec<u8>>) {
        match (names.slot(&name), value) {
            (Some(slot), value) if collection == Variable::Tx => self.set_slot(slot, value),
            (_, Some(value)) => drop(self.others.insert((collection as u8, name), value)),
            (_, None) => drop(self.others.remove(&(collection as u8, name))),
        }
    }

    /// The values that a look at a collection which rules write selects, with their names.
    pub(super) fn selected<'s>(
        &'s self,
        names: &'s Names,
        look: &'s Look,
    ) -> impl Iterator<Item = (&'s [u8], &'s [u8])> {
        let slots = look.slots.iter().filter_map(|slot| Some((&names.names[*slot][..], self.slot(*slot)?)));
        let from = (look.variable as u8, Vec::new());
        let own = self.others.range(from..).take_while(|((of, _), _)| *of == look.variable as u8);
        let own = own.map(|((_, name), value)| (&name[..], &value[..]));
        slots.chain(own.filter(|(name, _)| look.selector.selects(name)))
    }
}

/// A number as C reads it: blanks, a sign and digits at the beginning; 0 where there are none.
pub(super) fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value = digits.fold(0i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative { -value } else { value }
}
