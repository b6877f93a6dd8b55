//! One part of a message, ready to be filled in: as segments where the tags are simple, otherwise as a template for
//! minijinja with limited fuel.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::op::{Escape, Op};
use super::render::RenderError;
use super::tag::{Kind, Tag, Token};

/// Instructions that one part may cost. A long newsletter takes a few thousand.
const FUEL: u64 = 100_000;
/// Bytes that one filter may yield.
const MAX_VALUE: usize = 64 * 1024;

/// Where the values of a message come from.
pub(super) trait Source {
    /// The text of a name; empty where the contact has nothing.
    fn text(&self, name: &str) -> std::borrow::Cow<'_, str>;
    /// The value of a name, for the engine.
    fn value(&self, name: &str) -> Value;
    fn link(&self, number: u16) -> &str;
    fn pixel(&self) -> Option<&str>;
    fn preheader(&self) -> &str;
}

/// A part of a message.
pub(super) struct Part {
    name: &'static str,
    limit: usize,
    body: Body,
}

enum Body {
    Segments(Vec<Segment>),
    Template { environment: Box<Environment<'static>>, names: Vec<String>, lines: Vec<(u32, u32)>, links: bool },
}

enum Segment {
    Literal(String),
    Name { name: String, default: Option<String>, escape: Escape },
    Link(u16, Escape),
    Pixel,
    Preheader,
}

impl Part {
    /// `ops` refer to `tags`. The error is the engine's, with the line in the source; tags were checked before, so it
    /// is rare.
    pub(super) fn new(name: &'static str, limit: usize, ops: &[Op], tags: &[Tag]) -> Result<Self, (u32, String)> {
        let body = match segments(ops, tags) {
            Some(segments) => Body::Segments(segments),
            None => template(ops, tags)?,
        };
        Ok(Self { name, limit, body })
    }

    pub(super) fn render(&self, source: &dyn Source) -> Result<String, RenderError> {
        match &self.body {
            Body::Segments(segments) => self.fill(segments, source),
            Body::Template { environment, names, lines, links } => self.run(environment, names, lines, *links, source),
        }
    }

    fn fill(&self, segments: &[Segment], source: &dyn Source) -> Result<String, RenderError> {
        let mut out = String::with_capacity(segments.iter().map(Segment::size).sum());
        for segment in segments {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Name { name, default, escape } => {
                    let value = source.text(name);
                    match default {
                        Some(default) if value.trim().is_empty() => escape.write(default, &mut out),
                        _ => escape.write(&value, &mut out),
                    }
                }
                Segment::Link(number, escape) => escape.write(source.link(*number), &mut out),
                Segment::Pixel => pixel(source.pixel(), &mut out),
                Segment::Preheader => preheader(source.preheader(), &mut out),
            }
            if out.len() > self.limit {
                return Err(RenderError::TooLarge { part: self.name, limit: self.limit });
            }
        }
        Ok(out)
    }

    fn run(
        &self,
        environment: &Environment<'static>,
        names: &[String],
        lines: &[(u32, u32)],
        links: bool,
        source: &dyn Source,
    ) -> Result<String, RenderError> {
        let mut values: BTreeMap<String, Value> = names.iter().map(|name| (name.clone(), source.value(name))).collect();
        if links {
            let mut number = 1;
            while !source.link(number).is_empty() {
                values.insert(format!("lk_link_{number}"), Value::from(source.link(number)));
                number += 1;
            }
            let mut piece = String::new();
            pixel(source.pixel(), &mut piece);
            values.insert("lk_pixel".into(), Value::from(std::mem::take(&mut piece)));
            preheader(source.preheader(), &mut piece);
            values.insert("lk_preheader".into(), Value::from(piece));
        }
        let mut out = Limited { bytes: Vec::new(), limit: self.limit, full: false };
        let template = environment.get_template("part").map_err(|error| self.error(&error, lines))?;
        let outcome = template.render_captured_to(Value::from(values), &mut out).map(|_| ());
        if out.full {
            return Err(RenderError::TooLarge { part: self.name, limit: self.limit });
        }
        outcome.map_err(|error| self.error(&error, lines))?;
        Ok(String::from_utf8_lossy(&out.bytes).into_owned())
    }

    fn error(&self, error: &Error, lines: &[(u32, u32)]) -> RenderError {
        let (part, line) = (self.name, source_line(error, lines));
        match error.kind() {
            ErrorKind::OutOfFuel => RenderError::Fuel { part, line },
            _ => RenderError::Value { part, line, what: reason(error) },
        }
    }
}

impl Segment {
    fn size(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Name { .. } => 24,
            Self::Link(..) | Self::Pixel | Self::Preheader => 160,
        }
    }
}

