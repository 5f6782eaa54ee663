//! Checks before a handler: cheap, and never the only ones.

mod groups;
mod headers;

pub use groups::{Group, GroupRule, Groups};
pub use headers::{ResourceIsolation, SecurityHeaders};
