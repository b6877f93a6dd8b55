//! What a rule does when it matches: `id:1,phase:2,block,t:none,setvar:'tx.score=+5'`.

use crate::seclang::target::{self, Target};
use crate::text::Text;
use crate::transform::Transform;
use crate::variable::Variable;

/// The actions of a rule, sorted by what they are for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Actions {
    pub(crate) id: Option<u32>,
    pub(crate) phase: Option<Phase>,
    pub(crate) message: Text,
    pub(crate) data: Text,
    pub(crate) tags: Vec<String>,
    pub(crate) version: String,
    pub(crate) severity: Option<Severity>,
    pub(crate) transforms: Vec<Transform>,
    /// Whether `t:none` dropped the transformations of the defaults.
    pub(crate) resets_transforms: bool,
    pub(crate) chain: bool,
    pub(crate) capture: bool,
    pub(crate) multi_match: bool,
    pub(crate) disruption: Option<Disruption>,
    pub(crate) status: Option<u16>,
    pub(crate) log: Option<bool>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) skip: usize,
    pub(crate) skip_after: Option<String>,
}

/// When a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// After the request's headers.
    RequestHeaders = 1,
    /// After the request's body.
    RequestBody = 2,
    /// After the response's headers.
    ResponseHeaders = 3,
    /// After the response's body.
    ResponseBody = 4,
    /// At the end, whatever was decided.
    Logging = 5,
}

impl Phase {
    pub(crate) const ALL: [Self; 5] =
        [Self::RequestHeaders, Self::RequestBody, Self::ResponseHeaders, Self::ResponseBody, Self::Logging];

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "1" => Self::RequestHeaders,
            "2" | "request" => Self::RequestBody,
            "3" => Self::ResponseHeaders,
            "4" | "response" => Self::ResponseBody,
            "5" | "logging" => Self::Logging,
            _ => return None,
        })
    }

    pub(crate) const fn index(self) -> usize {
        self as usize - 1
    }
}

/// How bad a rule says that its match is: the levels of syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 0
    Emergency,
    /// 1
    Alert,
    /// 2
    Critical,
    /// 3
    Error,
    /// 4
    Warning,
    /// 5
    Notice,
    /// 6
    Info,
    /// 7
    Debug,
}

impl Severity {
    fn named(name: &str) -> Option<Self> {
        Some(match &*name.to_ascii_lowercase() {
            "0" | "emergency" => Self::Emergency,
            "1" | "alert" => Self::Alert,
            "2" | "critical" => Self::Critical,
            "3" | "error" => Self::Error,
            "4" | "warning" => Self::Warning,
            "5" | "notice" => Self::Notice,
            "6" | "info" => Self::Info,
            "7" | "debug" => Self::Debug,
            _ => return None,
        })
    }
}

/// What happens to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disruption {
    /// Nothing.
    Pass,
    /// What the defaults of the phase say.
    Block,
    /// It is refused.
    Deny,
    /// No more rules are looked at: in this phase, of the request, or at all.
    Allow(Allow),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allow {
    Phase,
    Request,
    All,
}

/// What a match changes for the rules that follow.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Set {
        collection: Variable,
        key: Text,
        to: Assignment,
        /// The place of a `TX` value whose name is known; found when rules are compiled.
        slot: Option<usize>,
    },
    Control(Control),
    /// A collection that outlives the request is opened under this key.
    Open {
        collection: Variable,
        key: Text,
    },
    Expire {
        collection: Variable,
        key: Text,
        seconds: Text,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum Assignment {
    Value(Text),
    Plus(Text),
    Minus(Text),
    Nothing,
}

/// What `ctl` changes about the rest of this transaction.
#[derive(Debug, Clone)]
pub(crate) enum Control {
    RemoveById(IdRange),
    RemoveByTag(String),
    RemoveTargetById(IdRange, Vec<Target>),
    RemoveTargetByTag(String, Vec<Target>),
    BodyProcessor(String),
    ForceBodyVariable(bool),
    Engine(EngineMode),
    BodyAccess(bool),
    /// The host owns the audit log: its parts and its engine are noted, not acted upon.
    Audit,
}

/// Whether rules are looked at, and whether they may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineMode {
    /// Rules refuse.
    On,
    /// Rules only tell.
    DetectionOnly,
    /// No rule is looked at.
    Off,
}

impl EngineMode {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match &*name.to_ascii_lowercase() {
            "on" => Self::On,
            "detectiononly" => Self::DetectionOnly,
            "off" => Self::Off,
            _ => return None,
        })
    }
}

/// From one id to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdRange(pub(crate) u32, pub(crate) u32);

impl IdRange {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| format!("{text:?} is not a rule's id"));
        match text.split_once('-') {
            Some((from, to)) => Ok(Self(number(from)?, number(to)?)),
            None => number(text).map(|id| Self(id, id)),
        }
    }

    pub(crate) fn contains(self, id: u32) -> bool {
        (self.0..=self.1).contains(&id)
    }
}

