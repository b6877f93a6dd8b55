//! Groups of links that look at the same values, so that a transaction selects and transforms these once.

use std::collections::HashMap;

use super::{Link, Look};
use crate::variable::Variable;

/// All groups of a set of rules.
#[derive(Default)]
pub(crate) struct Groups {
    pub(crate) selections: Vec<Selection>,
    pub(crate) all: Vec<Group>,
}

/// A list of looks that links share, at values that the request brought.
pub(crate) struct Selection {
    pub(crate) looks: Vec<Look>,
    /// Where the values stand.
    pub(crate) sources: Vec<Variable>,
}

/// A selection, and which of the lists of transformations is done to each value of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) selection: usize,
    pub(crate) chain: usize,
}

/// Groups that are being collected.
#[derive(Default)]
pub(super) struct Builder {
    groups: Groups,
    selections: HashMap<String, usize>,
    known: HashMap<Group, usize>,
}

impl Builder {
    /// The group of a link; none if it looks at anything that a request does not bring, or in any other way than at
    /// whole values.
    pub(super) fn of(&mut self, link: &Link) -> Option<usize> {
        let brought = |look: &Look| !look.count && !look.variable.is_writable() && !look.variable.is_matched();
        if link.condition.is_none() || link.multi_match || link.looks.is_empty() || !link.looks.iter().all(brought) {
            return None;
        }
        let Groups { selections, all } = &mut self.groups;
        // What a look is written like tells all that it is.
        let selection = *self.selections.entry(format!("{:?}", link.looks)).or_insert_with(|| {
            let sources = link.looks.iter().flat_map(|look| look.variable.places().to_vec()).collect();
            selections.push(Selection { looks: link.looks.clone(), sources });
            selections.len() - 1
        });
        let group = Group { selection, chain: link.chain };
        Some(*self.known.entry(group).or_insert_with(|| {
            all.push(group);
            all.len() - 1
        }))
    }

    pub(super) fn build(self) -> Groups {
        self.groups
    }
}
