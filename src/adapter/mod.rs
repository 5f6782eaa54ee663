//! Frameworks. Each file translates; nothing is decided here.

mod axum;
mod tower;

pub use self::tower::{ScopedBody, ScopedFuture, SessionLayer, SessionService};
