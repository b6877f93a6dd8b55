//! What holds for which path: how much, how long, and what is looked at.

use std::fmt::Write as _;
use std::time::Duration;

use http::Method;

/// A path with variable parts: `/campaigns/{id}/content`, `/assets/{*rest}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    /// Any one segment that is not empty.
    Any,
    /// Whatever is left, also nothing.
    Rest,
}

/// The text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path pattern; write /fixed/{{one}}/parts, and {{*rest}} only at the end")]
pub struct PatternError(String);

impl Pattern {
    /// Reads a pattern. It begins with `/`.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let refuse = || PatternError(text.to_owned());
        let inner = text.strip_prefix('/').ok_or_else(refuse)?;
        let read = |segment: &str| match segment.strip_prefix('{') {
            Some(name) => match name.strip_suffix('}') {
                Some(name) if name.starts_with('*') => Ok(Segment::Rest),
                Some(name) if !name.is_empty() && !name.contains(['{', '}']) => Ok(Segment::Any),
                _ => Err(refuse()),
            },
            None if segment.contains(['{', '}', '?', '#']) => Err(refuse()),
            None => Ok(Segment::Fixed(segment.to_owned())),
        };
        let segments = inner.split('/').map(read).collect::<Result<Vec<_>, _>>()?;
        let early = segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest);
        if early { Err(refuse()) } else { Ok(Self { text: text.to_owned(), segments }) }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `path`, without a query, is one of these.
    pub fn matches(&self, path: &str) -> bool {
        let Some(inner) = path.strip_prefix('/') else { return false };
        let mut parts = inner.split('/');
        for segment in &self.segments {
            match (segment, parts.next()) {
                (Segment::Rest, _) => return true,
                (Segment::Any, Some(part)) if !part.is_empty() => {}
                (Segment::Fixed(fixed), Some(part)) if fixed == part => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }

    /// The same as a regular expression for the target of a request as it was sent, its query included. Nothing is
    /// decoded: neither are paths when they are routed.
    pub(crate) fn to_regex(&self) -> String {
        let mut regex = String::from("^");
        for segment in &self.segments {
            match segment {
                Segment::Fixed(text) => {
                    regex.push('/');
                    for character in text.chars() {
                        // Whatever is not plain is written as its bytes: quotes and backslashes would end the rule's word.
                        if character.is_ascii_alphanumeric() || character == '_' {
                            regex.push(character);
                        } else {
                            let mut bytes = [0; 4];
                            for byte in character.encode_utf8(&mut bytes).bytes() {
                                let _ = write!(regex, "\\x{byte:02x}");
                            }
                        }
                    }
                }
                Segment::Any => regex.push_str("/[^/?]+"),
                Segment::Rest => regex.push_str("(?:/[^?]*)?"),
            }
        }
        regex.push_str("(?:\\?|$)");
        regex
    }
}

/// What holds for the requests of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Bytes of a body.
    pub body_bytes: u64,
    /// Until a body that is kept until it is complete has arrived.
    pub body_time: Duration,
    /// The body is handed on while it arrives, the last piece only after the verdict. For large files.
    pub streams: bool,
    /// Whether requests are looked at by the firewall. Health checks need not be.
    pub inspects: bool,
    /// Whether answers are looked at too, if they are pages or data of a size that can be kept. Never streams or
    /// downloads.
    pub inspects_answers: bool,
    /// Many people come from one address here, such as the picture proxies of mailbox providers: no limit of rate for a
    /// client.
    pub shared_addresses: bool,
    /// Answered also when the service is overloaded, and without limits of rate: health.
    pub vital: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            body_bytes: 2 << 20,
            body_time: Duration::from_mins(1),
            streams: false,
            inspects: true,
            inspects_answers: false,
            shared_addresses: false,
            vital: false,
        }
    }
}

/// A pattern and what holds there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method, or every one.
    pub method: Option<Method>,
    /// The path.
    pub pattern: Pattern,
    /// What holds.
    pub policy: Policy,
}

/// All routes, the first that fits wins; what fits none has the default policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// In the order in which they are tried.
    pub routes: Vec<Route>,
    /// For every other path.
    pub default: Policy,
}

impl Routes {
    /// The policy of a request.
    pub fn policy(&self, method: &Method, path: &str) -> &Policy {
        self.find(method, path).map_or(&self.default, |route| &route.policy)
    }

    /// What a record calls the path: the route's pattern, or the path with what looks like an id left out. Paths can
    /// hold personal data.
    pub fn label(&self, method: &Method, path: &str) -> String {
        if let Some(route) = self.find(method, path) {
            return route.pattern.text.clone();
        }
        let named = |segment: &str| {
            let plain = segment.len() <= 24
                && segment.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.'));
            if plain { segment.to_owned() } else { "{…}".to_owned() }
        };
        path.split('/').take(8).map(named).collect::<Vec<_>>().join("/")
    }

    fn find(&self, method: &Method, path: &str) -> Option<&Route> {
        let fits =
            |route: &&Route| route.method.as_ref().is_none_or(|own| own == method) && route.pattern.matches(path);
        self.routes.iter().find(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_what_they_say() {
        let pattern = |text: &str| Pattern::new(text).unwrap();
        assert!(pattern("/campaigns/{id}/content").matches("/campaigns/7/content"));
        for other in
            ["/campaigns//content", "/campaigns/7/content/", "/campaigns/7/8/content", "campaigns/7/content", ""]
        {
            assert!(!pattern("/campaigns/{id}/content").matches(other), "{other}");
        }
        assert!(pattern("/").matches("/") && !pattern("/").matches("/a"));
        assert!(pattern("/a/{*rest}").matches("/a/b/c") && pattern("/a/{*rest}").matches("/a"));
        for text in ["a", "/{", "/{a", "/a}", "/{*r}/b", "/a?b", "/{}"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        assert_eq!(pattern("/a.b/{id}/{*r}").to_regex(), "^/a\\x2eb/[^/?]+(?:/[^?]*)?(?:\\?|$)");
    }

    #[test]
    fn the_first_route_wins_and_labels_hold_no_ids() {
        let route = |method: Option<Method>, text: &str, body_bytes| Route {
            method,
            pattern: Pattern::new(text).unwrap(),
            policy: Policy { body_bytes, ..Policy::default() },
        };
        let routes = Routes {
            routes: vec![route(Some(Method::POST), "/a/{id}", 1), route(None, "/a/{*r}", 2)],
            default: Policy::default(),
        };
        assert_eq!(routes.policy(&Method::POST, "/a/1").body_bytes, 1);
        assert_eq!(routes.policy(&Method::GET, "/a/1").body_bytes, 2);
        assert_eq!(routes.policy(&Method::GET, "/b").body_bytes, 2 << 20);
        assert_eq!(routes.label(&Method::POST, "/a/anna@example.org"), "/a/{id}");
        assert_eq!(routes.label(&Method::GET, "/users/anna@example.org/edit"), "/users/{…}/edit");
    }
}
