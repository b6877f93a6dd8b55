//! What a match changes for the rules that follow, and texts filled in with what is known.

use std::borrow::Cow;
use std::sync::Arc;

use super::run::Found;
use super::state::number;
use super::{Processor, Transaction};
use crate::collections::{Collections, Key};
use crate::ruleset::{Link, Rule, Ruleset};
use crate::seclang::action::{Assignment, Control, Effect};
use crate::seclang::target::Target;
use crate::text::{Piece, Text};
use crate::variable::Variable;

/// `TX` values that rules add what they count to: the Core Rule Set's, of both generations.
const SCORES: [&[u8]; 3] = [b"inbound_anomaly_score", b"outbound_anomaly_score", b"anomaly_score_pl"];

impl Transaction {
    pub(super) fn effects(&mut self, rules: &Ruleset, rule: &Rule, link: &Link, found: &mut Found) {
        for effect in &link.effects {
            match effect {
                Effect::Set { collection, key, to, slot } => {
                    self.assign(rules, rule, (*collection, key, *slot), to, found);
                }
                Effect::Control(control) => self.control(rules, control),
                Effect::Open { collection, key } => self.open(rules, rule, *collection, key),
                Effect::Expire { collection, key, seconds } => self.expire(rules, rule, *collection, key, seconds),
            }
        }
    }

    fn assign(
        &mut self,
        rules: &Ruleset,
        rule: &Rule,
        (collection, key, slot): (Variable, &Text, Option<usize>),
        to: &Assignment,
        found: &mut Found,
    ) {
        let name = if let Some(slot) = slot {
            Cow::Borrowed(&rules.names.names[slot][..])
        } else {
            let mut name = self.expand(rules, rule, key);
            name.make_ascii_lowercase();
            Cow::Owned(name)
        };
        let operand = match to {
            Assignment::Nothing => Vec::new(),
            Assignment::Value(text) | Assignment::Plus(text) | Assignment::Minus(text) => {
                self.expand(rules, rule, text)
            }
        };
        let by = match to {
            Assignment::Plus(_) => number(&operand),
            Assignment::Minus(_) => number(&operand).saturating_neg(),
            Assignment::Nothing | Assignment::Value(_) => 0,
        };
        if SCORES.iter().any(|score| name.starts_with(score)) {
            found.score += by;
        }
        let needs_before = matches!(to, Assignment::Plus(_) | Assignment::Minus(_));
        let change = |before: Option<&[u8]>| match to {
            Assignment::Nothing => None,
            Assignment::Value(_) => Some(operand),
            Assignment::Plus(_) | Assignment::Minus(_) => {
                Some(before.map_or(0, number).saturating_add(by).to_string().into_bytes())
            }
        };
        let value = match self.kept(collection) {
            Some((collections, key, _)) => collections.change(&key, &name, change),
            None => match slot {
                Some(slot) => change(self.state.slot(slot)),
                None if !needs_before => change(None),
                None => change(self.state.get(&rules.names, collection, &name)),
            },
        };
        match slot {
            Some(slot) => self.state.set_slot(slot, value),
            None => self.state.set(&rules.names, collection, name.into_owned(), value),
        }
    }

    /// Where a collection is kept, if it was opened.
    fn kept(&self, collection: Variable) -> Option<(Arc<Collections>, Key, u64)> {
        let (collections, now) = self.collections.as_ref()?;
        let key = self.state.opened.iter().find(|key| key.collection == collection)?;
        Some((collections.clone(), key.clone(), *now))
    }

    fn open(&mut self, rules: &Ruleset, rule: &Rule, collection: Variable, key: &Text) {
        let key = Key { collection, under: self.expand(rules, rule, key) };
        if let Some((collections, now)) = &self.collections {
            for (name, value) in collections.open(&key, *now) {
                self.state.set(&rules.names, collection, name, Some(value));
            }
        }
        self.state.opened.retain(|key| key.collection != collection);
        self.state.opened.push(key);
    }

