//! Finds merge tags and statements in a text, and checks what they say, before any engine sees them.
//!
//! The language is a small part of Jinja, allowed piece by piece: `{{ field }}` with filters and `or`; `{% if %}`,
//! `{% for %}`. There is no assignment, no macro, no include, no call and no multiplication, so that the work and the
//! memory that a template can cost grow with its length only.

mod expression;
mod nearest;

use super::problem::{Problem, Severity};
use super::{MAX_PROBLEMS, system};

pub(super) use expression::Token;
pub(super) use nearest::nearest;

use expression::{WORDS, check, tokens};

/// Stands for a tag while markup is handled: the opening mark, the tag's number, the closing mark. Content may contain
/// neither. They are printable, because the MJML engine rewrites characters that are not.
pub(super) const OPEN: char = '\u{2983}';
pub(super) const CLOSE: char = '\u{2984}';

const MAX_TAGS: usize = 4000;
/// Bytes of one tag, its brackets not counted.
const MAX_TAG: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Output,
    If,
    Elif,
    Else,
    EndIf,
    For,
    EndFor,
}

#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub(super) kind: Kind,
    pub(super) line: u32,
    /// What follows `if`, `elif`, `for … in`, or what is shown.
    pub(super) tokens: Vec<Token>,
    /// The names that a `for` gives to its items.
    pub(super) items: Vec<String>,
    pub(super) trim: (bool, bool),
}

/// A text with its tags replaced by marks.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) marked: String,
    pub(super) tags: Vec<Tag>,
    /// Where in the marked text the second line of the source begins, the third …, in order. Lines that break within a
    /// tag begin behind its mark.
    lines: Vec<usize>,
}

