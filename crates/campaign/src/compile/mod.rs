//! Content → checked, ready-to-render form.
//!
//! 1. `tag.rs` finds the merge tags in the source, checks what they say (`tag/expression.rs`) and puts marks in their place.
//! 2. `mjml.rs` turns MJML into HTML; marks pass through it untouched.
//! 3. `page.rs` walks over the HTML (`markup.rs` reads its pieces, `page/attribute.rs` writes attributes, `address.rs`
//!    reads addresses, `plain.rs` makes text), decides for every mark where it stands and how its value must be written
//!    there, numbers the links, refuses what must not be sent, and makes the text part.
//! 4. `engine.rs` makes each part ready: as segments if its tags are simple, otherwise as a minijinja template with
//!    limited fuel.
//! 5. The whole is tried with an empty and a filled contact, so that a template that runs away never reaches a worker.

mod address;
mod apart;
mod engine;
mod markup;
mod mjml;
mod op;
mod page;
mod plain;
mod problem;
mod render;
mod tag;

use std::collections::{BTreeSet, HashMap};

use letterkeep_model::Locale;

pub use apart::{apart, compile_apart};
pub use problem::{Problem, Severity};
pub use render::{CampaignLink, Compiled, Links, Plain, RenderError, Rendered, preview};

use self::engine::Part;
use self::op::{Escape, Op, literal};
use self::tag::{Kind, Scanned, Tag};
use crate::{Content, Fields, Format};

/// The names that every template may use besides the contact's fields.
pub mod system {
    /// Leaves the list with one click.
    pub const UNSUBSCRIBE_URL: &str = "unsubscribe_url";
    /// Shows the message in a browser.
    pub const VIEW_URL: &str = "view_url";
    /// The sender's postal address.
    pub const POSTAL_ADDRESS: &str = "postal_address";
    /// The sender's name.
    pub const SENDER_NAME: &str = "sender_name";
    /// All of them.
    pub const ALL: [&str; 4] = [UNSUBSCRIBE_URL, VIEW_URL, POSTAL_ADDRESS, SENDER_NAME];
    /// How the names begin that the engine keeps for itself.
    pub const PREFIX: &str = "lk_";

    /// Whether a name means something that no field and no loop may change.
    pub fn is_reserved(name: &str) -> bool {
        ALL.contains(&name) || name.starts_with(PREFIX) || name == "loop"
    }
}

/// Gmail cuts a message whose HTML is larger, and with it the link to unsubscribe.
const CLIPPED: usize = 102 * 1024;
/// The largest HTML of one message.
const MAX_HTML: usize = 1024 * 1024;
const MAX_TEXT: usize = 256 * 1024;
const MAX_LINE: usize = 2000;
const MAX_NESTING: usize = 20;
/// Problems that are shown.
const MAX_PROBLEMS: usize = 100;

/// Checks content and makes it ready to render. `known` holds the merge keys of the account's fields (standard and
/// custom). Yields every problem that keeps it from being rendered; lesser ones stand in [`Compiled::problems`].
pub fn compile(content: &Content, known: &BTreeSet<String>) -> Result<Compiled, Vec<Problem>> {
    compile_with(content, Some(known))
}

/// Makes the frozen content of an activity ready again. Its names were checked when it was frozen; a field that has
/// been deleted since is one that no contact has anything for.
pub fn compile_frozen(content: &Content) -> Result<Compiled, Vec<Problem>> {
    compile_with(content, None)
}

