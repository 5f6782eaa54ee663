//! Signed and encrypted tokens: what opens, and what does not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod claims;
mod foreign;
mod keys;
mod oracle;
mod properties;
mod standards;
mod support;
