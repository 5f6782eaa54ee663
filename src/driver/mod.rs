//! The database driver: it runs the text of statements on the connections and in the transactions of each engine.
//!
//! It knows no rule, no kind of statement and no session.
#![expect(
    clippy::disallowed_methods,
    reason = "this room is where statements are run"
)]
#![deny(clippy::wildcard_enum_match_arm)]

mod attempts;
mod built;
mod connection;
mod connections;
mod db;
mod dialect;
mod engine;
mod failure;
mod known_tables;
#[cfg(feature = "postgres")]
mod listener;
mod migrate;
mod notes;
mod on_commit;
#[cfg(feature = "mysql")]
mod packet;
mod ready;
mod row;
mod settings;
mod texts;
mod unit;

pub(crate) use attempts::Attempts;
pub(crate) use built::Execute;
pub(crate) use db::DatabaseId;
pub use db::{Db, Pool};
pub(crate) use dialect::{ComparedAs, Dialect, Storability};
pub(crate) use on_commit::{Extent, run_to_end};
pub(crate) use ready::Ready;
pub(crate) use row::Row;
pub(crate) use unit::{Savepoint, Steps, TransactionEnd, Unit};
