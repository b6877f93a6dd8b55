//! Values that many links look at in the same way, selected and transformed once for all of them.

use super::Transaction;
use super::run::{Found, Trial, sources};
use crate::byte_set::ByteSet;
use crate::operator::Captures;
use crate::ruleset::{Link, Ruleset};
use crate::values::ValueId;

/// What a group of links looks at.
#[derive(Default)]
pub(super) struct Gathered {
    /// How old the values were when it was gathered; 0, at which there are none, before.
    age: u32,
    entries: Vec<Entry>,
    /// Every byte of any of the values.
    present: ByteSet,
    longest: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    id: ValueId,
    /// Which of the link's looks selected it.
    look: u16,
}

impl Transaction {
    /// Looks at all that a link looks at. `trial` is with the first of its looks.
    pub(super) fn group(
        &mut self,
        trial: &Trial<'_>,
        group: usize,
        captures: &mut Captures,
        found: &mut Found,
    ) -> bool {
        if self.gathered[group].age != self.values.age() {
            self.gather(trial.rules, trial.link, group);
        }
        let condition = trial.condition;
        let gathered = &self.gathered[group];
        if self.gates && !condition.negated && !condition.gate.admits(gathered.longest, &gathered.present) {
            return false;
        }
        // A match may change values, and what is gathered of them: this link looks at what was there when it began.
        let entries = std::mem::take(&mut self.gathered[group].entries);
        let mut any = false;
        for Entry { id, look } in &entries {
            if self.has_spent_its_time() {
                any = false;
                break;
            }
            any |= self.test(&trial.with_look(usize::from(*look)), *id, captures, found);
        }
        self.gathered[group].entries = entries;
        any
    }

    fn gather(&mut self, rules: &Ruleset, link: &Link, group: usize) {
        let mut entries = std::mem::take(&mut self.gathered[group].entries);
        entries.clear();
        let transforms = &rules.chains[link.chain][..];
        let (mut present, mut longest) = (ByteSet::EMPTY, 0);
        for (index, look) in link.looks.iter().enumerate() {
            for source in sources(&look.variable) {
                for nth in 0..self.values.of(*source).len() {
                    let id = self.values.of(*source)[nth];
                    if look.selects(*source, self.values.name(id)) {
                        let id = self.values.transformed(id, link.chain, transforms);
                        present = present.union(*self.values.byte_set(id));
                        longest = longest.max(self.values.len(id));
                        entries.push(Entry { id, look: index as u16 });
                    }
                }
            }
        }
        self.gathered[group] = Gathered { age: self.values.age(), entries, present, longest };
    }
}
