//! The database layer: the only module that writes SQL.
#![expect(
    clippy::disallowed_methods,
    reason = "this room is where SQL is written"
)]
#![deny(clippy::wildcard_enum_match_arm)]

#[cfg(feature = "accounts")]
mod accounts;
mod attempts;
mod audit_sink;
mod built;
mod cells;
mod change;
mod check;
mod connection;
mod connections;
mod db;
mod dialect;
mod driver;
mod failure;
mod inspect;
mod lengths;
mod limit;
mod live;
mod migrate;
#[cfg(feature = "postgres")]
mod node_channel;
mod on_commit;
#[cfg(feature = "mysql")]
mod packet;
mod query;
mod references;
mod render;
mod row;
mod seek;
mod select;
mod session_check;
mod session_end;
mod session_generations;
mod session_hold;
mod session_limit;
mod session_line;
mod session_row;
mod session_store;
mod session_touch;
mod session_viewer;
mod settings;
mod sizes;
mod statement_key;
mod summary;
mod template;
mod truths;
mod unguarded;
mod unit;

#[cfg(feature = "accounts")]
pub use accounts::SqlAdapter;
pub use audit_sink::SqlAuditSink;
pub use cells::Cells;
pub(crate) use change::{Change, Changed, Target, candidates};
pub(crate) use db::DatabaseId;
pub use db::{Db, Pool};
pub(crate) use dialect::Dialect;
pub use inspect::{DatabaseSchema, Index, TableSchema};
#[cfg(feature = "postgres")]
pub use node_channel::PostgresChannel;
pub(crate) use on_commit::Extent;
pub(crate) use query::{
    Found, Function, HeldValue, Join, Layout, Masked, OrderKey, OrderValue, Position, Query,
    RelatedValues, Rest, Summary, is_of,
};
pub(crate) use references::unchecked;
pub(crate) use row::Row;
pub(crate) use select::{SEVERAL, column, exists};
pub(crate) use session_check::SessionCheck;
pub(crate) use session_hold::TokenGuard;
pub use session_store::SqlSessionStore;
pub(crate) use session_viewer::SessionViewer;
pub(crate) use sizes::inserted_at_once;

pub(crate) use statement_key::StatementKey;
pub(crate) use summary::{Aggregated, read as read_summary};
pub(crate) use template::{Plan, QueryInput};
pub(crate) use unguarded::{OwnLayout, own_query};
pub(crate) use unit::{Savepoint, Steps, TransactionEnd, Unit};
