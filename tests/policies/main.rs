//! Rules over rows and fields, through the public API, on a real SQLite file.
#![expect(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by panicking, and its items are its own"
)]

mod access;
mod aggregates;
mod decisions;
mod modes;
mod outputs;
mod pages;
mod queries;
mod reading;
mod registry;
mod side_channels;
mod statements;
mod support;
mod unknown;
mod writing;
