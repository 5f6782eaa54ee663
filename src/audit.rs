//! What happened, as `tracing` events with stable targets. No event holds a secret, a token, a
//! key or a row's value.
//!
//! | target | level | says |
//! |---|---|---|
//! | `clearance::sql` | debug | the text of each statement, without its values |
//! | `clearance::database` | warn | the class and code of a failed statement |
//! | `clearance::session` | info | a session's life, and each refused credential |
//! | `clearance::access` | info | each refused call, each system access, each escape hatch |

/// A statement about to run.
pub(crate) fn statement(sql: &str) {
    tracing::debug!(target: "clearance::sql", statement = sql);
}

/// A statement that failed.
pub(crate) fn database_failure(class: &'static str, code: &str) {
    tracing::warn!(target: "clearance::database", class, code, "statement failed");
}

/// A way around the rules that the application took on purpose.
pub(crate) fn escape_hatch(name: &'static str, reason: &'static str) {
    tracing::info!(target: "clearance::access", hatch = name, reason, "escape hatch");
}
