//! Which requests of the tests the edge refuses itself, before any rule: malformed ones, and those that ask for what is
//! not served here.

use super::super::case::{Case, Generation};
use super::client::Answer;

/// One line for each request: generation, test (and stage, beyond the first), `caught` where the test wants it to be
/// noticed, else `harmless`; status, and what the client is told. `#` begins a remark.
pub(super) const LIST: &str = include_str!("refused.txt");

/// The lines of a generation.
pub(super) fn of(list: &'static str, generation: Generation) -> impl Iterator<Item = &'static str> {
    let own = move |line: &&str| line.strip_prefix(&generation.to_string()).is_some_and(|rest| rest.starts_with(' '));
    list.lines().filter(own)
}

/// The line of a request that was refused.
pub(super) fn line(case: &Case, stage: usize, answer: Option<&Answer>) -> String {
    let Case { generation, name, stages, .. } = case;
    let number = if stage == 0 { String::new() } else { format!("/{}", stage + 1) };
    let kind = if stages[stage].expected.is_harmless() { "harmless" } else { "caught" };
    let reason = match answer {
        None => "closed".to_owned(),
        // The text is the id of the request, another each time.
        Some(Answer { status, id: Some(_), .. }) => format!("{status} (with an id)"),
        Some(Answer { status, text, .. }) => format!("{status} {}", text.lines().next().unwrap_or_default()),
    };
    format!("{generation} {name}{number} {kind} {}", reason.trim_end())
}
