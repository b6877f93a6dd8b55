//! MJML → HTML. Tags are marks already, so that nothing of them can be taken apart on the way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use htmlparser::{Token, Tokenizer};
use letterkeep_model::Locale;
use mrml::prelude::parser::{Error as ParseError, ParserOptions};
use mrml::prelude::render::RenderOptions;

use super::problem::{Problem, Severity};
use super::tag::Scanned;

/// Elements inside each other, at most. The parser works by recursion: without a limit a small source could exhaust
/// the stack, which no program survives.
const MAX_DEPTH: usize = 60;
/// Elements in one message: the HTML of each can be a hundred times as long.
const MAX_ELEMENTS: usize = 5_000;
/// Elements times the longest value of an attribute: the engine repeats values of `mj-attributes` and of enclosing
/// elements in every element, so that a small source could become gigabytes.
const MAX_REPEATED: usize = 4 * 1024 * 1024;
/// Pictures of `<mj-carousel>`, whose HTML grows with the square of their number.
const MAX_CAROUSEL: usize = 100;

pub(super) fn to_html(source: &Scanned, locale: Locale, problems: &mut Vec<Problem>) -> Option<String> {
    let mut problem = |code, offset: Option<usize>, what: String, hint: &str| {
        let line = offset.map(|offset| source.line_at(offset));
        let (subject, hint) = (String::new(), hint.to_owned());
        problems.push(Problem { severity: Severity::Broken, code, part: "source", line, subject, what, hint });
    };
    if let Some(offset) = source.marked.find("<mj-include") {
        problem("mjml.include", Some(offset), "mj-include is not available.".into(), "Copy the content to its place.");
        return None;
    }
    match measure(&source.marked) {
        Err(Excess::Depth(offset)) => {
            let what = format!("there are more than {MAX_DEPTH} elements inside each other.");
            problem("mjml.deep", Some(offset), what, "Close the elements that you open, or simplify the layout.");
            return None;
        }
        Err(Excess::Number(offset)) => {
            let what = format!("there are more than {MAX_ELEMENTS} elements.");
            problem("mjml.many", Some(offset), what, "Shorten the message.");
            return None;
        }
        Ok(()) => {}
    }
    // The parser is not ours, and what it reads is foreign: should it panic, the content is refused, nothing else.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if grows(&source.marked) {
            return None;
        }
        // The default options load nothing, neither files nor addresses.
        let parsed = mrml::parse_with_options(&source.marked, &ParserOptions::default());
        Some(parsed.map(|parsed| {
            // No fonts: they would be loaded from a third party, which learns who reads what and when.
            let options = RenderOptions { disable_comments: false, social_icon_origin: None, fonts: [].into() };
            parsed.element.render(&options)
        }))
    }));
    match outcome {
        Ok(None) => {
            let what = "the MJML would become too much HTML.".into();
            problem("mjml.large", None, what, "Shorten the values of attributes, or the message.");
        }
        Ok(Some(Ok(Ok(html)))) => return Some(mend(&html, &source.marked, locale)),
        Ok(Some(Ok(Err(error)))) => {
            problem("mjml.render", None, format!("the MJML cannot be turned into HTML: {error}."), "");
        }
        Ok(Some(Err(error))) => {
            let (offset, what, hint) = explain(&error, source);
            problem("mjml.syntax", offset, what, hint);
        }
        Err(_) => problem("mjml.render", None, "the MJML cannot be turned into HTML.".into(), "Simplify it."),
    }
    None
}

/// The engine writes attributes as Rust writes texts for programmers: a no-break space becomes `\u{a0}`. And it knows no
/// language unless the source names one.
fn mend(html: &str, source: &str, locale: Locale) -> String {
    let html = html.replace("lang=\"und\"", &format!("lang=\"{locale}\""));
    if source.contains("\\u{") || !html.contains("\\u{") {
        return html;
    }
    let mut out = String::with_capacity(html.len());
    let mut rest = html.as_str();
    while let Some(at) = rest.find("\\u{") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let code = rest[3..].split_once('}').filter(|(code, _)| code.len() <= 6);
        if let Some((code, after)) = code
            && let Some(c) = u32::from_str_radix(code, 16).ok().and_then(char::from_u32)
        {
            out.push(c);
            rest = after;
        } else {
            out.push_str(&rest[..3]);
            rest = &rest[3..];
        }
    }
    out.push_str(rest);
    out
}

