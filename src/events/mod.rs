//! Events: everything that the library logs through `tracing`, in one place, where a reviewer can read it.
//!
//! No event holds a secret, a token or a value of a row, except the key of a row that is written. The targets are
//! part of the public API: [`audit`](crate::audit) lists them.

mod text;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

pub(crate) use self::text::{escaped, is_hidden};
use crate::error::Error;
use crate::viewer::Subject;

/// Returns a subject as text with hidden characters escaped: users may have chosen it themselves.
fn shown(subject: Option<&Subject>) -> Option<Cow<'_, str>> {
    subject.map(|subject| escaped(subject.as_str()))
}

/// A decision on a write, as it is logged.
pub(crate) struct LoggedWrite<'a> {
    pub(crate) outcome: &'static str,
    pub(crate) action: &'static str,
    pub(crate) entity: &'static str,
    pub(crate) table: &'static str,
    pub(crate) key: Option<&'a str>,
    pub(crate) rows: u64,
    pub(crate) fields: &'a [&'static str],
    pub(crate) rule: &'a str,
    pub(crate) viewer: Option<&'a Subject>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) request_id: Option<&'a str>,
}

/// Returns whether a subscriber takes decisions on writes, so that an event is worth building.
pub(crate) fn takes_writes() -> bool {
    tracing::enabled!(target: "clearance::audit", tracing::Level::INFO)
}

/// Logs a decision on a write.
pub(crate) fn write(event: &LoggedWrite<'_>) {
    let viewer = shown(event.viewer);
    tracing::info!(
        target: "clearance::audit",
        outcome = event.outcome,
        action = event.action,
        entity = event.entity,
        table = event.table,
        key = event.key,
        rows = event.rows,
        fields = ?event.fields,
        rule = event.rule,
        viewer = viewer.as_deref(),
        reason = event.reason,
        request_id = event.request_id,
        "write {}", event.outcome,
    );
}

/// Logs a decision that its sink did not record.
pub(crate) fn unrecorded(event: &LoggedWrite<'_>, error: &Error) {
    let viewer = shown(event.viewer);
    tracing::error!(
        target: "clearance::audit",
        outcome = event.outcome,
        action = event.action,
        entity = event.entity,
        key = event.key,
        viewer = viewer.as_deref(),
        request_id = event.request_id,
        %error,
        "write not recorded",
    );
}

/// Logs the text of a statement that is about to run.
pub(crate) fn statement(sql: &str) {
    tracing::debug!(target: "clearance::sql", statement = sql);
}

/// Logs a failed statement.
pub(crate) fn database_failure(class: &'static str, code: &str) {
    tracing::warn!(target: "clearance::database", class, code, "statement failed");
}

/// Logs a trigger that can change a row after the rules of its write were evaluated.
pub(crate) fn trigger(entity: &'static str, table: &'static str, trigger: &str) {
    tracing::warn!(
        target: "clearance::check",
        entity,
        table,
        trigger,
        "the rules of writes do not see the changes of this trigger",
    );
}

/// Logs a foreign key that clients may set without a rule on the row that it refers to.
pub(crate) fn unchecked_reference(input: &'static str, field: &'static str, table: &str) {
    tracing::warn!(
        target: "clearance::check",
        input,
        field,
        table,
        "a foreign key without a relation: declare a `belongs_to`, or add `any_row` with a reason"
    );
}

/// Logs the use of an escape hatch: a deliberate bypass of the rules by the application.
pub(crate) fn escape_hatch(name: &'static str, reason: &'static str) {
    tracing::info!(target: "clearance::access", hatch = name, reason, "escape hatch");
}

/// Logs a call that its rule denied.
pub(crate) fn call_denied() {
    tracing::info!(target: "clearance::access", "call denied");
}

/// Logs the use of an access after its request changed to another session.
pub(crate) fn access_of_another_session() {
    tracing::info!(target: "clearance::access", "access of another session");
}

/// Logs a request that the rules of its route denied. Its path is left to the application's own log.
#[cfg(feature = "gates")]
pub(crate) fn route_denied(signed_in: bool) {
    tracing::info!(target: "clearance::access", signed_in, "route denied");
}

/// Logs a request that another site may have had a browser send (CSRF).
pub(crate) fn forged_request(why: &'static str) {
    tracing::info!(target: "clearance::access", why, "possible cross-site request");
}

/// Logs a query that was refused because it names a field that this viewer may not see in every row. The
/// client does not learn of it.
pub(crate) fn hidden_field_named(dto: &'static str, field: &'static str) {
    tracing::info!(target: "clearance::access", dto, field, "query names a hidden field");
}

