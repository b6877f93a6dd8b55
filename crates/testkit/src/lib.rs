//! What the tests of every room stand on: a clock that a test moves, repeatable chance, a fresh database, a browser.
//!
//! It is a dev-dependency only (`cargo xtask tidy` refuses any other use), so nothing of it can reach the product.
//! Its invariants: no test sleeps for time to pass, no two tests share a database, every process that is started
//! here is ended by its own id, and what cannot run on this machine says so in a line that starts with `SKIPPED`.
//!
//! The most common change is another piece of the outside world to stand in for: give it a module, hand it in as a
//! parameter, and give it a test that shows that it notices what it is meant to notice.

#[cfg(feature = "browser")]
pub mod browser;
mod clock;
mod database;
pub mod dkimpy;
mod entropy;
pub mod postgres;
mod raw;
mod skip;

pub use clock::MockClock;
pub use database::{TestHouse, for_each_database};
pub use entropy::SeededEntropy;
pub use raw::HeldDatabase;
pub use skip::skipped;
