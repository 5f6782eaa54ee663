//! Data access layer.
mod audit;
mod clock;
mod error;
pub mod policy;
mod sql;
mod viewer;

pub use async_trait::async_trait;
pub use clock::{Clock, SystemClock};
pub use error::{Error, Result};
pub use sql::{Db, Pool};
pub use viewer::{SourceError, Subject, Viewer, ViewerSource};
