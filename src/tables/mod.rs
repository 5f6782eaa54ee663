//! The library's own tables: sessions, the audit record and accounts in the application's database, and the
//! channel between its nodes.
#![deny(clippy::wildcard_enum_match_arm)]

#[cfg(feature = "accounts")]
mod accounts;
mod audit_sink;
mod living;
#[cfg(feature = "postgres")]
mod node_channel;
mod session_end;
mod session_limit;
mod session_line;
mod session_store;
mod session_touch;
mod stateless_end;

#[cfg(feature = "accounts")]
pub use accounts::SqlAdapter;
pub use audit_sink::SqlAuditSink;
#[cfg(feature = "postgres")]
pub use node_channel::PostgresChannel;
pub use session_store::SqlSessionStore;
