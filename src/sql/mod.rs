//! The database room: the only place that writes SQL.

#![expect(clippy::disallowed_methods, reason = "this room is where SQL is written")]
#![deny(clippy::wildcard_enum_match_arm)]

mod db;
mod failure;
mod row;

pub use db::{Db, Pool};
pub(crate) use db::DatabaseId;
pub(crate) use row::Row;
