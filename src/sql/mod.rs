//! The database room: the only place that writes SQL.

mod db;
mod failure;
mod migrate;
mod row;
mod session_store;

pub(crate) use db::DatabaseId;
pub use db::{Db, Pool};
pub(crate) use row::Row;
pub use session_store::SqlSessionStore;
pub(crate) use session_store::{StatementGuard, session_exists};