impl Scanned {
    /// The line in the source of a place in the marked text.
    pub(super) fn line_at(&self, offset: usize) -> u32 {
        let before = self.lines.partition_point(|begins| *begins <= offset);
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The line of the source that has been come to.
    fn line(&self) -> u32 {
        u32::try_from(self.lines.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Takes over text that is no tag.
    fn push(&mut self, text: &str) {
        let begins = self.marked.len();
        self.lines.extend(text.match_indices('\n').map(|(at, _)| begins + at + 1));
        self.marked.push_str(text);
    }
}

impl Tag {
    /// A tag that shows `name`, for what is added to the content.
    pub(super) fn made_up(name: &str) -> Self {
        let tokens = vec![Token::Name(name.to_owned())];
        Self { kind: Kind::Output, line: 1, tokens, items: Vec::new(), trim: (false, false) }
    }

    /// The one name that the tag shows, if it shows nothing else.
    pub(super) fn sole_name(&self) -> Option<&str> {
        match (self.kind, &self.tokens[..]) {
            (Kind::Output, [Token::Name(name)]) => Some(name),
            _ => None,
        }
    }

    /// The names of values in the tag: not filters, tests or words of the language.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().enumerate().filter_map(|(index, token)| match token {
            Token::Name(name) if !WORDS.contains(&name.as_str()) && !self.is_decoration(index) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the token is a filter, a test or an attribute.
    fn is_decoration(&self, index: usize) -> bool {
        let before = |back: usize| index.checked_sub(back).and_then(|at| self.tokens.get(at));
        match before(1) {
            Some(Token::Sign("|" | ".")) => true,
            Some(Token::Name(word)) if word == "is" => true,
            Some(Token::Name(word)) if word == "not" => matches!(before(2), Some(Token::Name(word)) if word == "is"),
            _ => false,
        }
    }

    /// Whether it provides for empty values: a default, an `or`, an `if`.
    pub(super) fn has_fallback(&self) -> bool {
        self.tokens.iter().enumerate().any(|(index, token)| match token {
            Token::Name(name) if self.is_decoration(index) => name == "default" || name == "d",
            Token::Name(name) => name == "or" || name == "if",
            _ => false,
        })
    }

    /// The expression for the engine.
    pub(super) fn expression(&self) -> String {
        let mut text = String::new();
        for token in &self.tokens {
            match token {
                Token::Name(part) | Token::Text(part) | Token::Number(part) => {
                    text.push_str(part);
                    text.push(' ');
                }
                Token::Sign(sign) => {
                    // A dot binds closely; everything else may have space around it.
                    if *sign == "." {
                        text.truncate(text.trim_end().len());
                        text.push('.');
                    } else {
                        text.push_str(sign);
                        text.push(' ');
                    }
                }
            }
        }
        text
    }
}

/// Replaces the tags of a text by marks. Problems are added to `problems`; a tag with a problem is left out.
pub(super) fn scan(part: &'static str, source: &str, html: bool, problems: &mut Vec<Problem>) -> Scanned {
    let mut out = Scanned { marked: String::with_capacity(source.len()), ..Scanned::default() };
    let before = problems.len();
    let mut rest = source;
    while let Some(start) = rest.find(['{', OPEN, CLOSE, '\0']) {
        // Nobody is shown more, and looking further costs.
        if problems.len() - before >= MAX_PROBLEMS {
            return out;
        }
        let (text, from) = rest.split_at(start);
        out.push(text);
        let line = out.line();
        let problem = |code, what: &str, hint: &str| Problem {
            severity: Severity::Broken,
            code,
            part,
            line: Some(line),
            subject: String::new(),
            what: what.to_owned(),
            hint: hint.to_owned(),
        };
        let closing = match from.as_bytes() {
            [b'{', b'{', ..] => "}}",
            [b'{', b'%', ..] => "%}",
            [b'{', b'#', ..] => "#}",
            [b'{', ..] => {
                out.marked.push('{');
                rest = &from[1..];
                continue;
            }
            _ => {
                problems.push(problem("text.character", "there is a character that no text needs.", "Remove it."));
                rest = &from[from.chars().next().map_or(1, char::len_utf8)..];
                continue;
            }
        };
        let Some(length) = end_of_tag(&from[2..], closing) else {
            let what = format!("a tag begins with {} and never ends.", &from[..2]);
            let hint = format!("Close it with {closing}; a tag has at most {MAX_TAG} bytes.");
            problems.push(problem("tag.open", &what, &hint));
            out.push(&from[2..]);
            return out;
        };
        let whole = &from[..length + 4];
        let inner = &from[2..length + 2];
        rest = &from[length + 4..];
        if closing != "#}" {
            if out.tags.len() >= MAX_TAGS {
                problems.push(problem("tag.many", &format!("there are more than {MAX_TAGS} tags."), "Remove some."));
                return out;
            }
            let trim = (inner.starts_with('-'), inner.len() > 1 && inner.ends_with('-'));
            let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
            let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
            let inner = if html { decode_in_tag(inner) } else { inner.to_owned() };
            match read(&inner, closing == "}}") {
                Ok(Inner { kind, tokens, items }) => {
                    out.marked.push(OPEN);
                    out.marked.push_str(&out.tags.len().to_string());
                    out.marked.push(CLOSE);
                    out.tags.push(Tag { kind, line, tokens, items, trim });
                }
                Err((what, hint)) => {
                    let mut problem = problem("tag.syntax", &what, &hint);
                    problem.subject = shorten(whole, 80);
                    problem.what = format!("{} {what}", problem.subject);
                    problems.push(problem);
                }
            }
        }
        let begins = out.marked.len();
        out.lines.extend(whole.matches('\n').map(|_| begins));
    }
    out.push(rest);
    out
}

/// Where the closing marks stand, outside quoted texts.
fn end_of_tag(text: &str, closing: &str) -> Option<usize> {
    if closing == "#}" {
        return text.find(closing);
    }
    let bytes = &text.as_bytes()[..text.len().min(MAX_TAG + closing.len())];
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, _) if bytes[at..].starts_with(closing.as_bytes()) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    // A stray quotation mark must not swallow the rest of the text.
    bytes.windows(closing.len()).position(|at| at == closing.as_bytes())
}

/// Editors write entities into tags too.
fn decode_in_tag(text: &str) -> String {
    if !text.contains(['&', '\u{a0}']) {
        return text.to_owned();
    }
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&apos;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", " ")
        .replace('\u{a0}', " ")
        .replace("&amp;", "&")
}

/// What stands between the brackets of a tag.
struct Inner {
    kind: Kind,
    tokens: Vec<Token>,
    /// The names that a loop introduces.
    items: Vec<String>,
}

fn read(text: &str, output: bool) -> Result<Inner, (String, String)> {
    let mut tokens = tokens(text)?;
    if output {
        check(&tokens)?;
        return Ok(Inner { kind: Kind::Output, tokens, items: Vec::new() });
    }
    let word = match tokens.first() {
        Some(Token::Name(word)) => word.clone(),
        _ => String::new(),
    };
    let kind = match word.as_str() {
        "if" => Kind::If,
        "elif" => Kind::Elif,
        "else" => Kind::Else,
        "endif" => Kind::EndIf,
        "for" => Kind::For,
        "endfor" => Kind::EndFor,
        _ => {
            return Err((
                format!("is not a statement that templates know: {word:?}."),
                "Statements are if, elif, else, endif, for and endfor.".into(),
            ));
        }
    };
    tokens.remove(0);
    let mut items = Vec::new();
    match kind {
        Kind::Else | Kind::EndIf | Kind::EndFor => {
            if !tokens.is_empty() {
                return Err((format!("has something after {word}."), "Remove it.".into()));
            }
        }
        Kind::For => {
            let hint = || ("is not a loop.".to_owned(), "Write {% for item in field %}.".to_owned());
            let [Token::Name(item), Token::Name(word), ..] = &tokens[..] else { return Err(hint()) };
            if word != "in" || WORDS.contains(&item.as_str()) {
                return Err(hint());
            }
            // A loop that took such a name would change what links, the picture and the pre-header are filled with.
            if system::is_reserved(item) {
                return Err((
                    format!("gives its items a name that means something already: {item}."),
                    "Choose another name, for example item.".into(),
                ));
            }
            items.push(item.clone());
            tokens.drain(..2);
            check(&tokens)?;
            if tokens.iter().any(|token| matches!(token, Token::Name(name) if name == "recursive" || name == "if")) {
                return Err(hint());
            }
        }
        _ => check(&tokens)?,
    }
    Ok(Inner { kind, tokens, items })
}

/// At most `limit` characters, in one line.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= limit {
        return flat;
    }
    let mut short: String = flat.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(source: &str) -> Vec<String> {
        let mut problems = Vec::new();
        scan("source", source, true, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_what_templates_need() {
        for source in [
            "{{ first_name }}",
            "{{ first_name|default('dear friend') }}",
            "{{ first_name | default(\"a }} b\") | upper }}",
            "{{ first_name or last_name }}",
            "{{- a -}} {# a {{ comment #} { } {",
            "{% if a == 'x' and not (b is defined) %}{% elif c > 3 %}{% else %}{% endif %}",
            "{% for item in interests %}{{ loop.index }} {{ item }}{% endfor %}",
            "{{ a|default(&quot;x&quot;) }}",
        ] {
            assert_eq!(problems(source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn refuses_the_rest_and_names_the_line() {
        for (source, part) in [
            ("a\nb {{ x", "line 2: a tag begins with {{"),
            ("\n\n{{ }}", "line 3: {{ }} is empty"),
            ("{% set a = 1 %}", "is not a statement"),
            ("{% include 'x' %}", "is not a statement"),
            ("{% macro x() %}", "is not a statement"),
            ("{% raw %}", "is not a statement"),
            ("{{ range(10) }}", "calls a function"),
            ("{{ ('a')('b') }}", "calls a function"),
            ("{{ a.b }}", "looks inside a field"),
            ("{{ a|safe }}", "filter that does not exist: safe"),
            ("{{ a|defualt('x') }}", "Did you mean default?"),
            ("{{ a is callable }}", "test that does not exist"),
            ("{{ 'a' * 99 }}", "a character that tags do not know"),
            ("{{ {'a': 1} }}", "a character that tags do not know"),
            ("{{ 'a }} b", "quotation mark"),
            ("{{ &quot; }} b", "quotation mark"),
            ("{{ (a }}", "bracket"),
            ("{{ (a] }}", "bracket"),
            ("{% for a in b if c %}", "is not a loop"),
            ("{% for loop in b %}", "means something already: loop"),
            ("{% for lk_preheader in b %}", "means something already: lk_preheader"),
            ("{% for unsubscribe_url in b %}", "means something already: unsubscribe_url"),
            ("{% for a in b recursive %}", "is not a loop"),
            ("x \u{2983}1\u{2984}", "a character that no text needs"),
        ] {
            let found = problems(source);
            assert!(found.iter().any(|text| text.contains(part)), "{source}: {found:?}");
        }
    }
}