fn compile_with(content: &Content, known: Option<&BTreeSet<String>>) -> Result<Compiled, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut names = Names { known, used: BTreeSet::new(), required: BTreeSet::new() };

    let subject = header("subject", &content.subject, &mut names, &mut problems);
    let preheader = header("preheader", &content.preheader, &mut names, &mut problems);

    let source = tag::scan("source", &content.source, true, &mut problems);
    names.check("source", &source.tags, &mut problems);
    let html = match content.format {
        Format::Mjml => mjml::to_html(&source, content.locale, &mut problems),
        Format::Html => Some(whole_document(&source.marked, content.locale)),
    };
    let begins = match content.format {
        Format::Mjml => None,
        Format::Html => html.as_ref().and_then(|html| html.find(source.marked.as_str())),
    };
    let mut tags = source.tags.clone();
    let footer_tag = |name: &str| Tag::made_up(name);
    tags.extend([footer_tag(system::UNSUBSCRIBE_URL), footer_tag(system::VIEW_URL)]);
    let first = source.tags.len();
    let make_footer = |unsubscribes, shows| footer(content, first, unsubscribes, shows);
    let page = page::walk(html.as_deref().unwrap_or(""), &source, begins, &make_footer, &mut problems);
    nesting("source", &page.html, &tags, &mut problems);
    if problems.iter().any(|problem| problem.severity == Severity::Broken) {
        return Err(sorted(problems));
    }

    let html = part("source", MAX_HTML, &page.html, &tags, &mut problems);
    let text = if let Some(text) = &content.text {
        let scanned = tag::scan("text", text, false, &mut problems);
        names.check("text", &scanned.tags, &mut problems);
        let unsubscribes = scanned.tags.iter().any(|tag| tag.sole_name() == Some(system::UNSUBSCRIBE_URL));
        let shows = scanned.tags.iter().any(|tag| tag.sole_name() == Some(system::POSTAL_ADDRESS));
        let mut ops = plain_ops(&scanned, Escape::Plain);
        let mut tags = scanned.tags;
        literal(&mut ops, "\n\n");
        ops.extend(footer(content, tags.len(), unsubscribes, shows).1);
        tags.extend([footer_tag(system::UNSUBSCRIBE_URL), footer_tag(system::VIEW_URL)]);
        nesting("text", &ops, &tags, &mut problems);
        part("text", MAX_TEXT, &ops, &tags, &mut problems)
    } else {
        part("text", MAX_TEXT, &page.text, &tags, &mut problems)
    };
    let (Some(subject), Some(preheader), Some(html), Some(text)) = (subject, preheader, html, text) else {
        return Err(sorted(problems));
    };
    whole(content, &mut problems);
    let mut compiled = Compiled {
        links: page.links,
        fields_used: names.used.into_iter().collect(),
        required: names.required.into_iter().collect(),
        problems: Vec::new(),
        postal_address: content.postal_address.clone(),
        sender_name: content.from_name.clone(),
        subject,
        preheader,
        html,
        text,
    };
    try_out(&compiled, &mut problems);
    if problems.iter().any(|problem| problem.severity == Severity::Broken) {
        return Err(sorted(problems));
    }
    compiled.problems = sorted(problems);
    Ok(compiled)
}

/// The names that content uses.
struct Names<'a> {
    /// The merge keys of the account's fields; `None` where they were checked before.
    known: Option<&'a BTreeSet<String>>,
    used: BTreeSet<String>,
    required: BTreeSet<String>,
}

impl Names<'_> {
    /// Notes every name; refuses those that nobody knows.
    fn check(&mut self, part: &'static str, tags: &[Tag], problems: &mut Vec<Problem>) {
        let before = problems.len();
        let mut open = Open::default();
        for tag in tags {
            if matches!(tag.kind, Kind::EndIf | Kind::EndFor) {
                open.leave();
            }
            for name in tag.names() {
                if open.gives(name) || system::ALL.contains(&name) {
                    continue;
                }
                if self.is_known(name) {
                    self.used.insert(name.to_owned());
                    if tag.kind == Kind::Output && !open.tests(name) && !tag.has_fallback() {
                        self.required.insert(name.to_owned());
                    }
                    continue;
                }
                // Nobody is shown more, and finding what was meant costs.
                if problems.len() - before >= MAX_PROBLEMS {
                    return;
                }
                let candidates = self.known.into_iter().flatten().map(String::as_str).chain(system::ALL);
                let hint = tag::nearest(name, candidates).map_or_else(
                    || "Choose one of the fields of your contacts, or make a custom field with this name.".to_owned(),
                    |near| format!("Did you mean {near}?"),
                );
                problems.push(Problem {
                    severity: Severity::Broken,
                    code: "tag.unknown",
                    part,
                    line: Some(tag.line),
                    subject: tag::shorten(name, 60),
                    what: format!("there is no field {:?}.", tag::shorten(name, 60)),
                    hint,
                });
            }
            open.enter(tag);
        }
    }

    fn is_known(&self, name: &str) -> bool {
        !system::is_reserved(name) && self.known.is_none_or(|known| known.contains(name))
    }
}