/// The kind of the error, without its detail: the detail may repeat a value.
fn reason(error: &Error) -> String {
    error.kind().to_string()
}

fn source_line(error: &Error, lines: &[(u32, u32)]) -> u32 {
    let at = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
    lines.iter().take_while(|(line, _)| *line <= at).last().or(lines.first()).map_or(1, |(_, source)| *source)
}

fn pixel(address: Option<&str>, out: &mut String) {
    if let Some(address) = address {
        out.push_str("<img src=\"");
        Escape::Html.write(address, out);
        out.push_str("\" width=\"1\" height=\"1\" alt=\"\" style=\"display:block;width:1px;height:1px;border:0\">");
    }
}

fn preheader(text: &str, out: &mut String) {
    if !text.is_empty() {
        out.push_str("<div style=\"display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all\">");
        Escape::Html.write(text, out);
        // Keeps programs from showing the beginning of the message after a short pre-header.
        for _ in 0..60 {
            out.push_str("&#8199;&#847; ");
        }
        out.push_str("</div>");
    }
}

/// The fast form, if every tag is a name, or a name with a fixed default.
fn segments(ops: &[Op], tags: &[Tag]) -> Option<Vec<Segment>> {
    ops.iter()
        .map(|op| {
            Some(match op {
                Op::Literal(text) => Segment::Literal(text.clone()),
                Op::Link(number, escape) => Segment::Link(*number, *escape),
                Op::Pixel => Segment::Pixel,
                Op::Preheader => Segment::Preheader,
                Op::Statement(_) => return None,
                Op::Value(index, escape) => {
                    let tag = tags.get(*index)?;
                    if tag.trim != (false, false) {
                        return None;
                    }
                    let (name, default) = simple(tag)?;
                    Segment::Name { name, default, escape: *escape }
                }
            })
        })
        .collect()
}

fn simple(tag: &Tag) -> Option<(String, Option<String>)> {
    use Token::{Name, Sign, Text};
    match &tag.tokens[..] {
        [Name(name)] if tag.names().next().is_some() => Some((name.clone(), None)),
        [Name(name), Sign("|"), Name(filter), Sign("("), Text(text), Sign(")")]
            if (filter == "default" || filter == "d") && !text.contains('\\') =>
        {
            Some((name.clone(), Some(text.get(1..text.len() - 1)?.to_owned())))
        }
        _ => None,
    }
}

