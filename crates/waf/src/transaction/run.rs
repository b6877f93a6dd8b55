//! Running the rules of a phase.

use std::borrow::Cow;
use std::sync::Arc;

use super::state::Matched;
use super::{Cause, Interruption, Transaction};
use crate::operator::Captures;
use crate::record::{Finding, Match};
use crate::ruleset::{Condition, Link, Look, Quick, Rule, Ruleset};
use crate::seclang::action::{Allow, Disruption, EngineMode, Phase};
use crate::seclang::target::Selector;
use crate::text::Text;
use crate::transform::Transform;
use crate::values::ValueId;
use crate::variable::Variable;

/// Rules between two looks at the budget.
const BUDGET_STRIDE: usize = 16;
/// Bytes that operators look at between two looks at the budget.
const BUDGET_BYTES: usize = 256 << 10;

/// A link of a rule, about to look at values.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) rules: &'a Ruleset,
    /// Which rule of all.
    place: usize,
    rule: &'a Rule,
    pub(super) link: &'a Link,
    look: &'a Look,
    pub(super) condition: &'a Condition,
    /// The operator's argument, filled in.
    argument: &'a [u8],
    transforms: &'a [Transform],
}

impl Trial<'_> {
    pub(super) fn with_look(&self, look: usize) -> Self {
        Self { look: &self.link.looks[look], ..*self }
    }

    /// Whether anybody will ask for the name and the bytes of what matches.
    fn keeps(&self) -> bool {
        self.rule.log || self.rule.asks_matches || self.link.capture
    }
}

/// What a rule has found so far.
#[derive(Default)]
pub(super) struct Found {
    findings: Vec<Finding>,
    pub(super) score: i64,
}

impl Transaction {
    /// Runs a phase, unless the transaction was interrupted or allowed before; the last one runs always.
    pub(super) fn run(&mut self, phase: Phase) -> Option<Interruption> {
        let logging = phase == Phase::Logging;
        if self.mode == EngineMode::Off || (self.interruption.is_some() && !logging) {
            return self.interruption;
        }
        if self.allowed.is_some_and(|until| phase <= until) && !logging {
            return None;
        }
        let rules = Arc::clone(&self.rules);
        let steps = &rules.phases[phase.index()];
        let mut at = 0;
        let mut captures = Captures::default();
        while let Some(step) = steps.get(at) {
            if (at.is_multiple_of(BUDGET_STRIDE) || self.gave_up) && self.is_over_budget() {
                break;
            }
            at += 1;
            if self.state.removed.get(step.rule).copied().unwrap_or(false) {
                continue;
            }
            if self.gates {
                let matches = self.quickly(&rules, &step.quick);
                if matches == Some(false) {
                    continue;
                }
                if matches == Some(true) && step.only_skips && self.state.removed_targets.is_empty() {
                    at = step.after.max(at);
                    continue;
                }
            }
            let rule = &rules.rules[step.rule];
            let found = self.matches(&rules, step.rule, rule, &mut captures);
            if self.interruption.is_some_and(|stop| stop.cause == Cause::OverBudget) {
                break;
            }
            self.gave_up |= captures.gave_up();
            let Some(found) = found else { continue };
            if rule.log {
                self.record(&rules, rule, phase, found);
            }
            match rule.disruption {
                Disruption::Deny if self.mode == EngineMode::On && !logging => {
                    self.interruption = Some(Interruption { status: rule.status, rule: rule.id, cause: Cause::Rule });
                    break;
                }
                Disruption::Allow(allow) if self.mode == EngineMode::On && !logging => {
                    self.allowed = Some(match allow {
                        Allow::Phase => phase,
                        Allow::Request => Phase::RequestBody.max(phase),
                        Allow::All => Phase::ResponseBody,
                    });
                    break;
                }
                _ => {}
            }
            if self.mode == EngineMode::Off {
                break;
            }
            if rule.skips_after {
                at = step.after.max(at);
            } else {
                at += rule.skip;
            }
        }
        if self.gave_up {
            self.is_over_budget();
        }
        self.interruption
    }

    /// Whether the first link of a rule matches, as far as can be told without the rule.
    fn quickly(&mut self, rules: &Ruleset, quick: &Quick) -> Option<bool> {
        match quick {
            Quick::None => None,
            Quick::Group { group, gate } => (!self.group_admits(rules, *group, gate)).then_some(false),
            Quick::Slot { slot, comparison, negated } => {
                let value = self.state.slot(*slot);
                Some(value.is_some_and(|value| comparison.holds_for(value) != *negated))
            }
            Quick::Count { slot, comparison, negated } => {
                Some(comparison.holds(i64::from(self.state.slot(*slot).is_some())) != *negated)
            }
        }
    }

    /// Whether time or memory are used up; then the request is refused, rather than let through unseen.
    fn is_over_budget(&mut self) -> bool {
        let over = self.values.size() > self.limits.memory
            || self.gave_up
            || self.budget.as_mut().is_some_and(|spent| spent());
        if over && self.interruption.is_none() {
            self.interruption = Some(Interruption { status: 503, rule: 0, cause: Cause::OverBudget });
        }
        over
    }