/// The statements that are open at a place of the content, and how many of them name what.
#[derive(Default)]
struct Open<'a> {
    statements: Vec<Vec<&'a Tag>>,
    /// The names that conditions test.
    tested: HashMap<&'a str, usize>,
    /// The names that loops give to their items.
    given: HashMap<&'a str, usize>,
}

impl<'a> Open<'a> {
    fn enter(&mut self, tag: &'a Tag) {
        match tag.kind {
            Kind::If | Kind::For => self.statements.push(vec![tag]),
            Kind::Elif => match self.statements.last_mut() {
                Some(last) => last.push(tag),
                None => return,
            },
            _ => return,
        }
        for name in tag.names() {
            *self.tested.entry(name).or_default() += 1;
        }
        for item in &tag.items {
            *self.given.entry(item).or_default() += 1;
        }
        if tag.kind == Kind::For {
            *self.given.entry("loop").or_default() += 1;
        }
    }

    fn leave(&mut self) {
        for tag in self.statements.pop().unwrap_or_default() {
            for name in tag.names() {
                self.tested.entry(name).and_modify(|times| *times -= 1);
            }
            for item in &tag.items {
                self.given.entry(item).and_modify(|times| *times -= 1);
            }
            if tag.kind == Kind::For {
                self.given.entry("loop").and_modify(|times| *times -= 1);
            }
        }
    }

    fn tests(&self, name: &str) -> bool {
        self.tested.get(name).is_some_and(|times| *times > 0)
    }

    fn gives(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|times| *times > 0)
    }
}

/// Statements must open and close in order, in the order in which they stand in the message.
fn nesting(part: &'static str, ops: &[Op], tags: &[Tag], problems: &mut Vec<Problem>) {
    let mut open: Vec<&Tag> = Vec::new();
    let mut problem = |line: u32, what: &str, hint: &str| {
        problems.push(Problem {
            severity: Severity::Broken,
            code: "tag.nesting",
            part,
            line: Some(line),
            subject: String::new(),
            what: what.to_owned(),
            hint: hint.to_owned(),
        });
    };
    for op in ops {
        let Op::Statement(index) = op else { continue };
        let Some(tag) = tags.get(*index) else { continue };
        let last = open.last().map(|tag| tag.kind);
        match tag.kind {
            Kind::If | Kind::For => open.push(tag),
            Kind::Elif if last == Some(Kind::If) => {}
            Kind::Else if last.is_some() => {}
            Kind::EndIf if last == Some(Kind::If) => drop(open.pop()),
            Kind::EndFor if last == Some(Kind::For) => drop(open.pop()),
            _ => return problem(tag.line, "this statement has no beginning.", "Is an {% if %} or {% for %} missing?"),
        }
        if open.len() > MAX_NESTING {
            return problem(tag.line, "there are too many statements inside each other.", "Simplify it.");
        }
    }
    if let Some(tag) = open.last() {
        let (what, hint) = if tag.kind == Kind::If {
            ("this {% if %} never ends.", "Close it with {% endif %}.")
        } else {
            ("this {% for %} never ends.", "Close it with {% endfor %}.")
        };
        problem(tag.line, what, hint);
    }
}

