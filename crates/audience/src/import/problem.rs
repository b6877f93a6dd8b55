//! Why an import failed, as it is kept with the import: a name and arguments for the reader's language, and the English
//! sentence for the command line.

use std::collections::BTreeMap;

use super::{ImportError, MappingError, SettingsError, SourceError};

/// Why an import failed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImportProblem {
    /// A stable name, for translated texts; empty for what an earlier version has written.
    pub code: String,
    /// What the text names.
    pub args: BTreeMap<String, ProblemArg>,
    /// The English sentence.
    pub text: String,
}

/// Something that a text names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum ProblemArg {
    /// A number.
    Number(u64),
    /// A word.
    Word(String),
}

impl ImportProblem {
    /// What is kept of an error that ends an import.
    pub fn of(error: &ImportError) -> Self {
        let number = |number: usize| ProblemArg::Number(number as u64);
        let (code, args) = match error {
            ImportError::Source(SourceError::Encoding { encoding, row, .. }) => {
                let encoding = ProblemArg::Word((*encoding).to_owned());
                ("source-encoding".to_owned(), vec![("encoding", encoding), ("row", ProblemArg::Number(*row))])
            }
            ImportError::Source(error) => (format!("source-{}", error.code()), vec![]),
            ImportError::Settings(SettingsError::Mapping(error)) => match error {
                MappingError::Width { .. } => ("columns-changed".to_owned(), vec![]),
                MappingError::NoEmail => ("no-email".to_owned(), vec![]),
                MappingError::Twice { first, second } => {
                    ("twice".to_owned(), vec![("first", number(*first)), ("second", number(*second))])
                }
                MappingError::Create(column) => ("create".to_owned(), vec![("column", number(*column))]),
                MappingError::NoField(column) => ("field-gone".to_owned(), vec![("column", number(*column))]),
            },
            ImportError::Settings(_) => ("settings".to_owned(), vec![]),
            _ => (String::new(), vec![]),
        };
        let args = args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { code, args, text: error.to_string() }
    }

    /// What is kept of an import, or of its undo, that failed at every attempt; what exactly failed stands with the
    /// dead letter, for whoever runs the installation.
    pub(super) fn gave_up(code: &str) -> Self {
        let text = "it failed again and again; what was imported stays and can be undone".to_owned();
        Self { code: code.to_owned(), args: BTreeMap::new(), text }
    }

    /// As it is stored.
    #[expect(clippy::expect_used, reason = "texts and numbers always have a JSON form")]
    pub(super) fn stored(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can be written as JSON")
    }

    /// From what is stored; what an earlier version wrote is the sentence itself.
    pub(super) fn read(stored: &str) -> Self {
        serde_json::from_str(stored).unwrap_or_else(|_| Self {
            code: String::new(),
            args: BTreeMap::new(),
            text: stored.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        let error = SourceError::Encoding { encoding: "UTF-8", byte: 7, row: 3 };
        let problem = ImportProblem::of(&ImportError::Source(error));
        assert_eq!(problem.code, "source-encoding");
        assert_eq!(problem.args["row"], ProblemArg::Number(3));
        assert_eq!(problem.args["encoding"], ProblemArg::Word("UTF-8".into()));
        assert_eq!(ImportProblem::read(&problem.stored()), problem);
        let gone = ImportProblem::of(&ImportError::Settings(MappingError::NoField(4).into()));
        assert_eq!((gone.code.as_str(), &gone.args["column"]), ("field-gone", &ProblemArg::Number(4)));
    }

    #[test]
    fn what_an_earlier_version_wrote_is_kept_as_it_is() {
        for old in ["the file has no rows", "{", "\"quoted\"", ""] {
            let read = ImportProblem::read(old);
            assert_eq!((read.code.as_str(), read.text.as_str()), ("", old));
        }
    }
}
