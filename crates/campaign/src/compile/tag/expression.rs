//! The language inside a tag: its pieces, and what may stand together in an expression.

use super::nearest;

const MAX_TOKENS: usize = 200;
const MAX_BRACKETS: usize = 20;

const FILTERS: [&str; 16] = [
    "default",
    "d",
    "upper",
    "lower",
    "capitalize",
    "title",
    "trim",
    "length",
    "first",
    "last",
    "join",
    "round",
    "int",
    "float",
    "abs",
    "replace",
];
const TESTS: [&str; 6] = ["defined", "none", "string", "number", "odd", "even"];
pub(super) const WORDS: [&str; 13] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"];
const SIGNS: [&str; 17] = ["==", "!=", "<=", ">=", "<", ">", "=", "(", ")", "[", "]", ",", ".", "|", "+", "-", "~"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::compile) enum Token {
    Name(String),
    /// A text with its quotes, as written.
    Text(String),
    Number(String),
    Sign(&'static str),
}

/// Cuts the text of a tag into its pieces; what is wrong with it and a hint, otherwise.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, (String, String)> {
    let mut tokens = Vec::new();
    let mut brackets = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            if length > 18 || rest[..length].ends_with('.') || rest[..length].matches('.').count() > 1 {
                return Err(("has a number that cannot be read.".into(), String::new()));
            }
            tokens.push(Token::Number(rest[..length].to_owned()));
            length
        } else if first == '"' || first == '\'' {
            let length = quoted(rest, first).ok_or_else(|| {
                ("has a quotation mark without its partner.".to_owned(), "Close the quotation.".to_owned())
            })?;
            tokens.push(Token::Text(rest[..length].to_owned()));
            length
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            match sign {
                "(" | "[" => brackets.push(sign),
                ")" if brackets.pop() != Some("(") => return Err(unbalanced()),
                "]" if brackets.pop() != Some("[") => return Err(unbalanced()),
                _ => {}
            }
            if brackets.len() > MAX_BRACKETS {
                return Err(("has too many brackets in each other.".into(), "Simplify it.".into()));
            }
            tokens.push(Token::Sign(sign));
            sign.len()
        } else {
            return Err((format!("has a character that tags do not know: {first:?}."), merge_tag_hint()));
        };
        if tokens.len() > MAX_TOKENS {
            return Err(("is too long.".into(), "Simplify it.".into()));
        }
        rest = rest[length..].trim_start();
    }
    if brackets.is_empty() { Ok(tokens) } else { Err(unbalanced()) }
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn unbalanced() -> (String, String) {
    ("has a bracket without its partner.".into(), "Close every bracket that you open.".into())
}

fn merge_tag_hint() -> String {
    "Write the name of a field, for example {{ first_name }}.".into()
}

/// What may stand in an expression.
pub(super) fn check(tokens: &[Token]) -> Result<(), (String, String)> {
    if tokens.is_empty() {
        return Err(("is empty.".into(), merge_tag_hint()));
    }
    for (at, token) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        let word = |token: Option<&Token>, word: &str| matches!(token, Some(Token::Name(name)) if name == word);
        let is_filter = matches!(before(1), Some(Token::Sign("|")));
        let is_test = word(before(1), "is") || word(before(1), "not") && word(before(2), "is");
        let is_part = matches!(before(1), Some(Token::Sign(".")));
        match token {
            Token::Name(name) if is_filter && !FILTERS.contains(&name.as_str()) => {
                let near = nearest(name, FILTERS.iter().copied());
                let hint = near.map_or_else(
                    || format!("Filters are {}.", FILTERS.join(", ")),
                    |near| format!("Did you mean {near}?"),
                );
                return Err((format!("uses a filter that does not exist: {name}."), hint));
            }
            Token::Name(name) if is_test && name != "not" && !TESTS.contains(&name.as_str()) => {
                let hint = format!("Tests are {}.", TESTS.join(", "));
                return Err((format!("uses a test that does not exist: {name}."), hint));
            }
            Token::Name(_) if is_part && !word(before(2), "loop") => {
                return Err(("looks inside a field.".into(), "Fields have no parts: remove the dot.".into()));
            }
            Token::Sign("(") => {
                let calls = match before(1) {
                    Some(Token::Name(name)) => {
                        !WORDS.contains(&name.as_str()) && !matches!(before(2), Some(Token::Sign("|")))
                    }
                    Some(Token::Sign(")" | "]") | Token::Text(_) | Token::Number(_)) => true,
                    _ => false,
                };
                if calls {
                    return Err((
                        "calls a function.".into(),
                        "Templates have no functions, only fields and filters.".into(),
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
