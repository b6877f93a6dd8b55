//! Content → checked, ready-to-render form.

mod problem;
mod render;

use std::collections::BTreeSet;

pub use problem::{Problem, Severity};
pub use render::{CampaignLink, Compiled, Links, Plain, RenderError, Rendered, preview};

use crate::Content;

/// The names that every template may use besides the contact's fields.
pub mod system {
    /// Leaves the list with one click.
    pub const UNSUBSCRIBE_URL: &str = "unsubscribe_url";
    /// Shows the message in a browser.
    pub const VIEW_URL: &str = "view_url";
    /// The sender's postal address.
    pub const POSTAL_ADDRESS: &str = "postal_address";
    /// The sender's name.
    pub const SENDER_NAME: &str = "sender_name";
    /// All of them.
    pub const ALL: [&str; 4] = [UNSUBSCRIBE_URL, VIEW_URL, POSTAL_ADDRESS, SENDER_NAME];
}

/// Checks content and makes it ready to render. `known` holds the merge keys of the account's fields (standard and
/// custom). Yields every problem that keeps it from being rendered; lesser ones stand in [`Compiled::problems`].
pub fn compile(content: &Content, known: &BTreeSet<String>) -> Result<Compiled, Vec<Problem>> {
    let _ = (content, known);
    Err(Vec::new())
}
