//! What every session store must do, on the engine of this run, and in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking, and shares its support with others"
)]

mod contract;
#[path = "../support/engines.rs"]
mod engines;
mod limits;
mod node;
mod nodes;
mod outages;
mod processes;
mod races;
mod redis_keys;
mod redis_server;
mod silent;
#[path = "../support/stores.rs"]
mod stores;
mod support;
