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
mod availability;
mod blog;
mod can_see;
mod can_set;
mod charsets;
mod computed;
mod conditions;
mod decisions;
mod declared;
mod dialects;
mod escape;
mod escape_shapes;
mod evaluate;
mod explain;
mod failures;
mod held;
mod hostile_rows;
mod inputs;
mod left_behind;
mod lists;
mod live_schema;
mod lots;
mod matrix;
mod memo;
mod memo_bounds;
mod memo_viewers;
mod modes;
mod names;
mod nested;
mod odd_cells;
mod one_connection;
mod outputs;
mod pages;
mod paths;
mod plans;
mod prepared;
mod queries;
mod reading;
mod references;
mod registry;
mod relations;
mod review;
mod rule_time;
mod service_layer;
mod shadowed;
mod side_channels;
mod signed_in;
mod statements;
mod support;
mod tenants;
mod texts;
mod through;
mod unknown;
mod viewers;
mod writing;
