//! Text with variables in it: `Matched %{TX.0} in %{MATCHED_VAR_NAME}`.

use crate::variable::Variable;

/// A text that is filled in while a rule runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(Vec<u8>),
    /// A variable and, in lower case, the name of the value in it; empty for a variable that is no collection.
    Variable(Variable, Vec<u8>),
    /// A `TX` value by its place among the names of the rules.
    Slot(usize),
}

impl Text {
    /// Reads a text; `%{…}` must name a variable that exists.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("%{") {
            let Some(end) = rest[at..].find('}') else { break };
            literal.extend_from_slice(&rest.as_bytes()[..at]);
            let inner = &rest[at + 2..at + end];
            let (name, key) = inner.split_once(['.', ':']).unwrap_or((inner, ""));
            let variable =
                Variable::named(name).ok_or_else(|| format!("there is no variable {name:?} in %{{{inner}}}"))?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Variable(variable, key.to_ascii_lowercase().into_bytes()));
            rest = &rest[at + end + 1..];
        }
        literal.extend_from_slice(rest.as_bytes());
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }

    /// Asks `place` once for each `TX` value, so that filling in need not look for it by name.
    pub(crate) fn resolve(&mut self, mut place: impl FnMut(&[u8]) -> usize) {
        for piece in &mut self.pieces {
            if let Piece::Variable(Variable::Tx, name) = piece {
                *piece = Piece::Slot(place(name));
            }
        }
    }

    /// Whether it tells what a rule has matched.
    pub(crate) fn tells_matches(&self) -> bool {
        let tells = |piece: &Piece| match piece {
            Piece::Variable(variable, _) => variable.is_matched() || *variable == Variable::Rule,
            Piece::Literal(_) | Piece::Slot(_) => false,
        };
        self.pieces.iter().any(tells)
    }

    /// The text itself, if no variable is in it.
    pub(crate) fn literal(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(b""),
            [Piece::Literal(literal)] => Some(literal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_between_literals() {
        let text = Text::parse("a %{TX.Foo} b %{MATCHED_VAR}%{request_headers.User-Agent}").unwrap();
        let variable = |variable, key: &str| Piece::Variable(variable, key.as_bytes().to_vec());
        assert_eq!(
            text.pieces,
            [
                Piece::Literal(b"a ".to_vec()),
                variable(Variable::Tx, "foo"),
                Piece::Literal(b" b ".to_vec()),
                variable(Variable::MatchedVar, ""),
                variable(Variable::RequestHeaders, "user-agent"),
            ]
        );
        assert_eq!(Text::parse("50 % {x}").unwrap().literal(), Some(&b"50 % {x}"[..]));
        assert!(Text::parse("%{NOBODY}").is_err());
    }
}