/// Logs a stored value that its field cannot hold, so that the field is hidden, or the row left out.
pub(crate) fn unreadable(entity: &'static str, field: &'static str, key: Option<&str>) {
    tracing::error!(target: "clearance::database", entity, field, key, "value cannot be read");
}

/// Logs a query that was refused because it exceeds a limit.
pub(crate) fn beyond_limit(dto: &'static str, limit: &'static str) {
    tracing::info!(target: "clearance::access", dto, limit, "query beyond a limit");
}

/// Logs a call that is open to everybody.
pub(crate) fn public_access(reason: &'static str) {
    tracing::debug!(target: "clearance::access", reason, "public access");
}

/// Logs a call by the program itself, to which no rule applies.
pub(crate) fn system_access(reason: &'static str) {
    tracing::info!(target: "clearance::access", reason, "system access");
}

/// Logs a rule that failed to evaluate, so that its call failed.
pub(crate) fn rule_failed(what: &'static str, rule: &'static str, failure: &impl fmt::Debug) {
    tracing::error!(target: "clearance::access", what, rule, ?failure, "rule failed");
}

/// Logs a requested explanation of why rules allow or deny something.
pub(crate) fn explained(explanation: &impl fmt::Display) {
    tracing::debug!(target: "clearance::explain", %explanation, "explained");
}

/// An event in the life of sessions, as it is logged.
pub(crate) struct LoggedSession<'a> {
    pub(crate) kind: &'static str,
    pub(crate) session: Option<&'a dyn fmt::Display>,
    pub(crate) previous: Option<&'a dyn fmt::Display>,
    pub(crate) subject: Option<&'a Subject>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) count: Option<u64>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) request_id: Option<&'a str>,
}

/// Logs an event in the life of sessions.
pub(crate) fn session(event: &LoggedSession<'_>) {
    let subject = shown(event.subject);
    tracing::info!(
        target: "clearance::session",
        session = event.session.map(ToString::to_string),
        previous = event.previous.map(ToString::to_string),
        subject = subject.as_deref(),
        reason = event.reason,
        count = event.count,
        address = event.address.map(|address| address.to_string()),
        request_id = event.request_id,
        "session {}", event.kind,
    );
}

/// Logs a credential that was presented and refused.
pub(crate) fn credential_refused(
    refusal: &'static str,
    address: Option<IpAddr>,
    request_id: Option<&str>,
) {
    tracing::info!(
        target: "clearance::session",
        refusal,
        address = address.map(|address| address.to_string()),
        request_id,
        "credential refused",
    );
}

/// Logs a token that was presented and refused.
pub(crate) fn token_refused(audience: &str, refusal: &'static str) {
    tracing::info!(target: "clearance::token", audience, refusal, "token refused");
}

/// Logs that a key has sealed half of the tokens that it may seal.
pub(crate) fn key_half_used() {
    tracing::warn!(target: "clearance::token", "a key has sealed half of the tokens that it may: rotate it");
}

/// Logs a step at which the session store gave no answer.
pub(crate) fn session_store_failed(step: &'static str, error: impl fmt::Display) {
    tracing::warn!(target: "clearance::session", step, %error, "session store failed");
}

/// Logs that this node receives the messages of the others, for the first time or again.
pub(crate) fn channel_connected() {
    tracing::info!(target: "clearance::nodes", "channel connected");
}

/// Logs that this node receives no messages of the others, and falls back to the cache bound.
pub(crate) fn channel_lost() {
    tracing::warn!(target: "clearance::nodes", "channel lost");
}

/// Logs that this node received a message that it cannot read, and falls back to the cache bound.
pub(crate) fn channel_unread() {
    tracing::warn!(target: "clearance::nodes", "notices cannot be read");
}

/// Logs that this node does not listen to its PostgreSQL database, whose encoding validates no text.
#[cfg(feature = "postgres")]
pub(crate) fn channel_without_text() {
    tracing::error!(
        target: "clearance::nodes",
        "a database with the encoding `SQL_ASCII` cannot have a channel between nodes: recreate it with `UTF8`"
    );
}

/// Logs that this node can read all messages again.
pub(crate) fn channel_read() {
    tracing::info!(target: "clearance::nodes", "notices can be read again");
}

/// Logs that the application's viewer source gave no answer.
pub(crate) fn viewer_source_failed(viewer: &'static str) {
    tracing::warn!(target: "clearance::session", viewer, "viewer source failed");
}

/// Logs that a hook of the application gave no answer.
pub(crate) fn hook_failed(hook: &'static str) {
    tracing::warn!(target: "clearance::session", hook, "session hook failed");
}

/// Logs an error whose advice is for the operator; the client's answer omits that.
pub(crate) fn failed(error: &Error) {
    tracing::error!(target: "clearance::failure", %error, "request failed");
}
