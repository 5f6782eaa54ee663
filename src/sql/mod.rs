//! The database room: the only place that writes SQL.
#![expect(
    clippy::disallowed_methods,
    reason = "this room is where SQL is written"
)]
#![deny(clippy::wildcard_enum_match_arm)]

#[cfg(feature = "accounts")]
mod accounts;
mod aftermath;
mod attempts;
mod audit_sink;
mod cells;
mod change;
mod check;
mod connection;
mod db;
mod dialect;
mod failure;
mod hand_over;
#[cfg(feature = "matrix")]
mod inspect;
mod migrate;
#[cfg(feature = "postgres")]
mod node_channel;
mod question;
mod render;
mod row;
mod seek;
mod select;
mod session_guard;
mod session_limit;
mod session_row;
mod session_store;
mod structure;
mod summary;
mod template;
mod truths;
mod unguarded;
mod unit;

#[cfg(feature = "accounts")]
pub use accounts::SqlAdapter;
pub(crate) use aftermath::Extent;
pub use audit_sink::SqlAuditSink;
pub use cells::Cells;
pub(crate) use change::{Change, Changed, Target, candidates};
pub(crate) use db::DatabaseId;
pub use db::{Db, Pool};
pub(crate) use dialect::Dialect;
pub(crate) use hand_over::{hand_over, within_poll};
#[cfg(feature = "matrix")]
pub use inspect::DatabaseSchema;
#[cfg(feature = "postgres")]
pub use node_channel::PostgresChannel;
pub(crate) use question::{
    By, Found, Function, Join, Layout, Masked, OrderKey, Position, Question, Related, Summary,
};
pub(crate) use row::Row;
pub(crate) use select::{SEVERAL, column, exists};
pub(crate) use session_guard::{StatementGuard, session_lock};
pub use session_store::SqlSessionStore;

pub(crate) use structure::Structure;
pub(crate) use summary::{Answer, read as read_summary};
pub(crate) use template::{Asked, Plan};
pub(crate) use unguarded::{OwnLayout, own_query};
pub(crate) use unit::{Ending, Savepoint, Steps, Unit};
