//! Adapters for web frameworks: the session layer and gates in the idiom of each.
//!
//! [`SessionLayer`] and [`Gate`](crate::route::Gate) are the same types everywhere. With a framework's
//! feature on, they are middleware of that framework, handlers take [`Verified`](crate::Verified),
//! [`Current`](crate::Current), [`RequestContext`] and [`Untrusted`](crate::Untrusted) as it hands out such
//! things, and [`Error`](crate::Error) is an answer of it. Nothing is decided here: without an adapter
//! repositories refuse in the same way.
//!
//! | feature | framework | what is its own |
//! |---|---|---|
//! | `tower` | hyper 1, and what is built on tower and http | |
//! | `axum` | axum 0.8 | extractors and responses |
//! | `tonic` | tonic 0.14 | errors are a `Status` |
//! | `warp` | warp 0.4 | filters and `recover`, in `adapter::warp` |
//! | `actix-web` | actix-web 4 | `Optional`, for who may be nobody |
//! | `rocket` | Rocket 0.5 | `scoped` around routes, in `adapter::rocket` |
//! | `poem` | poem 3 | `Optional`, for who may be nobody |
//! | `salvo` | salvo 1 | the context in the depot, too |
//!
//! The pages in `docs/frameworks`, beside the sources, show each with its traps.

#[cfg(feature = "actix-web")]
pub mod actix_web;
#[cfg(feature = "axum")]
mod axum;
#[cfg(any(feature = "poem", feature = "salvo", feature = "tower"))]
mod body;
mod layer;
#[cfg(any(feature = "actix-web", feature = "poem", feature = "salvo"))]
mod optional;
#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "rocket")]
pub mod rocket;
#[cfg(feature = "salvo")]
mod salvo;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "tower")]
mod tower_gate;
#[cfg(feature = "warp")]
pub mod warp;

#[cfg(feature = "tower")]
pub use self::body::ScopedBody;
pub use self::layer::SessionLayer;
#[cfg(any(feature = "actix-web", feature = "poem", feature = "salvo"))]
pub use self::optional::Optional;
#[cfg(feature = "tower")]
pub use self::tower::{ScopedFuture, SessionService};
#[cfg(feature = "tower")]
pub use self::tower_gate::{GateBody, GateService};
#[cfg(any(
    feature = "axum",
    feature = "warp",
    feature = "actix-web",
    feature = "poem",
    feature = "salvo"
))]
use crate::error::Result;
use crate::request::RequestContext;

/// Polls work of a request after a wait, in its scope. Its cached viewer is dropped first if it is older than
/// the cache bound (decision 42).
fn resume<T>(context: &RequestContext, work: impl FnOnce() -> T) -> T {
    context.renew();
    context.sync_scope(work)
}

/// Maps "nobody is signed in" to `None`. Every other error stays one.
#[cfg(any(
    feature = "axum",
    feature = "warp",
    feature = "actix-web",
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

/// Builds a request's head for gates, for frameworks that have no such type.
#[cfg(any(feature = "poem", feature = "salvo"))]
fn head(method: &http::Method, uri: &http::Uri, headers: &http::HeaderMap) -> http::request::Parts {
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = method.clone();
    head.uri = uri.clone();
    head.headers = headers.clone();
    head
}
