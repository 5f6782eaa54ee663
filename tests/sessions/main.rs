//! Sessions: what each part must do, by the ids of the specification.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod bad_input;
mod cookies;
mod keys;
mod levels;
mod lifecycle;
mod logging;
mod migrations;
mod races;
mod request;
mod stores;
mod support;
mod sweep;
mod viewer_source;