    fn expire(&mut self, rules: &Ruleset, rule: &Rule, collection: Variable, name: &Text, seconds: &Text) {
        let mut name = self.expand(rules, rule, name);
        name.make_ascii_lowercase();
        let seconds = number(&self.expand(rules, rule, seconds)).max(0).unsigned_abs();
        if let Some((collections, key, now)) = self.kept(collection) {
            collections.expire(&key, &name, now.saturating_add(seconds));
        }
    }

    fn control(&mut self, rules: &Ruleset, control: &Control) {
        match control {
            Control::RemoveById(range) => self.remove(rules, |rule| range.contains(rule.id)),
            Control::RemoveByTag(tag) => self.remove(rules, |rule| rule.tags.contains(tag)),
            Control::RemoveTargetById(range, targets) => {
                self.remove_targets(rules, targets, |rule| range.contains(rule.id));
            }
            Control::RemoveTargetByTag(tag, targets) => {
                self.remove_targets(rules, targets, |rule| rule.tags.contains(tag));
            }
            Control::BodyProcessor(name) => self.choose_processor(Processor::named(name)),
            Control::ForceBodyVariable(on) => self.body.forced = *on,
            Control::Engine(mode) => self.mode = *mode,
            Control::BodyAccess(on) => self.body.ignored = !*on,
            Control::Audit => {}
        }
    }

    fn remove(&mut self, rules: &Ruleset, of: impl Fn(&Rule) -> bool) {
        self.state.removed.resize(rules.rules.len(), false);
        for (removed, rule) in self.state.removed.iter_mut().zip(&rules.rules) {
            *removed |= of(rule);
        }
    }

    fn remove_targets(&mut self, rules: &Ruleset, targets: &[Target], of: impl Fn(&Rule) -> bool) {
        for (place, _) in rules.rules.iter().enumerate().filter(|(_, rule)| of(rule)) {
            let removed = targets.iter().map(|target| (target.variable, target.selector.clone()));
            self.state.removed_targets.entry(place).or_default().extend(removed);
        }
    }

    /// Fills in a text.
    pub(super) fn expand(&self, rules: &Ruleset, rule: &Rule, text: &Text) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &text.pieces {
            match piece {
                Piece::Literal(literal) => out.extend_from_slice(literal),
                Piece::Slot(slot) => out.extend_from_slice(self.state.slot(*slot).unwrap_or_default()),
                Piece::Variable(variable, key) => self.expand_variable(rules, rule, *variable, key, &mut out),
            }
        }
        out
    }

    fn expand_variable(&self, rules: &Ruleset, rule: &Rule, variable: Variable, key: &[u8], out: &mut Vec<u8>) {
        match variable {
            Variable::MatchedVar => out.extend(self.state.matched.last().map(|one| &one.value[..]).unwrap_or_default()),
            Variable::MatchedVarName => {
                out.extend(self.state.matched.last().map(|one| &one.name[..]).unwrap_or_default());
            }
            Variable::Rule => match key {
                b"id" => out.extend(rule.id.to_string().bytes()),
                b"msg" => out.extend(self.expand(rules, rule, &without_rule(&rule.message))),
                _ => {}
            },
            variable if variable.is_writable() => {
                out.extend(self.state.get(&rules.names, variable, key).unwrap_or_default());
            }
            variable => {
                let mut ids = variable.places().iter().flat_map(|source| self.values.of(*source));
                let found = ids.find(|id| key.is_empty() || self.values.name(*id).eq_ignore_ascii_case(key));
                out.extend(found.map(|id| self.values.bytes(id)).unwrap_or_default());
            }
        }
    }
}

/// A message that names itself would never end.
fn without_rule(text: &Text) -> Text {
    let pieces = text.pieces.iter().filter(|piece| !matches!(piece, Piece::Variable(Variable::Rule, _)));
    Text { pieces: pieces.cloned().collect() }
}
