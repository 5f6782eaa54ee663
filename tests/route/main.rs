//! What stands before handlers, by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod csrf;
mod headers;
mod path;
mod protect;
mod proxies;
mod return_to;
mod rules;
mod support;