fn header(name: &'static str, text: &str, names: &mut Names<'_>, problems: &mut Vec<Problem>) -> Option<Part> {
    let scanned = tag::scan(name, text, false, problems);
    names.check(name, &scanned.tags, problems);
    let ops = plain_ops(&scanned, Escape::Line);
    nesting(name, &ops, &scanned.tags, problems);
    part(name, MAX_LINE, &ops, &scanned.tags, problems)
}

fn part(name: &'static str, limit: usize, ops: &[Op], tags: &[Tag], problems: &mut Vec<Problem>) -> Option<Part> {
    if problems.iter().any(|problem| problem.part == name && problem.severity == Severity::Broken) {
        return None;
    }
    match Part::new(name, limit, ops, tags) {
        Ok(part) => Some(part),
        Err((line, what)) => {
            problems.push(Problem {
                severity: Severity::Broken,
                code: "tag.syntax",
                part: name,
                line: Some(line),
                subject: String::new(),
                what: format!("this tag cannot be read: {what}."),
                hint: "Compare it with the examples in the help.".into(),
            });
            None
        }
    }
}

/// Text with tags, no markup.
fn plain_ops(scanned: &Scanned, escape: Escape) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut rest = scanned.marked.as_str();
    while let Some(at) = rest.find(tag::OPEN) {
        literal(&mut ops, &rest[..at]);
        let Some((index, length)) = markup::mark_at(&rest[at..]) else { break };
        if let Some(tag) = scanned.tags.get(index) {
            ops.push(if tag.kind == Kind::Output { Op::Value(index, escape) } else { Op::Statement(index) });
        }
        rest = &rest[at + length..];
    }
    literal(&mut ops, rest);
    ops
}

/// Makes a fragment a whole document.
fn whole_document(html: &str, locale: Locale) -> String {
    let lower = html.get(..2000.min(html.len())).unwrap_or(html).to_ascii_lowercase();
    if lower.contains("<html") || lower.contains("<body") {
        return html.to_owned();
    }
    format!(
        "<!doctype html><html lang=\"{locale}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"></head><body>{html}</body></html>"
    )
}

/// What the message must show and does not: as HTML and as text. `first` is the number of the made-up tag for
/// `unsubscribe_url`; the next is that for `view_url`.
fn footer(content: &Content, first: usize, unsubscribes: bool, shows_postal_address: bool) -> (Vec<Op>, Vec<Op>) {
    let (mut html, mut text) = (Vec::new(), Vec::new());
    if unsubscribes && shows_postal_address {
        return (html, text);
    }
    let (unsubscribe, view) = match content.locale {
        Locale::De => ("Abbestellen", "Im Browser ansehen"),
        Locale::En => ("Unsubscribe", "View in browser"),
    };
    literal(
        &mut html,
        "<div style=\"max-width:600px;margin:0 auto;padding:24px 16px;text-align:center;\
         font-family:Helvetica,Arial,sans-serif;font-size:13px;line-height:20px;color:#6b6b6b\">",
    );
    if !shows_postal_address {
        let mut lines = Vec::new();
        for line in [content.from_name.as_str()].into_iter().chain(content.postal_address.lines()) {
            let mut escaped = String::new();
            Escape::Html.write(line.trim(), &mut escaped);
            if !escaped.is_empty() {
                lines.push(escaped);
                literal(&mut text, line.trim());
                literal(&mut text, "\n");
            }
        }
        literal(&mut html, &lines.join("<br>"));
    }
    if !unsubscribes {
        if !shows_postal_address {
            literal(&mut html, "<br>");
        }
        literal(&mut html, "<a href=\"");
        html.push(Op::Value(first, Escape::Html));
        literal(&mut html, "\" style=\"color:#6b6b6b\">");
        literal(&mut html, unsubscribe);
        literal(&mut html, "</a> &middot; <a href=\"");
        html.push(Op::Value(first + 1, Escape::Html));
        literal(&mut html, "\" style=\"color:#6b6b6b\">");
        literal(&mut html, view);
        literal(&mut html, "</a>");
        literal(&mut text, &format!("{unsubscribe}: "));
        text.push(Op::Value(first, Escape::Plain));
        literal(&mut text, &format!("\n{view}: "));
        text.push(Op::Value(first + 1, Escape::Plain));
    }
    literal(&mut html, "</div>");
    (html, text)
}

