//! The database room: the only place that writes SQL.
#![expect(
    clippy::disallowed_methods,
    reason = "this room is where SQL is written"
)]
#![deny(clippy::wildcard_enum_match_arm)]

mod cells;
mod change;
mod check;
mod db;
mod dialect;
mod failure;
#[cfg(feature = "matrix")]
mod inspect;
mod migrate;
mod render;
mod row;
mod select;
mod session_store;

pub use cells::Cells;
pub(crate) use change::{Change, Target, delete, insert, update};
pub(crate) use db::DatabaseId;
pub use db::{Db, Pool};
pub(crate) use dialect::Dialect;
#[cfg(feature = "matrix")]
pub use inspect::DatabaseSchema;
pub(crate) use row::Row;
pub(crate) use select::{Plan, Question, SEVERAL, column, exists, plan};
pub use session_store::SqlSessionStore;
pub(crate) use session_store::StatementGuard;
