//! Writes, alone and together, through the public API, on a real database of each engine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking, and shares its support with others"
)]

mod audit;
mod audit_sink;
mod computed;
mod constraints;
mod desk;
mod end_state;
#[path = "../support/engines.rs"]
mod engines;
mod explain;
mod inputs;
mod kinds;
mod many;
mod patches;
mod races;
mod references;
mod references_told;
mod related_races;
mod relations;
mod revocation_races;
mod revoked;
mod stateless_races;
#[path = "../policies/support.rs"]
mod support;
mod transactions;
mod turns;
mod upsert;
mod viewer_of;