fn explain(error: &ParseError, source: &Scanned) -> (Option<usize>, String, &'static str) {
    let at = |start: usize, end: usize| super::tag::shorten(source.marked.get(start..end).unwrap_or_default(), 60);
    match error {
        ParseError::UnexpectedElement { position, .. } => (
            Some(position.start),
            format!("this element may not stand here: {:?}.", at(position.start, position.end)),
            "Columns stand in sections, texts, buttons and pictures in columns.",
        ),
        ParseError::UnexpectedToken { position, .. } => (
            Some(position.start),
            format!("this may not stand here: {:?}.", at(position.start, position.end)),
            "Is an element before it not closed?",
        ),
        ParseError::MissingAttribute { name, position, .. } => {
            (Some(position.start), format!("the attribute {name} is missing."), "Add it.")
        }
        ParseError::InvalidAttribute { position, .. } => {
            (Some(position.start), "this attribute cannot be read.".into(), "Put its value in quotation marks.")
        }
        ParseError::InvalidFormat { position, .. } => {
            (Some(position.start), "this value cannot be read.".into(), "Check its unit: px or %.")
        }
        ParseError::EndOfStream { .. } => {
            (Some(source.marked.len()), "the MJML ends too early.".into(), "Close every element that you open.")
        }
        ParseError::SizeLimit { .. } => (None, "the MJML is too large.".into(), "Shorten it."),
        ParseError::ParserError { source: error, .. } => {
            let position = error.pos();
            let offset = source
                .marked
                .split_inclusive('\n')
                .take(usize::try_from(position.row).unwrap_or(1).saturating_sub(1))
                .map(str::len)
                .sum();
            (Some(offset), "the MJML cannot be read here.".into(), "Is a bracket or quotation mark missing?")
        }
        ParseError::NoRootNode => {
            (Some(0), "there is no <mjml> element.".into(), "Begin with <mjml><mj-body>, or choose HTML.")
        }
        ParseError::IncludeLoaderError { position, .. } => {
            (Some(position.start), "mj-include is not available.".into(), "Copy the content to its place.")
        }
    }
}

/// Whether a source could become much more HTML than it is long. What cannot be read is left to the parser, which reads
/// the same pieces.
fn grows(source: &str) -> bool {
    let (mut elements, mut longest, mut pictures) = (0usize, 0usize, 0usize);
    for token in Tokenizer::from(source).map_while(Result::ok) {
        match token {
            Token::ElementStart { local, .. } => {
                elements += 1;
                pictures += usize::from(local.as_str() == "mj-carousel-image");
            }
            Token::Attribute { span, .. } => longest = longest.max(span.as_str().len()),
            _ => {}
        }
    }
    elements.saturating_mul(longest) > MAX_REPEATED || pictures > MAX_CAROUSEL
}

/// Where there begins to be too much.
enum Excess {
    Depth(usize),
    Number(usize),
}

/// Whether elements stand too deep inside each other, or are too many. For the depth, every `<name` counts that is not
/// closed at once: rather too much than too little.
fn measure(source: &str) -> Result<(), Excess> {
    const VOID: [&str; 7] = ["br", "img", "hr", "meta", "link", "input", "wbr"];
    let (mut depth, mut number) = (0usize, 0usize);
    for (at, _) in source.match_indices('<') {
        let rest = &source[at + 1..];
        if rest.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let name = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len())];
            let closed = rest.find(['>', '<']).is_some_and(|end| rest[..end].ends_with('/'));
            if !closed && !VOID.contains(&name) {
                depth += 1;
            }
            number += 1;
            if depth > MAX_DEPTH {
                return Err(Excess::Depth(at));
            }
            if number > MAX_ELEMENTS {
                return Err(Excess::Number(at));
            }
        }
    }
    Ok(())
}
