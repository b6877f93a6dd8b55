//! Makes the text part while the HTML is walked: in the order of the source, so that statements keep what they enclose.

use super::op::{Op, literal};

/// The text part so far.
#[derive(Default)]
pub(super) struct PlainText {
    ops: Vec<Op>,
    /// Line breaks and space that are due before the next text.
    breaks: u8,
    space: bool,
    begun: bool,
    /// Inside `<head>`, or an element that is not shown: its name, and how many of that name are open.
    hidden: Option<(String, usize)>,
    /// Which of the open tables only arrange things.
    arranging: Vec<bool>,
}

impl PlainText {
    pub(super) fn text(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        for (index, word) in text.split(|c: char| c.is_whitespace() && c != '\u{a0}').enumerate() {
            self.space |= index > 0;
            // Soft hyphens and invisible spacers are for layouts.
            let word = word.replace(['\u{200C}', '\u{200B}', '\u{AD}', '\u{FEFF}'], "").replace('\u{a0}', " ");
            if !word.is_empty() {
                self.settle();
                literal(&mut self.ops, &word);
            }
        }
    }

    /// A value among the text.
    pub(super) fn op(&mut self, op: Op) {
        if self.hidden.is_none() {
            self.settle();
            self.ops.push(op);
        }
    }

    /// A statement: what is due comes before it, so that both branches begin alike.
    pub(super) fn statement(&mut self, op: Op) {
        self.settle();
        self.ops.push(op);
    }

    pub(super) fn open(&mut self, name: &str, hidden: bool, presentation: bool, selfclosing: bool) {
        if let Some((outer, depth)) = &mut self.hidden {
            *depth += usize::from(outer == name && !selfclosing);
            return;
        }
        if (hidden || matches!(name, "head")) && !selfclosing && !matches!(name, "img" | "br" | "hr" | "meta" | "link")
        {
            self.hidden = Some((name.to_owned(), 1));
            return;
        }
        if name == "table" {
            self.arranging.push(presentation);
        }
        match name {
            "br" => {
                self.breaks = (self.breaks + 1).min(2);
                self.space = false;
            }
            "hr" => {
                self.due(2);
                self.text("--");
                self.due(2);
            }
            "li" => {
                self.due(1);
                self.text("- ");
            }
            _ => self.boundary(name),
        }
    }

    pub(super) fn close(&mut self, name: &str) {
        if let Some((outer, depth)) = &mut self.hidden {
            if outer == name {
                *depth -= 1;
                if *depth == 0 {
                    self.hidden = None;
                }
            }
            return;
        }
        self.boundary(name);
        if name == "table" {
            self.arranging.pop();
        }
    }

    /// Where the link leads whose text has just ended.
    pub(super) fn target(&mut self, target: Vec<Op>, labelled: bool) {
        if self.hidden.is_some() {
            return;
        }
        self.space |= labelled;
        self.settle();
        // RFC 3986, appendix C: angle brackets delimit an address in text.
        literal(&mut self.ops, "<");
        self.ops.extend(target);
        literal(&mut self.ops, ">");
    }

    pub(super) fn footer(&mut self, ops: Vec<Op>) {
        self.hidden = None;
        if !ops.is_empty() {
            self.due(2);
            self.settle();
            self.ops.extend(ops);
        }
    }

    pub(super) fn finish(mut self) -> Vec<Op> {
        literal(&mut self.ops, "\n");
        self.ops
    }

    fn boundary(&mut self, name: &str) {
        let arranges = self.arranging.last().copied().unwrap_or(true);
        match name {
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "blockquote" | "table" | "pre" => self.due(2),
            "tr" => self.due(if arranges { 2 } else { 1 }),
            "td" | "th" if arranges => self.due(1),
            "td" | "th" => self.space = true,
            "div" | "section" | "article" | "header" | "footer" | "main" | "center" | "tbody" | "dl" | "dt" | "dd" => {
                self.due(1);
            }
            _ => {}
        }
    }

    fn due(&mut self, breaks: u8) {
        self.breaks = self.breaks.max(breaks);
        self.space = false;
    }

    fn settle(&mut self) {
        if self.begun {
            match self.breaks {
                0 if self.space => literal(&mut self.ops, " "),
                0 => {}
                1 => literal(&mut self.ops, "\n"),
                _ => literal(&mut self.ops, "\n\n"),
            }
        }
        self.begun = true;
        self.breaks = 0;
        self.space = false;
    }
}

/// At most one empty line in a row, no space before a line's end, none at the beginning, one line break at the end.
pub(super) fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(line);
    }
    out.push('\n');
    out
}
