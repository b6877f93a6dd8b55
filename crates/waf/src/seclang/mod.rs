//! The rule language: from text to rules, strictly. What is not known is an error, so that no rule is silently without
//! effect.

pub(crate) mod action;
mod lexer;
pub(crate) mod target;

use action::{Actions, EngineMode, IdRange};
use target::Target;

/// A directive, with the line that it begins on.
#[derive(Debug)]
pub(crate) struct Directive {
    pub(crate) line: usize,
    pub(crate) kind: DirectiveKind,
}

#[derive(Debug)]
pub(crate) enum DirectiveKind {
    Rule(RuleText),
    Marker(String),
    Default(Actions),
    Signature(String),
    Engine(EngineMode),
    RemoveById(Vec<IdRange>),
    RemoveByTag(String),
    UpdateTargetById(IdRange, Vec<Target>),
    UpdateTargetByTag(String, Vec<Target>),
    /// It says something to the host of an engine, which decides such things itself.
    Host(String),
}

/// A rule, or one link of a chain, before it is compiled.
#[derive(Debug)]
pub(crate) struct RuleText {
    /// Empty for `SecAction`.
    pub(crate) targets: Vec<Target>,
    /// `None` for `SecAction`.
    pub(crate) operator: Option<OperatorText>,
    pub(crate) actions: Actions,
}

#[derive(Debug)]
pub(crate) struct OperatorText {
    pub(crate) negated: bool,
    pub(crate) name: String,
    pub(crate) argument: String,
}

/// Directives that set up limits, logs and files: the host of this engine has its own ways for each.
const HOST: [&str; 31] = [
    "secargumentseparator",
    "secargumentslimit",
    "secauditengine",
    "secauditlog",
    "secauditlog2",
    "secauditlogdirmode",
    "secauditlogfilemode",
    "secauditlogformat",
    "secauditlogparts",
    "secauditlogrelevantstatus",
    "secauditlogstoragedir",
    "secauditlogtype",
    "seccollectiontimeout",
    "seccookieformat",
    "secdatadir",
    "secdebuglog",
    "secdebugloglevel",
    "secpcrematchlimit",
    "secpcrematchlimitrecursion",
    "secrequestbodyaccess",
    "secrequestbodyinmemorylimit",
    "secrequestbodyjsondepthlimit",
    "secrequestbodylimit",
    "secrequestbodylimitaction",
    "secrequestbodynofileslimit",
    "secresponsebodyaccess",
    "secresponsebodylimit",
    "secresponsebodylimitaction",
    "secresponsebodymimetype",
    "sectmpdir",
    "secunicodemapfile",
];

/// Reads the directives of a file.
///
/// # Errors
/// The line and what is wrong there.
pub(crate) fn parse(text: &str) -> Result<Vec<Directive>, (usize, String)> {
    let mut directives = Vec::new();
    for words in lexer::directives(text).map_err(|(line, problem)| (line, problem.to_owned()))? {
        // A line that only goes on, and goes on with nothing.
        if words.words.is_empty() {
            continue;
        }
        let kind = directive(&words.words).map_err(|problem| (words.line, problem))?;
        directives.push(Directive { line: words.line, kind });
    }
    Ok(directives)
}

fn directive(words: &[String]) -> Result<DirectiveKind, String> {
    let name = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    let rest = words.get(1..).unwrap_or_default();
    let one = || match rest {
        [only] => Ok(only),
        _ => Err(format!("{} takes one argument", words[0])),
    };
    Ok(match &*name {
        "secrule" => match rest {
            [targets, operator] => rule(targets, operator, "")?,
            [targets, operator, actions] => rule(targets, operator, actions)?,
            _ => return Err("SecRule takes targets, an operator and actions".into()),
        },
        "secaction" => {
            DirectiveKind::Rule(RuleText { targets: Vec::new(), operator: None, actions: action::parse(one()?)? })
        }
        "secmarker" => DirectiveKind::Marker(one()?.clone()),
        "secdefaultaction" => DirectiveKind::Default(action::parse(one()?)?),
        "seccomponentsignature" => DirectiveKind::Signature(one()?.clone()),
        "secruleengine" => {
            DirectiveKind::Engine(EngineMode::named(one()?).ok_or("SecRuleEngine is On, DetectionOnly or Off")?)
        }
        "secruleremovebyid" => {
            let ids = rest.iter().flat_map(|word| word.split([' ', ','])).filter(|word| !word.is_empty());
            DirectiveKind::RemoveById(ids.map(IdRange::parse).collect::<Result<_, _>>()?)
        }
        "secruleremovebytag" => DirectiveKind::RemoveByTag(one()?.clone()),
        "secruleupdatetargetbyid" | "secruleupdatetargetbytag" => {
            let [which, targets] = rest else {
                return Err(format!("{} takes rules and targets", words[0]));
            };
            let targets = target::parse(targets)?;
            if name.ends_with("id") {
                DirectiveKind::UpdateTargetById(IdRange::parse(which)?, targets)
            } else {
                DirectiveKind::UpdateTargetByTag(which.clone(), targets)
            }
        }
        known if HOST.contains(&known) => DirectiveKind::Host(words.join(" ")),
        _ => return Err(format!("there is no directive {:?}", words[0])),
    })
}

fn rule(targets: &str, operator: &str, actions: &str) -> Result<DirectiveKind, String> {
    let operator = operator.trim();
    let (negated, operator) = match operator.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, operator),
    };
    let (name, argument) = match operator.strip_prefix('@') {
        Some(operator) => operator.split_once(char::is_whitespace).unwrap_or((operator, "")),
        None => ("rx", operator),
    };
    // Blanks at the end of a pattern belong to it; those of other arguments do not.
    let argument = if name.eq_ignore_ascii_case("rx") { argument } else { argument.trim() };
    Ok(DirectiveKind::Rule(RuleText {
        targets: target::parse(targets)?,
        operator: Some(OperatorText { negated, name: name.to_owned(), argument: argument.to_owned() }),
        actions: action::parse(actions)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_named_or_a_pattern() {
        let parsed = |operator: &str| match rule("ARGS", operator, "id:1").unwrap() {
            DirectiveKind::Rule(rule) => {
                rule.operator.map(|operator| (operator.negated, operator.name, operator.argument))
            }
            _ => None,
        };
        assert_eq!(parsed("!@eq 0"), Some((true, "eq".into(), "0".into())));
        assert_eq!(parsed("^a b "), Some((false, "rx".into(), "^a b".into())));
        assert_eq!(parsed("@detectSQLi"), Some((false, "detectSQLi".into(), String::new())));
    }

    #[test]
    fn an_unknown_directive_is_an_error_with_its_line() {
        let error = parse("SecMarker A\n\nSecMagic On\n").unwrap_err();
        assert_eq!(error, (3, "there is no directive \"SecMagic\"".to_owned()));
        assert!(parse("SecRequestBodyLimit 13107200").is_ok());
        assert!(parse("\\\n\nSecMarker A\n").is_ok_and(|directives| directives.len() == 1), "an empty line goes on");
    }
}
