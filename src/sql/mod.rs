//! The database layer: the only module that writes SQL.
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
#[cfg(feature = "mysql")]
mod packet;
mod question;
mod references;
mod render;
mod row;
mod seek;
mod select;
mod session_end;
mod session_generations;
mod session_guard;
mod session_hold;
mod session_limit;
mod session_line;
mod session_row;
mod session_store;
mod session_touch;
mod session_viewer;
mod settings;
mod sizes;
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
pub use inspect::{DatabaseSchema, Index, TableSchema};
#[cfg(feature = "postgres")]
pub use node_channel::PostgresChannel;
pub(crate) use question::{
    By, Found, Function, Held, Join, Layout, Masked, OrderKey, Position, Question, Related, Rest,
    Summary, is_of,
};
pub(crate) use references::unchecked;
pub(crate) use row::Row;
pub(crate) use select::{SEVERAL, column, exists};
pub(crate) use session_guard::StatementGuard;
pub(crate) use session_hold::TokenGuard;
pub use session_store::SqlSessionStore;
pub(crate) use session_viewer::SessionViewer;
pub(crate) use sizes::inserted_at_once;

pub(crate) use structure::Structure;
pub(crate) use summary::{Answer, read as read_summary};
pub(crate) use template::{Asked, Plan};
pub(crate) use unguarded::{OwnLayout, own_query};
pub(crate) use unit::{Ending, Savepoint, Steps, Unit};