fn template(ops: &[Op], tags: &[Tag]) -> Result<Body, (u32, String)> {
    let mut writer = Writer { text: String::new(), line: 1, lines: Vec::new() };
    let mut names: Vec<String> = Vec::new();
    let mut links = false;
    for op in ops {
        match op {
            Op::Literal(text) => writer.literal(text),
            Op::Link(number, escape) => {
                links = true;
                writer.raw(&format!("{{{{ lk_link_{number}|{} }}}}", escape.filter()));
            }
            Op::Pixel => {
                links = true;
                writer.raw("{{ lk_pixel }}");
            }
            Op::Preheader => {
                links = true;
                writer.raw("{{ lk_preheader }}");
            }
            Op::Value(index, _) | Op::Statement(index) => {
                let Some(tag) = tags.get(*index) else { continue };
                names.extend(tag.names().filter(|name| *name != "loop").map(str::to_owned));
                writer.tag(tag, if let Op::Value(_, escape) = op { Some(*escape) } else { None });
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    // The engine drops one line break at the end.
    writer.text.push('\n');
    let Writer { text, lines, .. } = writer;
    let mut environment = environment();
    environment.add_template_owned("part", text).map_err(|error| (source_line(&error, &lines), reason(&error)))?;
    Ok(Body::Template { environment: Box::new(environment), names, lines, links })
}

/// Writes the template for the engine. Every tag begins on a line of its own, inside its marks, where a line break
/// means nothing; so an error's line names its tag.
struct Writer {
    text: String,
    line: u32,
    /// Line of the template → line of the source.
    lines: Vec<(u32, u32)>,
}

impl Writer {
    fn literal(&mut self, text: &str) {
        for c in text.chars() {
            if matches!(c, '{' | '%' | '#') {
                self.guard();
            }
            self.text.push(c);
            self.line += u32::from(c == '\n');
        }
    }

    /// A brace that stood alone in the source must not become a tag together with what follows.
    fn guard(&mut self) {
        if self.text.ends_with('{') {
            self.text.pop();
            self.text.push_str("{{ '{' }}");
        }
    }

    fn raw(&mut self, text: &str) {
        self.guard();
        self.text.push_str(text);
    }

    fn tag(&mut self, tag: &Tag, escape: Option<Escape>) {
        self.guard();
        let (open, close) = if escape.is_some() { ("{{", "}}") } else { ("{%", "%}") };
        self.text.push_str(open);
        if tag.trim.0 {
            self.text.push('-');
        }
        self.text.push('\n');
        self.line += 1;
        self.lines.push((self.line, tag.line));
        let expression = tag.expression();
        self.line += u32::try_from(expression.matches('\n').count()).unwrap_or(0);
        match (tag.kind, escape) {
            (Kind::Output, Some(escape)) => {
                self.text.push('(');
                self.text.push_str(&expression);
                self.text.push_str(")|");
                self.text.push_str(escape.filter());
            }
            (Kind::If, _) => self.words("if", &expression),
            (Kind::Elif, _) => self.words("elif", &expression),
            (Kind::For, _) => {
                let items = tag.items.join(", ");
                self.words("for", &format!("{items} in ({expression})|lk_items"));
            }
            (Kind::Else, _) => self.text.push_str("else"),
            (Kind::EndIf, _) => self.text.push_str("endif"),
            (Kind::EndFor, _) => self.text.push_str("endfor"),
            (Kind::Output, None) => {}
        }
        self.text.push(' ');
        if tag.trim.1 {
            self.text.push('-');
        }
        self.text.push_str(close);
    }

    fn words(&mut self, word: &str, expression: &str) {
        self.text.push_str(word);
        self.text.push(' ');
        self.text.push_str(expression);
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // Escaping is decided where the tag stands, not by the engine.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_debug(false);
    for filter in ["default", "d"] {
        environment.add_filter(filter, or_default);
    }
    environment.add_filter("replace", |value: Value, from: Arc<str>, to: Arc<str>| replace(&value, &from, &to));
    environment.add_filter("join", join);
    environment.add_filter("lk_items", items);
    for escape in [Escape::Html, Escape::Lines, Escape::Url, Escape::Plain, Escape::Line] {
        environment.add_filter(escape.filter(), move |value: Value| -> Result<String, Error> {
            let text = shown(&value)?;
            let mut out = String::with_capacity(text.len() + 16);
            escape.write(&text, &mut out);
            Ok(out)
        });
    }
    environment
}

/// A value as people read it.
fn shown(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(String::new()),
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => join(value.clone(), Some(", ".into())),
        _ => Err(Error::from(ErrorKind::InvalidOperation)),
    }
}

fn or_default(value: Value, default: Option<Value>, _options: Kwargs) -> Value {
    let empty = match value.kind() {
        ValueKind::Undefined | ValueKind::None => true,
        ValueKind::String => value.as_str().is_some_and(|text| text.trim().is_empty()),
        ValueKind::Seq => value.len() == Some(0),
        _ => false,
    };
    if empty { default.unwrap_or_else(|| Value::from("")) } else { value }
}

fn bounded(text: String) -> Result<String, Error> {
    if text.len() > MAX_VALUE { Err(Error::new(ErrorKind::InvalidOperation, "value too large")) } else { Ok(text) }
}

fn replace(value: &Value, from: &str, to: &str) -> Result<String, Error> {
    let text = shown(value)?;
    if text.len().saturating_add(1).saturating_mul(to.len().max(1)) > MAX_VALUE * 16 || from.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "value too large"));
    }
    bounded(text.replace(from, to))
}

fn join(value: Value, separator: Option<String>) -> Result<String, Error> {
    let separator = separator.unwrap_or_default();
    let mut out = String::new();
    for item in items(value)?.try_iter()? {
        if !out.is_empty() {
            out.push_str(&separator);
        }
        match item.kind() {
            ValueKind::String | ValueKind::Number | ValueKind::Bool => out.push_str(&item.to_string()),
            ValueKind::None => {}
            _ => return Err(Error::from(ErrorKind::InvalidOperation)),
        }
        if out.len() > MAX_VALUE {
            return Err(Error::new(ErrorKind::InvalidOperation, "value too large"));
        }
    }
    Ok(out)
}

/// What a loop runs over: a list as it is; a text as a list of one, or of none if it is empty.
fn items(value: Value) -> Result<Value, Error> {
    Ok(match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value,
        ValueKind::Undefined | ValueKind::None => Value::from(Vec::<Value>::new()),
        ValueKind::String if value.as_str().is_some_and(|text| text.trim().is_empty()) => {
            Value::from(Vec::<Value>::new())
        }
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Value::from(vec![value]),
        _ => return Err(Error::from(ErrorKind::InvalidOperation)),
    })
}

/// Takes no more than `limit` bytes.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::WriteZero));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
