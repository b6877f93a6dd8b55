//! Compiling and rendering on a thread of its own.

use std::collections::BTreeSet;

use super::{Compiled, Problem, compile};
use crate::Content;

/// Does work that takes its time where it keeps nobody from being served.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and with it whoever waits.
            Err(_) => std::future::pending().await,
        },
    }
}

/// [`compile`], [`apart`].
pub async fn compile_apart(content: Content, known: BTreeSet<String>) -> Result<Compiled, Vec<Problem>> {
    apart(move || compile(&content, &known)).await
}
