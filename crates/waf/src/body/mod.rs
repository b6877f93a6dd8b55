//! What a request body holds: arguments, files, texts.
//!
//! Every parser takes bytes and gives bytes, never panics, and stops at its [`Limits`]. What was found before an error
//! is still handed out, so that rules see it; the error itself means that the request must not pass, for another
//! parser might read such a body differently.

pub(crate) mod cookies;
pub(crate) mod json;
pub(crate) mod multipart;
pub(crate) mod urlencoded;
pub(crate) mod xml;

/// How much of a body is read. Contents of files do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The bytes of a body that are not the content of a file.
    pub(crate) bytes: usize,
    /// Arguments; for forms fields and for files each on their own, for XML texts and attributes together.
    pub(crate) arguments: usize,
    /// How deep JSON and XML may be nested.
    pub(crate) depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 20, arguments: 1000, depth: 32 }
    }
}

/// A name and its value, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Argument {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// [`Limits::bytes`].
    #[error("the body has more than {0} bytes that are not files")]
    Bytes(usize),
    /// [`Limits::arguments`].
    #[error("the body has more than {0} arguments")]
    Arguments(usize),
    /// [`Limits::depth`].
    #[error("the body is nested deeper than {0} levels")]
    Depth(usize),
    /// Not the JSON that every parser reads alike.
    #[error("JSON, byte {at}: {what}")]
    Json {
        /// How many bytes come before it.
        at: usize,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// Not a form that every parser reads alike.
    #[error("multipart form: {0}")]
    Multipart(&'static str),
    /// Not the XML that every parser reads alike.
    #[error("XML, byte {at}: {what}")]
    Xml {
        /// How many bytes come before it.
        at: usize,
        /// What is wrong, in words.
        what: &'static str,
    },
}

impl BodyError {
    /// Whether the body is too large, rather than wrong.
    pub(crate) const fn is_limit(self) -> bool {
        matches!(self, Self::Bytes(_) | Self::Arguments(_) | Self::Depth(_))
    }
}

/// Adds an argument, or says that there are too many.
fn add(into: &mut Vec<Argument>, argument: Argument, limits: Limits) -> Result<(), BodyError> {
    if into.len() >= limits.arguments {
        return Err(BodyError::Arguments(limits.arguments));
    }
    into.push(argument);
    Ok(())
}

/// Arguments as pairs of text, for tests to compare.
#[cfg(test)]
fn texts(arguments: &[Argument]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    arguments.iter().map(|argument| (text(&argument.name), text(&argument.value))).collect()
}

/// Pairs of text as [`texts`] gives them.
#[cfg(test)]
fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
