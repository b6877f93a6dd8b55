//! What the firewall does not look at, where, and why: campaign content is HTML, so rules against HTML in a form would
//! refuse every campaign. Nothing is excluded without a route, a field or rules, and a reason.

use std::fmt::Write as _;

use http::Method;

use crate::route::Pattern;

/// Rules that do not look at fields of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The method, or every one.
    pub method: Option<Method>,
    /// The path.
    pub route: Pattern,
    /// Fields as rules name them: `ARGS:html`, `REQUEST_COOKIES:session`.
    pub fields: Vec<Field>,
    /// Rules by their ids.
    pub rules: Vec<Rules>,
    /// Why.
    pub reason: String,
}

/// A variable, and the name in it: `ARGS:html`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(String);

/// Rules from one id to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    from: u32,
    to: u32,
}

/// Why there is no such exclusion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExclusionError {
    /// The field cannot be read.
    #[error("{0:?} is no field; write a variable and a name, for example ARGS:html")]
    Field(String),
    /// The rules cannot be read.
    #[error("{0:?} is no rule; write an id, or two with a hyphen, for example 941100-941999")]
    Rules(String),
}

/// Variables that hold what people type. What an exclusion may name stays small, so that nobody turns the firewall off
/// by accident.
const VARIABLES: [&str; 7] =
    ["ARGS", "ARGS_NAMES", "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES", "REQUEST_HEADERS", "FILES", "FILES_NAMES"];

impl Field {
    /// Reads `ARGS:html`. The name is one word of letters, digits and `_-.[]`; variables of names stand alone.
    pub fn new(text: &str) -> Result<Self, ExclusionError> {
        let (variable, name) = text.split_once(':').map_or((text, None), |(variable, name)| (variable, Some(name)));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
        let named = match name {
            Some(name) => !name.is_empty() && name.len() <= 200 && name.bytes().all(plain),
            None => variable.ends_with("_NAMES"),
        };
        if VARIABLES.contains(&variable) && named {
            Ok(Self(text.to_owned()))
        } else {
            Err(ExclusionError::Field(text.to_owned()))
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Rules {
    /// Reads `941100` or `941100-941999`.
    pub fn new(text: &str) -> Result<Self, ExclusionError> {
        let refuse = || ExclusionError::Rules(text.to_owned());
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| refuse());
        let (from, to) = match text.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(text)?, number(text)?),
        };
        if from == 0 || to < from { Err(refuse()) } else { Ok(Self { from, to }) }
    }
}

impl std::fmt::Display for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{}-{}", self.from, self.to) }
    }
}

/// Where the ids of rules begin that exclusions are turned into.
const FIRST_ID: usize = 8_000_000;

/// The exclusions as rules, to be read before those of a set.
pub fn to_rules(exclusions: &[Exclusion]) -> String {
    let mut text = String::new();
    for (number, exclusion) in exclusions.iter().enumerate() {
        let mut controls = Vec::new();
        for rules in &exclusion.rules {
            controls.extend(
                exclusion.fields.iter().map(|field| format!("ctl:ruleRemoveTargetById={rules};{}", field.as_str())),
            );
            if exclusion.fields.is_empty() {
                controls.push(format!("ctl:ruleRemoveById={rules}"));
            }
        }
        let (id, regex, controls) = (FIRST_ID + number, exclusion.route.to_regex(), controls.join(","));
        // Writing into a string cannot fail.
        let _ = match &exclusion.method {
            None => writeln!(
                text,
                "SecRule REQUEST_URI_RAW \"@rx {regex}\" \"id:{id},phase:1,pass,nolog,t:none,{controls}\""
            ),
            Some(method) => writeln!(
                text,
                "SecRule REQUEST_METHOD \"@streq {method}\" \"id:{id},phase:1,pass,nolog,t:none,chain\"\n    \
                 SecRule REQUEST_URI_RAW \"@rx {regex}\" \"t:none,{controls}\""
            ),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use letterkeep_waf::{Connection, Limits, NoFiles, Ruleset, Source, Transaction};

    use super::*;

    /// The rule that refuses, if any.
    fn refused(rules: &str, method: &str, target: &str) -> Option<u32> {
        let text = format!(
            "SecRuleEngine On\n{rules}\
             SecRule ARGS \"@contains evil\" \"id:10,phase:2,deny,status:403\"\n\
             SecRule ARGS \"@contains worse\" \"id:20,phase:2,deny,status:403\"\n"
        );
        let rules = Arc::new(Ruleset::load(&[Source { name: "own", text: &text }], &NoFiles).unwrap());
        let here = IpAddr::from([127, 0, 0, 1]);
        let connection = Connection { client: here, client_port: 1, server: here, server_port: 2 };
        let mut transaction = Transaction::new(&rules, &connection, "1", Limits::default());
        transaction.request_line(method.as_bytes(), target.as_bytes(), b"HTTP/1.1");
        transaction.end_request_headers();
        transaction.end_request_body();
        transaction.interruption().map(|interruption| interruption.rule)
    }

    #[test]
    fn one_rule_is_blind_for_one_field_of_one_route() {
        let rules = to_rules(&[Exclusion {
            method: Some(Method::POST),
            route: Pattern::new("/campaigns/{id}/content").unwrap(),
            fields: vec![Field::new("ARGS:html").unwrap()],
            rules: vec![Rules::new("5-15").unwrap()],
            reason: "content is HTML".into(),
        }]);
        assert_eq!(refused(&rules, "POST", "/campaigns/1/content?html=evil"), None);
        for (method, target, rule) in [
            ("GET", "/campaigns/1/content?html=evil", 10),
            ("POST", "/campaigns/1/content?html=worse", 20),
            ("POST", "/campaigns/1/content?other=evil", 10),
            ("POST", "/campaigns/1/other?html=evil", 10),
            ("POST", "/other?/campaigns/1/content&html=evil", 10),
            ("POST", "/campaigns%2f1/content?html=evil", 10),
            ("POST", "//campaigns/1/content?html=evil", 10),
            ("POST", "/campaigns/1/content/../x?html=evil", 10),
        ] {
            assert_eq!(refused(&rules, method, target), Some(rule), "{method} {target}");
        }
    }

    #[test]
    fn a_rule_is_blind_for_a_whole_route() {
        let rules = to_rules(&[Exclusion {
            method: None,
            route: Pattern::new("/a").unwrap(),
            fields: Vec::new(),
            rules: vec![Rules::new("10").unwrap()],
            reason: "test".into(),
        }]);
        assert_eq!(refused(&rules, "GET", "/a?x=evil"), None);
        assert_eq!(refused(&rules, "GET", "/a?x=worse"), Some(20));
    }

    #[test]
    fn what_could_end_a_rule_is_no_field() {
        for text in ["ARGS", "ARGS:", "ARGS:a\"", "ARGS:a,b", "ARGS:/a/", "TX:a", "ARGS:a|ARGS:b", "args:a"] {
            assert!(Field::new(text).is_err(), "{text}");
        }
        assert!(Field::new("ARGS_NAMES").is_ok() && Field::new("ARGS:fields[3].name").is_ok());
        for text in ["", "0", "5-4", "a", "1-", "1,2"] {
            assert!(Rules::new(text).is_err(), "{text}");
        }
    }
}
