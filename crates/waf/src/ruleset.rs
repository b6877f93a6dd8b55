//! Rules, compiled once and shared by all transactions.

mod group;
mod step;

use std::collections::HashMap;

use crate::operator::{self, Files, Gate, Kind};
use crate::seclang::action::{Actions, Assignment, Disruption, Effect, EngineMode, Phase, Severity};
use crate::seclang::target::{Selector, Target, TargetKind};
use crate::seclang::{self, Directive, DirectiveKind, OperatorText, RuleText};
use crate::text::Text;
use crate::transform::Transform;
use crate::variable::Variable;
pub(crate) use group::Groups;
pub(crate) use step::{Quick, Step};

/// A file of rules.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What it is called in errors and decisions.
    pub name: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// Rules cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{file}:{line}: {problem}")]
pub struct LoadError {
    /// The name of the source.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// A set of rules, ready to run.
pub struct Ruleset {
    pub(crate) rules: Vec<Rule>,
    /// Rules of each phase, in the order of the files.
    pub(crate) phases: [Vec<Step>; 5],
    pub(crate) chains: Vec<Vec<Transform>>,
    pub(crate) groups: Groups,
    pub(crate) names: Names,
    pub(crate) mode: EngineMode,
    pub(crate) signatures: Vec<String>,
    host: Vec<String>,
}

pub(crate) struct Rule {
    pub(crate) id: u32,
    pub(crate) file: u16,
    pub(crate) line: u32,
    pub(crate) message: Text,
    pub(crate) data: Text,
    pub(crate) tags: Vec<String>,
    pub(crate) version: String,
    pub(crate) severity: Option<Severity>,
    pub(crate) log: bool,
    pub(crate) disruption: Disruption,
    pub(crate) status: u16,
    pub(crate) skip: usize,
    pub(crate) skips_after: bool,
    /// Whether a text or a link of it asks what was matched.
    pub(crate) asks_matches: bool,
    /// The rule itself and the links of its chain.
    pub(crate) links: Vec<Link>,
}

pub(crate) struct Link {
    /// Empty for an action without a condition.
    pub(crate) looks: Vec<Look>,
    pub(crate) condition: Option<Condition>,
    /// Which group of values it looks at, shared with other links: those that the request brought, by `looks`, each
    /// after `chain`. None if it looks at anything else.
    pub(crate) group: Option<usize>,
    /// Which of [`Ruleset::chains`] is done to each value.
    pub(crate) chain: usize,
    pub(crate) multi_match: bool,
    pub(crate) capture: bool,
    pub(crate) effects: Vec<Effect>,
}

pub(crate) struct Condition {
    pub(crate) kind: Kind,
    pub(crate) negated: bool,
    /// The argument, where it holds variables.
    pub(crate) argument: Option<Text>,
    pub(crate) gate: Gate,
}

/// Values that a rule looks at.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) variable: Variable,
    pub(crate) selector: Selector,
    pub(crate) count: bool,
    /// Left out: values of a variable by name.
    pub(crate) except: Vec<(Variable, Selector)>,
    /// Of `TX`, the values whose names are known and selected, by their places.
    pub(crate) slots: Vec<usize>,
}

impl Look {
    /// The place of the only value that it can select.
    pub(crate) fn slot(&self) -> Option<usize> {
        match (&self.selector, &self.slots[..]) {
            (Selector::Named(_), [slot]) => Some(*slot),
            _ => None,
        }
    }

    /// Finds the places among all names of the rules.
    fn find(&mut self, names: &Names) {
        if self.variable == Variable::Tx {
            let all = names.names.iter().enumerate();
            self.slots = match &self.selector {
                Selector::Named(name) => names.slot(name).into_iter().collect(),
                selector => all.filter(|(_, name)| selector.selects(name)).map(|(slot, _)| slot).collect(),
            };
        }
    }

