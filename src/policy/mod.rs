//! Rules over viewer, row and context: as data, evaluated, and partially evaluated.

mod context;
mod value;

pub use context::Context;
pub use value::{Cell, Kind, Value};
