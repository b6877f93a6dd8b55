//! Values that many links look at in the same way, selected and transformed once for all of them.

use super::Transaction;
use super::run::{Found, Trial};
use crate::byte_set::ByteSet;
use crate::operator::{Captures, Gate};
use crate::ruleset::{Groups, Ruleset};
use crate::values::ValueId;

/// What selections and groups of links look at.
pub(super) struct Gathered {
    /// Of all of them, one behind the other.
    entries: Vec<Entry>,
    selections: Vec<Selected>,
    groups: Vec<Group>,
}

/// How old the values were is 0 before anything was gathered; then there are none.
#[derive(Clone, Copy, Default)]
struct Selected {
    /// When it was selected.
    age: u32,
    /// When it was last found to be still true.
    checked: u32,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Default)]
struct Group {
    /// When its selection was made.
    age: u32,
    longest: usize,
    /// Every byte of any of the values.
    present: ByteSet,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    id: ValueId,
    /// Which of the link's looks selected it.
    look: u16,
}

impl Gathered {
    pub(super) fn new(groups: &Groups) -> Self {
        Self {
            entries: Vec::with_capacity(1024),
            selections: vec![Selected::default(); groups.selections.len()],
            groups: vec![Group::default(); groups.all.len()],
        }
    }
}

impl Transaction {
    /// Whether any value of a group may match, as far as a gate tells.
    pub(super) fn group_admits(&mut self, rules: &Ruleset, group: usize, gate: &Gate) -> bool {
        self.gather(rules, group);
        let group = &self.gathered.groups[group];
        gate.admits(group.longest, &group.present)
    }

    /// Looks at all that a link looks at. `trial` is with the first of its looks.
    pub(super) fn group(
        &mut self,
        trial: &Trial<'_>,
        group: usize,
        captures: &mut Captures,
        found: &mut Found,
    ) -> bool {
        let condition = trial.condition;
        let gated = self.gates && !condition.negated;
        if !self.group_admits(trial.rules, group, &condition.gate) && gated {
            return false;
        }
        // A match may change values: this link looks at what was there when it began.
        let Group { start, end, .. } = self.gathered.groups[group];
        let mut any = false;
        for place in start..end {
            let Entry { id, look } = self.gathered.entries[place];
            if gated && !condition.gate.admits(self.values.len(id), self.values.byte_set(id)) {
                continue;
            }
            if self.has_spent_its_time() {
                return false;
            }
            any |= self.test(&trial.with_look(usize::from(look)), id, captures, found);
        }
        any
    }

    /// Makes sure that what a group looks at is gathered, and of the values as they are.
    fn gather(&mut self, rules: &Ruleset, group: usize) {
        let of = rules.groups.all[group];
        self.select(rules, of.selection);
        let selected = self.gathered.selections[of.selection];
        if self.gathered.groups[group].age == selected.age {
            return;
        }
        let transforms = &rules.chains[of.chain][..];
        let start = self.gathered.entries.len();
        let (mut present, mut longest) = (ByteSet::EMPTY, 0);
        for place in selected.start..selected.end {
            let Entry { id, look } = self.gathered.entries[place];
            let id = self.values.transformed(id, of.chain, transforms);
            present = present.union(*self.values.byte_set(id));
            longest = longest.max(self.values.len(id));
            if of.chain != 0 {
                self.gathered.entries.push(Entry { id, look });
            }
        }
        let range = if of.chain == 0 { (selected.start, selected.end) } else { (start, self.gathered.entries.len()) };
        let (start, end) = range;
        self.gathered.groups[group] = Group { age: selected.age, longest, present, start, end };
    }

    fn select(&mut self, rules: &Ruleset, selection: usize) {
        let age = self.values.age();
        let selected = &mut self.gathered.selections[selection];
        if selected.checked == age {
            return;
        }
        selected.checked = age;
        let of = &rules.groups.selections[selection];
        if selected.age > 0 && of.sources.iter().all(|source| self.values.age_of(*source) <= selected.age) {
            return;
        }
        let entries = &mut self.gathered.entries;
        selected.age = age;
        selected.start = entries.len();
        for (index, look) in of.looks.iter().enumerate() {
            for source in look.variable.places() {
                let selects = |id: &ValueId| look.selects(*source, || self.values.name(*id));
                let ids = self.values.of(*source).filter(selects);
                entries.extend(ids.map(|id| Entry { id, look: index as u16 }));
            }
        }
        selected.end = entries.len();
    }
}