    /// Whether it looks at a value that stands in `source`. Its name is asked for only if that matters.
    pub(crate) fn selects<'n>(&self, source: Variable, name: impl Fn() -> &'n [u8]) -> bool {
        let selected = match &self.selector {
            Selector::All => true,
            selector => selector.selects(name()),
        };
        selected && !self.except.iter().any(|target| self.excludes(target, source, &name))
    }

    /// Whether a target that is left out is this value.
    pub(crate) fn excludes<'n>(
        &self,
        (variable, selector): &(Variable, Selector),
        source: Variable,
        name: impl Fn() -> &'n [u8],
    ) -> bool {
        let concerned = *variable == source || *variable == self.variable || variable.sources().contains(&source);
        concerned && selector.selects(name())
    }
}

/// Names of `TX` values that rules mention, each with a place, so that a transaction need not look them up.
#[derive(Debug, Default)]
pub(crate) struct Names {
    slots: HashMap<Vec<u8>, usize>,
    pub(crate) names: Vec<Vec<u8>>,
}

impl Names {
    fn intern(&mut self, name: &[u8]) -> usize {
        let name = name.to_ascii_lowercase();
        if let Some(slot) = self.slots.get(&name) {
            return *slot;
        }
        self.names.push(name.clone());
        self.slots.insert(name, self.names.len() - 1);
        self.names.len() - 1
    }

    /// The place of a name, which is in lower case.
    pub(crate) fn slot(&self, name: &[u8]) -> Option<usize> {
        self.slots.get(name).copied()
    }
}

