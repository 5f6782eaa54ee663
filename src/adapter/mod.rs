//! Frameworks. Each file translates; nothing is decided here.

#[cfg(feature = "actix-web")]
pub mod actix_web;
#[cfg(feature = "axum")]
mod axum;
mod layer;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "tower")]
mod tower_gate;
#[cfg(feature = "warp")]
pub mod warp;

pub use self::layer::SessionLayer;
#[cfg(feature = "tower")]
pub use self::tower::{ScopedBody, ScopedFuture, SessionService};
#[cfg(feature = "tower")]
pub use self::tower_gate::{GateBody, GateService};
#[cfg(any(
    feature = "axum",
    feature = "warp",
    feature = "actix-web",
    feature = "rocket",
    feature = "poem",
    feature = "salvo"
))]
use crate::error::Result;

/// Nobody, where nobody is signed in. Whatever else went wrong stays an error.
#[cfg(any(
    feature = "axum",
    feature = "warp",
    feature = "actix-web",
    feature = "rocket",
    feature = "poem",
    feature = "salvo"
))]
pub(crate) fn optional<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_unauthenticated() => Ok(None),
        Err(error) => Err(error),
    }
}
