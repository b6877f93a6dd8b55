//! What is read as one value: attributes, the addresses in them, and the content of `<style>` and `<title>`.

use super::{Place, Walk};
use crate::compile::address::{self, Address};
use crate::compile::markup::{Attribute, find_end, mark_at, quoted};
use crate::compile::op::{Escape, Op, literal};
use crate::compile::problem::Severity;
use crate::compile::render::CampaignLink;
use crate::compile::system;
use crate::compile::tag::{Kind, OPEN, shorten};

/// Attributes that hold addresses.
const ADDRESSES: [&str; 12] = [
    "href",
    "src",
    "background",
    "action",
    "cite",
    "poster",
    "data",
    "longdesc",
    "xlink:href",
    "formaction",
    "usemap",
    "lowsrc",
];
/// Links in one campaign.
const MAX_LINKS: u16 = 1000;

impl<'a> Walk<'a> {
    /// Writes an attribute. Yields where a link leads, if it is one.
    pub(super) fn attribute(
        &mut self,
        element: &str,
        attribute: &Attribute<'a>,
        line: Option<u32>,
    ) -> Option<(Option<u16>, Vec<Op>, String)> {
        let name = attribute.name.as_str();
        let value = attribute.value.unwrap_or("");
        let place = Place { line, value };
        if name.starts_with("on") || matches!(name, "srcdoc" | "ping" | "formaction") {
            let what = format!("the attribute {name} does not work in messages.");
            self.problem_at(place, Severity::Broken, "html.attribute", what, "Remove it.");
            return None;
        }
        let fixed_only = matches!(name, "style" | "srcset" | "class" | "id" | "http-equiv" | "content" | "rel");
        if fixed_only && value.contains(OPEN) {
            let what = format!("a tag stands in the attribute {name}, where contact data could change the layout.");
            self.problem_at(place, Severity::Broken, "tag.place", what, "Move it into the text.");
            return None;
        }
        literal(&mut self.page.html, " ");
        literal(&mut self.page.html, name);
        literal(&mut self.page.html, "=\"");
        let mut target = None;
        if ADDRESSES.contains(&name) {
            match address::read(value, self.source, name == "href") {
                Ok(address) => target = self.address(element, name, address, place),
                Err((what, hint)) => self.problem_at(place, Severity::Broken, "link.address", what, hint),
            }
        } else {
            self.value(place);
        }
        literal(&mut self.page.html, "\"");
        target
    }

    fn address(
        &mut self,
        element: &str,
        name: &str,
        address: Address,
        place: Place<'a>,
    ) -> Option<(Option<u16>, Vec<Op>, String)> {
        let is_link = name == "href" && (matches!(element, "a" | "area") || element.starts_with("v:"));
        match address {
            Address::Fixed(url) => {
                let web = url.starts_with("http");
                if is_link && web {
                    if url.starts_with("http:") {
                        let what = format!("a link is not encrypted: {}.", shorten(&url, 80));
                        self.problem_at(place, Severity::Advice, "link.http", what, "Use https:// if the site has it.");
                    }
                    let number = self.number(&url, place)?;
                    self.page.html.push(Op::Link(number, Escape::Html));
                    return Some((Some(number), vec![Op::Link(number, Escape::Plain)], url));
                }
                let mut escaped = String::new();
                Escape::Html.write(&url, &mut escaped);
                literal(&mut self.page.html, &escaped);
                let shown = if url.starts_with('#') { Vec::new() } else { vec![Op::Literal(url.clone())] };
                Some((None, shown, url))
            }
            Address::System(index) => {
                let tag = self.source.tags.get(index)?;
                if is_link && self.depth == 0 && !self.in_condition && tag.sole_name() == Some(system::UNSUBSCRIBE_URL)
                {
                    self.page.unsubscribes = true;
                }
                self.page.html.push(Op::Value(index, Escape::Html));
                Some((None, vec![Op::Value(index, Escape::Plain)], String::new()))
            }
            Address::Mixed(pieces) => {
                let mut shown = Vec::new();
                for piece in pieces {
                    match piece {
                        Ok(text) => {
                            let mut escaped = String::new();
                            Escape::Html.write(&text, &mut escaped);
                            literal(&mut self.page.html, &escaped);
                            literal(&mut shown, &text);
                        }
                        Err(index) => {
                            self.page.html.push(Op::Value(index, Escape::Url));
                            shown.push(Op::Value(index, Escape::Url));
                        }
                    }
                }
                if is_link {
                    self.problem_at(
                        place,
                        Severity::Advice,
                        "link.personal",
                        "clicks on a link with a merge tag in its address are not counted.".into(),
                        "That is fine; a fixed address would be counted.",
                    );
                }
                Some((None, shown, String::new()))
            }
        }
    }

    fn number(&mut self, url: &str, place: Place<'a>) -> Option<u16> {
        let number = u16::try_from(self.page.links.len()).unwrap_or(u16::MAX).saturating_add(1);
        if number > MAX_LINKS {
            if number == MAX_LINKS + 1 {
                let what = format!("there are more than {MAX_LINKS} links.");
                self.problem_at(place, Severity::Broken, "link.many", what, "Remove some.");
            }
            return None;
        }
        self.page.links.push(CampaignLink { number, url: url.to_owned(), label: String::new() });
        Some(number)
    }

    /// The value of an attribute that is no address.
    fn value(&mut self, place: Place<'_>) {
        let mut rest = place.value;
        let mut depth = 0usize;
        while let Some(at) = rest.find(OPEN) {
            quoted(&mut self.page.html, &rest[..at]);
            rest = &rest[at..];
            let Some((index, length)) = mark_at(rest) else { break };
            rest = &rest[length..];
            let source = self.source;
            match source.tags.get(index).map(|tag| tag.kind) {
                Some(Kind::Output) => self.page.html.push(Op::Value(index, Escape::Html)),
                Some(kind) => {
                    match kind {
                        Kind::If | Kind::For => depth += 1,
                        Kind::EndIf | Kind::EndFor if depth > 0 => depth -= 1,
                        _ if depth > 0 => {}
                        _ => depth = usize::MAX / 2,
                    }
                    self.page.html.push(Op::Statement(index));
                }
                None => {}
            }
        }
        quoted(&mut self.page.html, rest);
        if depth != 0 {
            self.problem_at(
                place,
                Severity::Broken,
                "tag.straddles",
                "a statement begins inside the value of an attribute and ends outside, or the other way round.".into(),
                "Put the whole statement either into the value or outside of the element.",
            );
        }
    }

    /// The content of `<style>` and `<title>`.
    pub(super) fn raw(&mut self, lower: &str, line: Option<u32>) {
        let rest = &self.html[self.at..];
        let end = find_end(rest, lower);
        let content = &rest[..end];
        if lower == "style" {
            if content.contains(OPEN) {
                let what = "a tag stands in a style, where contact data could change the layout.".to_owned();
                self.problem(Severity::Broken, "tag.place", line, what, "Move it into the text.");
            } else {
                literal(&mut self.page.html, content);
            }
        } else {
            self.value(Place { line, value: content });
        }
        self.at += end;
    }
}
