//! Walks over HTML: decides for every tag where it stands and how its value must be written there, numbers the links,
//! finds what must not be sent, and makes the text part on the way.
//!
//! Attributes are written anew, always in double quotes, so that the walk and every mail program agree about where a
//! value begins and ends. Elements whose content browsers read in a way of their own are refused.

mod attribute;

use super::MAX_PROBLEMS;
use super::address;
use super::markup::{Attribute, attributes, mark_at};
use super::op::{Escape, Op, literal};
use super::plain::PlainText;
use super::problem::{Problem, Severity};
use super::render::CampaignLink;
use super::system;
use super::tag::{Kind, OPEN, Scanned, Tag, shorten};

/// Elements that have no place in a message: mail programs remove them, or they are dangerous.
const REFUSED: [&str; 26] = [
    "script",
    "iframe",
    "object",
    "embed",
    "applet",
    "base",
    "frame",
    "frameset",
    "form",
    "input",
    "button",
    "textarea",
    "select",
    "option",
    "svg",
    "math",
    "noscript",
    "noembed",
    "noframes",
    "xmp",
    "plaintext",
    "template",
    "audio",
    "video",
    "portal",
    "foreignobject",
];

/// Elements in one message.
const MAX_ELEMENTS: usize = 20_000;

/// What the walk found.
#[derive(Default)]
pub(super) struct Page {
    pub(super) html: Vec<Op>,
    pub(super) text: Vec<Op>,
    pub(super) links: Vec<CampaignLink>,
    /// Whether a link that everybody gets unsubscribes.
    pub(super) unsubscribes: bool,
    pub(super) shows_postal_address: bool,
}

struct Walk<'a> {
    source: &'a Scanned,
    /// Where the source begins in `html`, if it stands there as it is (not after MJML).
    begins: Option<usize>,
    html: &'a str,
    at: usize,
    page: Page,
    plain: PlainText,
    problems: &'a mut Vec<Problem>,
    depth: usize,
    body: (bool, bool),
    link: Option<OpenLink>,
    in_condition: bool,
    /// Elements so far, and problems that keep the content from being shown.
    elements: usize,
    broken: usize,
    /// How often a value was looked for in the source.
    sought: usize,
    footer: &'a dyn Fn(bool, bool) -> (Vec<Op>, Vec<Op>),
}

/// Where a value stands: its line if that is known, and the value itself.
#[derive(Clone, Copy)]
struct Place<'a> {
    line: Option<u32>,
    value: &'a str,
}

/// A link whose end has not come yet.
struct OpenLink {
    number: Option<u16>,
    target: Option<Vec<Op>>,
    url: String,
    label: String,
}

/// Walks over `html`, which holds marks for the tags of `source`. `footer(unsubscribes, shows_postal_address)` yields
/// what is missing at the end, as HTML and as text.
pub(super) fn walk(
    html: &str,
    source: &Scanned,
    begins: Option<usize>,
    footer: &dyn Fn(bool, bool) -> (Vec<Op>, Vec<Op>),
    problems: &mut Vec<Problem>,
) -> Page {
    let mut walk = Walk {
        source,
        begins,
        html,
        at: 0,
        page: Page::default(),
        plain: PlainText::default(),
        problems,
        depth: 0,
        body: (false, false),
        link: None,
        in_condition: false,
        elements: 0,
        broken: 0,
        sought: 0,
        footer,
    };
    walk.run();
    walk.finish()
}

impl<'a> Walk<'a> {
    fn run(&mut self) {
        // Nobody is shown more problems, and looking further costs.
        while self.at < self.html.len() && self.broken < MAX_PROBLEMS {
            let rest = &self.html[self.at..];
            match rest.find(['<', OPEN]) {
                None => {
                    self.text(rest);
                    self.at = self.html.len();
                }
                Some(0) if rest.starts_with(OPEN) => self.mark(),
                Some(0) => self.markup(),
                Some(end) => {
                    self.text(&rest[..end]);
                    self.at += end;
                }
            }
        }
    }

    fn finish(mut self) -> Page {
        self.close_link();
        if !self.body.0 {
            self.page.html.insert(0, Op::Preheader);
        }
        if !self.body.1 {
            self.end_of_body();
        }
        self.page.text = self.plain.finish();
        self.page
    }

    fn line(&self) -> Option<u32> {
        self.begins.map(|begins| self.source.line_at(self.at.saturating_sub(begins)))
    }

    fn problem(&mut self, severity: Severity, code: &'static str, line: Option<u32>, what: String, hint: &str) {
        let hint = hint.to_owned();
        self.broken += usize::from(severity == Severity::Broken);
        self.problems.push(Problem { severity, code, part: "source", line, subject: String::new(), what, hint });
    }

