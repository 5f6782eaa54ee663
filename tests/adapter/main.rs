//! The layer and the extractors, in a real axum server over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

#[path = "../sessions/support.rs"]
mod support;

mod bodies;
mod jar;
mod layers;
mod request_id;
mod responses;
mod scopes;
mod server;