impl std::fmt::Debug for Ruleset {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Ruleset")
            .field("rules", &self.rules.len())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl Ruleset {
    /// Compiles rules from `sources`, in their order; `files` answers for the lists that they name.
    ///
    /// # Errors
    /// The first directive, operator, transformation, variable or action that is not known, and the first pattern that
    /// does not compile, with file and line.
    pub fn load(sources: &[Source<'_>], files: &dyn Files) -> Result<Self, LoadError> {
        Self::load_without(sources, files, &[])
    }

    /// The same, knowingly without some rules, by id: for operators that this engine does not have.
    ///
    /// # Errors
    /// As [`Ruleset::load`], but for the operators and targets of those rules.
    pub fn load_without(sources: &[Source<'_>], files: &dyn Files, left_out: &[u32]) -> Result<Self, LoadError> {
        let mut builder = Builder::new(files, left_out);
        for (index, source) in sources.iter().enumerate() {
            let at = |line: usize, problem: String| LoadError { file: source.name.to_owned(), line, problem };
            for directive in seclang::parse(source.text).map_err(|(line, problem)| at(line, problem))? {
                let line = directive.line;
                builder.take(index as u16, directive).map_err(|problem| at(line, problem))?;
            }
            builder.finish_chain().map_err(|(line, problem)| at(line, problem))?;
        }
        builder.build(sources)
    }

    /// How many rules there are; a chain is one.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules say that they are.
    pub fn signatures(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(String::as_str)
    }

    /// Directives about limits, logs and files, which the host of the engine decides in its own way.
    pub fn host_directives(&self) -> impl Iterator<Item = &str> {
        self.host.iter().map(String::as_str)
    }

    /// The same rules with another mode of the engine.
    #[must_use]
    pub fn with_mode(mut self, mode: EngineMode) -> Self {
        self.mode = mode;
        self
    }
}

struct Builder<'a> {
    files: &'a dyn Files,
    left_out: &'a [u32],
    /// Whether the next rule continues a chain that is left out.
    leaves_out: bool,
    defaults: [Actions; 5],
    rules: Vec<(Rule, Phase, Option<String>)>,
    /// A chain whose last link is not read yet: the rule, its phase, where it skips to.
    open: Option<(Rule, Phase, Option<String>)>,
    /// Markers, each with the number of rules before it, wherever it stands.
    markers: HashMap<String, Vec<usize>>,
    chains: Vec<Vec<Transform>>,
    names: Names,
    mode: EngineMode,
    signatures: Vec<String>,
    host: Vec<String>,
}

impl<'a> Builder<'a> {
    fn new(files: &'a dyn Files, left_out: &'a [u32]) -> Self {
        let mut names = Names::default();
        for group in 0..10 {
            names.intern(group.to_string().as_bytes());
        }
        Self {
            files,
            left_out,
            leaves_out: false,
            defaults: std::array::from_fn(|_| Actions::default()),
            rules: Vec::new(),
            open: None,
            markers: HashMap::new(),
            chains: vec![Vec::new()],
            names,
            mode: EngineMode::On,
            signatures: Vec::new(),
            host: Vec::new(),
        }
    }

    fn take(&mut self, file: u16, directive: Directive) -> Result<(), String> {
        if self.open.is_some() && !matches!(directive.kind, DirectiveKind::Rule(_)) {
            return Err("a chain is not finished: a rule must follow".into());
        }
        match directive.kind {
            DirectiveKind::Rule(rule) => self.rule(file, directive.line, rule)?,
            DirectiveKind::Marker(name) => self.markers.entry(name).or_default().push(self.rules.len()),
            DirectiveKind::Default(actions) => {
                let phase = actions.phase.ok_or("the phase is missing")?;
                self.defaults[phase.index()] = actions;
            }
            DirectiveKind::Signature(text) => self.signatures.push(text),
            DirectiveKind::Engine(mode) => self.mode = mode,
            DirectiveKind::Host(text) => self.host.push(text),
            DirectiveKind::RemoveById(ranges) => {
                self.remove(|rule| ranges.iter().any(|range| range.contains(rule.id)));
            }
            DirectiveKind::RemoveByTag(tag) => self.remove(|rule| tagged(&rule.tags, &tag)),
            DirectiveKind::UpdateTargetById(range, targets) => {
                self.update(&targets, |rule| range.contains(rule.id));
            }
            DirectiveKind::UpdateTargetByTag(tag, targets) => {
                self.update(&targets, |rule| tagged(&rule.tags, &tag));
            }
        }
        Ok(())
    }

    /// Takes rules out; markers stay between the ones that they were between.
    fn remove(&mut self, of: impl Fn(&Rule) -> bool) {
        let mut kept = 0;
        let mut before = vec![0];
        for (rule, ..) in &self.rules {
            kept += usize::from(!of(rule));
            before.push(kept);
        }
        self.markers.values_mut().flatten().for_each(|place| *place = before[*place]);
        self.rules.retain(|(rule, ..)| !of(rule));
    }

    fn finish_chain(&mut self) -> Result<(), (usize, String)> {
        match self.open.take() {
            Some((rule, ..)) => Err((rule.line as usize, format!("the chain of rule {} has no end", rule.id))),
            None => Ok(()),
        }
    }

    fn rule(&mut self, file: u16, line: usize, text: RuleText) -> Result<(), String> {
        let continues = text.actions.chain;
        if self.leaves_out || (self.open.is_none() && text.actions.id.is_some_and(|id| self.left_out.contains(&id))) {
            self.leaves_out = continues;
            return Ok(());
        }
        let (mut rule, phase, skip_after) = match self.open.take() {
            Some(open) => open,
            None => self.first(file, line, &text.actions)?,
        };
        let link = self.link(text, phase, rule.links.is_empty())?;
        rule.links.push(link);
        if continues {
            self.open = Some((rule, phase, skip_after));
        } else {
            self.rules.push((rule, phase, skip_after));
        }
        Ok(())
    }

    fn first(&mut self, file: u16, line: usize, actions: &Actions) -> Result<(Rule, Phase, Option<String>), String> {
        let id = actions.id.ok_or("a rule needs an id")?;
        if self.rules.iter().any(|(rule, ..)| rule.id == id) {
            return Err(format!("there is a rule {id} already"));
        }
        let phase = actions.phase.unwrap_or(Phase::RequestBody);
        let defaults = &self.defaults[phase.index()];
        let usual = defaults.disruption.unwrap_or(Disruption::Pass);
        let disruption = match actions.disruption.unwrap_or(usual) {
            Disruption::Block => usual,
            other => other,
        };
        let (mut message, mut data) = (actions.message.clone(), actions.data.clone());
        message.resolve(|name| self.names.intern(name));
        data.resolve(|name| self.names.intern(name));
        let rule = Rule {
            id,
            file,
            line: line as u32,
            message,
            data,
            tags: actions.tags.clone(),
            version: actions.version.clone(),
            severity: actions.severity,
            log: actions.log.or(defaults.log).unwrap_or(true),
            disruption,
            status: actions.status.or(defaults.status).unwrap_or(403),
            skip: actions.skip,
            skips_after: actions.skip_after.is_some(),
            asks_matches: false,
            links: Vec::new(),
        };
        Ok((rule, phase, actions.skip_after.clone()))
    }

    fn link(&mut self, text: RuleText, phase: Phase, is_first: bool) -> Result<Link, String> {
        let RuleText { targets, operator, mut actions } = text;
        if !is_first && (actions.disruption.is_some() && actions.disruption != Some(Disruption::Pass)) {
            return Err("only the first rule of a chain may refuse".into());
        }
        if !actions.resets_transforms {
            let mut all = self.defaults[phase.index()].transforms.clone();
            all.append(&mut actions.transforms);
            actions.transforms = all;
        }
        for effect in &mut actions.effects {
            self.resolve_effect(effect);
        }
        let condition = operator.map(|operator| self.condition(&operator)).transpose()?;
        let known = self.chains.iter().position(|chain| *chain == actions.transforms);
        let chain = known.unwrap_or_else(|| {
            self.chains.push(actions.transforms);
            self.chains.len() - 1
        });
        Ok(Link {
            looks: self.looks(&targets),
            condition,
            group: None,
            chain,
            multi_match: actions.multi_match,
            capture: actions.capture,
            effects: actions.effects,
        })
    }

    fn condition(&mut self, operator: &OperatorText) -> Result<Condition, String> {
        let mut kind =
            operator::parse(&operator.name, &operator.argument, self.files).map_err(|error| error.to_string())?;
        let mut text = if kind.takes_macro() { Text::parse(&operator.argument)? } else { Text::default() };
        text.resolve(|name| self.names.intern(name));
        let argument = text.literal().is_none().then_some(text);
        Ok(Condition { gate: kind.take_gate(), negated: operator.negated, argument, kind })
    }

    fn looks(&mut self, targets: &[Target]) -> Vec<Look> {
        let mut looks = Vec::new();
        for target in targets.iter().filter(|target| target.kind != TargetKind::Exclusion) {
            if let (Selector::Named(name), Variable::Tx) = (&target.selector, target.variable) {
                self.names.intern(name);
            }
            looks.push(Look {
                variable: target.variable,
                selector: target.selector.clone(),
                count: target.kind == TargetKind::Count,
                except: Vec::new(),
                slots: Vec::new(),
            });
        }
        exclude(&mut looks, targets);
        looks
    }

    fn resolve_effect(&mut self, effect: &mut Effect) {
        let mut place = |name: &[u8]| self.names.intern(name);
        match effect {
            Effect::Set { collection, key, to, slot } => {
                if let (Variable::Tx, Some(name)) = (*collection, key.literal()) {
                    *slot = Some(place(name));
                }
                key.resolve(&mut place);
                match to {
                    Assignment::Value(text) | Assignment::Plus(text) | Assignment::Minus(text) => text.resolve(place),
                    Assignment::Nothing => {}
                }
            }
            Effect::Open { key, .. } => key.resolve(place),
            Effect::Expire { key, seconds, .. } => {
                key.resolve(&mut place);
                seconds.resolve(place);
            }
            Effect::Control(_) => {}
        }
    }

    /// Adds targets to rules, or exclusions from them. Rules of a chain are named by its first: only that one changes.
    fn update(&mut self, targets: &[Target], of: impl Fn(&Rule) -> bool) {
        let more = self.looks(targets);
        for (rule, ..) in self.rules.iter_mut().filter(|(rule, ..)| of(rule)) {
            if let Some(link) = rule.links.first_mut() {
                link.looks.extend(more.iter().cloned());
                exclude(&mut link.looks, targets);
            }
        }
    }

    fn build(self, sources: &[Source<'_>]) -> Result<Ruleset, LoadError> {
        let mut phases: [Vec<Step>; 5] = std::array::from_fn(|_| Vec::new());
        // For each phase, how many of its rules stand before each rule of all.
        let before = Phase::ALL.map(|phase| {
            let mut count = 0;
            let mut before = vec![0];
            for (_, of, _) in &self.rules {
                count += usize::from(*of == phase);
                before.push(count);
            }
            before
        });
        let mut rules = Vec::with_capacity(self.rules.len());
        let mut groups = group::Builder::default();
        for (index, (mut rule, phase, skip_after)) in self.rules.into_iter().enumerate() {
            let after = match skip_after {
                None => 0,
                Some(marker) => {
                    let place = self.markers.get(&marker).and_then(|all| all.iter().find(|place| **place > index));
                    let Some(place) = place else {
                        let file = sources.get(usize::from(rule.file)).map_or("", |source| source.name);
                        let problem = format!("rule {} skips to a marker {marker:?} that does not follow", rule.id);
                        return Err(LoadError { file: file.to_owned(), line: rule.line as usize, problem });
                    };
                    before[phase.index()][*place]
                }
            };
            for link in &mut rule.links {
                link.looks.iter_mut().for_each(|look| look.find(&self.names));
                link.group = groups.of(link);
            }
            rule.asks_matches = rule.asks_matches();
            phases[phase.index()].push(Step::new(index, after, &rule));
            rules.push(rule);
        }
        Ok(Ruleset {
            rules,
            phases,
            chains: self.chains,
            groups: groups.build(),
            names: self.names,
            mode: self.mode,
            signatures: self.signatures,
            host: self.host,
        })
    }
}

impl Rule {
    fn asks_matches(&self) -> bool {
        let texts = |effect: &Effect| match effect {
            Effect::Set {
                key, to: Assignment::Value(text) | Assignment::Plus(text) | Assignment::Minus(text), ..
            } => key.tells_matches() || text.tells_matches(),
            Effect::Set { key, to: Assignment::Nothing, .. } | Effect::Open { key, .. } => key.tells_matches(),
            Effect::Expire { key, seconds, .. } => key.tells_matches() || seconds.tells_matches(),
            Effect::Control(_) => false,
        };
        let asks = |link: &Link| {
            link.looks.iter().any(|look| look.variable.is_matched())
                || link.effects.iter().any(texts)
                || link.condition.iter().flat_map(|condition| &condition.argument).any(Text::tells_matches)
        };
        self.message.tells_matches() || self.data.tells_matches() || self.links.iter().any(asks)
    }
}

fn tagged(tags: &[String], wanted: &str) -> bool {
    tags.iter().any(|tag| tag == wanted)
}

/// Notes the exclusions among `targets` with each look that they can concern.
fn exclude(looks: &mut [Look], targets: &[Target]) {
    for target in targets.iter().filter(|target| target.kind == TargetKind::Exclusion) {
        for look in looks.iter_mut().filter(|look| concerns(target.variable, look.variable)) {
            look.except.push((target.variable, target.selector.clone()));
        }
    }
}

/// Whether values of `look` can be values of `variable`: they are the same, or one joins the other.
pub(crate) fn concerns(variable: Variable, look: Variable) -> bool {
    variable == look || variable.sources().contains(&look) || look.sources().contains(&variable)
}