    /// A problem of a value. After MJML a place in the HTML has no line, but the value stands in the source too.
    fn problem_at(&mut self, place: Place<'_>, severity: Severity, code: &'static str, what: String, hint: &str) {
        let mut line = place.line;
        if line.is_none() && !place.value.is_empty() && self.sought < MAX_PROBLEMS {
            self.sought += 1;
            line = self.source.marked.find(place.value).map(|at| self.source.line_at(at));
        }
        self.problem(severity, code, line, what, hint);
    }

    fn text(&mut self, text: &str) {
        literal(&mut self.page.html, text);
        if self.in_condition {
            return;
        }
        let decoded = address::decode_entities(text);
        if let Some(link) = &mut self.link {
            link.label.push_str(&decoded);
        }
        self.plain.text(&decoded);
    }

    /// A tag among text.
    fn mark(&mut self) {
        let Some((index, length)) = mark_at(&self.html[self.at..]) else {
            self.at += OPEN.len_utf8();
            return;
        };
        self.at += length;
        let source = self.source;
        let Some(tag) = source.tags.get(index) else { return };
        match tag.kind {
            Kind::Output => {
                if tag.sole_name() == Some(system::POSTAL_ADDRESS) && self.depth == 0 {
                    self.page.shows_postal_address = true;
                }
                self.page.html.push(Op::Value(index, Escape::Lines));
                if !self.in_condition {
                    if let Some(link) = &mut self.link {
                        link.label.push_str(&shown(tag));
                    }
                    self.plain.op(Op::Value(index, Escape::Plain));
                }
            }
            kind => {
                match kind {
                    Kind::If | Kind::For => self.depth += 1,
                    Kind::EndIf | Kind::EndFor => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.page.html.push(Op::Statement(index));
                // Statements inside a condition for Outlook still count for the other programs' text: both branches
                // of a statement must stay together.
                self.plain.statement(Op::Statement(index));
            }
        }
    }

    fn markup(&mut self) {
        let rest = &self.html[self.at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            return self.comment(comment);
        }
        if let Some(after) = rest.strip_prefix("<![endif]-->") {
            literal(&mut self.page.html, "<![endif]-->");
            self.in_condition = false;
            self.at = self.html.len() - after.len();
            return;
        }
        if rest.starts_with("<!") || rest.starts_with("<?") {
            let end = rest.find('>').map_or(rest.len(), |end| end + 1);
            if rest[..end].to_ascii_lowercase().starts_with("<!doctype") && !rest[..end].contains(OPEN) {
                literal(&mut self.page.html, &rest[..end]);
            }
            self.at += end;
            return;
        }
        let (closing, name_at) = if rest.starts_with("</") { (true, 2) } else { (false, 1) };
        let name: String = rest[name_at..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '_'))
            .take(64)
            .collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            literal(&mut self.page.html, "&lt;");
            self.plain.text("<");
            self.at += 1;
            return;
        }
        let line = self.line();
        self.elements += usize::from(!closing);
        if self.elements > MAX_ELEMENTS {
            let what = format!("there are more than {MAX_ELEMENTS} elements.");
            self.problem(Severity::Broken, "html.many", line, what, "Shorten the message.");
            self.at = self.html.len();
            return;
        }
        let Some((attributes, length, selfclosing)) = attributes(&rest[name_at + name.len()..]) else {
            self.problem(
                Severity::Broken,
                "html.tag",
                line,
                format!("the element <{name}> cannot be read: a tag of a template or a broken attribute stands in it."),
                "Merge tags may stand in quoted values; move {% if %} outside of the element.",
            );
            self.at += name_at + name.len();
            return;
        };
        self.at += name_at + name.len() + length;
        let lower = name.to_ascii_lowercase();
        if closing {
            self.close(&name, &lower);
        } else {
            self.open(&name, &lower, &attributes, selfclosing, line);
        }
    }

    /// `text` begins after `<!--`.
    fn comment(&mut self, text: &str) {
        let start = self.html.len() - text.len();
        // `<!--[if mso]>…<![endif]-->`: what stands between is HTML for Outlook.
        if text.starts_with("[if")
            && let Some(end) = text.find(['>', '<', OPEN])
            && text[end..].starts_with('>')
            && let Some(end) = end.checked_sub(1).filter(|end| text[*end..].starts_with(']'))
        {
            let revealed = text[end + 2..].starts_with("<!-->");
            let end = end + if revealed { 7 } else { 2 };
            literal(&mut self.page.html, "<!--");
            literal(&mut self.page.html, &text[..end]);
            self.in_condition = !revealed;
            self.at = start + end;
            return;
        }
        if let Some(after) = text.strip_prefix("<![endif]-->") {
            literal(&mut self.page.html, "<!--<![endif]-->");
            self.at = self.html.len() - after.len();
            return;
        }
        // Every other comment is for authors, not for recipients.
        self.at = text.find("-->").map_or(self.html.len(), |end| start + end + 3);
    }

    fn close(&mut self, name: &str, lower: &str) {
        if self.refuses(lower) {
            return;
        }
        if lower == "body" && !self.in_condition && !self.body.1 {
            self.close_link();
            self.end_of_body();
        }
        literal(&mut self.page.html, "</");
        literal(&mut self.page.html, name);
        literal(&mut self.page.html, ">");
        if lower == "a" || lower.starts_with("v:") {
            self.close_link();
        }
        if !self.in_condition {
            self.plain.close(lower);
        }
    }

    /// Whether an element has no place here. Outlook's conditions hold `<noscript>` around its settings.
    fn refuses(&self, lower: &str) -> bool {
        REFUSED.contains(&lower) && !(self.in_condition && lower == "noscript")
    }

    fn end_of_body(&mut self) {
        self.body.1 = true;
        let (html, text) = (self.footer)(self.page.unsubscribes, self.page.shows_postal_address);
        self.page.html.extend(html);
        self.page.html.push(Op::Pixel);
        self.plain.footer(text);
    }

    fn open(&mut self, name: &str, lower: &str, attributes: &[Attribute<'a>], selfclosing: bool, line: Option<u32>) {
        let value = |wanted: &str| {
            attributes.iter().find(|attribute| attribute.name == wanted).map(|attribute| attribute.value.unwrap_or(""))
        };
        if self.refuses(lower) {
            let what = format!("<{lower}> does not work in messages.");
            self.problem(Severity::Broken, "html.element", line, what, "Remove it; link to a page instead.");
            return;
        }
        if lower == "link" || lower == "meta" && value("http-equiv").is_some_and(|v| v.eq_ignore_ascii_case("refresh"))
        {
            let what = format!("<{lower}> is left out: messages load nothing from elsewhere by themselves.");
            self.problem(Severity::Advice, "html.external", line, what, "Put styles into the message.");
            return;
        }
        literal(&mut self.page.html, "<");
        literal(&mut self.page.html, name);
        let mut target = None;
        for attribute in attributes {
            if let Some(address) = self.attribute(lower, attribute, line) {
                target = Some(address);
            }
        }
        literal(&mut self.page.html, if selfclosing { " />" } else { ">" });
        if lower == "img" && value("alt").is_none() {
            let what = format!("a picture has no alternative text: {}.", shorten(value("src").unwrap_or(""), 60));
            self.problem(
                Severity::Advice,
                "image.alt",
                line,
                what,
                "Add alt=\"…\" (empty if the picture only decorates): many see the message without pictures.",
            );
        }
        if lower == "body" && !self.in_condition && !self.body.0 {
            self.body.0 = true;
            self.page.html.push(Op::Preheader);
        }
        if matches!(lower, "style" | "title") && !selfclosing {
            self.raw(lower, line);
            return;
        }
        if lower == "a"
            && let Some((number, target, url)) = target
        {
            self.close_link();
            self.link = Some(OpenLink { number, target: Some(target), url, label: String::new() });
        }
        if !self.in_condition {
            let hidden = value("style").is_some_and(|style| style.replace(' ', "").contains("display:none"));
            let presentation = value("role") == Some("presentation");
            self.plain.open(lower, hidden, presentation, selfclosing);
            if lower == "img"
                && let Some(alt) = value("alt").map(address::decode_entities)
                && !alt.trim().is_empty()
                && !alt.contains(OPEN)
            {
                self.plain.text(&alt);
                if let Some(link) = &mut self.link {
                    link.label.push_str(&alt);
                }
            }
        }
    }

    fn close_link(&mut self) {
        let Some(link) = self.link.take() else { return };
        let label = shorten(&link.label, 80);
        if let Some(stored) = link.number.and_then(|number| self.page.links.get_mut(usize::from(number) - 1)) {
            stored.label = if label.is_empty() { shorten(&link.url, 80) } else { label.clone() };
        }
        if let Some(target) = link.target
            && !target.is_empty()
            && label.trim() != link.url
            && !self.in_condition
        {
            self.plain.target(target, !label.is_empty());
        }
    }
}

/// How a tag is shown in a label.
fn shown(tag: &Tag) -> String {
    tag.names().next().map_or_else(String::new, |name| format!("{{{{ {name} }}}}"))
}
