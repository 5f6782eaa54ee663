//! Rules over viewer, row and context: as data, evaluated, and partially evaluated.

#![deny(clippy::wildcard_enum_match_arm)]

mod context;
mod value;

pub use context::Context;
pub use value::{Cell, Kind, Value};