/// What concerns the content as a whole.
fn whole(content: &Content, problems: &mut Vec<Problem>) {
    let mut problem = |severity, code, part, what: &str, hint: &str| {
        let (what, hint) = (what.to_owned(), hint.to_owned());
        problems.push(Problem { severity, code, part, line: None, subject: String::new(), what, hint });
    };
    let incomplete = Severity::Incomplete;
    if content.subject.is_empty() {
        problem(incomplete, "subject.empty", "subject", "the subject is empty.", "Say what the message is about.");
    } else if content.subject.chars().count() > 90 {
        problem(Severity::Advice, "subject.long", "subject", "the subject is long.", "Many programs cut it after 50.");
    }
    if content.preheader.is_empty() {
        let what = "there is no pre-header.";
        problem(Severity::Advice, "preheader.empty", "preheader", what, "Mail programs show it after the subject.");
    }
    if content.from_name.is_empty() {
        problem(incomplete, "from_name.empty", "from_name", "the sender has no name.", "Write who sends the message.");
    }
    if content.postal_address.is_empty() {
        let what = "the sender's postal address is missing.";
        problem(incomplete, "postal_address.empty", "postal_address", what, "The law asks for it in every message.");
    }
    if content.source.trim().is_empty() {
        problem(incomplete, "source.empty", "source", "the message is empty.", "Choose a template to begin with.");
    }
}

/// Renders for a contact that has nothing, and for one that has everything.
fn try_out(compiled: &Compiled, problems: &mut Vec<Problem>) {
    let filled: Fields = compiled.fields_used.iter().map(|key| (key.clone(), "Beispiel Example".into())).collect();
    let mut size = 0;
    for fields in [Fields::default(), filled] {
        match compiled.render(&fields, &Plain) {
            Ok(rendered) => size = size.max(rendered.html.len()),
            Err(error) => {
                let (severity, code, part, line) = match &error {
                    RenderError::Fuel { part, line } => (Severity::Broken, "template.fuel", *part, Some(*line)),
                    RenderError::TooLarge { part, .. } => (Severity::Broken, "template.large", *part, None),
                    RenderError::Value { part, line, .. } => {
                        (Severity::Incomplete, "template.value", *part, Some(*line))
                    }
                };
                let what = match &error {
                    RenderError::Fuel { .. } => "the template takes too many steps.".to_owned(),
                    RenderError::TooLarge { limit, .. } => format!("the message grows beyond {limit} bytes."),
                    RenderError::Value { what, .. } => format!("the template fails for some contacts: {what}."),
                };
                let hint = match &error {
                    RenderError::Value { .. } => "Use default(…) before filters that expect numbers.",
                    _ => "Is there a loop inside a loop?",
                };
                let (subject, hint) = (String::new(), hint.to_owned());
                let problem = Problem { severity, code, part, line, subject, what, hint };
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    if size > CLIPPED {
        problems.push(Problem {
            severity: Severity::Advice,
            code: "size.clipped",
            part: "source",
            line: None,
            subject: format!("{} KB", size / 1024),
            what: format!("the message has {} KB; Gmail cuts it after 102 KB.", size / 1024),
            hint: "Shorten it, or link to a page for the rest.".into(),
        });
    }
}

/// Worst first, then in the order of the content; each once.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| (std::cmp::Reverse(problem.severity), problem.part, problem.line));
    problems.dedup();
    problems.truncate(MAX_PROBLEMS);
    problems
}

#[cfg(test)]
mod tests;
