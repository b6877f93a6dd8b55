//! Campaigns: what is written, who shall get it, when it goes out; and the template engine that turns content and a
//! contact's fields into one message.
//!
//! # What it owns
//! * [`Content`] and its limits; [`Audience`]; the life of a [`Campaign`] ([`State`], one function [`transition`]).
//! * [`examine`], before a transaction, and [`launch`] and its kin in it: content is frozen into an activity, with its
//!   links, in the transaction that enqueues the work. The room `delivery` does the work.
//! * [`compile`]: MJML or HTML with merge tags → [`Compiled`], checked once; [`Compiled::render`] is cheap and can
//!   run for every recipient.
//!
//! # Invariants
//! * Contact data never becomes markup, a link's scheme or host, a header line or a style: every merge tag is escaped
//!   for the place where it stands, and where no escaping is safe the tag is refused when the content is compiled.
//! * No template runs away: instructions, recursion and output are limited; compiling takes time in proportion to the
//!   length of the content, and is done where nobody waits for the thread or the database ([`apart`]).
//! * Nothing is sent to an audience that names a deleted list or tag.
//! * What is sent is what was frozen: an activity's content does not change.
//!
//! # The most common change
//! A new check of content: add it where the walk in `compile/page.rs` (markup) or `compile/mod.rs` (the whole) sees its
//! cause, as one more `Problem`, with a test beside it.

mod audience;
pub mod campaign;
pub mod compile;
mod content;
mod fields;
mod state;
pub mod template;

pub use audience::Audience;
pub use campaign::{
    Activity, ActivityState, Campaign, CampaignError, CampaignSummary, Examined, Launched, Scheduled, When, begin,
    cancel, count, create, delete, duplicate, examine, find, find_activity, finish, launch, page, pause, rename,
    resume, stall, stall_scheduled, unschedule, update,
};
pub use compile::{
    CampaignLink, Compiled, Links, Plain, Problem, RenderError, Rendered, Severity, apart, compile, compile_apart,
    compile_frozen, preview, system,
};
pub use content::{Content, ContentError, ContentInput, Format, limit};
pub use fields::Fields;
pub use state::{State, Step, transition};
