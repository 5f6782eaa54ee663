//! What is decided by a path, a return URL and a header alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod path;
mod proxies;
mod return_to;
