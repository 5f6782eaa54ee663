//! What happened, as `tracing` events with stable targets. No event holds a secret, a token, a
//! key or a row's value.
//!
//! | target | level | says |
//! |---|---|---|
//! | `clearance::sql` | debug | the text of each statement, without its values |
//! | `clearance::database` | warn | the class and code of a failed statement |
//! | `clearance::session` | info | a session's life, and each refused credential |
//! | `clearance::access` | info | each refused call, each system access, each escape hatch |

use crate::policy::Failure;

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

/// A call whose rule did not allow it.
pub(crate) fn call_denied() {
    tracing::info!(target: "clearance::access", "call denied");
}

/// A write whose rule did not allow it, or whose row was not there.
pub(crate) fn write_denied(entity: &'static str, action: &'static str) {
    tracing::info!(target: "clearance::access", entity, action, "write denied");
}

/// A call that is open to everybody.
pub(crate) fn public_access(reason: &'static str) {
    tracing::debug!(target: "clearance::access", reason, "public access");
}

/// A call by the program itself, past every rule.
pub(crate) fn system_access(reason: &'static str) {
    tracing::info!(target: "clearance::access", reason, "system access");
}

/// A rule that could not be worked out, so that its call failed.
pub(crate) fn rule_failed(what: &'static str, rule: &'static str, failure: &Failure) {
    tracing::error!(target: "clearance::access", what, rule, ?failure, "rule failed");
}
