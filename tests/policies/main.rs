//! Rules over rows and fields, through the public API, on a real database of each engine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    unreachable_pub,
    reason = "a test fails by panicking, and its items are its own"
)]

#[path = "../support/engines.rs"]
mod engines;

mod access;
mod aggregates;
mod blog;
mod can_see;
mod can_set;
mod computed;
mod decisions;
mod declared;
mod dialects;
mod escape;
mod escape_shapes;
mod evaluate;
mod explain;
mod inputs;
mod lists;
mod matrix;
mod memo;
mod memo_viewers;
mod modes;
mod nested;
mod one_connection;
mod outputs;
mod pages;
mod paths;
mod queries;
mod reading;
mod registry;
mod relations;
mod review;
mod service_layer;
mod side_channels;
mod signed_in;
mod statements;
mod support;
mod tenants;
mod through;
mod unknown;
mod writing;
