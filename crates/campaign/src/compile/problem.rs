use std::fmt;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know; can be sent.
    Advice,
    /// Can be shown, but not sent before it is mended.
    Incomplete,
    /// Cannot even be shown.
    Broken,
}

/// Something about content that somebody should mend or know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, without the particulars: for translation and for links to help, for example `tag.unknown`.
    pub code: &'static str,
    /// Where: `subject`, `preheader`, `source`, `text`, `postal_address`, `from_name`.
    pub part: &'static str,
    /// The line in that part, from 1, if it has one.
    pub line: Option<u32>,
    /// The thing itself: the tag, link or size. May be empty. Written by the author of the content: escape it.
    pub subject: String,
    /// What is wrong, in English, with the thing named.
    pub what: String,
    /// How to mend it, in English.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.part)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.what)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " {}", self.hint) }
    }
}
