//! Sessions: what each part must do, by the ids of the specification.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod bad_input;
mod browser;
mod cached_cookies;
mod chunks;
mod clocks;
mod cookies;
mod credentials;
mod data;
mod dead_cookies;
mod devices;
mod environment;
mod events;
mod fresh;
mod generations;
mod groups;
mod hooks;
mod keys;
mod levels;
mod lifecycle;
mod lifetimes;
mod limits;
mod line;
mod logging;
mod migrations;
mod noise;
mod races;
mod renewal;
mod request;
mod ring;
mod safe_methods;
mod stateless;
mod stores;
mod strategies;
mod support;
mod sweep;
mod viewer_source;
