//! The parts that pages are put together from. Each is a function that yields markup; a part that needs words takes
//! whatever [`Speaks`](crate::text::Speaks) the reader's language.

mod chart;
mod choice;
mod confirm;
mod empty;
mod field;
mod notice;
mod progress;
mod seal;
mod stat;
mod table;

pub use chart::{Series, line_chart, share_bar};
pub use choice::{boxes, radios};
pub use confirm::{Confirm, confirm};
pub use empty::{Picture, empty};
pub use field::{
    Choice, Fields, Input, check, csrf_field, error_summary, field, hidden, select, submit, submit_or_cancel, text_area,
};
pub use notice::{Tone, notice};
pub use progress::{Progress, progress, remaining, stepper, tabs};
pub use seal::{Seal, seal, seal_shape};
pub use stat::{Stat, stats};
pub use table::{Pager, cell, number_cell, pager, table_card};
