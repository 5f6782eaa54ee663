//! Data access layer.
#[cfg(target_family = "wasm")]
compile_error!(
    "`clearance` is for servers only: it verifies sessions and holds keys, which must never be part of what a browser downloads. Depend on it from the server's crate alone."
);

#[cfg(feature = "axum")]
mod adapter;
mod audit;
mod clock;
mod error;
pub mod policy;
mod request;
pub mod session;
mod sql;
#[cfg(feature = "testing")]
pub mod testing;
mod viewer;

#[cfg(feature = "axum")]
pub use adapter::{ScopedBody, ScopedFuture, SessionLayer, SessionService};
pub use async_trait::async_trait;
pub use clock::{Clock, SystemClock};
pub use error::{Error, Result};
pub use request::{RequestContext, in_current_scope, spawn, verify_session};
pub use session::{Current, Key, Optimistic, SessionId, Sessions, Verified};
pub use sql::{Db, Pool, SqlSessionStore};
pub use viewer::{SourceError, Subject, Viewer, ViewerSource};
