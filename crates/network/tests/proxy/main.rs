//! The edge before another service, on real sockets.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod downgrade;
mod health;
mod passing;
mod real;
mod running;
mod upstream;
mod websocket;