/// Reads a list of actions.
pub(crate) fn parse(text: &str) -> Result<Actions, String> {
    let mut actions = Actions::default();
    for (name, value) in split(text)? {
        put(&mut actions, &name.to_ascii_lowercase(), value.as_deref())
            .map_err(|problem| format!("in the action {name:?}: {problem}"))?;
    }
    Ok(actions)
}

fn put(actions: &mut Actions, name: &str, value: Option<&str>) -> Result<(), String> {
    let needed = || value.ok_or_else(|| "a value is missing".to_owned());
    match name {
        "id" => actions.id = Some(needed()?.parse().map_err(|_| "this is not a number".to_owned())?),
        "phase" => {
            let phase = Phase::named(&needed()?.to_ascii_lowercase());
            actions.phase = Some(phase.ok_or("there are the phases 1 to 5")?);
        }
        "msg" => actions.message = Text::parse(needed()?)?,
        "logdata" => actions.data = Text::parse(needed()?)?,
        "tag" => actions.tags.push(needed()?.to_owned()),
        "ver" => needed()?.clone_into(&mut actions.version),
        "severity" => actions.severity = Some(Severity::named(needed()?).ok_or("this is not a severity")?),
        // They say something about a rule, not what it does.
        "rev" | "maturity" | "accuracy" => drop(needed()?),
        "t" => match needed()? {
            none if none.eq_ignore_ascii_case("none") => {
                actions.transforms.clear();
                actions.resets_transforms = true;
            }
            name => actions.transforms.push(Transform::named(name).ok_or("there is no such transformation")?),
        },
        "chain" => actions.chain = true,
        "capture" => actions.capture = true,
        "multimatch" => actions.multi_match = true,
        "pass" => actions.disruption = Some(Disruption::Pass),
        "block" => actions.disruption = Some(Disruption::Block),
        "deny" | "drop" => actions.disruption = Some(Disruption::Deny),
        "allow" => {
            actions.disruption = Some(Disruption::Allow(match value {
                None => Allow::All,
                Some("phase") => Allow::Phase,
                Some("request") => Allow::Request,
                Some(_) => return Err("this is neither phase nor request".into()),
            }));
        }
        "status" => {
            let status = needed()?.parse().ok().filter(|status| (100..600).contains(status));
            actions.status = Some(status.ok_or("this is not an HTTP status")?);
        }
        "log" => actions.log = Some(true),
        "nolog" => actions.log = Some(false),
        "auditlog" | "noauditlog" => {}
        "setvar" => actions.effects.push(assignment(needed()?)?),
        "expirevar" => {
            let (variable, seconds) = needed()?.split_once('=').ok_or("seconds are missing")?;
            let (collection, key) = place(variable)?;
            actions.effects.push(Effect::Expire { collection, key, seconds: Text::parse(seconds)? });
        }
        "initcol" => {
            let (collection, key) = needed()?.split_once('=').ok_or("a key is missing")?;
            let collection = Variable::named(collection).filter(|variable| variable.is_writable());
            let collection = collection.ok_or("there is no such collection")?;
            actions.effects.push(Effect::Open { collection, key: Text::parse(key)? });
        }
        "ctl" => actions.effects.push(Effect::Control(control(needed()?)?)),
        "skip" => actions.skip = needed()?.parse().map_err(|_| "this is not a number".to_owned())?,
        "skipafter" => actions.skip_after = Some(needed()?.to_owned()),
        _ => return Err("there is no such action".into()),
    }
    Ok(())
}

fn assignment(text: &str) -> Result<Effect, String> {
    if let Some(variable) = text.strip_prefix('!') {
        let (collection, key) = place(variable)?;
        return Ok(Effect::Set { collection, key, to: Assignment::Nothing, slot: None });
    }
    let (variable, value) = text.split_once('=').unwrap_or((text, "1"));
    let (collection, key) = place(variable)?;
    let to = match value.as_bytes().first() {
        Some(b'+') => Assignment::Plus(Text::parse(&value[1..])?),
        Some(b'-') => Assignment::Minus(Text::parse(&value[1..])?),
        _ => Assignment::Value(Text::parse(value)?),
    };
    Ok(Effect::Set { collection, key, to, slot: None })
}

/// `tx.name`, where the name may hold variables.
fn place(text: &str) -> Result<(Variable, Text), String> {
    let (collection, key) = text.trim().split_once('.').ok_or("a variable is collection.name")?;
    let collection = Variable::named(collection).filter(|variable| variable.is_writable());
    let collection = collection.ok_or_else(|| format!("{text:?} cannot be set"))?;
    // Names of variables have no case; those of `%{…}` in them neither.
    Ok((collection, Text::parse(key)?))
}

