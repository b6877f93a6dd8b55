//! Value types that every room shares: typed ids, e-mail addresses, locales, roles, instants, and the
//! context of a request with its clock and entropy.
//!
//! Nothing here touches a database, a socket or a file. A value that exists is valid: constructors parse,
//! they do not merely check. The two places where the outside world enters are [`SystemClock`] and
//! [`SystemEntropy`]; tests hand in their own.
//!
//! The most common change is a new id kind: add one line to the list in `id.rs`. The list is append-only,
//! because kind names appear in URLs, logs and audit entries.

mod clock;
mod ctx;
mod email;
mod entropy;
mod id;
mod locale;
mod network;
mod role;

pub use clock::{Clock, SystemClock, Timestamp};
pub use ctx::{Actor, Ctx};
pub use email::{EmailAddress, EmailError};
pub use entropy::{Entropy, SystemEntropy};
pub use id::{Id, IdError, Kind, kind};
pub use locale::Locale;
pub use network::{Network, NetworkError};
pub use role::Role;