    fn matches(&mut self, rules: &Ruleset, place: usize, rule: &Rule, captures: &mut Captures) -> Option<Found> {
        self.state.matched.clear();
        let mut found = Found::default();
        for link in &rule.links {
            if !self.link(rules, place, rule, link, captures, &mut found) {
                return None;
            }
        }
        Some(found)
    }

    fn link(
        &mut self,
        rules: &Ruleset,
        place: usize,
        rule: &Rule,
        link: &Link,
        captures: &mut Captures,
        found: &mut Found,
    ) -> bool {
        let Some(condition) = &link.condition else {
            self.effects(rules, rule, link, found);
            return true;
        };
        let expanded = condition.argument.as_ref().map(|text| self.expand(rules, rule, text));
        let argument = expanded.as_deref().unwrap_or_default();
        let transforms = &rules.chains[link.chain][..];
        captures.want_groups(link.capture);
        let trial = |look| Trial { rules, place, rule, link, look, condition, argument, transforms };
        if let (Some(group), [first, ..]) = (link.group, &link.looks[..])
            && !self.state.removed_targets.contains_key(&place)
        {
            return self.group(&trial(first), group, captures, found);
        }
        let mut any = false;
        for look in &link.looks {
            let trial = trial(look);
            any |= match look.variable {
                _ if look.count => {
                    let count = self.count(&trial).to_string().into_bytes();
                    self.examine(&trial, b"", count, captures, found)
                }
                variable if variable.is_matched() => {
                    let values = self.matched_values(look.variable);
                    self.examine_all(&trial, values, captures, found)
                }
                variable if variable.is_writable() => match look.slot() {
                    Some(slot) if !link.multi_match => self.slot(&trial, slot, captures, found),
                    _ => {
                        let values = self.written(&trial);
                        self.examine_all(&trial, values, captures, found)
                    }
                },
                _ => self.brought(&trial, captures, found),
            };
        }
        any
    }

    /// Looks at the values that the request brought.
    fn brought(&mut self, trial: &Trial<'_>, captures: &mut Captures, found: &mut Found) -> bool {
        let mut any = false;
        for source in trial.look.variable.places() {
            // One by one: what a match does may add values.
            let mut next = self.values.first(*source);
            while let Some(id) = next {
                if self.has_spent_its_time() {
                    return false;
                }
                if self.selects(trial, *source, id) {
                    any |= self.value(trial, id, captures, found);
                }
                next = self.values.next(id);
            }
        }
        any
    }

    /// Asked before each value: whether the time was used up while operators looked at the last ones.
    pub(super) fn has_spent_its_time(&mut self) -> bool {
        if self.unbudgeted <= BUDGET_BYTES {
            return false;
        }
        self.unbudgeted = 0;
        self.is_over_budget()
    }

    fn value(&mut self, trial: &Trial<'_>, id: ValueId, captures: &mut Captures, found: &mut Found) -> bool {
        if !trial.link.multi_match {
            let id = self.values.transformed(id, trial.link.chain, trial.transforms);
            return self.test(trial, id, captures, found);
        }
        let mut id = id;
        let mut any = self.test(trial, id, captures, found);
        for transform in trial.transforms {
            let next = self.values.step(id, *transform);
            if next != id {
                id = next;
                any |= self.test(trial, id, captures, found);
            }
        }
        any
    }

    pub(super) fn test(&mut self, trial: &Trial<'_>, id: ValueId, captures: &mut Captures, found: &mut Found) -> bool {
        let condition = trial.condition;
        let bytes = self.values.bytes(id);
        let possible = !self.gates || condition.gate.admits(bytes.len(), self.values.byte_set(id));
        captures.clear();
        if possible {
            self.unbudgeted += bytes.len();
        }
        let matched = possible && condition.kind.evaluate(bytes, trial.argument, captures);
        if matched == condition.negated {
            return false;
        }
        let (name, value) =
            if trial.keeps() { (self.values.name(id).to_vec(), bytes.to_vec()) } else { Default::default() };
        self.matched(trial, &name, value, captures, found);
        true
    }

    /// Looks at a `TX` value where it stands.
    fn slot(&mut self, trial: &Trial<'_>, slot: usize, captures: &mut Captures, found: &mut Found) -> bool {
        let name = &trial.rules.names.names[slot];
        let Some(value) = self.state.slot(slot) else { return false };
        if !self.is_looked_at(trial, trial.look.variable, name) {
            return false;
        }
        let mut value = Cow::Borrowed(value);
        for transform in trial.transforms {
            value = match value {
                Cow::Borrowed(value) => transform.apply(value),
                Cow::Owned(value) => Cow::Owned(transform.apply(&value).into_owned()),
            };
        }
        captures.clear();
        if trial.condition.kind.evaluate(&value, trial.argument, captures) == trial.condition.negated {
            return false;
        }
        let value = if trial.keeps() { value.into_owned() } else { Vec::new() };
        self.matched(trial, name, value, captures, found);
        true
    }

