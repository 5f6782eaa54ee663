//! The database room: the only place that writes SQL.

mod db;
mod failure;
mod row;

pub use db::{Db, Pool};
pub(crate) use db::DatabaseId;
pub(crate) use row::Row;
