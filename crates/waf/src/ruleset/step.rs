//! The places of a phase: what tells, without a look at the rule itself, that it cannot match.

use super::Rule;
use crate::operator::{Comparison, Gate};
use crate::seclang::action::Disruption;

/// A place in a phase.
pub(crate) struct Step {
    pub(crate) rule: usize,
    /// Where the phase goes on after `skipAfter`.
    pub(crate) after: usize,
    pub(crate) quick: Quick,
    /// Whether all that a match does is to go on at `after`.
    pub(crate) only_skips: bool,
}

/// A test of a rule's first link that needs nothing of the rule.
pub(crate) enum Quick {
    /// There is none.
    None,
    /// Values of a group can match only if the gate admits all of them together.
    Group { group: usize, gate: Gate },
    /// It compares a `TX` value.
    Slot { slot: usize, comparison: Comparison, negated: bool },
    /// It compares the number of `TX` values of a name: one or none.
    Count { slot: usize, comparison: Comparison, negated: bool },
}

impl Step {
    pub(super) fn new(index: usize, after: usize, rule: &Rule) -> Self {
        let quick = Quick::of(rule);
        let only_skips = rule.skips_after
            && !rule.log
            && rule.disruption == Disruption::Pass
            && rule.links.len() == 1
            && rule.links[0].effects.is_empty()
            && matches!(quick, Quick::Slot { .. });
        Self { rule: index, after, quick, only_skips }
    }
}

impl Quick {
    fn of(rule: &Rule) -> Self {
        let Some(link) = rule.links.first() else { return Self::None };
        let Some(condition) = &link.condition else { return Self::None };
        let negated = condition.negated;
        if let Some(group) = link.group {
            return if negated { Self::None } else { Self::Group { group, gate: condition.gate } };
        }
        let ([look], Some(comparison)) = (&link.looks[..], condition.kind.comparison()) else { return Self::None };
        match look.slot() {
            Some(slot) if link.chain == 0 && look.except.is_empty() && !link.multi_match && !link.capture => {
                if look.count {
                    Self::Count { slot, comparison, negated }
                } else {
                    Self::Slot { slot, comparison, negated }
                }
            }
            _ => Self::None,
        }
    }
}