    /// Looks at values that rules have written, each with its name.
    fn examine_all(
        &mut self,
        trial: &Trial<'_>,
        values: Vec<(Vec<u8>, Vec<u8>)>,
        captures: &mut Captures,
        found: &mut Found,
    ) -> bool {
        let mut any = false;
        for (name, value) in values {
            if self.is_looked_at(trial, trial.look.variable, &name) {
                any |= self.examine(trial, &name, value, captures, found);
            }
        }
        any
    }

    fn examine(
        &mut self,
        trial: &Trial<'_>,
        name: &[u8],
        mut value: Vec<u8>,
        captures: &mut Captures,
        found: &mut Found,
    ) -> bool {
        let mut any = false;
        let mut steps = trial.transforms.iter();
        loop {
            if steps.len() == 0 || trial.link.multi_match {
                captures.clear();
                let condition = trial.condition;
                if condition.kind.evaluate(&value, trial.argument, captures) != condition.negated {
                    self.matched(trial, name, value.clone(), captures, found);
                    any = true;
                }
            }
            let Some(transform) = steps.next() else { return any };
            value = transform.apply(&value).into_owned();
        }
    }

    /// A value has matched a link.
    fn matched(&mut self, trial: &Trial<'_>, name: &[u8], value: Vec<u8>, captures: &Captures, found: &mut Found) {
        if !trial.keeps() {
            self.effects(trial.rules, trial.rule, trial.link, found);
            return;
        }
        let full = full_name(trial.look.variable, name);
        if trial.link.capture {
            for group in 0..10 {
                self.state.set_slot(group, captures.group(group, &value).map(<[u8]>::to_vec));
            }
        }
        if trial.rule.log {
            let span = captures.span().unwrap_or((0, value.len()));
            let variable = printable(&full);
            found.findings.push(Finding { variable, value: value.clone(), span });
        }
        self.state.matched.push(Matched { name: full, value });
        self.effects(trial.rules, trial.rule, trial.link, found);
    }

    fn selects(&self, trial: &Trial<'_>, source: Variable, id: ValueId) -> bool {
        let look = trial.look;
        if matches!(look.selector, Selector::All) && look.except.is_empty() && self.state.removed_targets.is_empty() {
            return true;
        }
        self.is_looked_at(trial, source, self.values.name(id))
    }

    fn is_looked_at(&self, trial: &Trial<'_>, source: Variable, name: &[u8]) -> bool {
        let removed = self.state.removed_targets.get(&trial.place);
        trial.look.selects(source, || name)
            && !removed.into_iter().flatten().any(|target| trial.look.excludes(target, source, || name))
    }

    fn count(&self, trial: &Trial<'_>) -> usize {
        let look = trial.look;
        if look.variable.is_writable() {
            return self.state.selected(&trial.rules.names, look).count();
        }
        let of = |source: &Variable| self.values.of(*source).filter(|id| self.selects(trial, *source, *id)).count();
        look.variable.places().iter().map(of).sum()
    }

    fn written(&self, trial: &Trial<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let selected = self.state.selected(&trial.rules.names, trial.look);
        selected.map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    }

    /// Values of the variables that tell what was matched, with their names.
    fn matched_values(&self, variable: Variable) -> Vec<(Vec<u8>, Vec<u8>)> {
        let matched = &self.state.matched;
        let last = matched.len().saturating_sub(1);
        match variable {
            Variable::MatchedVars => matched.iter().map(|one| (one.name.clone(), one.value.clone())).collect(),
            Variable::MatchedVarsNames => matched.iter().map(|one| (one.name.clone(), one.name.clone())).collect(),
            Variable::MatchedVar => matched[last..].iter().map(|one| (Vec::new(), one.value.clone())).collect(),
            _ => matched[last..].iter().map(|one| (Vec::new(), one.name.clone())).collect(),
        }
    }

    fn record(&mut self, rules: &Ruleset, rule: &Rule, phase: Phase, found: Found) {
        let text = |text: &Text| printable(&self.expand(rules, rule, text));
        let one = Match {
            rule: rule.id,
            phase: phase as u8,
            message: text(&rule.message),
            data: text(&rule.data),
            severity: rule.severity,
            tags: rule.tags.clone(),
            version: rule.version.clone(),
            line: rule.line,
            score: found.score,
            findings: found.findings,
        };
        self.matches.push(one);
    }
}

/// A text for a log: on one line, with every byte that is not plain text as `\xHH`.
fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() {
                out.extend(char.to_string().bytes().map(|byte| format!("\\x{byte:02x}")));
            } else {
                out.push(char);
            }
        }
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

/// `ARGS:name`, or `REQUEST_LINE` for what has no names.
fn full_name(variable: Variable, name: &[u8]) -> Vec<u8> {
    let mut full = variable.name().as_bytes().to_vec();
    if !name.is_empty() {
        full.push(b':');
        full.extend_from_slice(name);
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_request_begins_a_line_of_a_log() {
        assert_eq!(printable("a\r\nb\u{85}ü\t".as_bytes()), "a\\x0d\\x0ab\\xc2\\x85ü\\x09");
        assert_eq!(printable(b"\xff\x00a"), "\\xff\\x00a");
    }
}