fn control(text: &str) -> Result<Control, String> {
    let (name, value) = text.split_once('=').ok_or("a value is missing")?;
    let on = || match &*value.to_ascii_lowercase() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("this is neither On nor Off".to_owned()),
    };
    let pair = || value.split_once(';').ok_or_else(|| "targets are missing after a semicolon".to_owned());
    Ok(match &*name.to_ascii_lowercase() {
        "ruleremovebyid" => Control::RemoveById(IdRange::parse(value)?),
        "ruleremovebytag" => Control::RemoveByTag(value.to_owned()),
        "ruleremovetargetbyid" => Control::RemoveTargetById(IdRange::parse(pair()?.0)?, target::parse(pair()?.1)?),
        "ruleremovetargetbytag" => Control::RemoveTargetByTag(pair()?.0.to_owned(), target::parse(pair()?.1)?),
        "requestbodyprocessor" => match &*value.to_ascii_uppercase() {
            known @ ("URLENCODED" | "MULTIPART" | "JSON" | "XML") => Control::BodyProcessor(known.to_owned()),
            _ => return Err("there is no such body processor".into()),
        },
        "forcerequestbodyvariable" => Control::ForceBodyVariable(on()?),
        "ruleengine" => Control::Engine(EngineMode::named(value).ok_or("this is not a mode of the engine")?),
        "requestbodyaccess" => Control::BodyAccess(on()?),
        "auditengine" | "auditlogparts" => Control::Audit,
        _ => return Err("there is no such control".into()),
    })
}

/// Commas separate actions; a value may stand in single quotes, where a backslash keeps a quote.
fn split(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let mut actions = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|char| char.is_whitespace() || *char == ',').is_some() {}
        let mut name = String::new();
        while let Some(char) = chars.next_if(|char| !matches!(char, ':' | ',')) {
            name.push(char);
        }
        let name = name.trim().to_owned();
        if name.is_empty() {
            return match chars.next() {
                None => Ok(actions),
                Some(char) => Err(format!("{char:?} where an action should begin")),
            };
        }
        if chars.next_if_eq(&':').is_none() {
            actions.push((name, None));
            continue;
        }
        let mut value = String::new();
        if chars.next_if_eq(&'\'').is_some() {
            loop {
                match chars.next() {
                    Some('\\') => match chars.next() {
                        Some('\'') => value.push('\''),
                        Some(other) => value.extend(['\\', other]),
                        None => return Err("a quote is never closed".into()),
                    },
                    Some('\'') => break,
                    Some(char) => value.push(char),
                    None => return Err("a quote is never closed".into()),
                }
            }
        } else {
            // `setvar:tx.a='b c'` has its quotes inside.
            let mut quoted = false;
            while let Some(char) = chars.next_if(|char| quoted || *char != ',') {
                if char == '\'' {
                    quoted = !quoted;
                } else {
                    value.push(char);
                }
            }
        }
        actions.push((name, Some(value.trim().to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_the_usual_kind_is_read() {
        let text = "id:941100,phase:2,block,t:none,t:utf8toUnicode,t:urlDecodeUni,msg:'It\\'s bad, %{TX.0}',\
            tag:'a/b',severity:'CRITICAL',capture,multiMatch,chain,skipAfter:END,status:403,nolog,\
            setvar:'tx.score=+%{tx.critical}',setvar:tx.b,setvar:'!tx.c',ctl:ruleRemoveTargetById=1-3;ARGS:x|TX:y";
        let actions = parse(text).unwrap();
        assert_eq!((actions.id, actions.phase), (Some(941_100), Some(Phase::RequestBody)));
        assert_eq!(
            actions.transforms,
            [Transform::named("utf8toUnicode").unwrap(), Transform::named("urlDecodeUni").unwrap()]
        );
        assert!(actions.resets_transforms && actions.chain && actions.capture && actions.multi_match);
        assert_eq!(actions.message, Text::parse("It's bad, %{TX.0}").unwrap());
        assert_eq!((actions.severity, actions.log, actions.status), (Some(Severity::Critical), Some(false), Some(403)));
        assert_eq!((actions.skip_after.as_deref(), actions.effects.len()), (Some("END"), 4));
        assert!(matches!(&actions.effects[0], Effect::Set { to: Assignment::Plus(_), .. }));
        assert!(matches!(&actions.effects[2], Effect::Set { to: Assignment::Nothing, .. }));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        let refused = [
            "id:x",
            "phase:6",
            "exec:/bin/x",
            "t:rot13",
            "setvar:args.x=1",
            "ctl:magic=1",
            "msg:'open",
            "severity:bad",
            "status:42",
            "ctl:ruleRemoveTargetById=1",
            "ctl:requestBodyProcessor=CSV",
            "allow:maybe",
            "id",
        ];
        for text in refused {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
