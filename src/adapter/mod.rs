//! Frameworks. Each file translates; nothing is decided here.

#[cfg(feature = "actix-web")]
pub mod actix_web;
#[cfg(feature = "axum")]
mod axum;
#[cfg(any(feature = "poem", feature = "salvo", feature = "tower"))]
mod body;
mod layer;
#[cfg(any(feature = "poem", feature = "salvo"))]
mod optional;
#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "rocket")]
pub mod rocket;
#[cfg(feature = "salvo")]
mod salvo;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "tower")]
mod tower_gate;

#[cfg(feature = "tower")]
pub use self::body::ScopedBody;
pub use self::layer::SessionLayer;
#[cfg(any(feature = "poem", feature = "salvo"))]
pub use self::optional::Optional;
#[cfg(feature = "tower")]
pub use self::tower::{ScopedFuture, SessionService};
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
